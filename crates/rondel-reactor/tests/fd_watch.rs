//! Descriptors that are owned and watched now and then, on every backend.

mod common;

use std::{
    cell::RefCell,
    fs::File,
    io::{ErrorKind, PipeReader, Read, Write, pipe},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::net::UnixStream,
    },
    rc::Rc,
};

use common::{Log, TestResult, on_every_backend, running, stop, virtual_loop};
use rondel_context::{Context, ContextVar};
use rondel_reactor::Direction::{Read as Reading, Write as Writing};

#[test]
fn a_callback_runs_while_it_is_not_paused() -> TestResult {
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        let (watch, log) = (event_loop.watch_fd(reader)?, Log::default());
        watch.set(Reading, log.adding("ready"))?;
        event_loop.run_once()?;
        log.saw("");
        writer.write_all(b"x")?;
        event_loop.run_once()?;
        event_loop.run_once()?;
        log.saw("ready ready");

        assert!(watch.pause(Reading));
        assert!(!watch.pause(Reading), "it was paused");
        event_loop.run_once()?;
        event_loop.run_once()?;
        log.saw("ready ready");
        watch.resume(Reading)?;
        event_loop.run_once()?;
        log.saw("ready ready ready");

        assert!(watch.unset(Reading));
        assert!(!watch.unset(Reading));
        watch.resume(Reading)?;
        event_loop.run_once()?;
        log.saw("ready ready ready");
        Ok(())
    })
}

#[test]
fn both_directions_wait_apart() -> TestResult {
    on_every_backend(|event_loop| {
        let (ours, mut theirs) = UnixStream::pair()?;
        let (watch, log) = (event_loop.watch_fd(ours)?, Log::default());
        theirs.write_all(b"x")?;
        watch.set(Writing, log.adding("writer"))?;
        watch.set(Reading, log.adding("reader"))?;
        event_loop.run_once()?;
        log.saw("reader writer");
        watch.pause(Writing);
        event_loop.run_once()?;
        log.saw("reader writer reader");
        watch.pause(Reading);
        watch.resume(Writing)?;
        event_loop.run_once()?;
        log.saw("reader writer reader writer");
        watch.resume(Reading)?;
        event_loop.run_once()?;
        log.saw("reader writer reader writer reader writer");
        Ok(())
    })
}

#[test]
fn a_callback_that_was_due_does_not_run_once_it_is_paused() -> TestResult {
    on_every_backend(|event_loop| {
        let (ours, mut theirs) = UnixStream::pair()?;
        let (watch, log) = (Rc::new(event_loop.watch_fd(ours)?), Log::default());
        theirs.write_all(b"x")?;
        let (inside, first) = (Rc::downgrade(&watch), log.clone());
        watch.set(Reading, move || {
            first.add("reader");
            inside.upgrade().expect("it is watched").pause(Writing);
        })?;
        watch.set(Writing, log.adding("writer"))?;
        event_loop.run_once()?;
        log.saw("reader");
        Ok(())
    })
}

/// A hang-up is reported whatever was asked for: nobody waits, so it must neither run anything nor keep the loop from sleeping.
#[test]
fn a_hang_up_that_nobody_waits_for_is_silent_and_not_forgotten() -> TestResult {
    on_every_backend(|event_loop| {
        let (ours, theirs) = UnixStream::pair()?;
        let (watch, log) = (event_loop.watch_fd(ours)?, Log::default());
        watch.set(Reading, log.adding("hang-up"))?;
        event_loop.run_once()?;
        watch.pause(Reading);
        drop(theirs);
        event_loop.run_once()?;
        event_loop.run_once()?;
        log.saw("");
        watch.resume(Reading)?;
        event_loop.run_once()?;
        log.saw("hang-up");
        Ok(())
    })
}

#[test]
fn the_watch_owns_the_descriptor_and_gives_it_back() -> TestResult {
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        let (watch, log) = (event_loop.watch_fd(reader)?, Log::default());
        watch.set(Reading, log.adding("never"))?;
        event_loop.run_once()?;
        writer.write_all(b"x")?;
        let mut reader = watch.into_inner();
        event_loop.run_once()?;
        log.saw("");
        let mut byte = [0];
        reader.read_exact(&mut byte)?;
        assert_eq!(&byte, b"x");

        let watch = event_loop.watch_fd(reader)?;
        watch.set(Reading, log.adding("never"))?;
        drop(watch);
        assert!(writer.write_all(b"x").is_err(), "the reading end is closed");
        Ok(())
    })
}

#[test]
fn a_number_that_is_used_again_is_a_new_descriptor() -> TestResult {
    on_every_backend(|event_loop| {
        let log = Log::default();
        let (first, mut to_first) = pipe()?;
        let number = first.as_raw_fd();
        let watch = event_loop.watch_fd(first)?;
        watch.set(Reading, log.adding("first"))?;
        event_loop.run_once()?;
        to_first.write_all(b"x")?;
        drop(watch);

        // The lowest free number is given out first; other tests of this process may have taken it, and then this shows nothing.
        let (second, mut to_second) = pipe()?;
        if second.as_raw_fd() == number {
            let watch = event_loop.watch_fd(second)?;
            watch.set(Reading, log.adding("second"))?;
            event_loop.run_once()?;
            log.saw("");
            to_second.write_all(b"x")?;
            event_loop.run_once()?;
            log.saw("second");
        }
        Ok(())
    })
}

