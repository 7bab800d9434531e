//! The transaction layer: four machines, their timers, and the table that finds the right one.
//!
//! Source: RFC 3261 section 17, RFC 6026 (Accepted), RFC 4320 (no 408 to other requests than INVITE).

mod build;
mod client_invite;
mod client_non_invite;
mod flow;
mod key;
mod server_invite;
mod server_non_invite;
mod table;
mod timers;

pub use build::note_source;
pub use build::{ack_of_refusal, cancel};
pub use client_invite::ClientInvite;
pub use client_non_invite::ClientNonInvite;
pub use flow::{Flow, Hop, NotAFlow, Transport};
pub use key::{Side, TransactionKey};
pub use server_invite::ServerInvite;
pub use server_non_invite::ServerNonInvite;
pub use table::{Effect, Table};
pub use timers::{Resend, Timers};

use crate::message::Message;

/// What happens to a client transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientEvent {
    /// A response that belongs to it.
    Received(Message),
    /// Time passed.
    Deadline,
    /// The request could not be sent, or its connection broke.
    TransportFailed,
}

/// What a client transaction wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientAction {
    /// Put this on the wire.
    Send(Message),
    /// Hand this response to the transaction user.
    Deliver(Message),
    /// No answer in time; the transaction is over.
    TimedOut,
    /// The peer cannot be reached; the transaction is over.
    TransportFailed,
    /// The transaction is over and may be forgotten.
    Terminated,
}

/// What happens to a server transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerEvent {
    /// The request again, or the ACK of an INVITE.
    Received(Message),
    /// The transaction user answers.
    Respond(Message),
    /// Time passed.
    Deadline,
}

/// What a server transaction wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerAction {
    /// Put this on the wire.
    Send(Message),
    /// Hand this ACK to the transaction user.
    Deliver(Message),
    /// A refusal was never acknowledged; the transaction is over.
    NoAck,
    /// The transaction is over and may be forgotten.
    Terminated,
}

/// The status of a response; 0 for a request, so that it compares like a number.
pub(crate) fn code(message: &Message) -> u16 {
    message.status().map_or(0, |status| status.code())
}

#[cfg(test)]
mod tests;
