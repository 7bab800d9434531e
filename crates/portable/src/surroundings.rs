//! Base stations that a portable listens to, and how it hears them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ipdect_dect::identity::{Park, Rfpi};
use ipdect_dect::mac::FrameNumber;

/// A TUNE asks for beacons for this long.
pub(crate) const TUNE_SECONDS: u8 = 60;
/// Tuned anew this long after the last time, while beacons come.
const TUNE_AGAIN: Duration = Duration::from_secs(30);
/// Tuned anew this long after the last beacon or the last time: six beacons are missing.
const TUNE_UNHEARD: Duration = Duration::from_secs(1);
/// A base station without beacon for this long is gone: a dozen are missing.
const GONE: Duration = Duration::from_secs(2);

/// What is known of one base station.
#[derive(Clone, Debug)]
struct Station {
    tuned_at: Option<Instant>,
    /// `None`: at once.
    tune_at: Option<Instant>,
    last: Option<Heard>,
}

/// The last beacon of a base station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) at: Instant,
    pub(crate) rfpi: Rfpi,
    pub(crate) rssi_dbm: i8,
    pub(crate) frame: FrameNumber,
    pub(crate) open: bool,
    pub(crate) busy: bool,
}

/// All base stations that the host names.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    stations: BTreeMap<SocketAddr, Station>,
}

impl Surroundings {
    pub(crate) fn new(bases: Vec<SocketAddr>) -> Self {
        let station = |address| {
            let nothing = Station {
                tuned_at: None,
                tune_at: None,
                last: None,
            };
            (address, nothing)
        };
        Self {
            stations: bases.into_iter().map(station).collect(),
        }
    }

    /// Takes in a beacon; one of a base station that was not named is ignored.
    pub(crate) fn hear(&mut self, from: SocketAddr, heard: Heard) {
        if let Some(station) = self.stations.get_mut(&from) {
            station.last = Some(heard);
            let again = station.tuned_at.map(|at| at + TUNE_AGAIN);
            station.tune_at = again.map(|at| at.min(heard.at + TUNE_UNHEARD));
        }
    }

    /// Base stations to be tuned to now; each counts as tuned.
    pub(crate) fn tune(&mut self, now: Instant) -> Vec<SocketAddr> {
        let mut due = Vec::new();
        for (address, station) in &mut self.stations {
            if station.tune_at.is_none_or(|at| now >= at) {
                station.tuned_at = Some(now);
                station.tune_at = Some(now + TUNE_UNHEARD);
                due.push(*address);
            }
        }
        due
    }

    /// When the next base station is to be tuned to.
    pub(crate) fn next_tune(&self) -> Option<Instant> {
        self.stations.values().filter_map(|s| s.tune_at).min()
    }

    /// Forgets what was heard: the receiver was off.
    pub(crate) fn forget(&mut self) {
        for station in self.stations.values_mut() {
            (station.tuned_at, station.tune_at, station.last) = (None, None, None);
        }
    }

    /// Base stations heard of late that are of the system that `park` opens (`None`: any), the strongest first; busy ones last.
    pub(crate) fn candidates(&self, now: Instant, park: Option<Park>) -> Vec<(SocketAddr, Heard)> {
        let ours = |heard: &Heard| match (park, heard.rfpi.ari()) {
            (Some(park), Ok(ari)) => park.opens(ari),
            (None, Ok(_)) => true,
            (_, Err(_)) => false,
        };
        let mut found: Vec<_> = (self.stations.iter())
            .filter_map(|(address, station)| Some((*address, station.last?)))
            .filter(|(_, heard)| now.saturating_duration_since(heard.at) < GONE && ours(heard))
            .collect();
        found.sort_by_key(|(address, heard)| (heard.busy, -i16::from(heard.rssi_dbm), *address));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::t0;
    use ipdect_dect::identity::{Ari, Rpn};

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn heard(at: Instant, rpn: u8, rssi_dbm: i8, busy: bool) -> Heard {
        Heard {
            at,
            rfpi: Rfpi::new(Ari::class_b(0x1002, 0x345).unwrap(), Rpn(rpn)),
            rssi_dbm,
            frame: FrameNumber::new(0),
            open: true,
            busy,
        }
    }

    #[test]
    fn the_strongest_free_base_station_of_the_system_comes_first() {
        let t = t0();
        let mut around = Surroundings::new((1..=4).map(address).collect());
        around.hear(address(1), heard(t, 1, -70, false));
        around.hear(address(2), heard(t, 2, -60, false));
        around.hear(address(3), heard(t, 3, -50, true));
        around.hear(address(9), heard(t, 9, -40, false));
        let order = |found: Vec<(SocketAddr, Heard)>| -> Vec<u16> {
            found.iter().map(|(address, _)| address.port()).collect()
        };
        assert_eq!(order(around.candidates(t, None)), [2, 1, 3]);
        let park = Ari::class_b(0x1002, 0x345).unwrap().park();
        assert_eq!(order(around.candidates(t, Some(park))), [2, 1, 3]);
        let other = Ari::class_b(0x1002, 0x346).unwrap().park();
        assert!(around.candidates(t, Some(other)).is_empty());
        assert!(around.candidates(t + GONE, None).is_empty());
    }

    #[test]
    fn tuning_is_frequent_until_beacons_come() {
        let t = t0();
        let s = Duration::from_secs;
        let mut around = Surroundings::new(vec![address(1)]);
        assert_eq!(around.tune(t), [address(1)]);
        assert!(around.tune(t).is_empty());
        assert_eq!(around.next_tune(), Some(t + s(1)));
        assert_eq!(around.tune(t + s(1)), [address(1)]);
        for second in 1..30 {
            around.hear(address(1), heard(t + s(second), 1, -50, false));
        }
        assert_eq!(around.next_tune(), Some(t + s(30)));
        around.forget();
        assert_eq!(around.tune(t), [address(1)]);
    }
}
