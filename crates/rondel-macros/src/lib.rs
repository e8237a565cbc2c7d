//! The attributes `#[rondel::main]` and `#[rondel::test]`: an async function becomes one that runs on an event loop.
//!
//! They only rewrite the function.
//! Making the loop, running it and closing it is the work of `rondel::run` and `rondel::testing::run`, which the generated code calls;
//! this crate depends on neither, so it can be used by whatever crate offers those two functions.
//!
//! | attribute | calls | clock |
//! | --- | --- | --- |
//! | `#[rondel::main]` | `rondel::run` | the real one |
//! | `#[rondel::test]` | `rondel::testing::run` | a virtual one: sleeping takes no time |
//! | `#[rondel::test(clock = "real")]` | `rondel::run` | the real one |
//!
//! Every attribute takes `crate = "some::path"` for a crate that knows rondel by another name.
//!
//! # Examples
//!
//! A stranger's crate that has a `run` of its own:
//!
//! ```
//! mod stranger {
//!     pub type Result<T> = std::result::Result<T, String>;
//!
//!     pub fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
//!         let mut context = std::task::Context::from_waker(std::task::Waker::noop());
//!         match std::pin::pin!(main).poll(&mut context) {
//!             std::task::Poll::Ready(result) => result,
//!             std::task::Poll::Pending => Err("this loop cannot wait".to_owned()),
//!         }
//!     }
//! }
//!
//! #[rondel_macros::main(crate = "crate::stranger")]
//! async fn main() -> stranger::Result<()> {
//!     let word = async { "now in coroutine" }.await;
//!     println!("{word}");
//!     Ok(())
//! }
//! ```
//!
//! # asyncio
//!
//! `main` is what [`asyncio.run(main())`](https://docs.python.org/3/library/asyncio-runner.html#asyncio.run) is at the end of a Python program,
//! `test` is what `unittest.IsolatedAsyncioTestCase` is for a test.
//! A Python test runs in real time; ours runs in virtual time unless it asks for the real clock.

#![forbid(unsafe_code)]

mod expand;
mod function;
mod options;

use proc_macro::TokenStream;

use crate::options::Attribute;

/// Turns `async fn main` into a `fn main` that runs it on a new event loop, as `rondel::run` does.
///
/// The function takes no arguments and has no generic parameters.
/// It returns nothing, or a `rondel::Result`.
/// Either way the generated function returns a `rondel::Result`, so that a program whose loop or coroutine fails ends with the error on stderr and exit status 1.
///
/// # Options
///
/// - `crate = "some::path"`: where rondel is; `::rondel` unless said otherwise.
///
/// # Examples
///
/// ```standalone_crate
/// # extern crate self as rondel;
/// # pub use rondel_macros::main;
/// # pub type Result<T> = std::result::Result<T, std::num::ParseIntError>;
/// # pub fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     let std::task::Poll::Ready(result) = std::pin::pin!(main).poll(&mut context) else { panic!("it waits") };
/// #     result
/// # }
/// #[rondel::main]
/// async fn main() -> rondel::Result<()> {
///     let answer: u32 = async { "42" }.await.parse()?;
///     println!("{answer}");
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Attribute::Main, options.into(), item.into()).into()
}

/// Turns an async function into a `#[test]` that runs it on an event loop of its own, in virtual time.
///
/// The function takes no arguments and has no generic parameters.
/// It returns nothing, and then a loop that fails makes the test panic with the error, or a `rondel::Result`, which the test returns.
/// Its other attributes, such as `#[should_panic]`, stay on the test.
///
/// # Options
///
/// - `clock = "virtual"`: runs under `rondel::testing::run`, where a sleep takes no time; this is so unless said otherwise.
/// - `clock = "real"`: runs under `rondel::run`.
/// - `crate = "some::path"`: where rondel is; `::rondel` unless said otherwise.
///
/// # Examples
///
/// ```standalone_crate
/// # extern crate self as rondel;
/// # pub use rondel_macros::test;
/// # pub type Result<T> = std::result::Result<T, std::num::ParseIntError>;
/// # pub fn run<T>(_: impl Future<Output = Result<T>>) -> Result<T> { unreachable!() }
/// # pub mod testing { pub use crate::run; }
/// #[rondel::test]
/// async fn the_answer_is_a_number() -> rondel::Result<()> {
///     let answer: u32 = async { "42" }.await.parse()?;
///     assert_eq!(answer, 42);
///     Ok(())
/// }
///
/// #[rondel::test(clock = "real")]
/// async fn a_socket_needs_real_time() {}
/// # fn main() {}
/// ```
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Attribute::Test, options.into(), item.into()).into()
}
