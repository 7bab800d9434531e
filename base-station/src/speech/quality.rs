//! How good the air of one connection was, window by window.

use std::time::{Duration, Instant};

use crate::radio::Field;

/// Quality of a connection over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// Air frames in the window.
    pub frames: u32,
    /// Frames without a good A-field.
    pub bad_a: u32,
    /// Frames whose B-field was damaged.
    pub bad_b: u32,
    /// Mean level, dBm; -127 if nothing was heard.
    pub rssi_dbm_mean: i8,
    /// Lowest level, dBm; -127 if nothing was heard.
    pub rssi_dbm_min: i8,
    /// Frames of packets that came too late for the air.
    pub playout_late: u32,
    /// Length of the window.
    pub window: Duration,
}

/// A window that is open.
#[derive(Debug)]
pub(super) struct Window {
    since: Instant,
    frames: u32,
    heard: u32,
    bad_b: u32,
    rssi_sum: i64,
    rssi_min: i8,
    late_before: u64,
}

impl Window {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            frames: 0,
            heard: 0,
            bad_b: 0,
            rssi_sum: 0,
            rssi_min: 0,
            late_before: 0,
        }
    }

    /// Counts a frame of the air.
    pub(super) fn frame(&mut self) {
        self.frames += 1;
    }

    /// Counts a burst heard.
    pub(super) fn burst(&mut self, field: Field, rssi_dbm: i8) {
        self.heard += 1;
        self.bad_b += u32::from(field == Field::Bad);
        self.rssi_sum += i64::from(rssi_dbm);
        self.rssi_min = self.rssi_min.min(rssi_dbm);
    }

    /// Closes the window and opens the next one. `late` counts since the stream began.
    pub(super) fn take(&mut self, now: Instant, late: u64) -> Quality {
        let heard = self.heard;
        let quality = Quality {
            frames: self.frames,
            bad_a: self.frames.saturating_sub(heard),
            bad_b: self.bad_b,
            rssi_dbm_mean: if heard == 0 {
                -127
            } else {
                (self.rssi_sum / i64::from(heard)) as i8
            },
            rssi_dbm_min: if heard == 0 { -127 } else { self.rssi_min },
            playout_late: late.saturating_sub(self.late_before) as u32,
            window: now.saturating_duration_since(self.since),
        };
        *self = Self {
            late_before: late,
            ..Self::new(now)
        };
        quality
    }
}
