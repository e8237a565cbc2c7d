//! A chat with rooms. Who does not read what is said is put out, so that nobody else has to wait and no memory is lost to them.
#![allow(clippy::print_stdout, reason = "a program that prints")]

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use common::{arguments, server};
use lexopt::ValueExt as _;
use rondel::{StreamReader, StreamWriter, ValueError};

const USAGE: &str = "\
usage: chat [--port N] [--backlog BYTES]

Has people talk to each other by TCP, a line at a time, until it is interrupted or terminated.
Everybody begins by saying their name, and finds themselves in the lobby. What is said is heard by everybody else in the room.

  /join ROOM       goes to another room, which is there if somebody is in it
  /who             says who is here
  /quit            leaves

  --port N         the port on 127.0.0.1; 0, which is the default, is any free one
  --backlog BYTES  puts out who has so much to read, and does not; 1048576 unless said otherwise
";

const LOBBY: &str = "lobby";

struct Options {
    port: u16,
    backlog: usize,
}

fn options() -> Result<Options, lexopt::Error> {
    let (mut port, mut backlog) = (0, 1 << 20);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("port") => port = parser.value()?.parse()?,
            lexopt::Arg::Long("backlog") => {
                backlog = parser.value()?.parse_with(arguments::positive)?;
            }
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => arguments::help(USAGE),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Options { port, backlog })
}

/// All rooms; one that is empty is not there.
struct Chat {
    rooms: RefCell<BTreeMap<String, Vec<Rc<Guest>>>>,
    backlog: usize,
}

/// Somebody in a room.
struct Guest {
    name: String,
    writer: StreamWriter,
}

impl Guest {
    /// Tells them something, without waiting for them; false if they have too much to read already.
    fn hear(&self, line: &str, backlog: usize) -> bool {
        // It fails where nothing can be written any more: then they are about to leave.
        let _ = self.writer.write(line);
        self.writer.transport().get_write_buffer_size() <= backlog
    }
}

/// A place in a room, which is left when this is dropped.
struct Seat {
    chat: Rc<Chat>,
    room: String,
    guest: Rc<Guest>,
}

impl Chat {
    fn enter(self: &Rc<Self>, room: &str, guest: Rc<Guest>) -> Seat {
        self.tell(room, &guest, &format!("* {} has come\n", guest.name));
        let mut rooms = self.rooms.borrow_mut();
        rooms
            .entry(room.to_owned())
            .or_default()
            .push(guest.clone());
        drop(rooms);
        Seat {
            chat: self.clone(),
            room: room.to_owned(),
            guest,
        }
    }

    fn guests(&self, room: &str) -> Vec<Rc<Guest>> {
        self.rooms.borrow().get(room).cloned().unwrap_or_default()
    }

    /// Has everybody in a room hear a line, except who has said it; who is too slow is put out.
    fn tell(&self, room: &str, by: &Rc<Guest>, line: &str) {
        let guests = self.guests(room);
        let others = guests.iter().filter(|guest| !Rc::ptr_eq(guest, by));
        for guest in others.filter(|guest| !guest.hear(line, self.backlog)) {
            if self.leave(room, guest) {
                guest.writer.transport().abort();
                self.tell(room, guest, &format!("* {} is too slow\n", guest.name));
            }
        }
    }

    /// Takes somebody out of a room; false if they were not there.
    fn leave(&self, room: &str, guest: &Rc<Guest>) -> bool {
        let mut rooms = self.rooms.borrow_mut();
        let Some(guests) = rooms.get_mut(room) else {
            return false;
        };
        let Some(place) = guests.iter().position(|other| Rc::ptr_eq(other, guest)) else {
            return false;
        };
        let left = guests.remove(place);
        if guests.is_empty() {
            rooms.remove(room);
        }
        drop(rooms);
        drop(left);
        true
    }

    /// One guest, from their coming to their going.
    async fn serve(
        self: &Rc<Self>,
        reader: StreamReader,
        writer: StreamWriter,
    ) -> rondel::Result<()> {
        writer.write("what is your name?\n")?;
        let Some(name) = next_line(&reader, &writer).await? else {
            return Ok(());
        };
        let guest = Rc::new(Guest { name, writer });
        let mut seat = self.enter(LOBBY, guest.clone());
        guest
            .writer
            .write(format!("* welcome to the {LOBBY}, {}\n", guest.name))?;
        while let Some(line) = next_line(&reader, &guest.writer).await? {
            match line.split_once(' ').unwrap_or((&line, "")) {
                ("/join", room) if !room.is_empty() => {
                    drop(seat);
                    seat = self.enter(room, guest.clone());
                    guest.writer.write(format!("* you are in {room}\n"))?;
                }
                ("/who", "") => {
                    let guests = self.guests(&seat.room);
                    let names: Vec<&str> = guests.iter().map(|guest| guest.name.as_str()).collect();
                    guest
                        .writer
                        .write(format!("* here: {}\n", names.join(", ")))?;
                }
                ("/quit", "") => break,
                (command, _) if command.starts_with('/') => {
                    guest
                        .writer
                        .write("* there are /join ROOM, /who and /quit\n")?;
                }
                _ => self.tell(&seat.room, &guest, &format!("{}: {line}\n", guest.name)),
            }
            guest.writer.drain().await?;
        }
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.chat.leave(&self.room, &self.guest) {
            let gone = format!("* {} has left\n", self.guest.name);
            self.chat.tell(&self.room, &self.guest, &gone);
        }
    }
}

/// Reads until there is a line with something in it; `None` at the end.
async fn next_line(reader: &StreamReader, writer: &StreamWriter) -> rondel::Result<Option<String>> {
    loop {
        match reader.readline().await {
            Ok(line) if line.is_empty() => return Ok(None),
            Ok(line) => {
                let line = String::from_utf8_lossy(&line).trim().to_owned();
                if !line.is_empty() {
                    return Ok(Some(line));
                }
            }
            Err(error) if error.is::<ValueError>() => {
                writer.write("* that was too long\n")?;
            }
            Err(error) => return Err(error),
        }
    }
}

#[rondel::main]
async fn main() -> rondel::Result<()> {
    let Options { port, backlog } = arguments::or_exit(options(), USAGE);
    let mut signals = server::ending()?;
    let chat = Rc::new(Chat {
        rooms: RefCell::default(),
        backlog,
    });
    let serve = async move |reader, writer| match chat.serve(reader, writer).await {
        // That somebody's connection breaks is how some leave.
        Err(error) if error.is::<std::io::Error>() => Ok(()),
        served => served,
    };
    let server = rondel::start_server(serve, ("127.0.0.1", port)).await?;
    server::announce(&server.sockets()[0].getsockname()?);

    signals.recv().await?;
    server.close();
    // Each reads what was said so far.
    server.close_clients();
    server::last_client(|| server.wait_closed(), || server.abort_clients()).await
}
