//! What fits on a handset: display text and the caller's name and number.
//!
//! How often the display is written, once a second at most, is up to the caller: the C-channel carries 2 kbit/s.

use crate::nwk::Ie;
use crate::nwk::ie::{CallingPartyName, CallingPartyNumber, TerminalCapability};

/// Control code that clears the display and leads every text.
pub const CLEAR: u8 = 0x0C;
/// Longest address of a caller, scheme included. Source: guide 14207900, chapter 7.
pub const MAX_URI: usize = 64;
/// Letters kept of a name whose address is longer. Source: guide 14207900, chapter 7.
pub const MAX_NAME: usize = 24;
/// Maker code of our own portables, and of elements that only they read. No maker has it.
pub const OWN_EMC: u16 = 0xFFFF;
/// First octet of our own element that brings the idle display.
const IDLE: u8 = 0x01;
/// Most characters of an idle display: what fits beside maker code and first octet.
const MAX_IDLE: usize = crate::nwk::MAX_ELEMENT_OCTETS - 4;
/// Numbering plan of a number that is the address in a SIP From header.
const PLAN_SIP_FROM: u8 = 10;

/// Lines and characters a line of a display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Lines, 1 or more.
    pub lines: u8,
    /// Characters a line, 1 or more.
    pub columns: u8,
}

impl Default for Size {
    /// The display that every handset has: 2 x 16.
    fn default() -> Self {
        Self {
            lines: 2,
            columns: 16,
        }
    }
}

impl Size {
    /// The display that the terminal capability tells, else the least one.
    pub fn of(capability: Option<&TerminalCapability>) -> Self {
        capability
            .and_then(TerminalCapability::display_size)
            .map_or_else(Self::default, |(lines, columns)| Self { lines, columns })
    }
}

/// `<<MULTI-DISPLAY>>` with these lines: cleared first, each line cut to the columns, all but the last filled with spaces
/// so that the next begins on its own line, no more lines than there are.
pub fn text<T: AsRef<str>>(lines: &[T], size: Size) -> Ie {
    Ie::MultiDisplay(laid_out(lines, size))
}

/// The idle display, laid out as [`text`]: what a handset shows while there is nothing else to be shown.
///
/// The standard leaves it to the handset; this is `<<ESCAPE-TO-PROPRIETARY>>` for our own portables, and others ignore it
/// (EN 300 175-5, element 7B).
pub fn idle<T: AsRef<str>>(lines: &[T], size: Size) -> Ie {
    let mut contents = vec![IDLE];
    contents.extend(laid_out(lines, size).into_iter().take(MAX_IDLE));
    Ie::Proprietary {
        emc: OWN_EMC,
        contents,
    }
}

/// Display characters of the idle display, if a message brings one.
pub fn idle_in(elements: &[Ie]) -> Option<&[u8]> {
    elements.iter().find_map(|element| match element {
        Ie::Proprietary {
            emc: OWN_EMC,
            contents,
        } => contents.strip_prefix(&[IDLE]),
        _ => None,
    })
}

fn laid_out<T: AsRef<str>>(lines: &[T], size: Size) -> Vec<u8> {
    let columns = usize::from(size.columns);
    let shown = lines.len().min(usize::from(size.lines));
    let mut octets = vec![CLEAR];
    for (index, line) in lines.iter().take(shown).enumerate() {
        let mut line = characters(line.as_ref());
        let width = if index + 1 < shown {
            columns
        } else {
            line.len().min(columns)
        };
        line.resize(width, b' ');
        octets.extend(line);
    }
    octets.truncate(crate::nwk::MAX_ELEMENT_OCTETS);
    octets
}

/// Text in DECT characters (EN 300 175-5 annex D): printable ASCII; letters with marks lose them, others become `?`.
pub fn characters(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' '..='~' => octets.push(character as u8),
            _ => octets.extend_from_slice(transliterated(character).as_bytes()),
        }
    }
    octets
}

