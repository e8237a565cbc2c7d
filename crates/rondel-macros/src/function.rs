//! The function under an attribute: which functions a loop can run, and what is said about the others.
//!
//! What becomes of the function is decided in `expand`.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Error, ItemFn, ReturnType, Safety, Type};

use crate::options::Attribute;

/// Whether the author of the function wrote a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returns {
    Nothing,
    Something,
}

impl Returns {
    pub(crate) fn of(function: &ItemFn) -> Self {
        match &function.sig.output {
            ReturnType::Default => Returns::Nothing,
            ReturnType::Type(_, result) => match &**result {
                Type::Tuple(tuple) if tuple.elems.is_empty() => Returns::Nothing,
                _ => Returns::Something,
            },
        }
    }
}

/// All reasons why a loop cannot run the function under `attribute`, in the order of the source.
pub(crate) fn misuse(attribute: Attribute, function: &ItemFn) -> Vec<Error> {
    let mut errors = Vec::new();
    let mut complain = |span: Span, complaint: &str| {
        errors.push(Error::new(
            span,
            format!("the function of `{attribute}` {complaint}"),
        ));
    };

    if attribute == Attribute::Test {
        for annotation in &function.attrs {
            if annotation.path().is_ident("test") {
                complain(annotation.span(), "is a test already: remove `#[test]`");
            }
        }
    }
    let signature = &function.sig;
    if let Some(constness) = &signature.constness {
        complain(constness.span(), "cannot be `const`");
    }
    if signature.asyncness.is_none() {
        complain(signature.fn_token.span(), "must be async: write `async fn`");
    }
    if let Safety::Unsafe(keyword) = &signature.safety {
        complain(
            keyword.span(),
            "cannot be `unsafe`: its caller promises nothing",
        );
    }
    if let Some(abi) = &signature.abi {
        complain(abi.span(), "cannot have a calling convention of its own");
    }
    if !signature.generics.params.is_empty() {
        complain(
            signature.generics.params.span(),
            "cannot be generic: nothing says what to run it with",
        );
    }
    if !signature.inputs.is_empty() {
        complain(
            signature.inputs.span(),
            "cannot take arguments: nobody passes them",
        );
    }
    if let Some(clause) = &signature.generics.where_clause {
        complain(clause.span(), "cannot have a `where` clause");
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(function: &str) -> ItemFn {
        syn::parse_str(function).expect("the sample is a function")
    }

    fn complaints(attribute: Attribute, function: &str) -> Vec<String> {
        let errors = misuse(attribute, &parse(function));
        errors.iter().map(Error::to_string).collect()
    }

    #[test]
    fn an_async_function_without_arguments_is_fine() {
        assert!(complaints(Attribute::Main, "async fn main() {}").is_empty());
        let test = "#[should_panic] async fn t() -> R<()> { f()? }";
        assert!(complaints(Attribute::Test, test).is_empty());
    }

    #[test]
    fn every_misuse_has_its_sentence() {
        for (function, complaint) in [
            ("fn main() {}", "must be async: write `async fn`"),
            (
                "async fn main(a: u8) {}",
                "cannot take arguments: nobody passes them",
            ),
            (
                "async fn main(&self) {}",
                "cannot take arguments: nobody passes them",
            ),
            (
                "async fn main<T>() {}",
                "cannot be generic: nothing says what to run it with",
            ),
            (
                "async fn main() where u8: Copy {}",
                "cannot have a `where` clause",
            ),
            (
                "async unsafe fn main() {}",
                "cannot be `unsafe`: its caller promises nothing",
            ),
            (
                "async extern \"C\" fn main() {}",
                "cannot have a calling convention of its own",
            ),
            ("const async fn main() {}", "cannot be `const`"),
        ] {
            let expected = format!("the function of `#[rondel::main]` {complaint}");
            assert_eq!(complaints(Attribute::Main, function), [expected]);
        }
    }

    #[test]
    fn a_second_test_attribute_is_refused() {
        let expected = "the function of `#[rondel::test]` is a test already: remove `#[test]`";
        assert_eq!(
            complaints(Attribute::Test, "#[test] async fn t() {}"),
            [expected]
        );
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        assert_eq!(complaints(Attribute::Main, "fn main<T>(a: T) {}").len(), 3);
    }

    #[test]
    fn the_unit_type_is_no_result() {
        assert_eq!(Returns::of(&parse("async fn f() {}")), Returns::Nothing);
        assert_eq!(
            Returns::of(&parse("async fn f() -> () {}")),
            Returns::Nothing
        );
        assert_eq!(
            Returns::of(&parse("async fn f() -> Result<()> {}")),
            Returns::Something
        );
    }
}
