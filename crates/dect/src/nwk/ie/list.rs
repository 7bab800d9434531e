//! The list of elements of a message: order, codesets, lengths.

use super::{BasicService, Ie, ReleaseReason, Repeat, Signal, TimerRestart};
use crate::nwk::{MAX_ELEMENT_OCTETS, Notes};

const SEGMENTED_INFO: u8 = 0x75;

/// Reads all elements of a message.
///
/// # Errors
/// The identifier of an element that reaches beyond the end.
pub fn decode_all(mut rest: &[u8]) -> Result<(Vec<Ie>, Notes), u8> {
    let (mut elements, mut notes) = (Vec::new(), Notes::default());
    let (mut codeset, mut next_only) = (0, None);
    let mut last_id = 0;
    while let Some((&first, tail)) = rest.split_first() {
        if first & 0xF0 == 0x90 {
            // Shift: bit 4 clear locks the codeset, set means the next element only.
            match first & 8 {
                0 => codeset = first & 7,
                _ => next_only = Some(first & 7),
            }
            rest = tail;
            continue;
        }
        let skipped = next_only.take().unwrap_or(codeset) != 0;
        notes.other_codeset |= skipped;
        let (element, tail) = decode_one(first, tail)?;
        rest = tail;
        let Some(element) = element.filter(|_| !skipped) else {
            continue;
        };
        if first < 0x80 && first != SEGMENTED_INFO {
            notes.out_of_order |= first < last_id;
            last_id = first;
        }
        elements.push(element);
    }
    Ok((elements, notes))
}

/// One element and what follows it; `None` for an unknown fixed or an empty variable one.
fn decode_one(first: u8, tail: &[u8]) -> Result<(Option<Ie>, &[u8]), u8> {
    match first {
        0xE0..=0xEF => {
            let (&value, tail) = tail.split_first().ok_or(first)?;
            Ok((two_octets(first, value), tail))
        }
        0x80..=0xFF => Ok((one_octet(first), tail)),
        id => {
            let (&length, tail) = tail.split_first().ok_or(id)?;
            let (contents, tail) = tail.split_at_checked(usize::from(length)).ok_or(id)?;
            Ok(((length > 0).then(|| Ie::variable(id, contents)), tail))
        }
    }
}

fn one_octet(octet: u8) -> Option<Ie> {
    Some(match octet {
        0xA1 => Ie::SendingComplete,
        0xA2 => Ie::DelimiterRequest,
        0xA3 => Ie::UseTpui,
        _ => Ie::RepeatIndicator(Repeat::from_code(octet)?),
    })
}

fn two_octets(id: u8, value: u8) -> Option<Ie> {
    Some(match id {
        0xE0 => Ie::BasicService(BasicService(value)),
        0xE2 => Ie::ReleaseReason(ReleaseReason(value)),
        0xE4 => Ie::Signal(Signal(value)),
        0xE5 => Ie::TimerRestart(TimerRestart::from_code(value)?),
        0xE6 => Ie::TestHookControl(value),
        0xE8 => Ie::SingleDisplay(value),
        0xE9 => Ie::SingleKeypad(value),
        _ => return None,
    })
}

/// Writes all elements in order. Contents beyond 255 octets are cut.
pub fn encode_all(elements: &[Ie], octets: &mut Vec<u8>) {
    for element in sort(elements) {
        let (id, contents) = (element.id(), element.contents());
        octets.push(id);
        if id < 0x80 {
            let length = contents.len().min(MAX_ELEMENT_OCTETS);
            octets.push(length as u8);
            octets.extend_from_slice(&contents[..length]);
        } else {
            octets.extend_from_slice(&contents);
        }
    }
}

/// Elements in the order of the standard's message tables: variable ones ascend, fixed ones stand where the tables
/// have them, repeat indicator and segmented info stay before what they announce.
pub(in crate::nwk) fn sort(elements: &[Ie]) -> Vec<&Ie> {
    let mut keyed: Vec<(u16, &Ie)> = Vec::with_capacity(elements.len());
    let mut next_place = u16::MAX;
    for element in elements.iter().rev() {
        if !announces(element) {
            next_place = place(element);
        }
        keyed.push((next_place, element));
    }
    keyed.reverse();
    keyed.sort_by_key(|&(place, _)| place);
    keyed.into_iter().map(|(_, element)| element).collect()
}

fn announces(element: &Ie) -> bool {
    matches!(element, Ie::RepeatIndicator(_)) || element.id() == SEGMENTED_INFO
}

fn place(element: &Ie) -> u16 {
    let (after, offset) = match element {
        Ie::BasicService(_) => (0x06, 1),
        Ie::ReleaseReason(_) => (0x06, 2),
        Ie::UseTpui => (0x07, 1),
        Ie::SingleDisplay(_) => (0x28, 1),
        Ie::SingleKeypad(_) => (0x2C, 1),
        Ie::Signal(_) => (0x2C, 2),
        Ie::TimerRestart(_) => (0x2C, 3),
        Ie::TestHookControl(_) => (0x2C, 4),
        Ie::SendingComplete => (0x71, 1),
        Ie::DelimiterRequest => (0x71, 2),
        other => (other.id(), 0),
    };
    u16::from(after) << 8 | offset
}
