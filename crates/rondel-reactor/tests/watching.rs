//! Descriptors and their callbacks, on every backend.

mod common;

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io::{PipeReader, Read, Write, pipe},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::net::UnixStream,
    },
    rc::Rc,
};

use common::{Log, TestResult, on_every_backend, running, stop};
use rondel_context::ContextVar;
use rondel_reactor::EventLoop;

/// Reads what is there, as text.
fn read(mut reader: &PipeReader) -> String {
    let mut buffer = [0; 64];
    let length = reader.read(&mut buffer).expect("it is readable");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn a_reader_runs_whenever_there_is_something_to_read() -> TestResult {
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        let (reader, log) = (Rc::new(reader), Log::default());
        let (pipe, seen) = (reader.clone(), log.clone());
        event_loop.add_reader(reader.clone(), move || {
            seen.add(read(&pipe));
            stop();
        })?;
        for word in ["one", "two", "three"] {
            writer.write_all(word.as_bytes())?;
            event_loop.run_forever()?;
        }
        log.saw("one two three");
        assert!(event_loop.remove_reader(&reader));
        assert!(!event_loop.remove_reader(&reader));
        Ok(())
    })
}

#[test]
fn watching_is_level_triggered() -> TestResult {
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        let calls = Rc::new(Cell::new(0));
        let counted = calls.clone();
        event_loop.add_reader(reader, move || {
            counted.set(counted.get() + 1);
            if counted.get() == 3 {
                stop();
            }
        })?;
        writer.write_all(b"never read")?;
        event_loop.run_forever()?;
        assert_eq!(calls.get(), 3);
        Ok(())
    })
}

#[test]
fn a_hang_up_makes_a_reader_and_a_writer_run() -> TestResult {
    on_every_backend(|event_loop| {
        let (ours, theirs) = UnixStream::pair()?;
        let (ours, log) = (Rc::new(ours), Log::default());
        // Full, so that it is not writable until the hang-up.
        ours.set_nonblocking(true)?;
        while (&*ours).write(&[0; 4096]).is_ok() {}
        let (reader, writer) = (log.adding("reader"), log.adding("writer"));
        event_loop.add_writer(ours.clone(), move || {
            writer();
            stop();
        })?;
        event_loop.add_reader(ours, reader)?;
        event_loop.run_once()?;
        log.saw("");
        drop(theirs);
        event_loop.run_forever()?;
        log.saw("reader writer");
        Ok(())
    })
}

#[test]
fn a_callback_runs_in_step_five_behind_what_was_ready() -> TestResult {
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        let log = Log::default();
        writer.write_all(b"x")?;
        event_loop.add_reader(reader, log.adding("reader"))?;
        log.saw("");
        event_loop.call_soon(log.adding("soon"))?;
        event_loop.call_at(event_loop.time(), log.adding("timer"))?;
        event_loop.run_once()?;
        log.saw("soon reader timer");
        Ok(())
    })
}

#[test]
fn a_newly_watched_descriptor_is_looked_at_in_the_next_iteration_of_a_busy_loop() -> TestResult {
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        writer.write_all(b"x")?;
        let log = Log::default();
        let (first, second, third) = (log.adding("one"), log.adding("two"), log.adding("three"));
        let on_read = log.adding("reader");
        event_loop.call_soon(move || {
            first();
            running().add_reader(reader, on_read).expect("it is a pipe");
            running()
                .call_soon(move || {
                    second();
                    running()
                        .call_soon(move || {
                            third();
                            stop();
                        })
                        .expect("it is running");
                })
                .expect("it is running");
        })?;
        event_loop.run_forever()?;
        log.saw("one two reader three");
        Ok(())
    })
}

