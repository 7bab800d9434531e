//! SIP messages: one buffer, ranges into it, values read when asked for.
//!
//! [`Message::parse`] takes anything whose sender can be answered; [`Message::check`] then says what RFC 3261 asks of a
//! receiver. Messages are made with [`Builder`] and changed on their way with [`Edit`]; [`StreamFramer`] cuts them out
//! of a byte stream. The wire form is always kept, so what is not understood is forwarded as it came.

mod access;
mod builder;
mod check;
mod convert;
mod cseq;
mod edit;
mod error;
mod framer;
pub(crate) mod grammar;
mod header_name;
mod lexer;
mod method;
mod name_addr;
mod octets;
mod params;
mod status;
mod uri;
mod value;
mod via;

use std::fmt;
use std::sync::Arc;

use bytes::{Buf, Bytes};

pub use builder::Builder;
pub use convert::ConversionError;
pub use cseq::{CSeq, RAck};
pub use edit::Edit;
pub use error::{HeaderError, ParseError, Refusal, SyntaxError};
pub use framer::{Framed, FramingError, StreamFramer};
pub use header_name::{HeaderName, Name};
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::Params;
pub use status::StatusCode;
pub use uri::{Host, Scheme, Uri};
pub use value::Value;
pub use via::{MAGIC_COOKIE, Via};

use lexer::{Defect, Parts, StartLine};

/// Octets a message may have: what fits into one UDP datagram.
pub const MAX_MESSAGE: usize = 65_535;

/// A SIP message as it came or goes over the wire. Cloning is cheap: buffer and index are shared.
#[derive(Clone)]
pub struct Message {
    bytes: Bytes,
    parts: Arc<Parts>,
}

impl Message {
    /// Reads one datagram; line ends before the message are skipped, octets after Content-Length cut off.
    ///
    /// Damage that leaves the sender answerable, a body shorter than announced among it, is kept for
    /// [`Message::check`]; nothing may be done with a message before that passed.
    ///
    /// # Errors
    /// A [`ParseError`] if this is no SIP message whose sender could be answered.
    pub fn parse(datagram: Bytes) -> Result<Message, ParseError> {
        if datagram.len() > MAX_MESSAGE {
            return Err(ParseError::TooLarge {
                octets: datagram.len(),
                limit: MAX_MESSAGE,
            });
        }
        Message::read(datagram)
    }

    /// [`Message::parse`] without a limit.
    fn read(datagram: Bytes) -> Result<Message, ParseError> {
        let mut bytes = datagram;
        bytes.advance(lexer::leading_line_ends(&bytes));
        let mut parts = lexer::lex(&bytes)?;
        let arrived = bytes.len() - parts.body;
        match parts.content_length {
            Some(announced) if announced > arrived => {
                parts.note(Defect::ShortBody { announced, arrived })
            }
            Some(announced) => bytes.truncate(parts.body + announced),
            None => {}
        }
        Ok(Message {
            bytes,
            parts: Arc::new(parts),
        })
    }

    /// The first line with its line end.
    fn start_line(&self) -> &[u8] {
        let end = self.parts.headers_at;
        &self.bytes[..end]
    }

    /// The exact wire form.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The body; empty if there is none.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.parts.body..]
    }

    /// The body as a part of the shared buffer.
    pub fn body_bytes(&self) -> Bytes {
        self.bytes.slice(self.parts.body..)
    }
}

/// Size checks on a stream are the framer's.
fn from_stream(bytes: Bytes, parts: Parts) -> Message {
    Message {
        bytes,
        parts: Arc::new(parts),
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.bytes))
    }
}

impl fmt::Display for Message {
    /// Shows the message as text, lossily.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.bytes))
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Message) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Message {}

#[cfg(test)]
mod tests;
