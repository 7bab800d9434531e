//! What the display shows: texts of the moment, then the idle display again.

use std::time::{Duration, Instant};

use ipdect_dect::display::{self, CLEAR, Size};
use ipdect_dect::nwk::{Ie, Message};

use super::Portable;
use crate::event::{Action, CallState};
use crate::screen::Screen;

/// How long a text stays at least, so that it can be read when what it is about is over.
const READING: Duration = Duration::from_secs(3);

/// The screen, and what is on it.
#[derive(Debug)]
pub(crate) struct Display {
    screen: Screen,
    /// What the system wants to be shown at rest, in display characters.
    idle: Vec<u8>,
    shows: Shows,
    /// When it goes back to the idle display.
    rests_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    Idle,
    /// The idle display, but not as it is wanted now.
    OldIdle,
    /// A text whose time does not run yet.
    NewText,
    TextUntil(Instant),
}

impl Display {
    pub(super) fn new(size: Size) -> Self {
        Self {
            screen: Screen::new(size),
            idle: vec![CLEAR],
            shows: Shows::Idle,
            rests_at: None,
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.screen.lines()
    }

    /// When it goes back to the idle display by itself.
    pub(super) const fn next_deadline(&self) -> Option<Instant> {
        self.rests_at
    }

    /// Nothing is shown; what the system wanted is forgotten.
    pub(super) fn switch_off(&mut self) {
        self.screen.write(&[CLEAR]);
        self.idle = vec![CLEAR];
        (self.shows, self.rests_at) = (Shows::Idle, None);
    }

    fn write(&mut self, octets: &[u8]) {
        self.screen.write(octets);
        self.shows = Shows::NewText;
    }

    fn wants_idle(&mut self, octets: &[u8]) {
        if self.idle != octets {
            self.idle = octets.to_vec();
            if self.shows == Shows::Idle {
                self.shows = Shows::OldIdle;
            }
        }
    }

    /// Goes back to the idle display.
    fn rest(&mut self) {
        self.screen.write(&self.idle);
        (self.shows, self.rests_at) = (Shows::Idle, None);
    }

    /// Lets time pass; `busy` as long as the text is about something that goes on. Answers whether another text is shown.
    fn settle(&mut self, now: Instant, busy: bool) -> bool {
        if self.shows == Shows::NewText {
            self.shows = Shows::TextUntil(now + READING);
        }
        self.rests_at = match self.shows {
            Shows::Idle => None,
            _ if busy => None,
            Shows::TextUntil(until) => Some(until),
            Shows::OldIdle | Shows::NewText => Some(now),
        };
        let due = self.rests_at.is_some_and(|at| now >= at);
        if due {
            self.rest();
        }
        due
    }
}

impl Portable {
    /// Takes over what a message brings for the display.
    pub(super) fn read_display(&mut self, message: &Message) {
        if let Some(text) = message.display() {
            self.display.write(&text);
            self.tell_display();
        }
        if let Some(idle) = display::idle_in(&message.elements) {
            self.display.wants_idle(idle);
        }
    }

    /// Shows these lines.
    pub(crate) fn show(&mut self, lines: &[&str]) {
        if let Ie::MultiDisplay(octets) = display::text(lines, self.config.display) {
            self.display.write(&octets);
        }
        self.tell_display();
    }

    /// Shows the idle display at once.
    pub(super) fn show_idle(&mut self) {
        self.display.rest();
        self.tell_display();
    }

    /// Goes back to the idle display when nothing goes on that a text is about, and it could be read.
    pub(super) fn settle_display(&mut self, now: Instant) {
        let busy =
            self.call_state != CallState::Idle || !self.typed.is_empty() || self.mobility.is_busy();
        if self.display.settle(now, busy) {
            self.tell_display();
        }
    }

    fn tell_display(&mut self) {
        self.actions.push(Action::Display(self.display.lines()));
    }
}