#[test]
fn a_reader_removes_itself_and_others() -> TestResult {
    on_every_backend(|event_loop| {
        let (one, mut to_one) = pipe()?;
        let (two, mut to_two) = pipe()?;
        let (one, two, log) = (Rc::new(one), Rc::new(two), Log::default());
        for (mine, other) in [(&one, &two), (&two, &one)] {
            let (mine_inside, other, log) = (mine.clone(), other.clone(), log.clone());
            event_loop.add_reader(mine.clone(), move || {
                log.add("first of both");
                assert!(running().remove_reader(&mine_inside));
                assert!(running().remove_reader(&other));
            })?;
        }
        to_one.write_all(b"x")?;
        to_two.write_all(b"x")?;
        event_loop.run_once()?;
        event_loop.run_once()?;
        log.saw("first of both");
        Ok(())
    })
}

#[test]
fn a_second_reader_takes_the_place_of_the_first() -> TestResult {
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        let (reader, log) = (Rc::new(reader), Log::default());
        event_loop.add_reader(reader.clone(), log.adding("first"))?;
        event_loop.add_reader(reader.clone(), log.adding("second"))?;
        writer.write_all(b"x")?;
        event_loop.run_once()?;
        log.saw("second");
        assert!(event_loop.remove_reader(&reader));
        event_loop.run_once()?;
        log.saw("second");
        Ok(())
    })
}

#[test]
fn reader_and_writer_of_one_descriptor_come_and_go_apart() -> TestResult {
    on_every_backend(|event_loop| {
        let (ours, mut theirs) = UnixStream::pair()?;
        let (ours, log) = (Rc::new(ours), Log::default());
        theirs.write_all(b"x")?;
        event_loop.add_writer(ours.clone(), log.adding("writer"))?;
        event_loop.add_reader(ours.clone(), log.adding("reader"))?;
        event_loop.run_once()?;
        log.saw("reader writer");
        assert!(event_loop.remove_writer(&ours));
        assert!(!event_loop.remove_writer(&ours));
        event_loop.run_once()?;
        log.saw("reader writer reader");
        event_loop.add_writer(ours.clone(), log.adding("again"))?;
        assert!(event_loop.remove_reader(&ours));
        event_loop.run_once()?;
        log.saw("reader writer reader again");
        assert!(event_loop.remove_writer(&ours));
        Ok(())
    })
}

#[test]
fn the_registration_keeps_the_descriptor_open() -> TestResult {
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        let (reader, log) = (Rc::new(reader), Log::default());
        event_loop.add_reader(reader.clone(), log.adding("reader"))?;
        let weak = Rc::downgrade(&reader);
        drop(reader);
        writer.write_all(b"x")?;
        event_loop.run_once()?;
        log.saw("reader");

        let reader = weak.upgrade().ok_or("the loop keeps it")?;
        event_loop.remove_reader(reader);
        assert_eq!(weak.strong_count(), 0);
        assert!(writer.write_all(b"x").is_err(), "nobody reads any more");
        Ok(())
    })
}

#[test]
fn a_number_that_is_used_again_is_a_new_descriptor() -> TestResult {
    on_every_backend(|event_loop| {
        let log = Log::default();
        let (first, mut to_first) = pipe()?;
        let number = first.as_raw_fd();
        let first = Rc::new(first);
        event_loop.add_reader(first.clone(), log.adding("first"))?;
        to_first.write_all(b"x")?;
        event_loop.remove_reader(&first);
        drop(first);

        // The lowest free number is given out first; other tests of this process may have taken it, and then this shows nothing.
        let (second, mut to_second) = pipe()?;
        if second.as_raw_fd() == number {
            event_loop.add_reader(second, log.adding("second"))?;
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
fn a_file_on_disk_cannot_be_watched() -> TestResult {
    on_every_backend(|event_loop| {
        let file = Rc::new(File::open(std::env::current_exe()?)?);
        if cfg!(target_os = "linux") {
            assert!(event_loop.add_reader(file.clone(), || ()).is_err());
            assert_eq!(Rc::strong_count(&file), 1);
            assert!(!event_loop.remove_reader(&file));
        }
        Ok(())
    })
}

#[test]
fn a_reader_that_panics_is_reported_and_stays() -> TestResult {
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        let log = Log::default();
        event_loop.set_exception_handler(log.reporting());
        let calls = Cell::new(0);
        event_loop.add_reader(reader, move || {
            calls.set(calls.get() + 1);
            std::panic::resume_unwind(Box::new(format!("call {}", calls.get())));
        })?;
        let line = line!() - 4;
        writer.write_all(b"x")?;
        event_loop.run_once()?;
        event_loop.run_once()?;
        let name = format!(
            "watching::a_reader_that_panics_is_reported_and_stays at {}:{line}",
            file!()
        );
        let report = |call| {
            format!("Exception in callback {name}\nhandle: <Handle {name}>\npanicked: call {call}")
        };
        log.saw(&format!("{} {}", report(1), report(2)));
        Ok(())
    })
}

#[test]
fn a_reader_keeps_the_context_it_was_added_in() -> TestResult {
    static CALLS: ContextVar<u32> = ContextVar::with_default("calls", 0);
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        let log = Log::default();
        let seen = log.clone();
        let context = rondel_context::Context::new();
        context.run(|| {
            CALLS.set(10);
            event_loop.add_reader(reader, move || {
                CALLS.set(CALLS.get_or(0) + 1);
                seen.add(CALLS.get_or(0).to_string());
            })
        })?;
        writer.write_all(b"x")?;
        event_loop.run_once()?;
        event_loop.run_once()?;
        log.saw("11 12");
        assert_eq!(context.get(&CALLS), Some(10));
        Ok(())
    })
}

