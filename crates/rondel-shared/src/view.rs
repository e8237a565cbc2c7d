//! What a body is seen as by those who do not know its type, and what can be done with it quickly.

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
