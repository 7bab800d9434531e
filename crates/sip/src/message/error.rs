//! What can be wrong with a message.

/// Why octets are no SIP message at all: nothing can be answered, the octets are dropped.
///
/// Damage that leaves the sender answerable is found by `Message::check`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// No octet but line ends: a keep-alive, not a message.
    #[error("empty: only line ends arrived")]
    Empty,
    /// The first line is neither a request line nor a status line.
    #[error("the first line is neither a SIP request nor a SIP status line")]
    NotSip,
    /// The empty line after the headers is missing.
    #[error("the message ends inside its headers")]
    Truncated,
    /// More octets than a message may have.
    #[error("message of {octets} octets, the limit is {limit}")]
    TooLarge {
        /// Octets that arrived.
        octets: usize,
        /// Octets allowed.
        limit: usize,
    },
}

/// What is wrong with one header, in words for a log or a reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The header is not there.
    #[error("{name} is missing; the sender must add it")]
    Missing {
        /// Name of the header.
        name: &'static str,
    },
    /// The header is there more than once but may not be.
    #[error("{name} stands there more than once; the sender must send one")]
    Repeated {
        /// Name of the header.
        name: &'static str,
    },
    /// The value does not follow the grammar.
    #[error("{name} cannot be read: {problem}")]
    Malformed {
        /// Name of the header.
        name: &'static str,
        /// What is wrong, and what would be right.
        problem: &'static str,
    },
}

impl HeaderError {
    /// Name of the header that is missing or wrong.
    pub fn name(&self) -> &'static str {
        match self {
            HeaderError::Missing { name }
            | HeaderError::Repeated { name }
            | HeaderError::Malformed { name, .. } => name,
        }
    }
}

/// Why a value on its own cannot be read: a URI, a Via, a name-addr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SyntaxError(pub &'static str);

impl SyntaxError {
    /// The same problem, told of the header it was found in.
    pub(crate) fn in_header(self, name: &'static str) -> HeaderError {
        HeaderError::Malformed {
            name,
            problem: self.0,
        }
    }
}

/// How a request is to be refused, or why a response is to be dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {reason}: {detail}")]
pub struct Refusal {
    /// Status code of the answer.
    pub status: u16,
    /// Reason phrase of the answer.
    pub reason: &'static str,
    /// What is wrong, for the log and a Warning header.
    pub detail: String,
}
