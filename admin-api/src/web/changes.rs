//! What a form would change.

use super::fields::Input;
use sha2::{Digest, Sha256};

/// One field that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Name for a person.
    pub(crate) label: String,
    /// As it is.
    pub(crate) old: String,
    /// As it would be.
    pub(crate) new: String,
}

/// The fields that differ between two states of one form.
pub(crate) fn differences(old: &[Input], new: &[Input]) -> Vec<Difference> {
    let changed = old.iter().zip(new).filter(|(o, n)| o.value != n.value);
    changed
        .map(|(o, n)| Difference {
            label: n.label.clone(),
            old: o.shown(),
            new: n.shown(),
        })
        .collect()
}

/// Names a set of values: saving asks for the very values whose difference was shown.
pub(crate) fn digest(revision: u64, inputs: &[Input]) -> String {
    let mut hash = Sha256::new();
    hash.update(revision.to_be_bytes());
    for input in inputs {
        hash.update((input.value.len() as u64).to_be_bytes());
        hash.update(&input.value);
    }
    hex::encode(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::fields::Kind;

    #[test]
    fn only_what_changes_is_shown_in_words() {
        let old = [
            Input::new("a", "GRUU", Kind::Switch, "off", ""),
            Input::new("b", "Domain", Kind::Text, "", "").holding("x"),
        ];
        let mut new = old.clone();
        new[0].value = "on".into();
        let wanted = Difference {
            label: "GRUU".into(),
            old: "off".into(),
            new: "on".into(),
        };
        assert_eq!(differences(&old, &new), [wanted]);
        assert_ne!(digest(1, &old), digest(1, &new));
        assert_ne!(digest(1, &old), digest(2, &old));
    }
}
