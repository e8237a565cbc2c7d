//! `Shared` and `Weak`: the counted pointers, and the block that they point to.
//!
//! Where the memory comes from is `pool`'s business.
//!
//! # Invariants
//! - S1: `strong` counts the `Shared` pointers; `weak` counts the `Weak` ones, and one more as long as `strong` is not 0.
//! - S2: Head, part and body are alive from `new` until `strong` falls to 0, and are dropped then, once; the block is given back when
//!   `weak` falls to 0, once.
//! - S3: A count does not overflow: the process is aborted before.
//! - S4: `Shared` and `Weak` are neither `Send` nor `Sync`: counts are plain cells, and a block goes back on the thread that took it:
//!   to the thread's pool, or to the global allocator where the pool is full or gone.
//! - S5: A block is a `Block<H, T, P, B>`, which begins with a `Front<H, T>`; the functions in that front are those for this `P` and
//!   `B`. Pointers to a front are made of the pointer to the whole block, never of a reference to the front, so that they may reach
//!   part and body.
//! - S6: Where the functions say that there is a part, `P` is `T::Part`, which lies at the same place whatever the body is.

#![allow(
    unsafe_code,
    reason = "std's Rc is two words for a body behind a trait, and takes its memory from the global allocator alone"
)]

use std::alloc::Layout;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::process::abort;
use std::ptr::NonNull;

use crate::{Face, View, pool, prefetch};

/// A counted pointer to a head and a body, perhaps with a part between them; the last one drops them. Clones are the same object.
///
/// As [`Rc`](std::rc::Rc), for one thread, but one word in size whatever the body is, and with memory that is recycled: a
/// block that is free again is kept by its thread for the next object of its size, up to a limit.
#[repr(transparent)]
pub struct Shared<H: 'static, T: ?Sized + Face> {
    front: NonNull<Front<H, T>>,
    _owns: PhantomData<(H, T::Part, Box<T>)>,
}

/// A pointer to what a [`Shared`] points to that does not keep it alive.
pub struct Weak<H: 'static, T: ?Sized + Face> {
    front: NonNull<Front<H, T>>,
}

/// What does not depend on the type of the body.
#[repr(C)]
struct Front<H: 'static, T: ?Sized + Face> {
    counts: Counts,
    functions: &'static Functions<H, T>,
    head: H,
}

/// The counts (S1).
struct Counts {
    strong: Cell<u32>,
    weak: Cell<u32>,
}

#[repr(C)]
struct Block<H: 'static, T: ?Sized + Face, P, B> {
    front: Front<H, T>,
    part: P,
    body: B,
}

/// What is known of a block with a part.
#[repr(C)]
struct FrontAndPart<H: 'static, T: ?Sized + Face> {
    front: Front<H, T>,
    part: T::Part,
}

/// A function that calls the body of a live block.
type Call<H, T> =
    unsafe fn(NonNull<Front<H, T>>, <T as Face>::Argument<'_>) -> <T as Face>::Outcome;

/// What is done with a body by those who do not know its type (S5).
struct Functions<H: 'static, T: ?Sized + Face> {
    /// Shows the body of a live block.
    view: unsafe fn(NonNull<Front<H, T>>) -> NonNull<T>,
    /// Calls the body of a live block.
    call: Call<H, T>,
    /// Drops head, part and body of a live block to which the last `Shared` has gone.
    drop: unsafe fn(NonNull<Front<H, T>>),
    layout: Layout,
    /// (S6)
    has_part: bool,
}

/// What may lie in front of a body: a part, or nothing.
trait PartOf<T: ?Sized + Face>: 'static {
    const IS_PART: bool;
}

/// A part, which is told apart from no part by its type: `T::Part` may be anything.
#[repr(transparent)]
struct Beside<P>(P);

impl<T: ?Sized + Face> PartOf<T> for Beside<T::Part> {
    const IS_PART: bool = true;
}

impl<T: ?Sized + Face> PartOf<T> for () {
    const IS_PART: bool = false;
}

