//! The layer as the transport of the protocol above.
//!
//! # asyncio
//!
//! `_SSLProtocolTransport`.

use std::{fmt, io::IoSlice};

use rondel_task::{Result, RuntimeError};

use super::{Layer, Stage};
use crate::{
    protocol::AnyProtocol,
    tls::info,
    transport::{Carrier, extra_info::Request, flow::WriteBufferLimits},
};

impl Carrier for Layer {
    fn close(&self) {
        match self.stage.get() {
            Stage::Made | Stage::Handshaking => self.abort_by(None),
            Stage::Open => self.begin_closing(),
            Stage::Closing | Stage::Closed | Stage::Lost => {}
        }
    }

    fn is_closing(&self) -> bool {
        // Where the transport underneath is lost by what was just written, this layer hears of it in the next iteration.
        let is_lost = || self.under.get().is_some_and(|under| under.is_closing());
        self.stage.get() >= Stage::Closing || is_lost()
    }

    fn abort(&self) {
        self.abort_by(None);
    }

    fn extra_info(&self, request: &mut Request<'_>) {
        info::provide(&self.session.borrow(), request);
        if let Some(under) = self.under.get() {
            under.extra_info(request);
        }
    }

    fn set_protocol(&self, protocol: AnyProtocol) {
        if self.stage.get() < Stage::Lost {
            let replaced = self.above.replace(Some(protocol));
            drop(replaced);
        }
    }

    fn get_protocol(&self) -> Option<AnyProtocol> {
        self.above()
    }

    fn is_reading(&self) -> bool {
        !self.is_closing() && !self.paused.get()
    }

    fn pause_reading(&self) {
        if !self.is_reading() {
            return;
        }
        self.paused.set(true);
        if self.stage.get() == Stage::Open
            && let Some(under) = self.under.get()
        {
            under.pause_reading();
        }
    }

    fn resume_reading(&self) {
        if !self.is_closing() && self.paused.replace(false) {
            self.resume_soon();
        }
    }

    fn write(&self, data: &[u8]) -> Result<(), RuntimeError> {
        self.send(data);
        Ok(())
    }

    fn writelines(&self, list_of_data: &[IoSlice<'_>]) -> Result<(), RuntimeError> {
        // Together they fill records of TLS better, and are sent at once.
        let list_of_data: Vec<&[u8]> = list_of_data.iter().map(|data| &**data).collect();
        self.write(&list_of_data.concat())
    }

    fn write_eof(&self) -> Result<()> {
        let message = "a TLS connection has no end that is ended by itself";
        Err(RuntimeError::new(message).into())
    }

    fn can_write_eof(&self) -> bool {
        false
    }

    fn get_write_buffer_size(&self) -> usize {
        self.backlog.len()
    }

    fn get_write_buffer_limits(&self) -> WriteBufferLimits {
        self.flow.limits()
    }

    fn set_write_buffer_limits(&self, limits: WriteBufferLimits) {
        self.flow.set_limits(limits);
        self.maybe_pause_protocol();
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
