//! Bodies: what goes out, in one type for both ways through the hall, and how what comes in is read.

use crate::error::Problem;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of an answer. The fast path's is one buffer and costs no allocation beyond it.
#[derive(Debug)]
pub(crate) enum HallBody {
    Whole(Bytes),
    Routed(axum::body::Body),
}

impl Body for HallBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Routed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Routed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Self::Routed(body) => body.size_hint(),
        }
    }
}

/// Reads a body of at most `limit` bytes. One that arrives in one piece, as almost all do, is not copied.
pub(crate) async fn read<B>(mut body: B, limit: usize) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
{
    let too_large = Problem::TooLarge { limit };
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large);
    }
    let Some(first) = next_piece(&mut body).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit {
        return Err(too_large);
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while let Some(piece) = next_piece(&mut body).await? {
        if whole.len() + piece.len() > limit {
            return Err(too_large);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

async fn next_piece<B>(body: &mut B) -> Result<Option<Bytes>, Problem>
where
    B: Body<Data = Bytes> + Unpin,
{
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_broken_off| Problem::IncompleteBody)?;
        // Trailers are not asked for.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

impl HallBody {
    /// As the router's kind of body.
    pub(crate) fn into_routed(self) -> axum::body::Body {
        match self {
            Self::Whole(bytes) => axum::body::Body::from(bytes),
            Self::Routed(body) => body,
        }
    }
}
