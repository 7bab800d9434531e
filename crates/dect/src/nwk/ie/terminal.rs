//! Elements that tell what a handset can do, and what happened while nobody looked.

use super::call::{group, ungroup};

/// `<<TERMINAL-CAPABILITY>>`, as three groups of 7-bit values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TerminalCapability {
    /// Tone and display, echo, slots, stored characters (two), lines, characters a line, scrolling.
    pub general: Vec<u8>,
    /// Profile indicators.
    pub profiles: Vec<u8>,
    /// DSAA2, DSC2 and control codes.
    pub security: Vec<u8>,
}

/// Positions in the general group.
const LINES: usize = 5;
const COLUMNS: usize = 6;
const FULL_SLOT: u8 = 0x08;
const GAP: u8 = 0x02;
const DSAA2: u8 = 0x40;
/// Display capability: any characters.
const FULL_DISPLAY: u8 = 5;

impl TerminalCapability {
    /// A GAP handset with full slots and DSAA2: `lines` and `columns` of display (1..=127), own tones or none.
    pub fn gap(makes_tones: bool, lines: u8, columns: u8) -> Self {
        let tones: u8 = if makes_tones { 4 } else { 1 };
        let stored = u16::from(lines) * u16::from(columns);
        Self {
            general: vec![
                tones << 4 | FULL_DISPLAY,
                0,
                FULL_SLOT,
                (stored >> 7) as u8 & 0x7F,
                stored as u8 & 0x7F,
                lines & 0x7F,
                columns & 0x7F,
                1,
            ],
            profiles: vec![GAP],
            security: vec![DSAA2],
        }
    }

    /// Says whether the handset makes call progress tones itself, told by `<<SIGNAL>>`.
    pub fn makes_tones(&self) -> bool {
        self.general.first().is_some_and(|first| first >> 4 >= 3)
    }

    /// Lines and characters a line, if the handset tells both.
    pub fn display_size(&self) -> Option<(u8, u8)> {
        let lines = *self.general.get(LINES)?;
        let columns = *self.general.get(COLUMNS)?;
        (lines > 0 && columns > 0).then_some((lines, columns))
    }

    /// Says whether the handset knows DSAA2.
    pub fn has_dsaa2(&self) -> bool {
        self.security
            .first()
            .is_some_and(|first| first & DSAA2 != 0)
    }

    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let (general, rest) = group(contents)?;
        let (profiles, rest) = group(rest).unwrap_or_default();
        let (security, _) = group(rest).unwrap_or_default();
        Some(Self {
            general,
            profiles,
            security,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let groups = [&self.general, &self.profiles, &self.security];
        groups
            .into_iter()
            .flat_map(|values| ungroup(values))
            .collect()
    }
}

/// `<<MODEL-IDENTIFIER>>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelIdentifier {
    /// Maker.
    pub emc: u16,
    /// Model, as the maker counts.
    pub model: u8,
}

impl ModelIdentifier {
    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let &[a, b, model, ..] = contents else {
            return None;
        };
        Some(Self {
            emc: u16::from_be_bytes([a, b]),
            model,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let [a, b] = self.emc.to_be_bytes();
        vec![a, b, self.model]
    }
}

/// One codec of a [`CodecList`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Codec {
    /// 2 G.726, 3 G.722, 4 G.711 A, 5 G.711 mu, 6 G.729.1.
    pub id: u8,
    /// MAC and DLC service: 0 = LU1, minimum delay.
    pub service: u8,
    /// Routing and slot, 7 bits; low nibble 4 full, 1 long 640, 2 long 672.
    pub slot: u8,
}

/// `<<CODEC-LIST>>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecList {
    /// Negotiation, 0..=7; 1 = possible.
    pub negotiation: u8,
    /// Codecs, the preferred one first.
    pub codecs: Vec<Codec>,
}

impl CodecList {
    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let (&first, rest) = contents.split_first()?;
        let mut codecs = Vec::new();
        for octets in rest.chunks(3) {
            let &[id, service, slot] = octets else {
                return None;
            };
            codecs.push(Codec {
                id,
                service,
                slot: slot & 0x7F,
            });
            if slot & 0x80 != 0 {
                break;
            }
        }
        Some(Self {
            negotiation: first >> 4 & 7,
            codecs,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut octets = vec![0x80 | (self.negotiation & 7) << 4];
        for codec in &self.codecs {
            octets.extend([codec.id, codec.service, codec.slot & 0x7F]);
        }
        if !self.codecs.is_empty() {
            // The last codec's slot ends the list.
            let last = octets.len() - 1;
            octets[last] |= 0x80;
        }
        octets
    }
}

/// One event of an [`EventsNotification`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventNotice {
    /// 0 message waiting, 1 missed call, 3 list change, 4 software upgrade; 7 bits.
    pub kind: u8,
    /// Subtype, 7-bit values; of message waiting: 1 voice.
    pub subtype: Vec<u8>,
    /// How many, 7-bit values, high first.
    pub count: Vec<u8>,
}

/// `<<EVENTS-NOTIFICATION>>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsNotification(pub Vec<EventNotice>);

impl EventsNotification {
    /// Voice messages waiting; 0 clears the mark. More than 16383 count as that many.
    pub fn voice_messages(count: u16) -> Self {
        let count = count.min(0x3FFF);
        let low = count as u8 & 0x7F;
        Self(vec![EventNotice {
            kind: 0,
            subtype: vec![1],
            count: match (count >> 7) as u8 {
                0 => vec![low],
                high => vec![high, low],
            },
        }])
    }

    pub(super) fn decode(mut contents: &[u8]) -> Option<Self> {
        let mut events = Vec::new();
        while let Some((&first, mut rest)) = contents.split_first() {
            let mut subtype = Vec::new();
            if first & 0x80 == 0 {
                (subtype, rest) = group(rest)?;
            }
            let (count, rest) = group(rest)?;
            contents = rest;
            events.push(EventNotice {
                kind: first & 0x7F,
                subtype,
                count,
            });
        }
        Some(Self(events))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        for event in &self.0 {
            let alone = if event.subtype.is_empty() { 0x80 } else { 0 };
            octets.push(alone | event.kind & 0x7F);
            octets.extend(ungroup(&event.subtype));
            octets.extend(ungroup(&event.count));
        }
        octets
    }
}

/// One item of a [`CallInformation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallItem {
    /// 0 line, 1 call, 2 call status.
    pub kind: u8,
    /// Subtype; of call status: 1 status, 2 reason.
    pub subtype: u8,
    /// Value, 7-bit values.
    pub value: Vec<u8>,
}

/// `<<CALL-INFORMATION>>`: line, call and status of CAT-iq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallInformation(pub Vec<CallItem>);

impl CallInformation {
    pub(super) fn decode(mut contents: &[u8]) -> Option<Self> {
        let mut items = Vec::new();
        while let [kind, subtype, rest @ ..] = contents {
            let (value, rest) = group(rest)?;
            contents = rest;
            items.push(CallItem {
                kind: *kind,
                subtype: *subtype,
                value,
            });
        }
        contents.is_empty().then_some(Self(items))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        for item in &self.0 {
            octets.extend([item.kind, item.subtype]);
            octets.extend(ungroup(&item.value));
        }
        octets
    }
}