fn transliterated(character: char) -> &'static str {
    match character {
        'ä' | 'æ' => "ae",
        'ö' | 'œ' => "oe",
        'ü' => "ue",
        'Ä' | 'Æ' => "Ae",
        'Ö' | 'Œ' => "Oe",
        'Ü' => "Ue",
        'ß' => "ss",
        'å' => "aa",
        'Å' => "Aa",
        'ø' => "o",
        'Ø' => "O",
        'à' | 'á' | 'â' | 'ã' | 'ā' | 'ă' | 'ą' => "a",
        'À' | 'Á' | 'Â' | 'Ã' | 'Ā' | 'Ă' | 'Ą' => "A",
        'ç' | 'ć' | 'č' => "c",
        'Ç' | 'Ć' | 'Č' => "C",
        'ď' | 'đ' | 'ð' => "d",
        'Ď' | 'Đ' | 'Ð' => "D",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => "e",
        'È' | 'É' | 'Ê' | 'Ë' | 'Ē' | 'Ę' | 'Ě' => "E",
        'ì' | 'í' | 'î' | 'ï' | 'ı' => "i",
        'Ì' | 'Í' | 'Î' | 'Ï' | 'İ' => "I",
        'ł' => "l",
        'Ł' => "L",
        'ñ' | 'ń' | 'ň' => "n",
        'Ñ' | 'Ń' | 'Ň' => "N",
        'ò' | 'ó' | 'ô' | 'õ' | 'ő' => "o",
        'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ő' => "O",
        'ř' => "r",
        'Ř' => "R",
        'ś' | 'š' | 'ş' => "s",
        'Ś' | 'Š' | 'Ş' => "S",
        'ť' | 'ţ' => "t",
        'Ť' | 'Ţ' => "T",
        'ù' | 'ú' | 'û' | 'ů' | 'ű' => "u",
        'Ù' | 'Ú' | 'Û' | 'Ů' | 'Ű' => "U",
        'ý' | 'ÿ' => "y",
        'Ý' => "Y",
        'ź' | 'ż' | 'ž' => "z",
        'Ź' | 'Ż' | 'Ž' => "Z",
        '‘' | '’' => "'",
        '“' | '”' | '„' | '«' | '»' => "\"",
        '–' | '—' => "-",
        '…' => "...",
        '€' => "EUR",
        '\u{A0}' | '\t' => " ",
        _ => "?",
    }
}

/// Caller's number and name as elements of `{CC-SETUP}` or `{CC-INFO}`.
///
/// `uri` is the caller's address with its scheme. Up to 64 characters: number (the user part if it can be dialled, else the whole
/// address) and name. Longer: no number, and the name cut to 24 characters; without a name, that of the user part.
/// Source: guide 14207900, chapter 7.
pub fn caller(uri: &str, name: Option<&str>) -> Vec<Ie> {
    let user = user_part(uri);
    let name = name.map(str::trim).filter(|name| !name.is_empty());
    if uri.chars().count() > MAX_URI {
        let mut short = characters(name.unwrap_or(user));
        short.truncate(MAX_NAME);
        return vec![Ie::CallingPartyName(CallingPartyName::dect(short))];
    }
    let number = if is_dialable(user) {
        CallingPartyNumber::private(characters(user))
    } else {
        CallingPartyNumber {
            plan: PLAN_SIP_FROM,
            ..CallingPartyNumber::private(characters(uri))
        }
    };
    let mut elements = vec![Ie::CallingPartyNumber(number)];
    elements.extend(name.map(|name| {
        let mut name = characters(name);
        name.truncate(MAX_URI);
        Ie::CallingPartyName(CallingPartyName::dect(name))
    }));
    elements
}

fn user_part(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    rest.split(['@', ';']).next().unwrap_or(rest)
}

