//! Between the names of sockets and what the system calls take.

use std::{ffi::OsStr, io, net::SocketAddr, os::unix::ffi::OsStrExt as _, path::Path, sync::Arc};

use rustix::net::{SocketAddrAny, SocketAddrUnix};

use crate::SocketName;

/// Gives the name as the system takes it.
pub(crate) fn to_system(name: &SocketName) -> io::Result<SocketAddrAny> {
    match name {
        SocketName::Inet(address) => Ok((*address).into()),
        SocketName::Path(path) => Ok(SocketAddrUnix::new(&**path)?.into()),
        #[cfg(target_os = "linux")]
        SocketName::Abstract(name) => Ok(SocketAddrUnix::new_abstract_name(name)?.into()),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{name} is not the name of a socket"),
        )),
    }
}

/// Gives the name that the system has told.
pub(crate) fn from_system(address: Option<SocketAddrAny>) -> SocketName {
    let Some(address) = address else {
        return SocketName::Unnamed;
    };
    if let Ok(address) = SocketAddr::try_from(address.clone()) {
        return SocketName::Inet(address);
    }
    let Ok(unix) = SocketAddrUnix::try_from(address) else {
        return SocketName::Unnamed;
    };
    #[cfg(target_os = "linux")]
    if let Some(name) = unix.abstract_name() {
        return SocketName::Abstract(name.into());
    }
    match unix.path_bytes() {
        Some(path) => SocketName::Path(Arc::from(Path::new(OsStr::from_bytes(path)))),
        None => SocketName::Unnamed,
    }
}

impl From<&SocketName> for SocketName {
    fn from(name: &SocketName) -> Self {
        name.clone()
    }
}
