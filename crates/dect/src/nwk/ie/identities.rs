//! Elements that carry identities.

use crate::identity::{Ari, AriClass, Ipei, Ipui, Park, Rfpi, Tpui};

/// `<<PORTABLE-IDENTITY>>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortableIdentity {
    /// The user identity.
    Ipui(Ipui),
    /// The equipment identity.
    Ipei(Ipei),
    /// The temporary identity.
    Tpui(Tpui),
}

const IPUI: u8 = 0x00;
const IPEI: u8 = 0x10;
const TPUI: u8 = 0x20;
const IPEI_BITS: u8 = 36;
const TPUI_BITS: u8 = 20;

impl PortableIdentity {
    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let &[kind, bits, ref value @ ..] = contents else {
            return None;
        };
        let bits = bits & 0x7F;
        match kind & 0x7F {
            IPUI => Ipui::decode(bits, value).ok().map(Self::Ipui),
            IPEI => {
                // 36 bits left-aligned; some write 40 with a leading zero digit.
                let shift = match bits {
                    IPEI_BITS => 4,
                    40 => 0,
                    _ => return None,
                };
                let value: [u8; 5] = value.get(..5)?.try_into().ok()?;
                let whole = value.iter().fold(0u64, |sum, &o| sum << 8 | u64::from(o));
                Ipei::from_bits(whole >> shift).ok().map(Self::Ipei)
            }
            TPUI if bits == TPUI_BITS => {
                let &[a, b, c, ..] = value else { return None };
                let bits = u32::from_be_bytes([0, a & 0x0F, b, c]);
                Tpui::from_bits(bits).ok().map(Self::Tpui)
            }
            _ => None,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ipui(ipui) => [&[0x80 | IPUI, 0x80 | ipui.bits()], &ipui.encode()[..]].concat(),
            Self::Ipei(ipei) => {
                let octets = (ipei.bits() << 4).to_be_bytes();
                [&[0x80 | IPEI, 0x80 | IPEI_BITS], &octets[3..]].concat()
            }
            Self::Tpui(tpui) => {
                let octets = tpui.bits().to_be_bytes();
                [&[0x80 | TPUI, 0x80 | TPUI_BITS], &octets[1..]].concat()
            }
        }
    }
}

/// `<<FIXED-IDENTITY>>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FixedIdentity {
    /// A system.
    Ari(Ari),
    /// One radio of a system.
    AriRpn(Rfpi),
    /// One radio, for wireless relays.
    AriRpnWrs(Rfpi),
    /// Access rights key.
    Park(Park),
}

const ARI: u8 = 0x00;
const ARI_RPN: u8 = 0x01;
const ARI_RPN_WRS: u8 = 0x02;
const PARK: u8 = 0x20;
const ARI_RPN_BITS: u8 = 40;

impl FixedIdentity {
    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let &[kind, bits, ref value @ ..] = contents else {
            return None;
        };
        let bits = bits & 0x7F;
        match kind & 0x7F {
            ARI => {
                let ari = Ari::from_bits(bits.checked_sub(1)?, identity_bits(bits, value)?);
                ari.ok().map(Self::Ari)
            }
            PARK => park(bits, value).map(Self::Park),
            kind @ (ARI_RPN | ARI_RPN_WRS) if bits == ARI_RPN_BITS => {
                let mut octets: [u8; 5] = value.get(..5)?.try_into().ok()?;
                octets[0] &= 0x7F;
                let rfpi = Rfpi::from_octets(octets);
                rfpi.ari().ok()?;
                Some(match kind {
                    ARI_RPN => Self::AriRpn(rfpi),
                    _ => Self::AriRpnWrs(rfpi),
                })
            }
            _ => None,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ari(ari) => with_identity(ARI, ari.length(), ari.bits()),
            Self::Park(park) => {
                let shift = park.ari().length() - park.pli();
                with_identity(PARK, park.pli(), park.ari().bits() >> shift)
            }
            Self::AriRpn(rfpi) => with_rfpi(ARI_RPN, *rfpi),
            Self::AriRpnWrs(rfpi) => with_rfpi(ARI_RPN_WRS, *rfpi),
        }
    }
}

/// The identity in `bits` bits: a leading zero, then all but one of them, left-aligned.
fn identity_bits(bits: u8, value: &[u8]) -> Option<u64> {
    if !(2..=37).contains(&bits) {
        return None;
    }
    let count = usize::from(bits.div_ceil(8));
    let whole = value
        .get(..count)?
        .iter()
        .fold(0u64, |sum, &o| sum << 8 | u64::from(o));
    let whole = whole >> (count * 8 - usize::from(bits));
    Some(whole & ((1 << (bits - 1)) - 1))
}

/// A PARK has only its significant bits on the air; the rest counts as zero.
fn park(bits: u8, value: &[u8]) -> Option<Park> {
    let significant = identity_bits(bits, value)?;
    let pli = bits - 1;
    let class = significant >> pli.checked_sub(3)?;
    let length = if class == 0 { AriClass::A } else { AriClass::B }.bits();
    let ari = Ari::from_bits(length, significant << length.checked_sub(pli)?).ok()?;
    Park::new(ari, pli).ok()
}

fn with_identity(kind: u8, length: u8, bits: u64) -> Vec<u8> {
    let total = length + 1;
    let count = usize::from(total.div_ceil(8));
    let octets = (bits << (64 - u32::from(total))).to_be_bytes();
    [&[0x80 | kind, 0x80 | total], &octets[..count]].concat()
}

fn with_rfpi(kind: u8, rfpi: Rfpi) -> Vec<u8> {
    let mut octets = rfpi.octets();
    octets[0] &= 0x7F;
    [&[0x80 | kind, 0x80 | ARI_RPN_BITS][..], &octets].concat()
}

/// `<<LOCATION-AREA>>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationArea {
    /// Location area level: how many leading bits of PARI and RPN make one area, 0..=63.
    pub level: u8,
    /// Whether the level is given (bit 7 of the first octet).
    pub has_level: bool,
    /// Extended location information, if any (bit 8).
    pub extended: Option<Vec<u8>>,
}

impl LocationArea {
    /// An area of this level and nothing more; 31 is a whole class B system (`07 01 5F`).
    pub const fn level(level: u8) -> Self {
        Self {
            level,
            has_level: true,
            extended: None,
        }
    }

    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let (&first, rest) = contents.split_first()?;
        Some(Self {
            level: first & 0x3F,
            has_level: first & 0x40 != 0,
            extended: (first & 0x80 != 0).then(|| rest.to_vec()),
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let kind = u8::from(self.has_level) << 6 | u8::from(self.extended.is_some()) << 7;
        let extended = self.extended.as_deref().unwrap_or_default();
        [&[kind | self.level & 0x3F], extended].concat()
    }
}

/// `<<IDENTITY-TYPE>>`: which identity is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityType {
    /// Group: 0 portable, 1 network assigned, 4 fixed, 8 application.
    pub group: u8,
    /// Type within the group, coded as in the element that carries it.
    pub kind: u8,
}

impl IdentityType {
    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let &[group, kind, ..] = contents else {
            return None;
        };
        Some(Self {
            group: group & 0x0F,
            kind: kind & 0x7F,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        vec![0x80 | self.group & 0x0F, 0x80 | self.kind & 0x7F]
    }
}
