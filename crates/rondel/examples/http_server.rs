//! HTTP/1.1 and HTTP/2 by hyper: a coroutine for each request.
#![allow(clippy::print_stdout, reason = "a program that prints")]

mod common;

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use common::{arguments, server};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use lexopt::ValueExt as _;
use rondel::Listen;

const USAGE: &str = "\
usage: http_server [--port N]

Speaks HTTP/1.1, and HTTP/2 with clients that begin with it, until it is interrupted or terminated.

  GET /          a short text
  GET /bytes/N   N bytes
  GET /delay/MS  a short text after so many milliseconds
  POST /echo     the body of the request

  --port N       the port on 127.0.0.1; 0, which is the default, is any free one
";

fn port() -> Result<u16, lexopt::Error> {
    let mut port = 0;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("port") => port = parser.value()?.parse()?,
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => arguments::help(USAGE),
            other => return Err(other.unexpected()),
        }
    }
    Ok(port)
}

type Answer = Response<UnsyncBoxBody<Bytes, hyper::Error>>;

fn text(status: StatusCode, text: impl Into<String>) -> Answer {
    let body = Full::new(Bytes::from(text.into())).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = status;
    let plain = "text/plain; charset=utf-8".parse().expect("it is one");
    answer.headers_mut().insert(CONTENT_TYPE, plain);
    answer
}

fn not_allowed(allowed: Method) -> Answer {
    let complaint = format!("only {allowed} is of use here\n");
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, complaint);
    let allowed = allowed.as_str().parse().expect("a method is a header");
    answer.headers_mut().insert(ALLOW, allowed);
    answer
}

fn no_number(number: &str) -> Answer {
    let complaint = format!("{number:?} is no number\n");
    text(StatusCode::BAD_REQUEST, complaint)
}

/// So many bytes, given out in pieces of one block.
struct Bulk {
    left: u64,
}

impl Body for Bulk {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static BLOCK: [u8; 64 * 1024] = [b'x'; 64 * 1024];
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let length = self.left.min(BLOCK.len() as u64);
        self.left -= length;
        let piece = Bytes::from_static(&BLOCK[..length as usize]);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

async fn answer(request: Request<Incoming>) -> rondel::Result<Answer> {
    let path = request.uri().path().to_owned();
    let pieces: Vec<&str> = path.split('/').skip(1).collect();
    let allowed = match pieces.as_slice() {
        [""] | ["bytes" | "delay", _] => Method::GET,
        ["echo"] => Method::POST,
        _ => return Ok(text(StatusCode::NOT_FOUND, "there is no such page\n")),
    };
    if *request.method() != allowed {
        return Ok(not_allowed(allowed));
    }
    match pieces.as_slice() {
        ["bytes", number] => match number.parse() {
            Ok(left) => {
                let body = Bulk { left }.map_err(|never| match never {});
                Ok(Response::new(body.boxed_unsync()))
            }
            Err(_) => Ok(no_number(number)),
        },
        ["delay", number] => match number.parse() {
            Ok(milliseconds) => {
                rondel::sleep(Duration::from_millis(milliseconds)).await?;
                Ok(text(StatusCode::OK, format!("{milliseconds} ms later\n")))
            }
            Err(_) => Ok(no_number(number)),
        },
        ["echo"] => Ok(Response::new(request.into_body().boxed_unsync())),
        _ => Ok(text(StatusCode::OK, "hello from rondel\n")),
    }
}

#[rondel::main]
async fn main() -> rondel::Result<()> {
    let port = arguments::or_exit(port(), USAGE);
    let mut signals = server::ending()?;
    let server = rondel_hyper::serve(answer, Listen::on(("127.0.0.1", port))).await?;
    server::announce(&server.sockets()[0].getsockname()?);

    signals.recv().await?;
    server.close();
    server::last_client(|| server.wait_closed(), || server.abort_clients()).await
}
