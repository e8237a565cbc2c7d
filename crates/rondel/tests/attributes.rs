//! `#[rondel::main]` and `#[rondel::test]` on the facade itself.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

#[rondel::test]
async fn a_test_runs_under_virtual_time() {
    let event_loop = rondel::get_running_loop().unwrap();
    let before = event_loop.time();
    rondel::sleep(DAY).await.unwrap();
    assert_eq!(event_loop.time() - before, DAY);
}

#[rondel::test(clock = "real")]
async fn a_test_may_ask_for_real_time() -> rondel::Result<()> {
    let event_loop = rondel::get_running_loop()?;
    let before = event_loop.time();
    rondel::sleep(Duration::from_millis(2)).await?;
    assert!(event_loop.time() - before >= Duration::from_millis(2));
    Ok(())
}

#[rondel::test]
#[should_panic(expected = "name='stuck' coro=wait_for_ever()")]
async fn a_deadlock_fails_the_test_and_names_who_waits() {
    async fn wait_for_ever() -> rondel::Result<()> {
        rondel::get_running_loop()?.create_future().await
    }
    let task = rondel::create_task(wait_for_ever()).unwrap();
    task.set_name("stuck");
    // When the run has failed, its tasks are cancelled like those of any other.
    assert!(task.await.is_err_and(|error| error.is_cancelled()));
}

#[test]
fn main_gives_what_its_coroutine_gives() {
    #[rondel::main]
    async fn main() -> rondel::Result<u32> {
        Ok(rondel::gather([async { Ok(1) }]).await?.into_iter().sum())
    }
    assert_eq!(main().unwrap(), 1);
}