impl<H: 'static, T: ?Sized + View<B>, P: PartOf<T>, B: 'static> Block<H, T, P, B> {
    const FUNCTIONS: &'static Functions<H, T> = &Functions {
        view: Self::view,
        call: Self::call,
        drop: Self::drop,
        layout: Layout::new::<Self>(),
        has_part: P::IS_PART,
    };

    /// # Safety
    /// The front is that of a live `Self`, and nobody drops it meanwhile.
    unsafe fn call(front: NonNull<Front<H, T>>, argument: T::Argument<'_>) -> T::Outcome {
        // SAFETY: the caller's promise; the pointer reaches the body (S5), which is only ever borrowed as shared.
        let body = unsafe { &(*front.cast::<Self>().as_ptr()).body };
        T::call(body, argument)
    }

    /// # Safety
    /// The front is that of a live `Self`, and nobody drops it while the pointer is used.
    unsafe fn view(front: NonNull<Front<H, T>>) -> NonNull<T> {
        // SAFETY: the caller's promise; the pointer reaches the body (S5), which is only ever borrowed as shared.
        let body = unsafe { &(*front.cast::<Self>().as_ptr()).body };
        NonNull::from(T::view(body))
    }

    /// # Safety
    /// The front is that of a live `Self`, and nobody will reach head, part and body any more.
    unsafe fn drop(front: NonNull<Front<H, T>>) {
        let block = front.cast::<Self>().as_ptr();
        // SAFETY: the caller's promise; the pointer reaches the whole block (S5).
        let head = unsafe { &raw mut (*block).front.head };
        // SAFETY: as above.
        let part = unsafe { &raw mut (*block).part };
        // SAFETY: as above.
        let body = unsafe { &raw mut (*block).body };
        // Dropped in reverse, each also where the one before panics; the weak count that all `Shared` together held comes last (S1).
        let _weak = LastWeak::<H, T, P, B>(front, PhantomData);
        let _head = DropInPlace(head);
        let _part = DropInPlace(part);
        let _body = DropInPlace(body);
    }
}

/// Drops what it points to; made by `Block::drop` alone, for what is to be dropped now.
struct DropInPlace<T>(*mut T);

impl<T> Drop for DropInPlace<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: whoever made it has the right to drop it, and does so here only.
        unsafe { std::ptr::drop_in_place(self.0) };
    }
}

/// The weak count that all `Shared` together hold; as a [`Weak`], but it knows the layout.
struct LastWeak<H: 'static, T: ?Sized + Face, P, B>(NonNull<Front<H, T>>, PhantomData<(P, B)>);

impl<H: 'static, T: ?Sized + Face, P, B> Drop for LastWeak<H, T, P, B> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the block is not given back as long as there is a weak count (S2).
        let weak = unsafe { &(*self.0.as_ptr()).counts.weak };
        let left = weak.get() - 1;
        weak.set(left);
        if left == 0 {
            // SAFETY: the block was taken for this layout, and nobody points to it any more (S2).
            unsafe { pool::give_back(self.0.cast(), Layout::new::<Block<H, T, P, B>>()) };
        }
    }
}

