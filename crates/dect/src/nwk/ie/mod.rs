//! Information elements, EN 300 175-5 section 7.5 to 7.7.
//!
//! Elements that the system uses are typed; the rest, and typed ones whose contents make no sense, are [`Ie::Opaque`]. So a receiver
//! can tell a missing mandatory element from a faulty one, and an odd optional one harms nothing.

mod call;
mod codes;
mod identities;
mod keys;
mod list;
mod party;
mod terminal;

pub use call::{Duration, InfoType, ProgressIndicator, Repeat, TimerRestart};
pub use codes::{BasicService, RejectReason, ReleaseReason, Signal};
pub use identities::{FixedIdentity, IdentityType, LocationArea, PortableIdentity};
pub use keys::{Algorithm, AllocationType, AuthType, CipherInfo, KeyType};
pub(super) use list::sort;
pub use list::{decode_all, encode_all};
pub use party::{CalledPartyNumber, CallingPartyName, CallingPartyNumber, Presentation};
pub use terminal::{
    CallInformation, CallItem, Codec, CodecList, EventNotice, EventsNotification, ModelIdentifier,
    TerminalCapability,
};

/// One information element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ie {
    /// `A1`: no more digits follow.
    SendingComplete,
    /// `A2`: the sender wants a delimiter.
    DelimiterRequest,
    /// `A3`: answer pages with the TPUI.
    UseTpui,
    /// `D1`, `D2`: the elements of the same kind that follow are a list.
    RepeatIndicator(Repeat),
    /// `E0`.
    BasicService(BasicService),
    /// `E2`.
    ReleaseReason(ReleaseReason),
    /// `E4`.
    Signal(Signal),
    /// `E5`.
    TimerRestart(TimerRestart),
    /// `E6`.
    TestHookControl(u8),
    /// `E8`: one display character.
    SingleDisplay(u8),
    /// `E9`: one key.
    SingleKeypad(u8),
    /// `01`.
    InfoType(InfoType),
    /// `02`.
    IdentityType(IdentityType),
    /// `05`.
    PortableIdentity(PortableIdentity),
    /// `06`.
    FixedIdentity(FixedIdentity),
    /// `07`.
    LocationArea(LocationArea),
    /// `0A`.
    AuthType(AuthType),
    /// `0B`.
    AllocationType(AllocationType),
    /// `0C`: 8 octets.
    Rand(Vec<u8>),
    /// `0D`: 4 octets.
    Res(Vec<u8>),
    /// `0E`: 8 octets, 16 with DSAA2.
    Rs(Vec<u8>),
    /// `19`.
    CipherInfo(CipherInfo),
    /// `1E`.
    ProgressIndicator(ProgressIndicator),
    /// `28`: display characters and control codes.
    MultiDisplay(Vec<u8>),
    /// `2C`: keys.
    MultiKeypad(Vec<u8>),
    /// `60`.
    RejectReason(RejectReason),
    /// `63`.
    TerminalCapability(TerminalCapability),
    /// `6C`.
    CallingPartyNumber(CallingPartyNumber),
    /// `6D`.
    CallingPartyName(CallingPartyName),
    /// `70`.
    CalledPartyNumber(CalledPartyNumber),
    /// `72`.
    Duration(Duration),
    /// `78`.
    ModelIdentifier(ModelIdentifier),
    /// `7B`: maker's own contents.
    Proprietary {
        /// Maker code.
        emc: u16,
        /// What only that maker understands.
        contents: Vec<u8>,
    },
    /// `7C`.
    CodecList(CodecList),
    /// `7D`.
    EventsNotification(EventsNotification),
    /// `7E`.
    CallInformation(CallInformation),
    /// Any other variable element, or one whose contents are faulty.
    Opaque {
        /// Identifier, 00..=7F.
        id: u8,
        /// Contents, 255 octets at most.
        contents: Vec<u8>,
    },
}

impl Ie {
    /// An element with identifier and without contents, which means "absent", as in a `{LOCATE-ACCEPT}` without TPUI.
    pub const fn empty(id: u8) -> Self {
        Self::Opaque {
            id,
            contents: Vec::new(),
        }
    }

    /// Identifier; of fixed elements the first octet.
    pub const fn id(&self) -> u8 {
        match self {
            Self::SendingComplete => 0xA1,
            Self::DelimiterRequest => 0xA2,
            Self::UseTpui => 0xA3,
            Self::RepeatIndicator(repeat) => repeat.code(),
            Self::BasicService(_) => 0xE0,
            Self::ReleaseReason(_) => 0xE2,
            Self::Signal(_) => 0xE4,
            Self::TimerRestart(_) => 0xE5,
            Self::TestHookControl(_) => 0xE6,
            Self::SingleDisplay(_) => 0xE8,
            Self::SingleKeypad(_) => 0xE9,
            Self::InfoType(_) => 0x01,
            Self::IdentityType(_) => 0x02,
            Self::PortableIdentity(_) => 0x05,
            Self::FixedIdentity(_) => 0x06,
            Self::LocationArea(_) => 0x07,
            Self::AuthType(_) => 0x0A,
            Self::AllocationType(_) => 0x0B,
            Self::Rand(_) => 0x0C,
            Self::Res(_) => 0x0D,
            Self::Rs(_) => 0x0E,
            Self::CipherInfo(_) => 0x19,
            Self::ProgressIndicator(_) => 0x1E,
            Self::MultiDisplay(_) => 0x28,
            Self::MultiKeypad(_) => 0x2C,
            Self::RejectReason(_) => 0x60,
            Self::TerminalCapability(_) => 0x63,
            Self::CallingPartyNumber(_) => 0x6C,
            Self::CallingPartyName(_) => 0x6D,
            Self::CalledPartyNumber(_) => 0x70,
            Self::Duration(_) => 0x72,
            Self::ModelIdentifier(_) => 0x78,
            Self::Proprietary { .. } => 0x7B,
            Self::CodecList(_) => 0x7C,
            Self::EventsNotification(_) => 0x7D,
            Self::CallInformation(_) => 0x7E,
            Self::Opaque { id, .. } => *id & 0x7F,
        }
    }

