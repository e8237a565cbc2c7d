//! How the servers begin, and how they end by themselves.

use std::time::Duration;

use rondel::SocketName;
use rondel::signal::{SIGINT, SIGTERM};

/// How long those who are still there may take when a server ends.
const GRACE: Duration = Duration::from_secs(10);

/// The signals that end a server; to be asked for before it says where it listens, so that none is missed.
pub(crate) fn ending() -> rondel::Result<rondel::Signals> {
    rondel::signals([SIGINT, SIGTERM])
}

/// Says where a server listens.
pub(crate) fn announce(address: &SocketName) {
    println!("listening on {address}");
}

/// Waits for the last client of a server that is closed, and has those aborted who take too long.
pub(crate) async fn last_client<C>(
    wait_closed: impl Fn() -> C,
    abort: impl Fn(),
) -> rondel::Result<()>
where
    C: Future<Output = rondel::Result<()>> + 'static,
{
    match rondel::wait_for(wait_closed(), GRACE).await {
        Err(error) if error.is_timeout() => {
            abort();
            wait_closed().await
        }
        ended => ended,
    }
}
