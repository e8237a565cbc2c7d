//! hyper's executor: what an HTTP/2 connection has to do beside itself runs as tasks of the loop.

use rondel_task::create_task;

/// Runs futures as tasks of the running loop; they need not be `Send`.
///
/// A future that panics is reported as any task's exception that nobody retrieves.
/// Outside of a running loop there is nobody to run a future: it is dropped, and that is traced as an error.
///
/// # Examples
///
/// ```
/// use hyper::server::conn::http2;
/// use rondel_hyper::{Executor, Timer};
///
/// # rondel_task::run(async {
/// let mut builder = http2::Builder::new(Executor);
/// builder.timer(Timer::new()?);
/// # Ok(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future<Output: 'static> + 'static,
{
    fn execute(&self, future: F) {
        let task = create_task(async move {
            future.await;
            Ok(())
        });
        if let Err(error) = task {
            tracing::error!(%error, "a future of hyper is dropped");
        }
    }
}
