//! Contexts among threads: each starts with none, and may enter a shared one.

use rondel_context::{Context, ContextVar, LookupError, ResetError, Token, capture, copy_context};
use std::cell::RefCell;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

static USER: ContextVar<&str> = ContextVar::with_default("user", "nobody");

#[test]
fn handles_may_cross_threads() {
    fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Context>();
    send_and_sync::<ContextVar<String>>();
    send_and_sync::<Token<String>>();
    send_and_sync::<LookupError>();
    send_and_sync::<ResetError<String>>();
}

#[test]
fn a_thread_starts_with_no_context() {
    USER.set("ada");
    thread::spawn(|| {
        assert!(capture().is_none());
        assert_eq!(USER.get(), Ok("nobody"));
        USER.set("grace");
    })
    .join()
    .expect("the thread's assertions hold");
    assert_eq!(USER.get(), Ok("ada"));
}

#[test]
fn two_threads_may_be_in_one_context_at_once() {
    let context = Context::new();
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            context.run(|| {
                USER.set("ada");
                barrier.wait();
                barrier.wait();
                assert_eq!(USER.get(), Ok("grace"));
            });
        });
        scope.spawn(|| {
            context.run(|| {
                barrier.wait();
                assert_eq!(USER.get(), Ok("ada"));
                USER.set("grace");
                barrier.wait();
            });
        });
    });
}

#[test]
fn a_variable_first_used_by_many_threads_has_one_identity() {
    const THREADS: usize = 8;

    for _ in 0..50 {
        let var = Arc::new(ContextVar::new("contended"));
        let barrier = Arc::new(Barrier::new(THREADS));
        let contexts: Vec<Context> = (0..THREADS)
            .map(|number| {
                let (var, barrier) = (Arc::clone(&var), Arc::clone(&barrier));
                thread::spawn(move || {
                    barrier.wait();
                    var.set(number);
                    copy_context()
                })
            })
            .collect::<Vec<_>>()
            .into_iter()
            .map(|thread| thread.join().expect("the thread does not panic"))
            .collect();
        for (number, context) in contexts.iter().enumerate() {
            assert_eq!(context.get(&var), Some(number));
        }
    }
}

/// What is left of a thread-local that outlives the current context looks at variables from its `Drop`.
struct AtThreadEnd(mpsc::Sender<(&'static str, bool)>);

impl Drop for AtThreadEnd {
    fn drop(&mut self) {
        let token = USER.set("forgotten");
        let refused = USER
            .reset(token)
            .is_err_and(|error| error.is_other_context());
        let _ = Context::new().run(capture);
        let _ = self.0.send((USER.get_or("gone"), refused));
    }
}

#[test]
fn nothing_panics_while_a_thread_ends() {
    thread_local! {
        static GUARD: RefCell<Option<AtThreadEnd>> = const { RefCell::new(None) };
    }

    /// A value of a variable: dropped with the thread's context, while that is being destroyed.
    #[derive(Clone)]
    struct Value(#[expect(dead_code, reason = "it is there for its Drop")] Arc<AtThreadEnd>);
    static VALUE: ContextVar<Value> = ContextVar::new("value");

    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Thread-locals are dropped in the order of first use or its reverse: one guard on either side.
        GUARD.set(Some(AtThreadEnd(sender.clone())));
        VALUE.set(Value(Arc::new(AtThreadEnd(sender))));
    })
    .join()
    .expect("the thread ends without panic");

    let reports: Vec<_> = receiver.iter().collect();
    assert_eq!(reports.len(), 2);
    assert!(
        reports.contains(&("gone", true)),
        "the context's own destructor sees none: {reports:?}"
    );
}
