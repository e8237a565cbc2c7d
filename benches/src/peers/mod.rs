//! The runtimes that are compared, one file each: how it starts, spawns, joins, yields, and passes values.
//!
//! Each is used as its own documentation says.
//! Where it has no channel, `yield_now` or `join_all` of its own, it gets what its users take.

mod floor;
mod rondel;

#[cfg(feature = "peers")]
mod compio;
#[cfg(feature = "peers")]
mod futures;
#[cfg(feature = "peers")]
mod glommio;
#[cfg(feature = "peers")]
mod monoio;
#[cfg(feature = "peers")]
mod smol;
#[cfg(feature = "peers")]
mod tokio;

pub use self::floor::Floor;
pub use self::rondel::{Rondel, RondelSlack};

#[cfg(feature = "peers")]
pub use self::{
    compio::Compio,
    futures::Futures,
    glommio::Glommio,
    monoio::Monoio,
    smol::Smol,
    tokio::{TokioLocalRuntime, TokioLocalSet},
};
