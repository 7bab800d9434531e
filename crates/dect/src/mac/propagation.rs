//! How strongly a burst arrives, and whether. Each receiver judges for itself.
//!
//! RSSI = power - (38 + 10 n log10 d) dB, d in metres and at least 1; frame error ratio 0 from -80 dBm up, 1 at
//! -93 dBm and below, linear between. 38 dB is the free-space loss of the first metre at 1.9 GHz.

use super::air::Header;
use super::air::Position;

/// Loss of the first metre at 1.9 GHz, dB.
const FIRST_METRE_DB: f64 = 38.0;
/// From this level up no frame is bad, dBm.
const GOOD_DBM: f64 = -80.0;
/// At this level and below every frame is bad, dBm.
const DEAF_DBM: f64 = -93.0;

/// What became of a burst on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reception {
    /// Nothing arrived: no A-field, no B-field.
    Lost,
    /// The A-field is good, the B-field is not.
    BFieldBad,
    /// All is good.
    Good,
}

/// What lies between two antennas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Propagation {
    /// Path-loss exponent n: 2.0 in the open, 3.0 in offices, 3.5 in factories.
    pub exponent: f64,
    /// Ratio of bursts lost whatever the level, 0 to 1.
    pub loss: f64,
}

impl Default for Propagation {
    fn default() -> Self {
        Self {
            exponent: 3.0,
            loss: 0.0,
        }
    }
}

impl Propagation {
    /// Level at which a burst sent with `header` is heard at `receiver`, dBm, -127 to 0.
    pub fn rssi_dbm(&self, header: &Header, receiver: Position) -> i8 {
        let loss_db = self.path_loss_db(header.position.distance_m(receiver));
        (f64::from(header.power_dbm) - loss_db)
            .clamp(-127.0, 0.0)
            .round() as i8
    }

    /// Loss over a distance in metres, dB; nearer than 1 m counts as 1 m.
    pub fn path_loss_db(&self, distance_m: f64) -> f64 {
        FIRST_METRE_DB + 10.0 * self.exponent * distance_m.max(1.0).log10()
    }

    /// Decides what becomes of a burst heard at `rssi_dbm`, given a random `u` in 0..1.
    pub fn judge(&self, rssi_dbm: i8, u: f64) -> Reception {
        let ratio = frame_error_ratio(rssi_dbm);
        if u < ratio * ratio || u < self.loss {
            Reception::Lost
        } else if u < ratio {
            Reception::BFieldBad
        } else {
            Reception::Good
        }
    }
}

/// Ratio of bad frames at a level, 0 to 1.
pub fn frame_error_ratio(rssi_dbm: i8) -> f64 {
    ((GOOD_DBM - f64::from(rssi_dbm)) / (GOOD_DBM - DEAF_DBM)).clamp(0.0, 1.0)
}

/// A random `u` in 0..1 for [`Propagation::judge`], from 32 bits of an injected source.
pub fn unit(random: u32) -> f64 {
    f64::from(random) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mac::{ALL_PORTABLES, FrameNumber};

    fn at(metres: f64) -> Header {
        Header {
            position: Position::from_metres([metres, 0.0, 0.0]),
            power_dbm: 24,
            frame: FrameNumber::default(),
            bearer: 0,
            rfpi: [0; 5],
            pmid: ALL_PORTABLES,
        }
    }

    #[test]
    fn level_falls_with_distance() {
        let air = Propagation::default();
        let here = Position::default();
        // 24 - 38, then 30 dB a decade.
        assert_eq!(
            [0.0, 1.0, 10.0, 100.0].map(|m| air.rssi_dbm(&at(m), here)),
            [-14, -14, -44, -74]
        );
        let open = Propagation {
            exponent: 2.0,
            ..air
        };
        assert_eq!(open.rssi_dbm(&at(100.0), here), -54);
    }

    #[test]
    fn frames_go_bad_between_80_and_93_below() {
        assert_eq!(frame_error_ratio(-80), 0.0);
        assert_eq!(frame_error_ratio(-93), 1.0);
        assert_eq!(frame_error_ratio(-127), 1.0);
        assert!((frame_error_ratio(-86) - 6.0 / 13.0).abs() < 1e-9);
    }

    #[test]
    fn one_draw_decides_between_lost_bad_and_good() {
        let air = Propagation::default();
        // At -86 dBm the ratio is 0.4615, its square 0.213.
        assert_eq!(air.judge(-86, 0.2), Reception::Lost);
        assert_eq!(air.judge(-86, 0.3), Reception::BFieldBad);
        assert_eq!(air.judge(-86, 0.5), Reception::Good);
        assert_eq!(air.judge(-40, 0.0), Reception::Good);
        assert_eq!(air.judge(-93, 0.999), Reception::Lost);
    }

    #[test]
    fn configured_loss_takes_bursts_at_any_level() {
        let air = Propagation {
            loss: 0.1,
            ..Propagation::default()
        };
        assert_eq!(air.judge(-40, 0.099), Reception::Lost);
        assert_eq!(air.judge(-40, 0.1), Reception::Good);
    }

    #[test]
    fn unit_stays_below_one() {
        assert_eq!(unit(0), 0.0);
        assert!(unit(u32::MAX) < 1.0);
    }
}
