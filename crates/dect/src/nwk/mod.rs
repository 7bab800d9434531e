//! Network layer of EN 300 175-5: messages, their information elements, and the procedures of both sides.
//!
//! A [`Message`] is decoded once, from the whole message that the DLC delivers. Procedures are sans-IO machines in [`cc`], [`lce`] and
//! [`mm`]: events in, actions out, one deadline each.

mod accessors;
mod capabilities;
pub mod cc;
pub mod lce;
pub mod mm;
pub use accessors::ElementError;
#[doc(hidden)]
pub mod fuzz;
pub mod ie;
mod kind;
mod page;

pub use capabilities::FixedPartCapabilities;
pub use fuzz::fuzz_nwk;
pub use ie::Ie;
pub use kind::{Cc, Ciss, Clms, Coms, Kind, Lce, Mm};
pub use page::{LceHeader, Page, PageError, SlotType};

/// Transaction of a message: its number, and which side sends.
///
/// Source: EN 300 175-5 section 7.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transaction {
    /// Transaction value, 0..=6.
    pub value: u8,
    /// Flag F: set in messages of the side that did not begin the transaction.
    pub from_destination: bool,
}

impl Transaction {
    /// Transaction begun by the sender, with this value (taken modulo 7).
    pub const fn originated(value: u8) -> Self {
        Self {
            value: value % 7,
            from_destination: false,
        }
    }

    /// The same transaction in a message of the other side.
    #[must_use]
    pub const fn answered(self) -> Self {
        Self {
            value: self.value,
            from_destination: !self.from_destination,
        }
    }
}

/// One network layer message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its transaction.
    pub transaction: Transaction,
    /// Its type.
    pub kind: Kind,
    /// Its information elements. The encoder brings them into the standard's order.
    pub elements: Vec<Ie>,
}

/// Why octets are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Fewer than two octets.
    #[error("message of {0} octets is too short")]
    Short(usize),
    /// Protocol discriminator of no known entity.
    #[error("unknown protocol discriminator {0}")]
    Entity(u8),
    /// Transaction value 7, which no entity may use.
    #[error("extended transaction value is not allowed")]
    TransactionValue,
    /// Message type unknown to the entity: to be ignored, or answered with release reason 01 within a call.
    #[error("unknown message type {code:02X} of entity {discriminator}")]
    MessageType {
        /// Protocol discriminator.
        discriminator: u8,
        /// Type code.
        code: u8,
        /// Transaction it came in.
        transaction: Transaction,
    },
    /// An element's length reaches beyond the message: the whole message is refused (reasons 04 and 64).
    #[error("information element {id:02X} reaches beyond the message")]
    Truncated {
        /// Identifier of the element.
        id: u8,
        /// Transaction it came in.
        transaction: Transaction,
    },
}

/// What a lenient decoder noticed and accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Variable elements were not in ascending order.
    pub out_of_order: bool,
    /// Elements of another codeset were skipped.
    pub other_codeset: bool,
}

/// Longest variable element: its length is one octet.
pub const MAX_ELEMENT_OCTETS: usize = 255;

impl Message {
    /// Makes a message without elements.
    pub const fn new(transaction: Transaction, kind: Kind) -> Self {
        Self {
            transaction,
            kind,
            elements: Vec::new(),
        }
    }

    /// Adds one element.
    #[must_use]
    pub fn with(mut self, element: Ie) -> Self {
        self.elements.push(element);
        self
    }

    /// Adds elements.
    #[must_use]
    pub fn with_all(mut self, elements: impl IntoIterator<Item = Ie>) -> Self {
        self.elements.extend(elements);
        self
    }

    /// Reads a whole message. Unknown elements are kept as [`Ie::Opaque`], empty ones dropped, spare bits ignored.
    ///
    /// # Errors
    /// [`DecodeError`]; nothing is ever half read.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_noting(octets).map(|(message, _)| message)
    }

    /// Reads a whole message and tells what was unusual in it.
    ///
    /// # Errors
    /// As [`Message::decode`].
    pub fn decode_noting(octets: &[u8]) -> Result<(Self, Notes), DecodeError> {
        let &[first, code, ref rest @ ..] = octets else {
            return Err(DecodeError::Short(octets.len()));
        };
        let transaction = Transaction {
            value: first >> 4 & 7,
            from_destination: first & 0x80 != 0,
        };
        if transaction.value == 7 {
            return Err(DecodeError::TransactionValue);
        }
        let discriminator = first & 0x0F;
        let kind = Kind::from_codes(discriminator, code).map_err(|known| match known {
            true => DecodeError::MessageType {
                discriminator,
                code,
                transaction,
            },
            false => DecodeError::Entity(discriminator),
        })?;
        let (elements, notes) =
            ie::decode_all(rest).map_err(|id| DecodeError::Truncated { id, transaction })?;
        let message = Self {
            transaction,
            kind,
            elements,
        };
        Ok((message, notes))
    }

    /// Writes the message, elements in the standard's order. Contents beyond 255 octets an element are cut.
    pub fn encode(&self) -> Vec<u8> {
        let (discriminator, code) = self.kind.codes();
        let flag = if self.transaction.from_destination {
            0x80
        } else {
            0
        };
        let mut octets = vec![
            flag | (self.transaction.value & 7) << 4 | discriminator,
            code,
        ];
        ie::encode_all(&self.elements, &mut octets);
        octets
    }
}

#[cfg(test)]
mod tests;
