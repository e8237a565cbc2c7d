//! A connected socket for an address: one attempt after another, or side by side (Happy Eyeballs, RFC 8305).
//!
//! What is then made of the socket is `create_connection`'s business.
//!
//! # asyncio
//!
//! The part of `create_connection` before the transport, with `_connect_sock` and `_interleave_addrinfos`.

use std::{cell::RefCell, io, mem, net::SocketAddr, num::NonZeroUsize, rc::Rc, time::Duration};

use rondel_task::{Exception, ExceptionGroup, Result, staggered_race};
use socket2::{Domain, SockAddr, Socket, Type};

use super::{AddrInfo, Address, Hints, Kind, resolve};
use crate::{
    SocketName,
    socket::{self, AsyncFd},
};

/// How a connection is made: the arguments of `create_connection` that are about the address.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    pub(crate) address: Address,
    /// Addresses of one family only.
    pub(crate) family: Option<Domain>,
    /// What the socket is bound to before it is connected.
    pub(crate) local_address: Option<Address>,
    /// How long an attempt may take before the next one begins beside it; none to wait until it has failed.
    pub(crate) happy_eyeballs_delay: Option<Duration>,
    /// How many addresses of the first family come before the families take turns: RFC 8305's First Address Family Count.
    /// None keeps the system's order, unless there is a `happy_eyeballs_delay`: then it is 1.
    pub(crate) interleave: Option<NonZeroUsize>,
    /// What is raised when all attempts have failed.
    pub(crate) errors: ConnectErrors,
}

/// What is raised when every attempt to connect has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConnectErrors {
    /// One I/O error: the only one there is, or one with the texts of all.
    #[default]
    Combined,
    /// An [`ExceptionGroup`] of all: asyncio's `all_errors`.
    Group,
}

/// The errors of each attempt, in the order in which they began.
type Attempts = Rc<RefCell<Vec<Vec<Exception>>>>;

impl Connector {
    pub(crate) fn new(address: impl Into<Address>) -> Self {
        Self {
            address: address.into(),
            family: None,
            local_address: None,
            happy_eyeballs_delay: None,
            interleave: None,
            errors: ConnectErrors::default(),
        }
    }

    /// Gives a connected socket that does not block, of TCP or, for a path, a unix one.
    ///
    /// # Errors
    ///
    /// The host cannot be found, or no address of it answers.
    pub(crate) async fn connect(self) -> Result<Socket> {
        if let Kind::Name(name @ (SocketName::Path(_) | SocketName::Abstract(_))) =
            self.address.clone().into_kind()?
        {
            let socket = AsyncFd::new(open(Domain::UNIX)?)?;
            return connected(socket, &name).await;
        }
        let hints = Hints {
            family: self.family,
            ..Hints::of(Type::STREAM)
        };
        let mut infos = resolve(&self.address, hints).await?;
        let local = match &self.local_address {
            Some(address) => Some(resolve(address, hints).await?),
            None => None,
        };
        let delay = self.happy_eyeballs_delay;
        let interleave = self.interleave.or(delay.and(NonZeroUsize::new(1)));
        if let Some(first) = interleave {
            infos = interleaved(infos, first);
        }

        let attempts = Attempts::default();
        let socket = match delay {
            None => one_after_another(&attempts, infos, local).await?,
            Some(delay) => side_by_side(&attempts, infos, local, delay).await?,
        };
        socket.ok_or_else(|| combine(attempts.take(), self.errors))
    }
}

async fn one_after_another(
    attempts: &Attempts,
    infos: Vec<AddrInfo>,
    local: Option<Vec<AddrInfo>>,
) -> Result<Option<Socket>> {
    for info in infos {
        match attempt(attempts, info, local.as_deref()).await {
            Err(error) if error.is::<io::Error>() => {}
            outcome => return outcome.map(Some),
        }
    }
    Ok(None)
}

async fn side_by_side(
    attempts: &Attempts,
    infos: Vec<AddrInfo>,
    local: Option<Vec<AddrInfo>>,
    delay: Duration,
) -> Result<Option<Socket>> {
    let local: Option<Rc<[AddrInfo]>> = local.map(Into::into);
    let attempts = attempts.clone();
    let starts = infos.into_iter().map(move |info| {
        let (attempts, local) = (attempts.clone(), local.clone());
        async move || attempt(&attempts, info, local.as_deref()).await
    });
    let race = staggered_race(starts, delay).await?;
    Ok(race.winner.map(|(_, socket)| socket))
}

/// Makes, binds and connects one socket; its I/O errors are noted too.
async fn attempt(
    attempts: &Attempts,
    info: AddrInfo,
    local: Option<&[AddrInfo]>,
) -> Result<Socket> {
    let place = {
        let mut attempts = attempts.borrow_mut();
        attempts.push(Vec::new());
        attempts.len() - 1
    };
    let mut errors = Vec::new();
    let outcome = connect_one(&info, local, &mut errors).await;
    if let Err(error) = &outcome
        && error.is::<io::Error>()
    {
        errors.push(error.clone());
    }
    let replaced = mem::replace(&mut attempts.borrow_mut()[place], errors);
    drop(replaced);
    outcome
}

