//! Elements that name the parties of a call.

/// May a number or name be shown, and who checked it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Presentation {
    /// 0 allowed, 1 restricted, 2 not available.
    pub indicator: u8,
    /// 0 user provided, 1 user provided and verified, 3 network provided.
    pub screening: u8,
}

impl Presentation {
    const fn from_octet(octet: u8) -> Self {
        Self {
            indicator: octet >> 5 & 3,
            screening: octet & 3,
        }
    }

    const fn octet(self) -> u8 {
        (self.indicator & 3) << 5 | self.screening & 3
    }
}

/// `<<CALLING-PARTY-NUMBER>>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallingPartyNumber {
    /// 0 unknown, 1 international, 2 national, 3 network, 4 subscriber, 6 abbreviated.
    pub number_type: u8,
    /// Numbering plan: 0 unknown, 1 E.164, 9 private, 10 SIP From, 11 internet characters.
    pub plan: u8,
    /// Presentation, if given.
    pub presentation: Option<Presentation>,
    /// The number as DECT characters.
    pub number: Vec<u8>,
}

impl CallingPartyNumber {
    /// Private numbering plan.
    pub const PRIVATE: u8 = 9;

    /// A number of the private plan that may be shown.
    pub fn private(number: impl Into<Vec<u8>>) -> Self {
        Self {
            number_type: 0,
            plan: Self::PRIVATE,
            presentation: Some(Presentation::default()),
            number: number.into(),
        }
    }

    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let (&first, mut rest) = contents.split_first()?;
        let mut presentation = None;
        if first & 0x80 == 0 {
            let (&octet, tail) = rest.split_first()?;
            presentation = Some(Presentation::from_octet(octet));
            rest = tail;
        }
        Some(Self {
            number_type: first >> 4 & 7,
            plan: first & 0x0F,
            presentation,
            number: rest.to_vec(),
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let first = (self.number_type & 7) << 4 | self.plan & 0x0F;
        let mut octets = match self.presentation {
            Some(presentation) => vec![first, 0x80 | presentation.octet()],
            None => vec![0x80 | first],
        };
        octets.extend_from_slice(&self.number);
        octets
    }
}

/// `<<CALLING-PARTY-NAME>>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallingPartyName {
    /// Presentation.
    pub presentation: Presentation,
    /// Alphabet: 0 DECT, 1 UTF-8.
    pub alphabet: u8,
    /// The name in that alphabet.
    pub name: Vec<u8>,
}

impl CallingPartyName {
    /// A name in DECT characters that may be shown.
    pub fn dect(name: impl Into<Vec<u8>>) -> Self {
        Self {
            presentation: Presentation::default(),
            alphabet: 0,
            name: name.into(),
        }
    }

    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let (&first, rest) = contents.split_first()?;
        Some(Self {
            presentation: Presentation::from_octet(first),
            alphabet: first >> 2 & 7,
            name: rest.to_vec(),
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let first = self.presentation.octet() | (self.alphabet & 7) << 2;
        [&[first], &self.name[..]].concat()
    }
}

/// `<<CALLED-PARTY-NUMBER>>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalledPartyNumber {
    /// As in [`CallingPartyNumber`].
    pub number_type: u8,
    /// As in [`CallingPartyNumber`].
    pub plan: u8,
    /// The number as DECT characters.
    pub number: Vec<u8>,
}

impl CalledPartyNumber {
    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let (&first, rest) = contents.split_first()?;
        Some(Self {
            number_type: first >> 4 & 7,
            plan: first & 0x0F,
            number: rest.to_vec(),
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let first = 0x80 | (self.number_type & 7) << 4 | self.plan & 0x0F;
        [&[first], &self.number[..]].concat()
    }
}
