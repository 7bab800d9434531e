//! Cuts messages out of a byte stream.

use bytes::{Buf, Bytes, BytesMut};

use super::error::ParseError;
use super::lexer::{self, Parts};
use super::{MAX_MESSAGE, Message, from_stream};

/// What a stream carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framed {
    /// A whole message.
    Message(Message),
    /// Two line ends: the peer asks whether we live; answer with one (RFC 5626 section 4.4.1).
    KeepAlivePing,
    /// One line end: the peer lives.
    KeepAlivePong,
}

/// Why a stream cannot be cut any further. The connection must be closed, for message borders are lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// Not SIP.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Content-Length is missing, not a number, or there twice with different values. Answer `head` with 400, then close.
    #[error("message on a stream without a usable Content-Length")]
    ContentLength {
        /// The message without its body.
        head: Box<Message>,
    },
    /// Content-Length is beyond the limit. Answer `head` with 513, then close.
    #[error("message of {octets} octets on a stream, the limit is {limit}")]
    TooLarge {
        /// The message without its body.
        head: Box<Message>,
        /// Octets of the whole message.
        octets: usize,
        /// Octets allowed.
        limit: usize,
    },
}

/// Takes octets as they come from a stream and gives messages and keep-alives.
///
/// Line ends between messages are keep-alives (RFC 5626 section 3.5.1): four octets are a ping, two a pong. Two octets
/// with nothing behind them could be half a ping, so a pong is told once something else follows, or by
/// [`StreamFramer::flush_pong`] when the reader has nothing more.
#[derive(Debug)]
pub struct StreamFramer {
    buffer: BytesMut,
    limit: usize,
    /// Octets of the buffer that were searched for the end of the head.
    searched: usize,
    /// Head and total length of the message whose body is awaited.
    pending: Option<(Parts, usize)>,
    failed: bool,
}

impl Default for StreamFramer {
    fn default() -> Self {
        StreamFramer::new(MAX_MESSAGE)
    }
}

impl StreamFramer {
    /// A framer for messages of at most `limit` octets.
    pub fn new(limit: usize) -> StreamFramer {
        StreamFramer {
            buffer: BytesMut::new(),
            limit,
            searched: 0,
            pending: None,
            failed: false,
        }
    }

    /// Takes octets from the stream.
    pub fn push(&mut self, octets: &[u8]) {
        if !self.failed {
            self.buffer.extend_from_slice(octets);
        }
    }

    /// Whether a message has begun and is not complete: the reader should give up on it after a while.
    pub fn is_inside_message(&self) -> bool {
        self.pending.is_some()
            || self
                .buffer
                .iter()
                .any(|octet| !matches!(octet, b'\r' | b'\n'))
    }

    /// The next message or keep-alive; `None` if more octets are needed. After an error there is nothing more.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Result<Framed, FramingError>> {
        if self.failed {
            return None;
        }
        let next = self.keep_alive().map(Ok).or_else(|| self.message());
        if matches!(next, Some(Err(_))) {
            self.failed = true;
            self.buffer.clear();
        }
        next
    }

    /// A pong that was held back because it could have become a ping; call when the socket has nothing more to read.
    pub fn flush_pong(&mut self) -> Option<Framed> {
        (&self.buffer[..] == b"\r\n" && self.pending.is_none()).then(|| {
            self.buffer.clear();
            Framed::KeepAlivePong
        })
    }

    fn keep_alive(&mut self) -> Option<Framed> {
        if self.pending.is_some() || !self.buffer.starts_with(b"\r\n") {
            return None;
        }
        match &self.buffer[2..] {
            [] | [b'\r'] => None,
            [b'\r', b'\n', ..] => {
                self.buffer.advance(4);
                Some(Framed::KeepAlivePing)
            }
            _ => {
                self.buffer.advance(2);
                Some(Framed::KeepAlivePong)
            }
        }
    }

    fn message(&mut self) -> Option<Result<Framed, FramingError>> {
        if self.pending.is_none() {
            match self.head() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        let (_, total) = self.pending.as_ref()?;
        if self.buffer.len() < *total {
            return None;
        }
        let (parts, total) = self.pending.take()?;
        self.searched = 0;
        let bytes = self.buffer.split_to(total).freeze();
        Some(Ok(Framed::Message(from_stream(bytes, parts))))
    }

    /// Looks for a whole head and notes how long its message is.
    fn head(&mut self) -> Result<bool, FramingError> {
        // A line end alone may yet become a keep-alive.
        if self.buffer.is_empty() || &self.buffer[..] == b"\r" || self.buffer.starts_with(b"\r\n") {
            return Ok(false);
        }
        let Some(end) = lexer::head_end(&self.buffer, self.searched.saturating_sub(3)) else {
            self.searched = self.buffer.len();
            return match self.buffer.len() > self.limit {
                true => Err(ParseError::TooLarge {
                    octets: self.buffer.len(),
                    limit: self.limit,
                }
                .into()),
                false => Ok(false),
            };
        };
        let parts = lexer::lex(&self.buffer[..end])?;
        let usable = parts
            .content_length
            .filter(|_| !parts.has_bad_content_length());
        let Some(length) = usable else {
            return Err(FramingError::ContentLength {
                head: self.head_alone(parts, end),
            });
        };
        let total = end + length;
        if total > self.limit {
            let limit = self.limit;
            return Err(FramingError::TooLarge {
                head: self.head_alone(parts, end),
                octets: total,
                limit,
            });
        }
        self.pending = Some((parts, total));
        Ok(true)
    }

    fn head_alone(&self, parts: Parts, end: usize) -> Box<Message> {
        Box::new(from_stream(
            Bytes::copy_from_slice(&self.buffer[..end]),
            parts,
        ))
    }
}
