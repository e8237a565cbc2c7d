//! What a body is seen as by those who do not know its type, what can be done with it quickly, and a body that is none.

/// What bodies are seen as: implemented for the trait object `dyn Trait`.
///
/// What is done most often with a body, and what some bodies have beside them, is named here, because both can be had for less than
/// a method of the trait takes.
pub trait Face: 'static {
    /// What lies in front of a body that is [made with it](crate::Shared::with_part).
    type Part: 'static;
    /// What [`View::call`] is given.
    type Argument<'a>;
    /// What [`View::call`] gives.
    type Outcome;
}

/// How bodies of type `B` are seen: implemented for the trait object `dyn Trait`, for all `B: Trait`.
///
/// See the example of the [crate].
pub trait View<B>: Face {
    /// Returns the body as what it is seen as.
    fn view(body: &B) -> &Self;

    /// Does with the body what is done with it most often.
    fn call(body: &B, argument: Self::Argument<'_>) -> Self::Outcome;
}

/// No body: all that is there is the head.
///
/// # Examples
/// ```
/// use rondel_shared::{NoBody, Shared};
///
/// let text: Shared<String, NoBody> = Shared::new("kept once".to_owned(), NoBody);
/// assert_eq!(text.clone().head(), "kept once");
/// ```
#[derive(Debug)]
pub struct NoBody;

impl Face for NoBody {
    type Part = ();
    type Argument<'a> = ();
    type Outcome = ();
}

impl View<Self> for NoBody {
    fn view(body: &Self) -> &Self {
        body
    }

    fn call(_: &Self, (): ()) {}
}
