//! Keys as people write them: `0` to `9`, `*`, `#`, `R`, `(` off hook, `)` on hook.

use ipdect_portable::{Key, KeyError};

/// Reads keys in the order in which they are to be pressed; blanks are skipped.
///
/// # Errors
/// The first character that is no key.
pub(crate) fn parse(text: &str) -> Result<Vec<Key>, KeyError> {
    let key = |character| match character {
        '(' => Ok(Key::OffHook),
        ')' => Ok(Key::OnHook),
        other => Key::try_from(other),
    };
    text.chars()
        .filter(|c| !c.is_whitespace())
        .map(key)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_and_digits_are_keys_and_letters_are_not() {
        let keys = parse("1* ( R )").unwrap();
        assert_eq!(keys.len(), 5);
        assert_eq!(
            (keys[2], keys[3], keys[4]),
            (Key::OffHook, Key::R, Key::OnHook)
        );
        assert_eq!(parse("12a").unwrap_err(), KeyError('a'));
        assert_eq!(parse("").unwrap(), []);
    }
}
