//! The options in the parentheses of an attribute: which there are, and what they say when misspelt.
//!
//! What the options lead to is decided in `expand`.

use std::fmt;

use proc_macro2::TokenStream;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Error, LitStr, Path, Result, parse_quote};

/// The attribute that is being expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    Main,
    Test,
}

/// The clock that the function runs under, and with it the function that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    Real,
    Virtual,
}

/// What the user chose, and the defaults for the rest.
pub(crate) struct Options {
    pub(crate) rondel: Path,
    pub(crate) clock: Clock,
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Attribute::Main => "#[rondel::main]",
            Attribute::Test => "#[rondel::test]",
        })
    }
}

impl Attribute {
    fn known_options(self) -> &'static str {
        match self {
            Attribute::Main => "the only option is `crate = \"...\"`",
            Attribute::Test => "the options are `clock = \"...\"` and `crate = \"...\"`",
        }
    }
}

impl Options {
    /// Reads the tokens between the parentheses of `attribute`.
    pub(crate) fn parse(attribute: Attribute, tokens: TokenStream) -> Result<Self> {
        let mut rondel = None;
        let mut clock = None;
        let options = syn::meta::parser(|option| {
            if option.path.is_ident("crate") {
                once(&rondel, &option)?;
                rondel = Some(crate_path(&option)?);
            } else if attribute == Attribute::Test && option.path.is_ident("clock") {
                once(&clock, &option)?;
                clock = Some(clock_named(&option)?);
            } else {
                let known = attribute.known_options();
                return Err(option.error(format!("unknown option of `{attribute}`: {known}")));
            }
            Ok(())
        });
        options.parse2(tokens)?;
        Ok(Options {
            rondel: rondel.unwrap_or_else(default_path),
            clock: clock.unwrap_or(match attribute {
                Attribute::Main => Clock::Real,
                Attribute::Test => Clock::Virtual,
            }),
        })
    }
}

fn once<T>(earlier: &Option<T>, option: &ParseNestedMeta<'_>) -> Result<()> {
    match earlier {
        None => Ok(()),
        Some(_) => Err(option.error("this option is given twice")),
    }
}

fn crate_path(option: &ParseNestedMeta<'_>) -> Result<Path> {
    let text: LitStr = option.value()?.parse()?;
    text.parse_with(Path::parse_mod_style).map_err(|_| {
        Error::new(
            text.span(),
            "`crate` takes the path of a module, as in `crate = \"my::rondel\"`",
        )
    })
}

fn clock_named(option: &ParseNestedMeta<'_>) -> Result<Clock> {
    let name: LitStr = option.value()?.parse()?;
    match name.value().as_str() {
        "real" => Ok(Clock::Real),
        "virtual" => Ok(Clock::Virtual),
        _ => Err(Error::new(
            name.span(),
            "there are two clocks: \"virtual\" and \"real\"",
        )),
    }
}

/// Absolute, so that a module of the user's that happens to have this name is not meant.
fn default_path() -> Path {
    parse_quote!(::rondel)
}

#[cfg(test)]
mod tests {
    use quote::{ToTokens, quote};

    use super::*;

    fn parse(
        attribute: Attribute,
        tokens: TokenStream,
    ) -> std::result::Result<(String, Clock), String> {
        match Options::parse(attribute, tokens) {
            Ok(options) => Ok((options.rondel.to_token_stream().to_string(), options.clock)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn main_has_the_real_clock_and_test_the_virtual_one() {
        assert_eq!(
            parse(Attribute::Main, quote! {}),
            Ok((":: rondel".to_owned(), Clock::Real))
        );
        assert_eq!(
            parse(Attribute::Test, quote! {}),
            Ok((":: rondel".to_owned(), Clock::Virtual))
        );
    }

    #[test]
    fn options_come_in_any_order() {
        let expected = Ok(("my :: rondel".to_owned(), Clock::Real));
        assert_eq!(
            parse(
                Attribute::Test,
                quote! { clock = "real", crate = "my::rondel" }
            ),
            expected
        );
        assert_eq!(
            parse(
                Attribute::Test,
                quote! { crate = "my::rondel", clock = "real", }
            ),
            expected
        );
    }

    #[test]
    fn every_mistake_has_its_sentence() {
        let unknown_of_main =
            "unknown option of `#[rondel::main]`: the only option is `crate = \"...\"`";
        let unknown_of_test = "unknown option of `#[rondel::test]`: the options are `clock = \"...\"` and `crate = \"...\"`";
        let no_path = "`crate` takes the path of a module, as in `crate = \"my::rondel\"`";
        for (attribute, tokens, sentence) in [
            (Attribute::Main, quote! { threads = 4 }, unknown_of_main),
            (Attribute::Main, quote! { clock = "real" }, unknown_of_main),
            (Attribute::Test, quote! { flavor = "x" }, unknown_of_test),
            (
                Attribute::Test,
                quote! { clock = "broken" },
                "there are two clocks: \"virtual\" and \"real\"",
            ),
            (
                Attribute::Test,
                quote! { clock = "real", clock = "real" },
                "this option is given twice",
            ),
            (Attribute::Main, quote! { crate = "" }, no_path),
            (Attribute::Main, quote! { crate = "a b" }, no_path),
            (
                Attribute::Main,
                quote! { crate = rondel },
                "expected string literal",
            ),
        ] {
            assert_eq!(parse(attribute, tokens), Err(sentence.to_owned()));
        }
    }
}