/// What removing and replacing drops may itself watch and remove, the very same descriptor included.
#[test]
fn destructors_call_back_in() -> TestResult {
    /// In its destructor, watches the pipe unless it is watched, and removes it otherwise.
    struct Meddling {
        event_loop: EventLoop,
        pipe: Rc<PipeReader>,
        log: Log,
    }
    impl AsFd for Meddling {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.pipe.as_fd()
        }
    }
    impl Drop for Meddling {
        fn drop(&mut self) {
            if self.event_loop.remove_reader(&self.pipe) {
                self.log.add("removed");
            } else {
                let added = self
                    .event_loop
                    .add_reader(self.pipe.clone(), self.log.adding("read"));
                self.log
                    .add(if added.is_ok() { "added" } else { "refused" });
            }
        }
    }

    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        let (pipe, log) = (Rc::new(reader), Log::default());
        let meddling = || Meddling {
            event_loop: event_loop.clone(),
            pipe: pipe.clone(),
            log: log.clone(),
        };
        writer.write_all(b"x")?;

        // Its callback goes, and watches again; its descriptor goes, and removes that.
        let callback = meddling();
        event_loop.add_reader(meddling(), move || callback.log.add("never"))?;
        assert!(event_loop.remove_reader(&pipe));
        log.saw("added removed");

        // Replaced: the callback that goes removes the new one, and the descriptor that goes watches again.
        let callback = meddling();
        event_loop.add_reader(meddling(), move || callback.log.add("never"))?;
        event_loop.add_reader(pipe.clone(), log.adding("replaced"))?;
        log.saw("added removed removed added");
        event_loop.run_once()?;
        log.saw("added removed removed added read");

        let callback = meddling();
        event_loop.add_reader(pipe.clone(), move || callback.log.add("never"))?;
        event_loop.close()?;
        log.saw("added removed removed added read refused");
        Ok(())
    })
}

#[test]
fn a_closed_loop_refuses_and_has_let_go_of_everything() -> TestResult {
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        let held = Rc::new(RefCell::new(()));
        let inside = held.clone();
        event_loop.add_reader(reader, move || drop(inside.borrow()))?;
        event_loop.stop();
        event_loop.run_forever()?;
        event_loop.close()?;
        assert_eq!(Rc::strong_count(&held), 1);
        assert!(writer.write_all(b"x").is_err(), "the reading end is closed");

        let (reader, _writer) = pipe()?;
        assert_eq!(
            event_loop
                .add_reader(reader, || ())
                .unwrap_err()
                .to_string(),
            "the event loop is closed"
        );
        let (reader, _writer) = pipe()?;
        assert!(!event_loop.remove_reader(&reader));
        Ok(())
    })
}
