//! The pointers count as `Rc`'s do, whatever the destructors do.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use rondel_shared::{Face, Shared, View, Weak};

/// Seen as itself.
struct Plain<B>(B);

impl<B: 'static> Face for Plain<B> {
    type Part = ();
    type Argument<'a> = ();
    type Outcome = ();
}

impl<B: 'static> View<Plain<B>> for Plain<B> {
    fn view(body: &Self) -> &Self {
        body
    }

    fn call(_: &Self, (): ()) {}
}

/// Counts its drops.
struct Counted(Rc<Cell<u32>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn the_last_pointer_drops_head_and_body_once() {
    let (heads, bodies) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let first: Shared<_, Plain<_>> =
        Shared::new(Counted(heads.clone()), Plain(Counted(bodies.clone())));
    let second = first.clone();
    assert_eq!(first.count(), 2);
    drop(first);
    assert_eq!((heads.get(), bodies.get()), (0, 0));
    drop(second);
    assert_eq!((heads.get(), bodies.get()), (1, 1));
}

#[test]
fn a_weak_pointer_keeps_nothing_alive() {
    let drops = Rc::new(Cell::new(0));
    let shared: Shared<(), Plain<_>> = Shared::new((), Plain(Counted(drops.clone())));
    let weak = shared.downgrade();
    let also = weak.clone();
    let upgraded = weak.upgrade();
    drop(shared);
    assert_eq!(drops.get(), 0);
    drop(upgraded);
    assert_eq!(drops.get(), 1);
    assert!(weak.upgrade().is_none());
    drop(weak);
    assert!(also.upgrade().is_none());
}

#[test]
fn a_destructor_finds_the_object_gone() {
    struct LooksBack(RefCell<Option<Weak<(), Plain<LooksBack>>>>);

    impl Drop for LooksBack {
        fn drop(&mut self) {
            let weak = self.0.take();
            assert!(weak.is_some_and(|weak| weak.upgrade().is_none()));
        }
    }

    let shared: Shared<(), Plain<_>> = Shared::new((), Plain(LooksBack(RefCell::new(None))));
    *shared.body().0.0.borrow_mut() = Some(shared.downgrade());
}

#[test]
fn a_panic_in_a_destructor_leaves_nothing_behind() {
    struct Panics;

    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }

    let drops = Rc::new(Cell::new(0));
    let shared: Shared<_, Plain<_>> = Shared::new(Counted(drops.clone()), Plain(Panics));
    let weak = shared.downgrade();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(shared))).is_err());
    assert_eq!(drops.get(), 1);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_strictly_aligned_body_stays_aligned_behind_a_fixed_head() {
    #[repr(align(128))]
    struct Aligned(u8);

    trait Where {
        fn place(&self) -> (usize, u8);
    }

    impl Where for Aligned {
        fn place(&self) -> (usize, u8) {
            (std::ptr::from_ref(self).addr(), self.0)
        }
    }

    impl Face for dyn Where {
        type Part = Cell<u16>;
        type Argument<'a> = &'a mut u8;
        type Outcome = usize;
    }

    impl<B: Where + 'static> View<B> for dyn Where {
        fn view(body: &B) -> &(dyn Where + 'static) {
            body
        }

        fn call(body: &B, found: &mut u8) -> usize {
            let (address, value) = body.place();
            *found = value;
            address
        }
    }

    let alone: Shared<u64, dyn Where> = Shared::new(7, Aligned(9));
    let beside = Shared::<u64, dyn Where>::with_part(|| (7, Cell::new(3), Aligned(9)));
    assert!(alone.part().is_none());
    assert_eq!(beside.part().map(|part| part.replace(4)), Some(3));
    assert_eq!(beside.clone().part().map(Cell::get), Some(4));
    for shared in [alone, beside] {
        assert_eq!(size_of_val(&shared), size_of::<usize>());
        let (address, value) = shared.body().place();
        assert_eq!((address % 128, value, *shared.head()), (0, 9, 7));
        let mut found = 0;
        assert_eq!((shared.call(&mut found), found), (address, 9));
        assert_eq!(
            std::ptr::from_ref(shared.head()).addr(),
            shared.address() + 16
        );
    }
}

