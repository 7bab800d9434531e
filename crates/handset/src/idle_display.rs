//! The idle display: what a handset shows while there is nothing else to be shown.
//!
//! The standard leaves it to the handset. Our own portables are told when they are located, and with the end of a call if it
//! changed since; others show what they please.

use ipdect_dect::display::{self, OWN_EMC, Size};
use ipdect_dect::nwk::Ie;

use crate::state::State;

impl State {
    /// Lines of the idle display: the user's standby text, else his name, and his number.
    pub(crate) fn idle_lines(&self) -> Vec<String> {
        let Some(user) = &self.profile.user else {
            return Vec::new();
        };
        let name = match user.standby_text.is_empty() {
            true => &user.display_name,
            false => &user.standby_text,
        };
        let lines = [name, &user.number].into_iter();
        lines.filter(|line| !line.is_empty()).cloned().collect()
    }

    /// The idle display as our own portables are told it.
    pub(crate) fn idle_display(&mut self) -> Option<Ie> {
        let row = &self.profile.handset;
        let maker = OWN_EMC.to_be_bytes();
        if !row.model.as_ref().is_some_and(|m| m.starts_with(&maker)) {
            return None;
        }
        let size = Size::of(row.capability().as_ref());
        let lines = self.idle_lines();
        let element = display::idle(&lines, size);
        self.told_idle = Some(lines);
        Some(element)
    }

    /// The idle display, unless the handset was told this one.
    pub(crate) fn new_idle_display(&mut self) -> Option<Ie> {
        match self.told_idle.as_ref() == Some(&self.idle_lines()) {
            true => None,
            false => self.idle_display(),
        }
    }
}
