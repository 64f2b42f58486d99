//! One connection: hyper's HTTP/1.1 under the eye of the rounds.

use super::io::WatchedStream;
use super::rounds::Rounds;
use super::service::Front;
use super::watch::Watch;
use crate::limits::{BUFFER_BYTES, HEAD_BYTES};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Serves a connection on this loop, or closes it when there are too many.
pub(super) fn open(front: &Arc<Front>, rounds: &Arc<Rounds>, stream: TcpStream, peer: SocketAddr) {
    let Some(place) = rounds.take_in(peer.ip()) else {
        return;
    };
    // An answer goes out in one write; there is nothing to wait for and collect. If the socket is already broken,
    // the first read will say so.
    let _ = stream.set_nodelay(true);
    let front = Arc::clone(front);
    tokio::spawn(async move {
        let watch = Arc::clone(&place.watch);
        let io = WatchedStream::new(stream, Arc::clone(&watch));
        let service = {
            let watch = Arc::clone(&watch);
            service_fn(move |request| front.answer(&watch, request))
        };
        hold(io, &watch, service).await;
        drop(place);
    });
}

/// Speaks with a client until either side has had enough.
async fn hold<S, V>(io: WatchedStream<S>, watch: &Watch, service: V)
where
    S: AsyncRead + AsyncWrite + Unpin,
    V: HttpService<Incoming>,
    V::Error: Into<Box<dyn Error + Send + Sync>>,
    V::ResBody: 'static,
    <V::ResBody as Body>::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut connection = pin!(builder().serve_connection(io, service));
    let mut told = false;
    poll_fn(|cx| {
        watch.waits_with(cx.waker());
        if watch.must_close() {
            return Poll::Ready(());
        }
        if !told && watch.was_told_goodbye() {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        // What ends a connection early is the client's doing: cut off, malformed, too large.
        connection.as_mut().poll(cx).map(|ended| {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
        })
    })
    .await;
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // The rounds look after time.
        .header_read_timeout(None)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER_BYTES)
        // Answers are small: copying one behind its head is cheaper than a vectored write.
        .writev(false);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{Limits, ROUND};
    use crate::live::{Face, Listeners, Live, Shown};
    use crate::serve::rounds::Patience;
    use bytes::Bytes;
    use coupon_core::CouponId;
    use http_body_util::BodyExt as _;
    use std::convert::Infallible;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, interval};

    /// One frame is a good part of what is buffered for a connection.
    const FRAME_BYTES: usize = 8 << 10;

    fn shown(number: usize) -> Shown {
        Shown {
            data: format!("{number} {}", "x".repeat(FRAME_BYTES)),
            content: number.to_string(),
        }
    }

    /// A loop with one live view.
    struct House {
        live: Arc<Live>,
        listeners: Arc<Listeners>,
        round: Arc<AtomicU32>,
    }

    /// A listener: the client's end, its connection, and how many bytes were taken of the view for it.
    struct Listening {
        client: DuplexStream,
        watch: Arc<Watch>,
        connection: JoinHandle<()>,
        taken: Arc<AtomicUsize>,
    }

    impl House {
        async fn listen(&self) -> Listening {
            let (mut client, server) = tokio::io::duplex(1 << 10);
            let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let watch = Arc::new(Watch::new(peer, Arc::clone(&self.round)));
            let taken = Arc::new(AtomicUsize::new(0));
            let service = {
                let (live, listeners) = (Arc::clone(&self.live), Arc::clone(&self.listeners));
                let (watch, taken) = (Arc::clone(&watch), Arc::clone(&taken));
                service_fn(move |_request| {
                    let seat = live.seat(10).unwrap_or_else(|_| panic!("there is room"));
                    let view = live.view(CouponId::FIRST, Face::Public, &shown(0));
                    let beginning = view.beginning(0, &shown(0), None);
                    let response = listeners.attend(seat, view, beginning, Some(Arc::clone(&watch)));
                    watch.attendance_began();
                    let taken = Arc::clone(&taken);
                    let counted = response.map(|body| {
                        body.map_frame(move |frame| {
                            let bytes = frame.data_ref().map_or(0, Bytes::len);
                            taken.fetch_add(bytes, Ordering::Relaxed);
                            frame
                        })
                    });
                    async move { Ok::<_, Infallible>(counted) }
                })
            };
            let io = WatchedStream::new(server, Arc::clone(&watch));
            let held = Arc::clone(&watch);
            let connection = tokio::spawn(async move { hold(io, &held, service).await });
            client
                .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                .await
                .unwrap();
            Listening {
                client,
                watch,
                connection,
                taken,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_who_does_not_read_holds_little_and_is_sent_away_while_another_goes_on() {
        let house = House {
            live: Arc::default(),
            listeners: Arc::default(),
            round: Arc::default(),
        };
        tokio::spawn(Arc::clone(&house.listeners).walk());
        let began = Instant::now();
        let deaf = house.listen().await;
        let Listening {
            mut client,
            watch,
            connection,
            ..
        } = house.listen().await;
        // Each second there is something new.
        let view = house.live.view(CouponId::FIRST, Face::Public, &shown(0));
        tokio::spawn(async move {
            let mut seconds = interval(Duration::from_secs(1));
            for number in 1.. {
                seconds.tick().await;
                view.show(&shown(number), Instant::now());
            }
        });
        let (round, watches) = (Arc::clone(&house.round), [Arc::clone(&deaf.watch), watch]);
        tokio::spawn(async move {
            let patience = Patience::new(&Limits::default());
            let mut rounds = interval(ROUND);
            loop {
                rounds.tick().await;
                let now = round.fetch_add(1, Ordering::Relaxed) + 1;
                for watch in &watches {
                    patience.look_at(watch, now, u32::MAX);
                }
            }
        });
        let read = Arc::new(AtomicUsize::new(0));
        let reading = {
            let read = Arc::clone(&read);
            tokio::spawn(async move {
                let mut piece = [0; 4_096];
                while let Ok(bytes @ 1..) = client.read(&mut piece).await {
                    read.fetch_add(bytes, Ordering::Relaxed);
                }
            })
        };
        deaf.connection.await.unwrap();
        let patience = Limits::default().idle_time.max(Duration::from_secs(45));
        let lasted = began.elapsed();
        assert!(
            lasted >= patience && lasted < patience + Duration::from_secs(30),
            "{lasted:?}"
        );
        let held = deaf.taken.load(Ordering::Relaxed);
        assert!(
            held <= BUFFER_BYTES + 3 * FRAME_BYTES,
            "{held} bytes were held for it"
        );
        assert_eq!(house.live.listeners(), 1);
        // The other one has missed nothing to speak of, and goes on.
        let so_far = read.load(Ordering::Relaxed);
        assert!(so_far > 20 * FRAME_BYTES, "{so_far}");
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert!(read.load(Ordering::Relaxed) > so_far + 200 * FRAME_BYTES);
        assert!(!connection.is_finished() && !reading.is_finished());
        drop(deaf.client);
    }
}