#[test]
fn a_descriptor_has_one_owner() -> TestResult {
    on_every_backend(|event_loop| {
        let (reader, _writer) = pipe()?;
        let reader = Rc::new(reader);
        let watch = event_loop.watch_fd(reader.clone())?;
        let text = format!("file descriptor {} is watched already", reader.as_raw_fd());
        for refused in [
            event_loop.watch_fd(reader.clone()).err(),
            event_loop.add_reader(reader.clone(), || ()).err(),
            event_loop.add_writer(reader.clone(), || ()).err(),
        ] {
            let refused = refused.ok_or("it is watched")?;
            assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
            assert_eq!(refused.to_string(), text);
        }
        watch.set(Reading, || ())?;
        assert!(!event_loop.remove_reader(&reader), "it is the watch's");
        drop(watch);

        event_loop.add_reader(reader.clone(), || ())?;
        let refused = event_loop.watch_fd(reader.clone()).err();
        assert_eq!(refused.ok_or("a reader is there")?.to_string(), text);
        assert!(event_loop.remove_reader(&reader));
        drop(event_loop.watch_fd(reader)?);
        Ok(())
    })
}

#[test]
fn a_file_on_disk_cannot_be_watched() -> TestResult {
    on_every_backend(|event_loop| {
        let watch = event_loop.watch_fd(File::open(std::env::current_exe()?)?)?;
        let held = Rc::new(());
        let inside = held.clone();
        if cfg!(target_os = "linux") {
            assert!(watch.set(Reading, move || drop(inside.clone())).is_err());
            assert_eq!(Rc::strong_count(&held), 1, "the callback is gone");
            assert!(!watch.unset(Reading));
        }
        Ok(())
    })
}

#[test]
fn a_watch_outlives_its_loop() -> TestResult {
    on_every_backend(|event_loop| {
        let (reader, _writer) = pipe()?;
        let watch = event_loop.watch_fd(reader)?;
        let held = Rc::new(());
        let inside = held.clone();
        watch.set(Reading, move || drop(inside.clone()))?;
        event_loop.close()?;
        assert_eq!(Rc::strong_count(&held), 1);
        for refused in [watch.set(Reading, || ()), watch.resume(Writing)] {
            let text = refused.err().map(|error| error.to_string());
            assert_eq!(text.as_deref(), Some("the event loop is closed"));
        }
        assert!(!watch.pause(Reading));
        let (other, _writer) = pipe()?;
        assert!(event_loop.watch_fd(other).is_err());
        drop(watch.into_inner());
        Ok(())
    })
}

#[test]
fn a_callback_ends_its_own_watch() -> TestResult {
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        let (watch, log) = (event_loop.watch_fd(reader)?, Log::default());
        let watch = Rc::new(RefCell::new(Some(watch)));
        let (inside, seen) = (watch.clone(), log.clone());
        if let Some(watch) = &*watch.borrow() {
            watch.set(Reading, move || {
                seen.add("once");
                drop(inside.take());
                stop();
            })?;
        }
        writer.write_all(b"x")?;
        event_loop.run_forever()?;
        event_loop.run_once()?;
        log.saw("once");
        assert!(writer.write_all(b"x").is_err());
        Ok(())
    })
}

/// What goes away may itself watch and remove, the very same descriptor included.
#[test]
fn destructors_call_back_in() -> TestResult {
    /// Says on its way out whether the descriptor may be watched.
    struct Meddling(Rc<PipeReader>, Log);
    impl AsFd for Meddling {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
    impl Drop for Meddling {
        fn drop(&mut self) {
            let watched = running().add_reader(self.0.clone(), || ());
            let removed = running().remove_reader(&self.0);
            self.1.add(format!("{}/{removed}", watched.is_ok()));
        }
    }

    on_every_backend(|event_loop| {
        let (reader, _writer) = pipe()?;
        let (pipe, log) = (Rc::new(reader), Log::default());
        let seen = log.clone();
        event_loop.call_soon(move || {
            let meddling = || Meddling(pipe.clone(), seen.clone());
            let watch = running().watch_fd(meddling()).expect("it is a pipe");
            let held = meddling();
            watch
                .set(Reading, move || held.1.add("never"))
                .expect("it is a pipe");
            watch.set(Reading, || ()).expect("it is a pipe");
            let held = meddling();
            watch
                .set(Reading, move || held.1.add("never"))
                .expect("it is a pipe");
            watch.unset(Reading);
            let held = meddling();
            watch
                .set(Writing, move || held.1.add("never"))
                .expect("a pipe again");
            drop(watch);
        })?;
        event_loop.run_once()?;
        log.saw("false/false false/false true/true true/true");
        Ok(())
    })
}

#[test]
fn a_callback_keeps_the_context_it_was_set_in() -> TestResult {
    static NAME: ContextVar<&str> = ContextVar::with_default("name", "none");
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        let (watch, log) = (event_loop.watch_fd(reader)?, Log::default());
        let seen = log.clone();
        Context::new().run(|| {
            NAME.set("set");
            watch.set(Reading, move || seen.add(NAME.get_or("")))
        })?;
        writer.write_all(b"x")?;
        event_loop.run_once()?;
        log.saw("set");
        Ok(())
    })
}

/// Under a virtual clock a loop waits for descriptors: for those that somebody waits for, and for no others.
#[test]
fn a_watch_that_nobody_waits_for_holds_no_deadlock_off() -> TestResult {
    let (event_loop, _clock) = virtual_loop();
    let (reader, _writer) = pipe()?;
    let watch = event_loop.watch_fd(reader)?;
    watch.set(Reading, || ())?;
    watch.pause(Reading);
    let deadlock = event_loop.run_forever().err();
    assert!(deadlock.is_some_and(|error| error.is_deadlock()));
    Ok(())
}
