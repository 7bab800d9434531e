//! Why a call did not come about, in the words of each side (`dect-domain.md` section 9.1).

use ipdect_dect::nwk::ie::ReleaseReason;

use crate::media::Tone;

/// A refusal as the handset learns of it: release reason, tone, display text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `<<RELEASE-REASON>>`.
    pub(crate) reason: ReleaseReason,
    /// What the user hears.
    pub(crate) tone: Tone,
    /// What the user reads.
    pub(crate) text: &'static str,
}

/// What the user of a handset learns when the peer or the network answers `status` to an INVITE.
pub(crate) fn refusal(status: u16) -> Refusal {
    let told = |reason, tone, text| Refusal { reason, tone, text };
    match status {
        486 | 600 => told(ReleaseReason::USER_BUSY, Tone::Busy, "Busy"),
        404 | 410 | 484 | 604 => told(
            ReleaseReason::USER_UNKNOWN,
            Tone::Congestion,
            "Unknown number",
        ),
        480 => told(
            ReleaseReason::USER_NOT_IN_RANGE,
            Tone::Congestion,
            "Not available",
        ),
        403 | 603 => told(ReleaseReason::USER_REJECTION, Tone::Congestion, "Rejected"),
        401 | 407 => told(
            ReleaseReason::USER_REJECTION,
            Tone::Congestion,
            "Not allowed",
        ),
        408 | 487 => told(ReleaseReason::TIMER_EXPIRY, Tone::Congestion, "No answer"),
        406 | 415 | 488 | 606 => told(
            ReleaseReason::INCOMPATIBLE_SERVICE,
            Tone::Congestion,
            "Not compatible",
        ),
        _ => told(
            ReleaseReason::IWU_CONGESTION,
            Tone::Congestion,
            "Network error",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_become_the_reasons_of_the_table() {
        let reasons = [486, 600, 404, 484, 604, 480, 403, 488, 500, 503, 408]
            .map(|s| (s, refusal(s).reason.0));
        let wanted = [
            (486, 0x14),
            (600, 0x14),
            (404, 0x12),
            (484, 0x12),
            (604, 0x12),
            (480, 0x11),
            (403, 0x15),
            (488, 0x05),
            (500, 0x34),
            (503, 0x34),
            (408, 0x0d),
        ];
        assert_eq!(reasons, wanted);
    }

    #[test]
    fn only_busy_sounds_busy() {
        assert_eq!(
            (refusal(486).tone, refusal(404).tone),
            (Tone::Busy, Tone::Congestion)
        );
    }
}
