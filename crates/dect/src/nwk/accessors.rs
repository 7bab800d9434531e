//! Typed access to the elements of a message.

use super::ie::{
    self, AllocationType, AuthType, BasicService, CallingPartyName, CallingPartyNumber, Duration,
    FixedIdentity, InfoType, LocationArea, ModelIdentifier, PortableIdentity, RejectReason,
    ReleaseReason, Signal, TerminalCapability,
};
use super::{Ie, Message};
use crate::identity::{Ipui, Park, Tpui};

/// Why a mandatory element cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElementError {
    /// It is not there: release reason 03, reject reason 60.
    #[error("information element {0:02X} is missing")]
    Missing(u8),
    /// Its contents make no sense: release reason 04, reject reason 64.
    #[error("information element {0:02X} is faulty")]
    Faulty(u8),
}

impl ElementError {
    /// Reason to give in `{CC-RELEASE-COM}`.
    pub const fn release_reason(self) -> ReleaseReason {
        match self {
            Self::Missing(_) => ReleaseReason::MANDATORY_ELEMENT_MISSING,
            Self::Faulty(_) => ReleaseReason::INVALID_ELEMENT,
        }
    }

    /// Reason to give in a reject of mobility management.
    pub const fn reject_reason(self) -> RejectReason {
        match self {
            Self::Missing(_) => RejectReason::ELEMENT_ERROR,
            Self::Faulty(_) => RejectReason::INVALID_ELEMENT,
        }
    }
}

/// Defines accessors that find the first element of a kind.
macro_rules! first {
    ($($(#[$doc:meta])* $name:ident: $variant:ident -> $kind:ty;)*) => {
        $($(#[$doc])*
        pub fn $name(&self) -> Option<&$kind> {
            self.elements.iter().find_map(|element| match element {
                Ie::$variant(value) => Some(value),
                _ => None,
            })
        })*
    };
}

impl Message {
    first! {
        /// First `<<PORTABLE-IDENTITY>>`.
        portable_identity: PortableIdentity -> PortableIdentity;
        /// First `<<FIXED-IDENTITY>>`.
        fixed_identity: FixedIdentity -> FixedIdentity;
        /// `<<BASIC-SERVICE>>`.
        basic_service: BasicService -> BasicService;
        /// `<<RELEASE-REASON>>`.
        release_reason: ReleaseReason -> ReleaseReason;
        /// `<<REJECT-REASON>>`.
        reject_reason: RejectReason -> RejectReason;
        /// First `<<SIGNAL>>`.
        signal: Signal -> Signal;
        /// `<<LOCATION-AREA>>`.
        location_area: LocationArea -> LocationArea;
        /// `<<AUTH-TYPE>>`.
        auth_type: AuthType -> AuthType;
        /// `<<ALLOCATION-TYPE>>`.
        allocation_type: AllocationType -> AllocationType;
        /// `<<INFO-TYPE>>`.
        info_type: InfoType -> InfoType;
        /// `<<TERMINAL-CAPABILITY>>`.
        terminal_capability: TerminalCapability -> TerminalCapability;
        /// `<<MODEL-IDENTIFIER>>`.
        model: ModelIdentifier -> ModelIdentifier;
        /// `<<CALLING-PARTY-NUMBER>>`.
        calling_number: CallingPartyNumber -> CallingPartyNumber;
        /// `<<CALLING-PARTY-NAME>>`.
        calling_name: CallingPartyName -> CallingPartyName;
        /// `<<DURATION>>`.
        duration: Duration -> Duration;
    }

    /// The IPUI of the first `<<PORTABLE-IDENTITY>>` that has one; an IPEI counts as IPUI of type N.
    pub fn ipui(&self) -> Option<Ipui> {
        self.portable_identities()
            .find_map(|identity| match identity {
                PortableIdentity::Ipui(ipui) => Some(*ipui),
                PortableIdentity::Ipei(ipei) => Some(Ipui::N(*ipei)),
                PortableIdentity::Tpui(_) => None,
            })
    }

    /// The TPUI of the first `<<PORTABLE-IDENTITY>>` that has one.
    pub fn tpui(&self) -> Option<Tpui> {
        self.portable_identities()
            .find_map(|identity| match identity {
                PortableIdentity::Tpui(tpui) => Some(*tpui),
                _ => None,
            })
    }

    /// The PARK of the first `<<FIXED-IDENTITY>>` that is one.
    pub fn park(&self) -> Option<Park> {
        self.elements.iter().find_map(|element| match element {
            Ie::FixedIdentity(FixedIdentity::Park(park)) => Some(*park),
            _ => None,
        })
    }

    fn portable_identities(&self) -> impl Iterator<Item = &PortableIdentity> {
        self.elements.iter().filter_map(|element| match element {
            Ie::PortableIdentity(identity) => Some(identity),
            _ => None,
        })
    }

    /// `<<RAND>>` of the eight octets that DECT uses.
    pub fn rand(&self) -> Option<[u8; 8]> {
        self.octets(0x0C)?.try_into().ok()
    }

    /// `<<RES>>`, four octets.
    pub fn res(&self) -> Option<[u8; 4]> {
        self.octets(0x0D)?.try_into().ok()
    }

    /// `<<RS>>` of `N` octets: 8 with DSAA, 16 with DSAA2.
    pub fn rs<const N: usize>(&self) -> Option<[u8; N]> {
        self.octets(0x0E)?.try_into().ok()
    }

    fn octets(&self, id: u8) -> Option<&[u8]> {
        self.elements.iter().find_map(|element| match element {
            Ie::Rand(octets) | Ie::Res(octets) | Ie::Rs(octets) if element.id() == id => {
                Some(&octets[..])
            }
            _ => None,
        })
    }

    /// All keys of the message in order: `<<MULTI-KEYPAD>>` and `<<SINGLE-KEYPAD>>`.
    pub fn keypad(&self) -> Vec<u8> {
        self.characters(|element| match element {
            Ie::MultiKeypad(keys) => Some(keys),
            Ie::SingleKeypad(key) => Some(std::slice::from_ref(key)),
            _ => None,
        })
    }

    /// All display characters of the message in order; `None` if it has no display element.
    pub fn display(&self) -> Option<Vec<u8>> {
        let characters = self.characters(|element| match element {
            Ie::MultiDisplay(text) => Some(text),
            Ie::SingleDisplay(character) => Some(std::slice::from_ref(character)),
            _ => None,
        });
        (!characters.is_empty()).then_some(characters)
    }

    fn characters(&self, pick: impl Fn(&Ie) -> Option<&[u8]>) -> Vec<u8> {
        self.elements
            .iter()
            .filter_map(pick)
            .flatten()
            .copied()
            .collect()
    }

    /// Says whether the sender has no more digits.
    pub fn sending_complete(&self) -> bool {
        self.elements.contains(&Ie::SendingComplete)
    }

    /// Says whether in-band information is announced (progress 8).
    pub fn is_in_band(&self) -> bool {
        self.elements
            .iter()
            .any(|element| matches!(element, Ie::ProgressIndicator(p) if p.is_in_band()))
    }

    /// Why the element `id` that an accessor did not find is not there.
    pub fn lack_of(&self, id: u8) -> ElementError {
        match self.elements.iter().any(|element| element.id() == id) {
            true => ElementError::Faulty(id),
            false => ElementError::Missing(id),
        }
    }

    /// The same message with its elements in the order of the encoder.
    #[must_use]
    pub fn sorted(&self) -> Self {
        Self {
            elements: ie::sort(&self.elements).into_iter().cloned().collect(),
            ..*self
        }
    }
}
