//! The attributes on real functions, in a crate that offers the functions they call.

use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use rondel_macros::{main, test};

extern crate self as rondel;

type Result<T> = std::result::Result<T, String>;

thread_local! {
    static RUNNER: Cell<&'static str> = const { Cell::new("none") };
}

fn drive<T>(runner: &'static str, main: impl Future<Output = Result<T>>) -> Result<T> {
    RUNNER.set(runner);
    match pin!(main).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err("it waits".to_owned()),
    }
}

fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    drive("run", main)
}

mod testing {
    pub(crate) fn run<T>(main: impl Future<Output = crate::Result<T>>) -> crate::Result<T> {
        crate::drive("testing::run", main)
    }
}

mod renamed {
    pub(crate) use crate::{Result, run};
}

#[test]
async fn a_test_runs_in_virtual_time() {
    assert_eq!(RUNNER.get(), "testing::run");
}

#[test(clock = "real")]
async fn a_test_runs_in_real_time() -> Result<()> {
    assert_eq!(RUNNER.get(), "run");
    Ok(())
}

#[test]
#[should_panic(expected = "it waits")]
async fn a_test_whose_loop_fails_panics_with_the_error() {
    std::future::pending::<()>().await;
}

#[test]
async fn return_and_question_mark_work() -> Result<()> {
    if RUNNER.get() == "testing::run" {
        return Ok(());
    }
    Err("not reached")?
}

mod programs {
    use super::{RUNNER, Result, main};

    #[main]
    pub(super) async fn without_result() {
        if RUNNER.get() == "run" {
            return;
        }
        unreachable!("the loop that runs is not the one asked for");
    }

    #[main]
    pub(super) async fn endless() {
        std::future::pending::<()>().await;
    }

    #[main]
    pub(super) async fn with_result() -> Result<u32> {
        let number: u32 = async { "42" }
            .await
            .parse()
            .map_err(|_| "no number".to_owned())?;
        Ok(number)
    }

    #[main(crate = "crate::renamed")]
    pub(super) async fn elsewhere() {}
}

#[core::prelude::v1::test]
fn main_returns_what_the_loop_returns() {
    assert_eq!(programs::without_result(), Ok(()));
    assert_eq!(programs::endless(), Err("it waits".to_owned()));
    assert_eq!(programs::with_result(), Ok(42));
    assert_eq!(programs::elsewhere(), Ok(()));
}
