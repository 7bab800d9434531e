//! Small elements of calls and procedures.

/// `<<REPEAT-INDICATOR>>`: the same elements follow as a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Repeat {
    /// In no order of preference.
    Unordered,
    /// The first is preferred.
    Prioritized,
}

impl Repeat {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Unordered => 0xD1,
            Self::Prioritized => 0xD2,
        }
    }

    pub(super) const fn from_code(code: u8) -> Option<Self> {
        match code {
            0xD1 => Some(Self::Unordered),
            0xD2 => Some(Self::Prioritized),
            _ => None,
        }
    }
}

/// `<<TIMER-RESTART>>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerRestart {
    /// Start the timer again.
    Restart,
    /// Stop it.
    Stop,
}

impl TimerRestart {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Restart => 0,
            Self::Stop => 1,
        }
    }

    pub(super) const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Restart),
            1 => Some(Self::Stop),
            _ => None,
        }
    }
}

/// `<<INFO-TYPE>>`: what an MM information exchange is about, 7-bit codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfoType(pub Vec<u8>);

impl InfoType {
    /// The system suggests to register the location.
    pub const LOCATE_SUGGEST: u8 = 0x00;
    /// The system suggests to change access rights.
    pub const ACCESS_RIGHTS_MODIFY_SUGGEST: u8 = 0x01;
    /// Authentication failed.
    pub const AUTHENTICATION_FAILURE: u8 = 0x04;
    /// A cipher key is transferred.
    pub const CK_TRANSFER: u8 = 0x22;
    /// A handover failed.
    pub const HANDOVER_FAILED: u8 = 0x23;

    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        group(contents).map(|(codes, _)| Self(codes))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        ungroup(&self.0)
    }
}

/// Reads octets up to and with the one whose bit 8 is set; gives their 7 low bits and what follows.
pub(super) fn group(contents: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    if contents.is_empty() {
        return None;
    }
    let length = contents
        .iter()
        .position(|octet| octet & 0x80 != 0)
        .map_or(contents.len(), |last| last + 1);
    let (group, rest) = contents.split_at(length);
    Some((group.iter().map(|octet| octet & 0x7F).collect(), rest))
}

/// Writes 7-bit values as one group: bit 8 set in the last.
pub(super) fn ungroup(values: &[u8]) -> Vec<u8> {
    let mut octets: Vec<u8> = values.iter().map(|value| value & 0x7F).collect();
    if let Some(last) = octets.last_mut() {
        *last |= 0x80;
    }
    octets
}

/// `<<PROGRESS-INDICATOR>>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProgressIndicator {
    /// Coding standard, 0..=3.
    pub coding: u8,
    /// Where it happened: 0 user, 1 private network, 2 public network.
    pub location: u8,
    /// What happened, 7 bits: 1 not end-to-end ISDN, 8 in-band information available, 9 none available.
    pub description: u8,
}

impl ProgressIndicator {
    /// In-band information is available: the handset opens its receive path (`1E 02 80 88`).
    pub const IN_BAND: Self = Self {
        coding: 0,
        location: 0,
        description: 8,
    };

    /// Says whether the handset has to listen.
    pub const fn is_in_band(self) -> bool {
        self.description == 8
    }

    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let &[where_, what, ..] = contents else {
            return None;
        };
        Some(Self {
            coding: where_ >> 5 & 3,
            location: where_ & 0x0F,
            description: what & 0x7F,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        vec![
            0x80 | (self.coding & 3) << 5 | self.location & 0x0F,
            0x80 | self.description & 0x7F,
        ]
    }
}

/// `<<DURATION>>`: how long something holds, or how long to wait before the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    /// Lock limits, 0..=7: 6 temporary user limit, 7 none, 5 limit 2.
    pub lock_limits: u8,
    /// Time limits, 0..=15: 0 erase, 1 and 2 defined, 4 standard, 15 infinite.
    pub time_limits: u8,
    /// Value of a defined limit.
    pub value: Option<u8>,
}

impl Duration {
    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let &[first, ref rest @ ..] = contents else {
            return None;
        };
        let value = (first & 0x80 == 0).then(|| rest.first().copied()).flatten();
        Some(Self {
            lock_limits: first >> 4 & 7,
            time_limits: first & 0x0F,
            value,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let limits = (self.lock_limits & 7) << 4 | self.time_limits & 0x0F;
        match self.value {
            Some(value) => vec![limits, value],
            None => vec![0x80 | limits],
        }
    }
}
