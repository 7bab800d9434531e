//! Transmission rating (ITU-T G.107, in the short form for packet speech) and mean opinion score.

use crate::codec::Format;

/// What is known of a direction of speech.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// How speech is coded.
    pub format: Format,
    /// Part of the packets lost or late, 0..1, where concealment was at work.
    pub loss: f64,
    /// Mouth-to-ear delay in ms.
    pub delay_ms: f64,
}

/// The R factor, 0..100: 93.2 without any impairment.
#[must_use]
pub fn r_factor(conditions: Conditions) -> f64 {
    // Impairment and robustness of the codecs: ITU-T G.113 appendix I.
    let (ie, bpl) = match conditions.format {
        Format::G711(_) => (0.0, 25.1),
        Format::G726(_) => (7.0, 25.1),
    };
    let delay = conditions.delay_ms;
    let id = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let percent = 100.0 * conditions.loss.clamp(0.0, 1.0);
    let effective = ie + (95.0 - ie) * percent / (percent + bpl);
    (93.2 - id - effective).clamp(0.0, 100.0)
}

/// Mean opinion score of an R factor, 1..4.5 (ITU-T G.107 annex B).
#[must_use]
pub fn mos(r: f64) -> f64 {
    match r {
        r if r <= 0.0 => 1.0,
        r if r >= 100.0 => 4.5,
        r => 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_recommendation() {
        for (r, expected) in [(93.2, 4.41), (80.0, 4.02), (70.0, 3.60), (50.0, 2.58)] {
            assert!((mos(r) - expected).abs() < 0.01, "{r}");
        }
    }

    #[test]
    fn codec_loss_and_delay_each_cost() {
        let rate = |format, loss, delay_ms| {
            r_factor(Conditions {
                format,
                loss,
                delay_ms,
            })
        };
        assert_eq!(rate(Format::PCMA, 0.0, 0.0), 93.2);
        assert!((rate(Format::AAL2_G726_32, 0.0, 0.0) - 86.2).abs() < 1e-9);
        assert!(rate(Format::PCMA, 0.05, 0.0) < 80.0);
        assert!(rate(Format::PCMA, 0.0, 300.0) < 75.0);
    }
}