impl<H: 'static, T: ?Sized + Face> Shared<H, T> {
    /// Moves a head and a body into a block.
    #[inline]
    pub fn new<B: 'static>(head: H, body: B) -> Self
    where
        T: View<B>,
    {
        Self::new_with(|| (head, body))
    }

    /// Takes a block and then makes what goes into it.
    ///
    /// What is made by the closure can be written to its place at once, where [`new`](Self::new) copies it there; the life of a task
    /// is a fifth shorter for it.
    #[inline]
    pub fn new_with<B: 'static>(make: impl FnOnce() -> (H, B)) -> Self
    where
        T: View<B>,
    {
        Self::of(fill_new(1, || {
            let (head, body) = make();
            (head, (), body)
        }))
    }

    /// As [`new_with`](Self::new_with), and gives two pointers to the object, which costs no more than one.
    #[inline]
    pub fn two_with<B: 'static>(make: impl FnOnce() -> (H, B)) -> (Self, Self)
    where
        T: View<B>,
    {
        let front = fill_new(2, || {
            let (head, body) = make();
            (head, (), body)
        });
        (Self::of(front), Self::of(front))
    }

    /// As [`new_with`](Self::new_with), with a [`part`](Self::part) in front of the body.
    #[inline(always)]
    pub fn with_part<B: 'static>(make: impl FnOnce() -> (H, T::Part, B)) -> Self
    where
        T: View<B>,
    {
        Self::of(fill_new(1, || {
            let (head, part, body) = make();
            (head, Beside(part), body)
        }))
    }

    /// Takes over one count.
    #[inline]
    fn of(front: NonNull<Front<H, T>>) -> Self {
        Self {
            front,
            _owns: PhantomData,
        }
    }

    /// The pointer alone, which goes on to own its count.
    #[inline]
    pub(crate) fn into_raw(shared: Self) -> NonNull<()> {
        ManuallyDrop::new(shared).front.cast()
    }

    /// Takes over the count of a pointer again.
    ///
    /// # Safety
    /// The pointer is one that [`into_raw`](Self::into_raw) gave for these types, and its count is taken over once.
    #[inline]
    pub(crate) unsafe fn from_raw(raw: NonNull<()>) -> Self {
        Self::of(raw.cast())
    }

    #[inline]
    fn front(&self) -> &Front<H, T> {
        // SAFETY: the front is alive as long as a `Shared` is (S2), and until the last one drops it, it is only ever borrowed as shared.
        unsafe { self.front.as_ref() }
    }

    /// Returns the head.
    #[inline]
    pub fn head(&self) -> &H {
        &self.front().head
    }

    /// Returns the body.
    #[inline]
    pub fn body(&self) -> &T {
        // SAFETY: the functions are those of this block (S5), which is alive as long as `self` is (S2).
        let body = unsafe { (self.front().functions.view)(self.front) };
        // SAFETY: what a `View` gives lives at least as long as the borrow that it is given, whatever it refers to; that is one of the
        // body, which `self` keeps from being dropped.
        unsafe { body.as_ref() }
    }

    /// Returns what lies in front of the body, if it was made [with a part](Self::with_part).
    #[inline]
    pub fn part(&self) -> Option<&T::Part> {
        if !self.front().functions.has_part {
            return None;
        }
        // SAFETY: there is a part at this place (S6), which is alive as long as `self` is (S2), and only ever borrowed as shared.
        Some(unsafe { &(*self.front.cast::<FrontAndPart<H, T>>().as_ptr()).part })
    }

    /// Does with the body what [`View::call`] says.
    ///
    /// As a method of [`body`](Self::body) would, for which two functions have to be found and called.
    #[inline]
    pub fn call(&self, argument: T::Argument<'_>) -> T::Outcome {
        // SAFETY: the function is that of this block (S5), which is alive as long as `self` is (S2).
        unsafe { (self.front().functions.call)(self.front, argument) }
    }

    /// True if both point to the same object.
    #[inline]
    pub fn ptr_eq(&self, other: &Self) -> bool {
        self.front == other.front
    }

    /// Returns where the block lies: what tells one object from another as long as both are alive.
    #[inline]
    pub fn address(&self) -> usize {
        self.front.as_ptr().addr()
    }

    /// Returns how many `Shared` pointers there are to this object.
    #[inline]
    pub fn count(&self) -> usize {
        self.front().counts.strong.get() as usize
    }

    /// Asks the processor to fetch the first `lines` times 64 bytes of the block, counts and head among them, whether it is so long or
    /// not; see [`prefetch`](crate::prefetch()).
    #[inline]
    pub fn prefetch(&self, lines: usize) {
        prefetch::fetch(self.front.as_ptr().cast(), lines);
    }

    /// Makes a pointer that does not keep the object alive.
    #[inline]
    pub fn downgrade(&self) -> Weak<H, T> {
        increment(&self.front().counts.weak);
        Weak { front: self.front }
    }
}

/// Takes a block, and then makes what goes into it, pointed to by so many `Shared`.
#[inline(always)]
fn fill_new<H: 'static, T: ?Sized + View<B>, P: PartOf<T>, B: 'static>(
    strong: u32,
    make: impl FnOnce() -> (H, P, B),
) -> NonNull<Front<H, T>> {
    // Leaked if there is no block: to be dropped then, what it has caught would have to be put into memory beforehand.
    let make = ManuallyDrop::new(make);
    let block = NewBlock::<H, T, P, B>::take();
    let (head, part, body) = ManuallyDrop::into_inner(make)();
    block.fill(strong, head, part, body)
}

/// A block that is not filled yet; it goes back if it never is.
struct NewBlock<H: 'static, T: ?Sized + Face, P, B>(NonNull<Block<H, T, P, B>>);

impl<H: 'static, T: ?Sized + View<B>, P: PartOf<T>, B: 'static> NewBlock<H, T, P, B> {
    #[inline(always)]
    fn take() -> Self {
        Self(pool::take(Layout::new::<Block<H, T, P, B>>()).cast())
    }

