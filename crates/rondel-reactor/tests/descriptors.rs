//! A closed loop leaves no descriptor open: the only test of its process, because it counts them all.
#![cfg(target_os = "linux")]

mod common;

use std::{fs, io::pipe};

use common::TestResult;
use rondel_reactor::{Backend, EventLoop};

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd")
        .expect("this is Linux")
        .count()
}

/// Opens everything that a loop ever opens: its selector, its notifier, its signal socket and a watched pipe.
fn used_loop(backend: Backend) -> Result<EventLoop, Box<dyn std::error::Error>> {
    let event_loop = EventLoop::builder().backend(backend).build()?;
    let (reader, _writer) = pipe()?;
    event_loop.add_reader(reader, || ())?;
    event_loop.stop();
    event_loop.run_forever()?;
    Ok(event_loop)
}

#[test]
fn closing_releases_every_descriptor_whatever_handles_are_left() -> TestResult {
    for &backend in common::BACKENDS {
        let before = open_descriptors();
        let event_loop = used_loop(backend)?;
        let handle = event_loop.handle();
        assert!(open_descriptors() > before);
        event_loop.close()?;
        assert_eq!(open_descriptors(), before, "{backend:?}, closed");
        assert!(handle.call_soon_threadsafe(|| ()).is_err());

        drop(used_loop(backend)?);
        assert_eq!(open_descriptors(), before, "{backend:?}, let go");
    }
    Ok(())
}
