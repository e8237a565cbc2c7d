//! A body for the unit tests, seen as itself.

use crate::{Face, View};

pub(crate) struct Body(pub(crate) u8);

impl Face for Body {
    type Part = ();
    type Argument<'a> = ();
    type Outcome = ();
}

impl View<Self> for Body {
    fn view(body: &Self) -> &Self {
        body
    }

    fn call(_: &Self, (): ()) {}
}
