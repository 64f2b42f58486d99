//! The baseline: a bare hyper handler that reads the same body and writes the same answer, on the same loops as the
//! product's hall: one thread, one runtime and one listener for each core.

use crate::server::Answer;
use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use socket2::{Domain, Protocol, Socket, Type};
use std::borrow::Cow;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

const BACKLOG: i32 = 4_096;
/// As in the product's hall.
const HEAD_BYTES: usize = 16 << 10;
const BUFFER_BYTES: usize = 64 << 10;

/// The body of an issue request.
#[derive(Deserialize)]
struct IssueBody<'a> {
    #[serde(rename = "userId", borrow)]
    user_id: Cow<'a, str>,
}

/// The answer, ready to be written.
#[derive(Debug)]
struct Ready {
    status: StatusCode,
    headers: HeaderMap,
    before: Box<[u8]>,
    after: Option<Box<[u8]>>,
}

impl Ready {
    fn new(answer: Answer) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        for (name, value) in answer.headers {
            headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        Ok(Self {
            status: StatusCode::from_u16(answer.status)?,
            headers,
            before: answer.before.into_bytes().into(),
            after: answer.after.map(|after| after.into_bytes().into()),
        })
    }

    fn answer(&self, user: &str) -> Response<Full<Bytes>> {
        let after = self.after.as_deref();
        let mut body = Vec::with_capacity(self.before.len() + user.len() + after.map_or(0, <[u8]>::len));
        body.extend_from_slice(&self.before);
        if let Some(after) = after {
            body.extend_from_slice(user.as_bytes());
            body.extend_from_slice(after);
        }
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

/// Serves until the process ends.
pub(crate) fn serve(listen: SocketAddr, answer: &Path) -> anyhow::Result<()> {
    let answer = std::fs::read(answer).context("cannot read the answer")?;
    let ready = Arc::new(Ready::new(serde_json::from_slice(&answer)?)?);
    let loops = std::thread::available_parallelism()?.get();
    let threads: Vec<_> = (0..loops)
        .map(|_| {
            let listener = bind(listen)?;
            let ready = Arc::clone(&ready);
            Ok(std::thread::spawn(move || run(listener, &ready)))
        })
        .collect::<anyhow::Result<_>>()?;
    for thread in threads {
        thread.join().ok().context("a loop of the baseline panicked")??;
    }
    Ok(())
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn run(listener: TcpListener, ready: &Arc<Ready>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let ready = Arc::clone(ready);
            tokio::spawn(async move {
                let service = service_fn(move |request| handle(Arc::clone(&ready), request));
                // What ends a connection early is the load's doing.
                let _ = builder().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER_BYTES)
        .writev(false);
    builder
}

async fn handle(ready: Arc<Ready>, request: Request<Incoming>) -> anyhow::Result<Response<Full<Bytes>>> {
    let body = request.into_body().collect().await?.to_bytes();
    let body: IssueBody<'_> = serde_json::from_slice(&body)?;
    Ok(ready.answer(&body.user_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_answers_the_users_own_id_in_the_same_words() {
        let ready = Ready::new(Answer {
            status: 201,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            before: "{\"userId\":\"".to_owned(),
            after: Some("\"}".to_owned()),
        })
        .unwrap();
        let response = ready.answer("kim");
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers().len(), 1);
        let body = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(response.into_body().collect())
            .unwrap();
        assert_eq!(body.to_bytes(), "{\"userId\":\"kim\"}");
    }
}
