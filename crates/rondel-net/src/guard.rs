//! Calls of protocols and factories, which may panic, and the reports of what they did.
//!
//! # asyncio
//!
//! The `except BaseException` around every call of a protocol.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use rondel_reactor::{ExceptionContext, PanicError};
use rondel_task::{Exception, Result, WeakEventLoop};

use crate::protocol::BaseProtocol;

/// Calls `f`; a panic is its error.
///
/// What `f` shares with the rest is left as the panic left it: protocols are their authors' business, and our own cells are whole at every call.
#[inline]
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| PanicError::new(payload).into())
}

/// Tells the loop's exception handler what went wrong with a transport, if there still is a loop.
pub(crate) fn report(
    event_loop: &WeakEventLoop,
    message: &'static str,
    exception: Exception,
    transport: &dyn fmt::Debug,
    protocol: Option<&dyn BaseProtocol>,
) {
    let Some(event_loop) = event_loop.upgrade() else {
        return;
    };
    let mut context = ExceptionContext::new(message)
        .with_exception(exception.into_shared())
        .with_subject("transport", format!("{transport:?}"));
    if let Some(protocol) = protocol {
        context = context.with_subject("protocol", protocol.type_name());
    }
    event_loop.call_exception_handler(&context);
}
