//! Why a call did not come about, in the words of each side (`dect-domain.md` section 9.1).

use crate::media::Tone;

/// `<<RELEASE-REASON>>` (EN 300 175-5 section 7.6.7), those that we send by ourselves.
pub(crate) mod reason {
    pub(crate) const NORMAL: u8 = 0x00;
    pub(crate) const UNKNOWN_TI: u8 = 0x02;
    pub(crate) const INCOMPATIBLE: u8 = 0x05;
    pub(crate) const TIMER_EXPIRY: u8 = 0x0d;
    pub(crate) const NOT_IN_RANGE: u8 = 0x11;
    pub(crate) const USER_UNKNOWN: u8 = 0x12;
    pub(crate) const USER_BUSY: u8 = 0x14;
    pub(crate) const USER_REJECTION: u8 = 0x15;
    pub(crate) const INSUFFICIENT_RESOURCES: u8 = 0x32;
    pub(crate) const CONGESTION: u8 = 0x34;
}

/// A refusal as the handset learns of it: release reason, tone, display text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `<<RELEASE-REASON>>`.
    pub(crate) reason: u8,
    /// What the user hears.
    pub(crate) tone: Tone,
    /// What the user reads.
    pub(crate) text: &'static str,
}

/// What the user of a handset learns when the peer or the network answers `status` to an INVITE.
pub(crate) fn refusal(status: u16) -> Refusal {
    let told = |reason, tone, text| Refusal { reason, tone, text };
    match status {
        486 | 600 => told(reason::USER_BUSY, Tone::Busy, "Busy"),
        404 | 410 | 484 | 604 => told(reason::USER_UNKNOWN, Tone::Congestion, "Unknown number"),
        480 => told(reason::NOT_IN_RANGE, Tone::Congestion, "Not available"),
        403 | 603 => told(reason::USER_REJECTION, Tone::Congestion, "Rejected"),
        401 | 407 => told(reason::USER_REJECTION, Tone::Congestion, "Not allowed"),
        408 | 487 => told(reason::TIMER_EXPIRY, Tone::Congestion, "No answer"),
        406 | 415 | 488 | 606 => told(reason::INCOMPATIBLE, Tone::Congestion, "Not compatible"),
        _ => told(reason::CONGESTION, Tone::Congestion, "Network error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_become_the_reasons_of_the_table() {
        let reasons = [486, 600, 404, 484, 604, 480, 403, 488, 500, 503, 408].map(|s| (s, refusal(s).reason));
        let wanted = [
            (486, 0x14), (600, 0x14), (404, 0x12), (484, 0x12), (604, 0x12), (480, 0x11), (403, 0x15), (488, 0x05),
            (500, 0x34), (503, 0x34), (408, 0x0d),
        ];
        assert_eq!(reasons, wanted);
    }

    #[test]
    fn only_busy_sounds_busy() {
        assert_eq!((refusal(486).tone, refusal(404).tone), (Tone::Busy, Tone::Congestion));
    }
}
