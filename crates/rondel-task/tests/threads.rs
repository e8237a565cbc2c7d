//! What may cross threads and what may not, checked by the compiler.

use rondel_task::{
    Awaiter, CallbackKey, EventLoop, Exception, Future, Outer, Result, RuntimeError, Task,
    ThreadPool, Timeout, TimeoutError, ValueError, concurrent,
};

/// Ambiguous, and so no answer, for a type that implements what is asked for.
trait AmbiguousIf<Asked> {
    fn is_not() {}
}

struct Send_;
struct Sync_;
impl<T: ?Sized> AmbiguousIf<()> for T {}
impl<T: ?Sized + Send> AmbiguousIf<Send_> for T {}
impl<T: ?Sized + Sync> AmbiguousIf<Sync_> for T {}

const fn is_send_and_sync<T: Send + Sync + 'static>() {}

const _: () = {
    is_send_and_sync::<Exception>();
    is_send_and_sync::<Result<i32>>();
    is_send_and_sync::<RuntimeError>();
    is_send_and_sync::<ValueError>();
    is_send_and_sync::<TimeoutError>();
    // Any value that may move to another thread may be shared by this one.
    is_send_and_sync::<concurrent::Future<std::cell::Cell<i32>>>();
    is_send_and_sync::<ThreadPool>();
};

#[test]
fn futures_tasks_and_loops_stay_on_their_thread() {
    // Each of these lines is ambiguous for a type that is Send or Sync, and does not compile then.
    <Future<i32> as AmbiguousIf<_>>::is_not();
    <Task<i32> as AmbiguousIf<_>>::is_not();
    <EventLoop as AmbiguousIf<_>>::is_not();
    <Awaiter<i32> as AmbiguousIf<_>>::is_not();
    <Outer<i32> as AmbiguousIf<_>>::is_not();
    <CallbackKey<i32> as AmbiguousIf<_>>::is_not();
    <Timeout as AmbiguousIf<_>>::is_not();
}

#[test]
fn handles_are_small() {
    const POINTER: usize = size_of::<usize>();
    assert!(size_of::<Future<[u8; 100]>>() <= 2 * POINTER);
    assert_eq!(size_of::<Task<[u8; 100]>>(), size_of::<Future<[u8; 100]>>());
    assert_eq!(size_of::<Option<Future<i32>>>(), size_of::<Future<i32>>());
    assert_eq!(size_of::<EventLoop>(), POINTER);
    assert_eq!(size_of::<Exception>(), 2 * POINTER);
}

#[test]
fn an_exception_travels_between_threads() {
    let raised = std::thread::spawn(|| {
        let error = rondel_task::run_virtual(async {
            Err::<(), _>("x".parse::<i32>().unwrap_err().into())
        });
        error.unwrap_err()
    });
    assert!(raised.join().unwrap().is::<std::num::ParseIntError>());
}