fn is_dialable(user: &str) -> bool {
    !user.is_empty()
        && user
            .bytes()
            .all(|b| b.is_ascii_digit() || b"+*#".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &[&str], size: Size) -> Vec<u8> {
        match text(lines, size) {
            Ie::MultiDisplay(octets) => octets,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn text_is_cut_to_the_display_and_led_by_clear() {
        let size = Size {
            lines: 2,
            columns: 8,
        };
        assert_eq!(
            shown(&["Müller", "calling now", "x"], size),
            b"\x0CMueller calling "
        );
        assert_eq!(shown(&["Jim"], size), b"\x0CJim");
        assert_eq!(shown(&["Jim", "Kander"], size), b"\x0CJim     Kander");
        assert_eq!(shown(&[], size), b"\x0C");
        let large = Size {
            lines: 20,
            columns: 40,
        };
        assert_eq!(shown(&["x"; 20], large).len(), 255);
    }

    #[test]
    fn an_idle_display_is_read_by_our_own_portables_only() {
        let idle = idle(&["Ann", "1001"], Size::default());
        let told = [idle.clone()];
        assert_eq!(idle_in(&told), Some(&b"\x0CAnn             1001"[..]));
        let mut octets = Vec::new();
        crate::nwk::ie::encode_all(&told, &mut octets);
        assert_eq!(octets[..6], [0x7B, 25, 0x81, 0xFF, 0xFF, 0x01]);
        let of_another_maker = Ie::Proprietary {
            emc: 2,
            contents: vec![IDLE, CLEAR],
        };
        assert_eq!(idle_in(&[of_another_maker]), None);
        let large = Size {
            lines: 20,
            columns: 40,
        };
        let Ie::Proprietary { contents, .. } = super::idle(&["x"; 20], large) else {
            panic!()
        };
        assert_eq!(contents.len() + 3, 255);
    }

    #[test]
    fn the_size_is_the_handsets_own_or_the_least() {
        assert_eq!(
            Size::of(None),
            Size {
                lines: 2,
                columns: 16
            }
        );
        let own = TerminalCapability::gap(false, 4, 12);
        assert_eq!(
            Size::of(Some(&own)),
            Size {
                lines: 4,
                columns: 12
            }
        );
        assert_eq!(
            Size::of(Some(&TerminalCapability::default())),
            Size::default()
        );
    }

    #[test]
    fn letters_beyond_ascii_stay_readable() {
        assert_eq!(
            characters("Grüße, Łódź – 5 € 世"),
            b"Gruesse, Lodz - 5 EUR ?"
        );
        assert_eq!(characters("a\u{7}b\n"), b"a?b?");
    }

    #[test]
    fn a_caller_up_to_64_letters_has_number_and_name() {
        let number = |digits: &str| Ie::CallingPartyNumber(CallingPartyNumber::private(digits));
        let name = |text: &str| Ie::CallingPartyName(CallingPartyName::dect(text));
        assert_eq!(
            caller("sip:4711@example.com", Some("Jim Kander")),
            [number("4711"), name("Jim Kander")]
        );
        assert_eq!(caller("tel:+4912;x=1", None), [number("+4912")]);
        let uri = format!("sip:{}@example.com", "j".repeat(48));
        assert_eq!(uri.len(), 64);
        let Ie::CallingPartyNumber(n) = &caller(&uri, Some("Jim"))[0] else {
            panic!()
        };
        assert_eq!((n.plan, &n.number[..]), (10, uri.as_bytes()));
    }

    #[test]
    fn a_longer_address_leaves_24_letters_of_the_name_and_no_number() {
        let uri = format!("sip:{}@example.com", "j".repeat(49));
        let name = |text: &str| Ie::CallingPartyName(CallingPartyName::dect(text));
        assert_eq!(
            caller(&uri, Some("Maximilian Alexander von Hohenfels")),
            [name("Maximilian Alexander von")]
        );
        assert_eq!(caller(&uri, Some(" ")), [name(&"j".repeat(24))]);
    }
}
