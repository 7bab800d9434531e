//! The mind itself: one event in, actions out, in order.

use std::time::{Instant, SystemTime};

use rand_core::RngCore;

use crate::action::Action;
use crate::event::Event;
use crate::profile::Profile;
use crate::record::Record;
use crate::status::Status;

/// The mind of one handset.
#[derive(Debug)]
pub struct State {
    profile: Profile,
    shown: Status,
}

impl State {
    /// A handset without call, of which nothing is known but its profile. Feed it [`Event::Configured`] first.
    #[must_use]
    pub fn new(profile: Profile) -> State {
        State {
            profile,
            shown: Status::default(),
        }
    }

    /// The handset of a record: it had a call when its last owner died. Feed it [`Event::Configured`] first.
    #[must_use]
    pub fn restore(profile: Profile, record: &Record) -> State {
        let _ = record;
        State::new(profile)
    }

    /// Takes in one event and answers with what must now be done, in order.
    pub fn handle(
        &mut self,
        now: Instant,
        wall: SystemTime,
        rng: &mut dyn RngCore,
        event: Event,
    ) -> Vec<Action> {
        let _ = (now, wall, rng);
        if let Event::Configured(profile) = event {
            self.profile = *profile;
        }
        Vec::new()
    }

    /// When [`State::handle`] next wants [`Event::Deadline`], if ever.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// What live views show now.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.shown
    }
}
