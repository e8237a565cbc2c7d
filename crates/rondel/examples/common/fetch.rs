//! Fetching a page by HTTP/1.1, on a connection of its own.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{Request, StatusCode, Uri};
use rondel::{Duplex, ValueError};
use rondel_hyper::{Io, cancellable};

/// What has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    /// The length of the body, in bytes.
    pub(crate) length: usize,
}

/// Reads the URL of a page that can be fetched.
pub(crate) fn http_url(text: &str) -> Result<Uri, String> {
    let url: Uri = text
        .parse()
        .map_err(|error| format!("{text:?} is no URL: {error}"))?;
    match (url.scheme_str(), url.host()) {
        (Some("http"), Some(_)) => Ok(url),
        _ => Err(format!("{text:?} does not begin with `http://` and a host")),
    }
}

/// Asks for a page and reads all of it.
pub(crate) async fn fetch(url: &Uri) -> rondel::Result<Page> {
    let authority = url
        .authority()
        .ok_or_else(|| ValueError::new("a URL without a host"))?;
    let address = match authority.port() {
        Some(_) => authority.to_string(),
        None => format!("{authority}:80"),
    };
    let stream = Duplex::from(rondel::open_connection(address.as_str()).await?);
    let (mut sender, connection) = cancellable(handshake(Io::new(stream))).await??;
    rondel::create_task(async move {
        // What goes wrong here is heard of by whoever waits for the answer; it ends with the sender.
        let _ = connection.await;
        Ok(())
    })?;

    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(HOST, authority.as_str())
        .body(Empty::<Bytes>::new())?;
    let mut response = cancellable(sender.send_request(request)).await??;
    let mut length = 0;
    while let Some(frame) = cancellable(response.frame()).await? {
        length += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(Page {
        status: response.status(),
        length,
    })
}
