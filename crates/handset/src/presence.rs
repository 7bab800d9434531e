//! What contacts see of the user: *In a call*, *Available*, *Inactive*, *Away* (G14).
//!
//! Source: guide 14207900, Presence Description.

use std::time::Instant;

use crate::profile::PresenceSettings;
use crate::status::Presence;

/// When the handset was last used, and what follows from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Use {
    in_call: bool,
    /// End of the last use; forgotten once the user counts as away.
    ended: Option<Instant>,
    /// The first step after it is over.
    inactive: bool,
}

impl Use {
    /// A call began.
    pub(crate) fn begins(&mut self) {
        *self = Use {
            in_call: true,
            ..Use::default()
        };
    }

    /// The call is over, at `now`.
    pub(crate) fn ends(&mut self, now: Instant) {
        *self = Use {
            ended: Some(now),
            ..Use::default()
        };
    }

    /// What contacts see at `now`.
    pub(crate) fn presence(self, now: Instant, settings: &PresenceSettings) -> Presence {
        match self.ended {
            _ if self.in_call => Presence::InACall,
            Some(ended) if now < ended + settings.available => Presence::Available,
            Some(ended) if now < ended + settings.available + settings.inactive => {
                Presence::Inactive
            }
            _ => Presence::Away,
        }
    }

    /// Takes note of the time: a use long past is forgotten.
    pub(crate) fn age(&mut self, now: Instant, settings: &PresenceSettings) {
        match self.presence(now, settings) {
            Presence::Away => *self = Use::default(),
            presence => self.inactive = presence == Presence::Inactive,
        }
    }

    /// When the next step is due, if any.
    pub(crate) fn next_deadline(self, settings: &PresenceSettings) -> Option<Instant> {
        let step = if self.inactive {
            settings.available + settings.inactive
        } else {
            settings.available
        };
        self.ended.map(|ended| ended + step)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tests::t0;

    #[test]
    fn after_use_the_user_is_available_then_inactive_then_away() {
        let settings = PresenceSettings::default();
        let (start, minute) = (t0(), Duration::from_secs(60));
        let mut u = Use::default();
        assert_eq!(u.presence(start, &settings), Presence::Away);
        u.begins();
        assert_eq!(
            (u.presence(start, &settings), u.next_deadline(&settings)),
            (Presence::InACall, None)
        );
        u.ends(start);
        let mut steps = Vec::new();
        let mut now = start;
        while let Some(at) = u.next_deadline(&settings) {
            steps.push((now - start, u.presence(now, &settings)));
            now = at;
            u.age(now, &settings);
        }
        steps.push((now - start, u.presence(now, &settings)));
        assert_eq!(
            steps,
            [
                (Duration::ZERO, Presence::Available),
                (5 * minute, Presence::Inactive),
                (10 * minute, Presence::Away)
            ]
        );
    }
}