    /// Contents of a variable element, or the second octet of a two-octet one.
    pub(super) fn contents(&self) -> Vec<u8> {
        match self {
            Self::SendingComplete
            | Self::DelimiterRequest
            | Self::UseTpui
            | Self::RepeatIndicator(_) => Vec::new(),
            Self::BasicService(service) => vec![service.0],
            Self::ReleaseReason(reason) => vec![reason.0],
            Self::Signal(signal) => vec![signal.0],
            Self::TimerRestart(restart) => vec![restart.code()],
            Self::TestHookControl(octet)
            | Self::SingleDisplay(octet)
            | Self::SingleKeypad(octet) => {
                vec![*octet]
            }
            Self::InfoType(x) => x.encode(),
            Self::IdentityType(x) => x.encode(),
            Self::PortableIdentity(x) => x.encode(),
            Self::FixedIdentity(x) => x.encode(),
            Self::LocationArea(x) => x.encode(),
            Self::AuthType(x) => x.encode(),
            Self::AllocationType(x) => x.encode(),
            Self::CipherInfo(x) => x.encode(),
            Self::ProgressIndicator(x) => x.encode(),
            Self::RejectReason(reason) => vec![reason.0],
            Self::TerminalCapability(x) => x.encode(),
            Self::CallingPartyNumber(x) => x.encode(),
            Self::CallingPartyName(x) => x.encode(),
            Self::CalledPartyNumber(x) => x.encode(),
            Self::Duration(x) => x.encode(),
            Self::ModelIdentifier(x) => x.encode(),
            Self::Proprietary { emc, contents } => {
                [&[0x81][..], &emc.to_be_bytes(), contents].concat()
            }
            Self::CodecList(x) => x.encode(),
            Self::EventsNotification(x) => x.encode(),
            Self::CallInformation(x) => x.encode(),
            Self::Rand(octets)
            | Self::Res(octets)
            | Self::Rs(octets)
            | Self::MultiDisplay(octets)
            | Self::MultiKeypad(octets)
            | Self::Opaque {
                contents: octets, ..
            } => octets.clone(),
        }
    }

    /// Variable element from identifier and contents.
    fn variable(id: u8, contents: &[u8]) -> Self {
        Self::typed(id, contents).unwrap_or_else(|| Self::Opaque {
            id,
            contents: contents.to_vec(),
        })
    }

    fn typed(id: u8, contents: &[u8]) -> Option<Self> {
        Some(match id {
            0x01 => Self::InfoType(InfoType::decode(contents)?),
            0x02 => Self::IdentityType(IdentityType::decode(contents)?),
            0x05 => Self::PortableIdentity(PortableIdentity::decode(contents)?),
            0x06 => Self::FixedIdentity(FixedIdentity::decode(contents)?),
            0x07 => Self::LocationArea(LocationArea::decode(contents)?),
            0x0A => Self::AuthType(AuthType::decode(contents)?),
            0x0B => Self::AllocationType(AllocationType::decode(contents)?),
            0x0C => Self::Rand(contents.to_vec()),
            0x0D => Self::Res(contents.to_vec()),
            0x0E => Self::Rs(contents.to_vec()),
            0x19 => Self::CipherInfo(CipherInfo::decode(contents)?),
            0x1E => Self::ProgressIndicator(ProgressIndicator::decode(contents)?),
            0x28 => Self::MultiDisplay(contents.to_vec()),
            0x2C => Self::MultiKeypad(contents.to_vec()),
            0x60 => Self::RejectReason(RejectReason(*contents.first()?)),
            0x63 => Self::TerminalCapability(TerminalCapability::decode(contents)?),
            0x6C => Self::CallingPartyNumber(CallingPartyNumber::decode(contents)?),
            0x6D => Self::CallingPartyName(CallingPartyName::decode(contents)?),
            0x70 => Self::CalledPartyNumber(CalledPartyNumber::decode(contents)?),
            0x72 => Self::Duration(Duration::decode(contents)?),
            0x78 => Self::ModelIdentifier(ModelIdentifier::decode(contents)?),
            0x7B => match *contents {
                [0x81, a, b, ref rest @ ..] => Self::Proprietary {
                    emc: u16::from_be_bytes([a, b]),
                    contents: rest.to_vec(),
                },
                _ => return None,
            },
            0x7C => Self::CodecList(CodecList::decode(contents)?),
            0x7D => Self::EventsNotification(EventsNotification::decode(contents)?),
            0x7E => Self::CallInformation(CallInformation::decode(contents)?),
            _ => return None,
        })
    }
}