#[test]
fn many_threads_have_blocks_of_their_own() {
    let threads: Vec<_> = (0..4)
        .map(|number: u64| {
            std::thread::spawn(move || {
                let mut kept = Vec::new();
                for i in 0..10_000 {
                    kept.push(Shared::<u64, Plain<i32>>::new(number, Plain(i)));
                    if i % 3 == 0 {
                        kept.swap_remove((i / 7) as usize % kept.len());
                    }
                }
                kept.iter().all(|shared| *shared.head() == number)
            })
        })
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap());
    }
}

#[test]
fn a_maker_that_panics_or_makes_others_spoils_no_block() {
    type Block = Shared<u8, Plain<[u64; 9]>>;
    for number in 0..10 {
        let made = catch_unwind(|| {
            Block::new_with(|| -> (u8, Plain<[u64; 9]>) {
                assert_eq!(Block::new(1, Plain([number; 9])).body().0, [number; 9]);
                resume_unwind(Box::new("no"))
            })
        });
        assert!(made.is_err());
        let made = Block::new_with(|| {
            drop(Block::new(2, Plain([7; 9])));
            (3, Plain([number; 9]))
        });
        assert_eq!((*made.head(), made.body().0), (3, [number; 9]));
    }
}

#[test]
fn two_pointers_of_one_making_are_to_one_object() {
    let dropped = Rc::new(());
    let body = dropped.clone();
    let (one, other) = Shared::<u8, Plain<Rc<()>>>::two_with(|| (1, Plain(body)));
    assert!(one.ptr_eq(&other));
    assert_eq!(one.count(), 2);
    drop(one);
    assert_eq!((other.count(), Rc::strong_count(&dropped)), (1, 2));
    drop(other);
    assert_eq!(Rc::strong_count(&dropped), 1);
}

#[test]
fn a_view_may_panic_or_show_something_else() {
    struct Body(Cell<u32>);
    struct Shown(u32);
    static ELSEWHERE: Shown = Shown(42);

    impl Face for Shown {
        type Part = Counted;
        type Argument<'a> = ();
        type Outcome = ();
    }

    impl View<Body> for Shown {
        fn view(body: &Body) -> &Self {
            body.0.set(body.0.get() + 1);
            if body.0.get() == 2 {
                resume_unwind(Box::new("no view"));
            }
            &ELSEWHERE
        }

        fn call(_: &Body, (): ()) {
            resume_unwind(Box::new("no call"));
        }
    }

    let drops = Rc::new(Cell::new(0));
    let part = Counted(drops.clone());
    let shared = Shared::<(), Shown>::with_part(|| ((), part, Body(Cell::new(0))));
    assert!(catch_unwind(AssertUnwindSafe(|| shared.call(()))).is_err());
    assert_eq!(shared.body().0, 42);
    assert!(catch_unwind(AssertUnwindSafe(|| shared.body().0)).is_err());
    assert_eq!((shared.body().0, shared.count()), (42, 1));
    drop(shared);
    assert_eq!(drops.get(), 1, "the part goes with the body");
}

/// Makes and drops blocks when it is dropped.
struct Busy;

impl Drop for Busy {
    fn drop(&mut self) {
        let made: Shared<(), Plain<[u64; 5]>> = Shared::new((), Plain([9; 5]));
        let weak = made.downgrade();
        let same = weak.upgrade().expect("it is alive");
        drop(made);
        assert_eq!(same.body().0, [9; 5]);
        rondel_shared::trim();
    }
}

#[test]
fn blocks_outlive_the_pool_of_a_thread_that_ends() {
    thread_local! {
        static EARLY: RefCell<Vec<Shared<(), Plain<Busy>>>> = const { RefCell::new(Vec::new()) };
        static LATE: RefCell<Vec<Shared<(), Plain<Busy>>>> = const { RefCell::new(Vec::new()) };
    }

    let thread = std::thread::spawn(|| {
        // Thread-locals go in the reverse order of their first use: this one after the pool.
        EARLY.with_borrow(Vec::len);
        let (early, late) = (Shared::new((), Plain(Busy)), Shared::new((), Plain(Busy)));
        EARLY.with_borrow_mut(|kept| kept.push(early));
        LATE.with_borrow_mut(|kept| kept.push(late));
    });
    thread.join().unwrap();
}