    #[inline(always)]
    fn fill(self, strong: u32, head: H, part: P, body: B) -> NonNull<Front<H, T>> {
        let block = self.0;
        std::mem::forget(self);
        let front = Front {
            counts: Counts {
                strong: Cell::new(strong),
                weak: Cell::new(1),
            },
            functions: Block::<H, T, P, B>::FUNCTIONS,
            head,
        };
        // SAFETY: the block is large and aligned enough for its layout, and nobody else's.
        unsafe { block.write(Block { front, part, body }) };
        block.cast()
    }
}

impl<H: 'static, T: ?Sized + Face, P, B> Drop for NewBlock<H, T, P, B> {
    fn drop(&mut self) {
        // SAFETY: it was taken for this layout, and nothing is in it.
        unsafe { pool::give_back(self.0.cast(), Layout::new::<Block<H, T, P, B>>()) };
    }
}

#[inline]
fn increment(count: &Cell<u32>) {
    let Some(more) = count.get().checked_add(1) else {
        // (S3); so many pointers do not fit into memory: they were leaked.
        abort();
    };
    count.set(more);
}

impl<H: 'static, T: ?Sized + Face> Clone for Shared<H, T> {
    #[inline]
    fn clone(&self) -> Self {
        increment(&self.front().counts.strong);
        Self::of(self.front)
    }
}

impl<H: 'static, T: ?Sized + Face> Drop for Shared<H, T> {
    #[inline]
    fn drop(&mut self) {
        let front = self.front();
        let left = front.counts.strong.get() - 1;
        front.counts.strong.set(left);
        if left == 0 {
            // SAFETY: the functions are those of this block (S5). This was the last `Shared`, so nobody can reach what is in it
            // any more: a `Weak` finds `strong` at 0 (S2).
            unsafe { (front.functions.drop)(self.front) };
        }
    }
}

/// Moving the pointer moves nothing else.
impl<H: 'static, T: ?Sized + Face> Unpin for Shared<H, T> {}

impl<H: fmt::Debug + 'static, T: ?Sized + Face + fmt::Debug> fmt::Debug for Shared<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("head", self.head())
            .field("body", &self.body())
            .finish()
    }
}

impl<H: 'static, T: ?Sized + Face> Weak<H, T> {
    #[inline]
    fn counts(&self) -> &Counts {
        // SAFETY: the block is not given back as long as a `Weak` is there (S2), so its counts can be read.
        unsafe { &(*self.front.as_ptr()).counts }
    }

    /// Makes a pointer that keeps the object alive, if it still is.
    #[inline]
    #[must_use]
    pub fn upgrade(&self) -> Option<Shared<H, T>> {
        let strong = &self.counts().strong;
        if strong.get() == 0 {
            return None;
        }
        increment(strong);
        Some(Shared::of(self.front))
    }

    /// Returns how many [`Shared`] pointers there are to this object; 0 when it is gone.
    #[inline]
    #[must_use]
    pub fn count(&self) -> usize {
        self.counts().strong.get() as usize
    }

    /// Returns where the block lies, as [`Shared::address`] does; no other object lies there before the last pointer has gone.
    #[inline]
    #[must_use]
    pub fn address(&self) -> usize {
        self.front.as_ptr().addr()
    }
}

impl<H: 'static, T: ?Sized + Face> Clone for Weak<H, T> {
    #[inline]
    fn clone(&self) -> Self {
        increment(&self.counts().weak);
        Self { front: self.front }
    }
}

impl<H: 'static, T: ?Sized + Face> Drop for Weak<H, T> {
    #[inline]
    fn drop(&mut self) {
        let weak = &self.counts().weak;
        let left = weak.get() - 1;
        weak.set(left);
        if left == 0 {
            // SAFETY: the block is not given back yet (S2); of what was in it only the functions are looked at.
            let layout = unsafe { (*self.front.as_ptr()).functions.layout };
            // SAFETY: it was taken for this layout, and nobody points to it any more (S2).
            unsafe { pool::give_back(self.front.cast(), layout) };
        }
    }
}

impl<H: 'static, T: ?Sized + Face> Unpin for Weak<H, T> {}

impl<H: 'static, T: ?Sized + Face> fmt::Debug for Weak<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Weak")
    }
}
