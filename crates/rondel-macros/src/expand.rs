//! The rewriting: an async function goes, as it is, into a function that runs it.
//!
//! `#[rondel::main] async fn main() -> Result<()> { body }` becomes
//!
//! ```text
//! fn main() -> Result<()> {
//!     async fn main() -> Result<()> { body }
//!     ::rondel::run(main())
//! }
//! ```
//!
//! Being a function of its own, the body keeps its `return`, its `?` and its type errors, and a task that prints itself keeps its name.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{AttrStyle, Error, ItemFn, Visibility};

use crate::function::{Returns, misuse};
use crate::options::{Attribute, Clock, Options};

/// Gives the tokens that replace the attribute and its item: the new function, or the errors.
pub(crate) fn expand(attribute: Attribute, options: TokenStream, item: TokenStream) -> TokenStream {
    let function: ItemFn = match syn::parse2(item) {
        Ok(function) => function,
        Err(error) => {
            let sentence = format!("`{attribute}` belongs on an async function: {error}");
            return Error::new(error.span(), sentence).into_compile_error();
        }
    };
    let mut errors = misuse(attribute, &function);
    match Options::parse(attribute, options) {
        Ok(options) if errors.is_empty() => rewrite(attribute, &options, function),
        Ok(_) => report(attribute, &errors, &function),
        Err(error) => {
            errors.insert(0, error);
            report(attribute, &errors, &function)
        }
    }
}

fn rewrite(attribute: Attribute, options: &Options, function: ItemFn) -> TokenStream {
    let returns = Returns::of(&function);
    let visibility = function.vis.clone();
    let name = function.sig.ident.clone();
    let output = function.sig.output.clone();
    let (inner, outer): (Vec<_>, Vec<_>) = function
        .attrs
        .iter()
        .cloned()
        .partition(|a| matches!(a.style, AttrStyle::Inner(_)));
    let coroutine = ItemFn {
        attrs: inner,
        vis: Visibility::Inherited,
        ..function
    };

    let rondel = &options.rondel;
    let runner = match options.clock {
        Clock::Real => quote! { #rondel::run },
        Clock::Virtual => quote! { #rondel::testing::run },
    };
    // Located where a mistake would be: a result that is not rondel's is pointed at in the signature.
    let run = match returns {
        Returns::Something => quote_spanned! { output.span() => #runner(#name()) },
        Returns::Nothing => quote_spanned! { name.span() =>
            #runner(async { #name().await; ::core::result::Result::Ok(()) })
        },
    };
    match (attribute, returns) {
        (Attribute::Main, Returns::Something) => quote! {
            #(#outer)* #visibility fn #name() #output { #coroutine #run }
        },
        (Attribute::Main, Returns::Nothing) => quote! {
            #(#outer)* #visibility fn #name() -> #rondel::Result<()> { #coroutine #run }
        },
        (Attribute::Test, Returns::Something) => quote! {
            #[::core::prelude::v1::test] #(#outer)* #visibility fn #name() #output { #coroutine #run }
        },
        // Without a result, because `#[should_panic]` allows none.
        (Attribute::Test, Returns::Nothing) => {
            let fail = quote_spanned! { name.span() =>
                if let ::core::result::Result::Err(error) = #run { ::core::panic!("{}", error) }
            };
            quote! { #[::core::prelude::v1::test] #(#outer)* #visibility fn #name() { #coroutine #fail } }
        }
    }
}

/// The errors, and in place of a `main` an empty one, so that its absence is not reported on top.
fn report(attribute: Attribute, errors: &[Error], function: &ItemFn) -> TokenStream {
    let errors = errors.iter().map(Error::to_compile_error);
    let stand_in = (attribute == Attribute::Main).then(|| {
        let (visibility, name) = (&function.vis, &function.sig.ident);
        quote! { #visibility fn #name() {} }
    });
    quote! { #(#errors)* #stand_in }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(attribute: Attribute, options: TokenStream, item: TokenStream, expected: TokenStream) {
        assert_eq!(
            expand(attribute, options, item).to_string(),
            expected.to_string()
        );
    }

    #[test]
    fn main_with_a_result_returns_it() {
        check(
            Attribute::Main,
            quote! {},
            quote! { async fn main() -> rondel::Result<()> { work().await } },
            quote! {
                fn main() -> rondel::Result<()> {
                    async fn main() -> rondel::Result<()> { work().await }
                    ::rondel::run(main())
                }
            },
        );
    }

    #[test]
    fn main_without_a_result_is_given_one() {
        check(
            Attribute::Main,
            quote! {},
            quote! { async fn main() { work().await } },
            quote! {
                fn main() -> ::rondel::Result<()> {
                    async fn main() { work().await }
                    ::rondel::run(async { main().await; ::core::result::Result::Ok(()) })
                }
            },
        );
    }

    #[test]
    fn a_test_runs_under_the_virtual_clock_and_keeps_its_attributes() {
        check(
            Attribute::Test,
            quote! {},
            quote! { #[should_panic] pub async fn t() { #![allow(unused)] work().await } },
            quote! {
                #[::core::prelude::v1::test] #[should_panic] pub fn t() {
                    async fn t() { #![allow(unused)] work().await }
                    if let ::core::result::Result::Err(error) =
                        ::rondel::testing::run(async { t().await; ::core::result::Result::Ok(()) })
                    {
                        ::core::panic!("{}", error)
                    }
                }
            },
        );
    }

    #[test]
    fn a_test_may_ask_for_the_real_clock_of_a_renamed_crate() {
        check(
            Attribute::Test,
            quote! { clock = "real", crate = "my::rondel" },
            quote! { async fn t() -> my::Result<()> { work().await } },
            quote! {
                #[::core::prelude::v1::test] fn t() -> my::Result<()> {
                    async fn t() -> my::Result<()> { work().await }
                    my::rondel::run(t())
                }
            },
        );
    }

    #[test]
    fn misuse_becomes_errors_and_an_empty_main() {
        check(
            Attribute::Main,
            quote! { threads = 4 },
            quote! { fn main(a: u8) {} },
            quote! {
                ::core::compile_error! { "unknown option of `#[rondel::main]`: the only option is `crate = \"...\"`" }
                ::core::compile_error! { "the function of `#[rondel::main]` must be async: write `async fn`" }
                ::core::compile_error! { "the function of `#[rondel::main]` cannot take arguments: nobody passes them" }
                fn main() {}
            },
        );
    }

    #[test]
    fn what_is_no_function_is_refused() {
        check(
            Attribute::Test,
            quote! {},
            quote! { struct S; },
            quote! { ::core::compile_error! { "`#[rondel::test]` belongs on an async function: expected `fn`" } },
        );
    }
}
