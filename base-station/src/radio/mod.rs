//! The seam between a base station's mind and its radio, at the level of the MAC layer.
//!
//! A radio owns the frame clock, the repetition of CT segments and the release of silent bearers (T201). Behind
//! [`Radio`] there is the [virtual air](virtual_air); hardware would be another implementation.

pub mod station;
pub mod virtual_air;

use ipdect_dect::mac::air::{AccessKind, PageTail, RefuseReason, ReleaseReason};
use ipdect_dect::mac::{BField, FrameNumber, Pmid, RfpiOctets, Segment};

/// Number of a bearer, 1 to 12.
pub type BearerNumber = u8;

/// What became of the B-field of one uplink frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Speech.
    Good(BField),
    /// It arrived damaged.
    Bad,
    /// The portable sent none.
    Absent,
}

/// What a radio tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A frame begins: what is ordered now, up to [`Radio::flush`], goes out in it.
    FrameStarted(FrameNumber),
    /// A portable asks for a bearer.
    Access {
        /// Who.
        pmid: Pmid,
        /// What for.
        kind: AccessKind,
        /// Level of the request, dBm.
        rssi_dbm: i8,
    },
    /// The first good burst on a bearer since it was confirmed.
    BearerUp {
        /// Which.
        bearer: BearerNumber,
    },
    /// A new CT segment of the portable.
    Segment {
        /// Which bearer.
        bearer: BearerNumber,
        /// Its octets.
        segment: Segment,
    },
    /// The portable took the segment last ordered.
    SegmentTaken {
        /// Which bearer.
        bearer: BearerNumber,
    },
    /// A burst of the portable.
    BField {
        /// Which bearer.
        bearer: BearerNumber,
        /// The downlink frame that it follows.
        frame: FrameNumber,
        /// Its speech.
        field: Field,
        /// Its level, dBm.
        rssi_dbm: i8,
    },
    /// The portable wants to start ciphering.
    CipherAsked {
        /// Which bearer.
        bearer: BearerNumber,
    },
    /// No good burst for T201. The radio has released the bearer.
    BearerLost {
        /// Which.
        bearer: BearerNumber,
    },
    /// The portable released the bearer.
    Released {
        /// Which.
        bearer: BearerNumber,
        /// Why.
        reason: ReleaseReason,
    },
}

/// What a base station says about itself on the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemInfo {
    /// Its identity.
    pub rfpi: RfpiOctets,
    /// Fixed part capabilities, Q_H = 3.
    pub capabilities: [u8; 5],
    /// Not to be used for speech.
    pub busy: bool,
    /// In step with its sync source.
    pub synchronised: bool,
    /// Bearers free.
    pub free_bearers: u8,
}

/// What a radio is ordered to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Say this from now on. Nothing is on the air before the first one.
    Broadcast(SystemInfo),
    /// Put a page into the next beacons, one at once.
    Page {
        /// Names it in `CancelPage`.
        page_id: u64,
        /// The page.
        tail: PageTail,
        /// Beacons that carry it.
        multiframes: u32,
    },
    /// Take a page off the air.
    CancelPage {
        /// Which.
        page_id: u64,
    },
    /// Give a bearer to a portable that asked for one.
    Confirm {
        /// Who.
        pmid: Pmid,
        /// Which bearer.
        bearer: BearerNumber,
    },
    /// Let the portable wait.
    Wait {
        /// Who.
        pmid: Pmid,
    },
    /// Refuse the portable.
    Refuse {
        /// Who.
        pmid: Pmid,
        /// Why.
        reason: RefuseReason,
    },
    /// Send on a bearer: a CT segment, repeated until taken, and speech for this frame.
    Send {
        /// Which bearer.
        bearer: BearerNumber,
        /// Next segment of the C-channel.
        segment: Option<Segment>,
        /// Speech, in the frame that started only.
        b_field: Option<BField>,
    },
    /// Confirm the start of ciphering.
    Cipher {
        /// Which bearer.
        bearer: BearerNumber,
    },
    /// Give a bearer up.
    Release {
        /// Which.
        bearer: BearerNumber,
        /// Why.
        reason: ReleaseReason,
    },
}

/// A radio of one base station.
pub trait Radio: Send {
    /// Waits for what happens next. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Those of the device behind it; the radio is of no use afterwards.
    fn event(&mut self) -> impl Future<Output = std::io::Result<Event>> + Send;

    /// Takes an order.
    fn order(&mut self, order: Order);

    /// Sends what was ordered since the last event.
    fn flush(&mut self);
}