async fn connect_one(
    info: &AddrInfo,
    local: Option<&[AddrInfo]>,
    errors: &mut Vec<Exception>,
) -> Result<Socket> {
    let socket = open(info.family)?;
    if let Some(local) = local {
        bind(&socket, info.family, local, errors)?;
    }
    connected(AsyncFd::new(socket)?, &info.address.into()).await
}

/// A stream socket that does not block.
fn open(family: Domain) -> io::Result<Socket> {
    let socket = Socket::new(family, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Binds to the first local address of the family that can be bound to.
fn bind(
    socket: &Socket,
    family: Domain,
    local: &[AddrInfo],
    errors: &mut Vec<Exception>,
) -> Result<()> {
    let of_family = local.iter().filter(|local| local.family == family);
    for local in of_family {
        match socket.bind(&SockAddr::from(local.address)) {
            Ok(()) => return Ok(()),
            Err(error) => errors.push(cannot_bind(local.address, &error).into()),
        }
    }
    Err(errors.pop().unwrap_or_else(|| {
        let message = format!("no matching local address with family {family:?} found");
        io::Error::new(io::ErrorKind::AddrNotAvailable, message).into()
    }))
}

fn cannot_bind(address: SocketAddr, error: &io::Error) -> io::Error {
    let reason = error.to_string().to_lowercase();
    let message = format!("error while attempting to bind on address {address}: {reason}");
    io::Error::new(error.kind(), message)
}

async fn connected(socket: AsyncFd<Socket>, name: &SocketName) -> Result<Socket> {
    socket::connect(&socket, name).await?;
    socket
        .into_inner()
        .ok_or_else(|| Exception::new(crate::ClosedFdError))
}

/// Has the families take turns, after `first - 1` more of the first family.
fn interleaved(infos: Vec<AddrInfo>, first: NonZeroUsize) -> Vec<AddrInfo> {
    let mut families: Vec<(Domain, Vec<AddrInfo>)> = Vec::new();
    for info in infos {
        match families
            .iter_mut()
            .find(|(family, _)| *family == info.family)
        {
            Some((_, of_family)) => of_family.push(info),
            None => families.push((info.family, vec![info])),
        }
    }
    let mut ordered = Vec::new();
    if let Some((_, of_first)) = families.first_mut() {
        let ahead = (first.get() - 1).min(of_first.len());
        ordered.extend(of_first.drain(..ahead));
    }
    let mut turns: Vec<_> = families
        .into_iter()
        .map(|(_, infos)| infos.into_iter())
        .collect();
    loop {
        let before = ordered.len();
        ordered.extend(turns.iter_mut().filter_map(Iterator::next));
        if ordered.len() == before {
            return ordered;
        }
    }
}

/// One error for all.
fn combine(attempts: Vec<Vec<Exception>>, errors: ConnectErrors) -> Exception {
    let exceptions: Vec<Exception> = attempts.into_iter().flatten().collect();
    if errors == ConnectErrors::Group {
        return match ExceptionGroup::new("create_connection failed", exceptions) {
            Ok(group) => group.into(),
            Err(empty) => empty.into(),
        };
    }
    let texts: Vec<String> = exceptions.iter().map(ToString::to_string).collect();
    match exceptions.into_iter().next() {
        Some(first) if texts.iter().all(|text| *text == texts[0]) => first,
        _ => io::Error::other(format!("Multiple exceptions: {}", texts.join(", "))).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

    use rondel_task::run;
    use socket2::Protocol;

    use super::*;

    fn info(address: impl Into<SocketAddr>) -> AddrInfo {
        let address = address.into();
        AddrInfo {
            family: Domain::for_address(address),
            socket_type: Type::STREAM,
            protocol: Some(Protocol::TCP),
            canonical_name: None,
            address,
        }
    }

    fn v4(port: u16) -> AddrInfo {
        info((Ipv4Addr::LOCALHOST, port))
    }

    fn v6(port: u16) -> AddrInfo {
        info((Ipv6Addr::LOCALHOST, port))
    }

    fn listening() -> (TcpListener, AddrInfo) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, info(address))
    }

    /// An address at which nobody listens, for as long as the socket lives that has it.
    fn refusing() -> (Socket, AddrInfo) {
        let socket = open(Domain::IPV4).unwrap();
        socket
            .bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
            .unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        (socket, info(address))
    }

    /// An address that lets whoever connects wait: its queue is full.
    fn silent() -> (Vec<Socket>, AddrInfo) {
        let (listener, address) = refusing();
        listener.listen(0).unwrap();
        let mut sockets = vec![listener];
        for _ in 0..4 {
            let waiting = open(Domain::IPV4).unwrap();
            let _ = waiting.connect(&SockAddr::from(address.address));
            sockets.push(waiting);
        }
        (sockets, address)
    }

    fn peer(socket: &Socket) -> SocketAddr {
        socket.peer_addr().unwrap().as_socket().unwrap()
    }

    /// Against CPython 3.13's `_interleave_addrinfos`.
    #[test]
    fn families_take_turns_after_the_first_ones() {
        let order = |first, infos: [AddrInfo; 6]| {
            let ordered = interleaved(infos.to_vec(), NonZeroUsize::new(first).unwrap());
            let ports = ordered.iter().map(|info| info.address.port());
            ports.collect::<Vec<_>>()
        };
        let six_first = [v6(1), v6(2), v6(3), v6(4), v4(11), v4(12)];
        assert_eq!(order(1, six_first.clone()), [1, 11, 2, 12, 3, 4]);
        assert_eq!(order(2, six_first.clone()), [1, 2, 11, 3, 12, 4]);
        assert_eq!(order(9, six_first), [1, 2, 3, 4, 11, 12]);
        let mixed = [v4(11), v6(1), v4(12), v4(13), v6(2), v4(14)];
        assert_eq!(order(1, mixed), [11, 1, 12, 2, 13, 14]);
        assert!(interleaved(Vec::new(), NonZeroUsize::MIN).is_empty());
    }

    #[test]
    fn the_first_address_that_answers_is_taken() {
        let ((_bound, refusing), (_listener, good)) = (refusing(), listening());
        let expected = good.address;
        let socket = run(async move {
            let attempts = Attempts::default();
            let socket = one_after_another(&attempts, vec![refusing, good], None).await?;
            assert_eq!(
                attempts.borrow().iter().map(Vec::len).collect::<Vec<_>>(),
                [1, 0]
            );
            Ok(socket)
        });
        let socket = socket.unwrap().expect("the second address answers");
        assert_eq!(peer(&socket), expected);
        // It does not block, whoever uses it next.
        let read = socket.recv(&mut [std::mem::MaybeUninit::uninit()]);
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn an_address_that_stays_silent_is_not_waited_for() {
        let ((_sockets, silent), (_listener, good)) = (silent(), listening());
        let expected = good.address;
        let socket = run(async move {
            let delay = Duration::from_millis(10);
            side_by_side(&Attempts::default(), vec![silent, good], None, delay).await
        });
        let socket = socket.unwrap().expect("the second address answers");
        assert_eq!(peer(&socket), expected);
    }

    #[test]
    fn side_by_side_a_failure_starts_the_next_at_once() {
        let ((_bound, refusing), (_listener, good)) = (refusing(), listening());
        let expected = good.address;
        let socket = run(async move {
            let delay = Duration::from_secs(3600);
            side_by_side(&Attempts::default(), vec![refusing, good], None, delay).await
        });
        let socket = socket.unwrap().expect("the second address answers");
        assert_eq!(peer(&socket), expected);
    }

    #[test]
    fn the_local_address_is_of_the_same_family_and_free() {
        let (_listener, good) = listening();
        let nowhere = info((Ipv4Addr::new(192, 0, 2, 1), 0));
        let outcome = run(async move {
            let bound = |local: Vec<AddrInfo>| {
                let good = good.clone();
                async move {
                    let attempts = Attempts::default();
                    let socket = one_after_another(&attempts, vec![good], Some(local)).await?;
                    Ok::<_, Exception>(
                        socket.ok_or_else(|| combine(attempts.take(), ConnectErrors::Combined)),
                    )
                }
            };
            let here = info((Ipv4Addr::new(127, 0, 0, 1), 0));
            let socket = bound(vec![v6(0), nowhere.clone(), here]).await??;
            let other_family = bound(vec![v6(0)]).await?.unwrap_err();
            let not_ours = bound(vec![nowhere]).await?.unwrap_err();
            Ok((socket, other_family.to_string(), not_ours.to_string()))
        });
        let (socket, other_family, not_ours) = outcome.unwrap();
        assert!(socket.local_addr().unwrap().as_socket().is_some());
        assert!(
            other_family.starts_with("no matching local address with family"),
            "{other_family}"
        );
        let begin = "error while attempting to bind on address 192.0.2.1:0: ";
        assert!(not_ours.starts_with(begin), "{not_ours}");
    }

    #[test]
    fn errors_are_told_as_one_or_as_a_group() {
        let errors = |texts: &[&str]| -> Vec<Vec<Exception>> {
            let error = |text: &&str| io::Error::other(text.to_string()).into();
            texts.iter().map(|text| vec![error(text)]).collect()
        };
        let told = |texts: &[&str]| combine(errors(texts), ConnectErrors::Combined).to_string();
        assert_eq!(told(&["refused"]), "refused");
        assert_eq!(told(&["refused", "refused"]), "refused");
        assert_eq!(
            told(&["refused", "unreachable"]),
            "Multiple exceptions: refused, unreachable"
        );

        let group = combine(errors(&["refused", "refused"]), ConnectErrors::Group);
        let group = group.downcast_ref::<ExceptionGroup>().expect("a group");
        assert_eq!(group.exceptions().len(), 2);
        assert_eq!(
            group.to_string(),
            "create_connection failed (2 sub-exceptions)"
        );
    }
}
