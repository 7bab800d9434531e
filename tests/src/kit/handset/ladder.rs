//! Lines of a ladder, which can be joined: `set_up() + ["M OpenLeg sip"]`.

use std::fmt;
use std::ops::Add;

/// Lines as actions are told in, in order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ladder(pub Vec<String>);

impl<const N: usize> From<[&str; N]> for Ladder {
    fn from(lines: [&str; N]) -> Ladder {
        Ladder(lines.map(String::from).to_vec())
    }
}

impl<L: Into<Ladder>> Add<L> for Ladder {
    type Output = Ladder;

    fn add(mut self, further: L) -> Ladder {
        self.0.extend(further.into().0);
        self
    }
}

impl fmt::Debug for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}
