//! `{LCE-REQUEST-PAGE}`: the short and the full page, EN 300 175-5 section 8.2.

use crate::identity::{Ipui, Tpui, TpuiKind};

/// What a page asks the handset to set up (LCE header `hhh`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LceHeader {
    /// No user plane: mobility management only.
    None,
    /// Unknown service, and ring (group and collective ringing).
    UnknownAndRinging,
    /// General.
    General,
    /// Voice, the header of GAP.
    Voice,
    /// Another value, 0..=7.
    Other(u8),
}

impl LceHeader {
    /// Takes the three header bits.
    pub const fn from_code(code: u8) -> Self {
        match code & 7 {
            0 => Self::None,
            1 => Self::UnknownAndRinging,
            3 => Self::General,
            4 => Self::Voice,
            other => Self::Other(other),
        }
    }

    /// The three header bits.
    pub const fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::UnknownAndRinging => 1,
            Self::General => 3,
            Self::Voice => 4,
            Self::Other(code) => code & 7,
        }
    }
}

/// Slot that a full page asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotType(pub u8);

impl SlotType {
    /// Full slot, for narrowband speech.
    pub const FULL: Self = Self(4);
    /// Long slot of 640 bits, for wideband speech.
    pub const LONG_640: Self = Self(1);
    /// Long slot of 672 bits.
    pub const LONG_672: Self = Self(2);
}

/// A page: who is called, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Page {
    /// Three octets with the 16 low bits of a TPUI.
    Short {
        /// What to set up.
        header: LceHeader,
        /// Whether it is an assigned TPUI (or a group); else the default one.
        assigned: bool,
        /// Its 16 low bits.
        low16: u16,
    },
    /// Five octets with a whole TPUI.
    FullTpui {
        /// What to set up.
        header: LceHeader,
        /// Slot wanted.
        slot_type: SlotType,
        /// Who.
        tpui: Tpui,
        /// Set-up information, 4 bits.
        setup_info: u8,
    },
    /// Five octets with type and 28 low bits of an IPUI.
    FullIpui {
        /// What to set up.
        header: LceHeader,
        /// Type of the IPUI.
        put: u8,
        /// Its 28 low bits.
        low28: u32,
    },
}

/// Why octets are no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a page has 3 or 5 octets, not {0}")]
pub struct PageError(pub usize);

impl Page {
    /// Short page for a TPUI.
    pub const fn short(header: LceHeader, tpui: Tpui) -> Self {
        let assigned = !matches!(tpui.kind(), TpuiKind::DefaultIndividual);
        Self::Short {
            header,
            assigned,
            low16: tpui.low16(),
        }
    }

    /// Full page for an IPUI.
    pub const fn by_ipui(header: LceHeader, ipui: Ipui) -> Self {
        Self::FullIpui {
            header,
            put: ipui.put(),
            low28: ipui.low28(),
        }
    }

    /// Reads a page.
    ///
    /// # Errors
    /// [`PageError`] unless it has 3 or 5 octets.
    pub fn decode(octets: &[u8]) -> Result<Self, PageError> {
        let header = |first: u8| LceHeader::from_code(first);
        match *octets {
            [a, b, c] => Ok(Self::Short {
                header: header(a),
                assigned: a & 8 != 0,
                low16: u16::from_be_bytes([b, c]),
            }),
            [a, b, c, d, e] if a & 8 != 0 => {
                let bits = u32::from_be_bytes([b, c, d, e]) >> 8 & 0xF_FFFF;
                Ok(Self::FullTpui {
                    header: header(a),
                    slot_type: SlotType(b >> 4),
                    tpui: Tpui::from_bits(bits).map_err(|_| PageError(5))?,
                    setup_info: e >> 4,
                })
            }
            [a, b, c, d, e] => Ok(Self::FullIpui {
                header: header(a),
                put: b >> 4,
                low28: u32::from_be_bytes([b & 0x0F, c, d, e]),
            }),
            _ => Err(PageError(octets.len())),
        }
    }

    /// Writes the page: 3 or 5 octets.
    pub fn encode(self) -> Vec<u8> {
        match self {
            Self::Short {
                header,
                assigned,
                low16,
            } => {
                let [b, c] = low16.to_be_bytes();
                vec![u8::from(assigned) << 3 | header.code(), b, c]
            }
            Self::FullTpui {
                header,
                slot_type,
                tpui,
                setup_info,
            } => {
                let word = u32::from(slot_type.0 & 0x0F) << 28
                    | tpui.bits() << 8
                    | u32::from(setup_info & 0x0F) << 4;
                [&[8 | header.code()][..], &word.to_be_bytes()].concat()
            }
            Self::FullIpui { header, put, low28 } => {
                let word = u32::from(put & 0x0F) << 28 | low28 & 0x0FFF_FFFF;
                [&[header.code()][..], &word.to_be_bytes()].concat()
            }
        }
    }

    /// What the page asks for.
    pub const fn header(self) -> LceHeader {
        match self {
            Self::Short { header, .. }
            | Self::FullTpui { header, .. }
            | Self::FullIpui { header, .. } => header,
        }
    }

    /// Says whether the page calls the portable with this IPUI and, if it has one, this assigned TPUI.
    pub fn calls(self, ipui: Ipui, tpui: Option<Tpui>) -> bool {
        let default = Tpui::default_of_ipui(ipui);
        match self {
            Self::Short {
                assigned: true,
                low16,
                ..
            } => tpui.is_some_and(|own| own.low16() == low16),
            Self::Short { low16, .. } => default.low16() == low16,
            Self::FullTpui { tpui: called, .. } => tpui.unwrap_or(default) == called,
            Self::FullIpui { put, low28, .. } => ipui.put() == put && ipui.low28() == low28,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipui() -> Ipui {
        Ipui::N("05003 0070387".parse().unwrap())
    }

    #[test]
    fn pages_have_the_octets_of_the_standard_and_find_their_portable() {
        let tpui = Tpui::assigned(0x01234).unwrap();
        let short = Page::short(LceHeader::Voice, tpui);
        assert_eq!(short.encode(), [0x0C, 0x12, 0x34]);
        let default = Page::short(LceHeader::Voice, Tpui::default_of_ipui(ipui()));
        assert_eq!(default.encode(), [0x04, 0x12, 0xF3]);
        let full = Page::FullTpui {
            header: LceHeader::Voice,
            slot_type: SlotType::LONG_640,
            tpui,
            setup_info: 0,
        };
        assert_eq!(full.encode(), [0x0C, 0x10, 0x12, 0x34, 0x00]);
        let by_ipui = Page::by_ipui(LceHeader::None, ipui());
        assert_eq!(by_ipui.encode(), [0x00, 0x08, 0xB1, 0x12, 0xF3]);
        for page in [short, default, full, by_ipui] {
            assert_eq!(Page::decode(&page.encode()), Ok(page));
            assert!(page.calls(ipui(), Some(tpui)));
            let other = Ipui::N("05003 0070388".parse().unwrap());
            assert!(!page.calls(other, Some(Tpui::assigned(0x01235).unwrap())));
        }
        assert!(!short.calls(ipui(), None));
    }

    #[test]
    fn other_lengths_are_refused() {
        for length in [0, 1, 2, 4, 6] {
            assert_eq!(Page::decode(&vec![0; length]), Err(PageError(length)));
        }
    }
}
