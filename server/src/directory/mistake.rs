//! What is wrong with a change: every mistake, with the field, the value and the remedy.

use std::fmt::Display;

use ipdect_proto::admin::v1::Mistake;

/// Mistakes of one change.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Notes a mistake.
    pub fn add(&mut self, field: &str, value: impl Display, remedy: impl Into<String>) {
        self.0.push(Mistake {
            change: 0,
            field: field.into(),
            value: value.to_string(),
            remedy: remedy.into(),
        });
    }

    /// Notes a mistake in a field whose value is nobody's business.
    pub fn add_secret(&mut self, field: &str, remedy: impl Into<String>) {
        self.add(field, "", remedy);
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, as belonging to the change at this position.
    #[must_use]
    pub fn into_list(self, change: u32) -> Vec<Mistake> {
        self.0
            .into_iter()
            .map(|m| Mistake { change, ..m })
            .collect()
    }
}

/// Notes a number outside `low..=high`.
pub fn check_range(
    field: &str,
    value: u32,
    low: u32,
    high: u32,
    what: &str,
    mistakes: &mut Mistakes,
) {
    if value < low || value > high {
        mistakes.add(field, value, format!("must be {low} to {high} ({what})"));
    }
}
