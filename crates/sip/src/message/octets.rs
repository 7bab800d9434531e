//! Sets of octets, looked up in one table: which octet may stand where (RFC 3261 section 25.1).

/// A set of octets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Octets(u16);

/// What a token is made of.
pub(crate) const TOKEN: Octets = Octets(1);
/// Space and tab, and the line ends of folding.
pub(crate) const BLANK: Octets = Octets(1 << 1);
/// What may not stand in a URI: all but visible ASCII, and `<`, `>` and `"`.
pub(crate) const NOT_URI: Octets = Octets(1 << 2);
/// What the scheme of a URI is made of: letters, digits, `+`, `-` and `.`.
pub(crate) const SCHEME: Octets = Octets(1 << 3);
/// What a host name or an IPv4 address is made of: letters, digits, `-`, `_` and `.`.
pub(crate) const HOST: Octets = Octets(1 << 4);
/// What the name of a parameter is made of: a token, or what stands in names of URI parameters (paramchar).
pub(crate) const PARAM_NAME: Octets = Octets(1 << 5);
/// What the value of a parameter is made of that needs no second look: all but blanks, `"` and `;`.
pub(crate) const PARAM_VALUE: Octets = Octets(1 << 6);
/// The octets that part a URI, each a set of its own.
pub(crate) const AT: Octets = Octets(1 << 7);
pub(crate) const SEMICOLON: Octets = Octets(1 << 8);
pub(crate) const QUESTION_MARK: Octets = Octets(1 << 9);
pub(crate) const PERCENT: Octets = Octets(1 << 10);

impl Octets {
    /// All sets that an octet of a text is in.
    pub(crate) fn met_in(text: &[u8]) -> Octets {
        let bits = text.iter().map(|octet| TABLE[usize::from(*octet)]);
        Octets(bits.fold(0, |met, bits| met | bits))
    }

    /// Whether a set is among those that were met.
    pub(crate) fn meets(self, set: Octets) -> bool {
        self.0 & set.0 != 0
    }

    /// Whether an octet is one of them.
    pub(crate) fn has(self, octet: u8) -> bool {
        TABLE[usize::from(octet)] & self.0 != 0
    }

    /// Whether all octets of a text are; an empty text has none that is not.
    pub(crate) fn all(self, text: &[u8]) -> bool {
        text.iter().all(|octet| self.has(*octet))
    }

    /// How many octets at the start of a text are.
    pub(crate) fn span(self, text: &[u8]) -> usize {
        text.iter()
            .position(|octet| !self.has(*octet))
            .unwrap_or(text.len())
    }
}

/// For each octet a bit of every set it is in.
static TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < table.len() {
        table[octet] = sets(octet as u8);
        octet += 1;
    }
    table
};

const fn sets(octet: u8) -> u16 {
    let word = octet.is_ascii_alphanumeric();
    let token = word
        || matches!(
            octet,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        );
    let blank = matches!(octet, b' ' | b'\t' | b'\r' | b'\n');
    let not_uri = !octet.is_ascii_graphic() || matches!(octet, b'<' | b'>' | b'"');
    let scheme = word || matches!(octet, b'+' | b'-' | b'.');
    let host = word || matches!(octet, b'-' | b'_' | b'.');
    let param_name =
        token || matches!(octet, b'[' | b']' | b'/' | b':' | b'&' | b'$' | b'(' | b')');
    let param_value = !blank && octet != b'"' && octet != b';';
    bit(TOKEN, token)
        | bit(BLANK, blank)
        | bit(NOT_URI, not_uri)
        | bit(SCHEME, scheme)
        | bit(HOST, host)
        | bit(PARAM_NAME, param_name)
        | bit(PARAM_VALUE, param_value)
        | bit(AT, octet == b'@')
        | bit(SEMICOLON, octet == b';')
        | bit(QUESTION_MARK, octet == b'?')
        | bit(PERCENT, octet == b'%')
}

const fn bit(set: Octets, is_in: bool) -> u16 {
    if is_in { set.0 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of 256 octets that are in a set, or not, letters and digits left out.
    fn odd(set: Octets, is_in: bool) -> String {
        let odd = (0..=255_u8).filter(|octet| !octet.is_ascii_alphanumeric());
        odd.filter(|octet| set.has(*octet) == is_in)
            .map(char::from)
            .collect()
    }

    #[test]
    fn the_sets_are_those_of_the_grammar() {
        assert_eq!(odd(TOKEN, true), "!%'*+-._`~");
        assert_eq!(odd(BLANK, true), "\t\n\r ");
        let visible = odd(NOT_URI, false);
        assert_eq!(visible, "!#$%&'()*+,-./:;=?@[\\]^_`{|}~");
        assert_eq!(odd(SCHEME, true), "+-.");
        assert_eq!(odd(HOST, true), "-._");
        assert_eq!(odd(PARAM_NAME, true), "!$%&'()*+-./:[]_`~");
        assert_eq!(odd(PARAM_VALUE, false), "\t\n\r \";");
        let letters_and_digits = b"abcxyzABCXYZ0123456789";
        for set in [TOKEN, SCHEME, HOST, PARAM_NAME, PARAM_VALUE] {
            assert!(set.all(letters_and_digits));
        }
        assert!(!Octets::met_in(letters_and_digits).meets(NOT_URI));
    }

    #[test]
    fn the_octets_that_part_a_uri_are_met_where_they_stand() {
        let all = [AT, SEMICOLON, QUESTION_MARK, PERCENT];
        for (octet, set) in b"@;?%".iter().zip(all) {
            assert_eq!(odd(set, true), char::from(*octet).to_string());
            assert!(Octets::met_in(&[b'a', *octet, b'b']).meets(set));
        }
        let met = Octets::met_in(b"alice@example.com");
        assert_eq!(all.map(|set| met.meets(set)), [true, false, false, false]);
    }

    #[test]
    fn a_span_ends_at_the_first_octet_that_is_not_in_the_set() {
        assert_eq!(TOKEN.span(b"max-forwards : 7"), 12);
        let spans = [&b""[..], b":", b"all"].map(|text| TOKEN.span(text));
        assert_eq!(spans, [0, 0, 3]);
    }
}
