//! What the next life of each handset goes on from: where it was, and the last record of its call.
//!
//! A life ends with a panic of its actor or with the server; what stands here then is what the handset itself wanted kept.

use std::collections::HashMap;

use bytes::Bytes;
use ipdect_dect::identity::Ipei;
use ipdect_handset::record::Record;
use ipdect_handset::{PresenceRow, Store};
use parking_lot::Mutex;
use tracing::warn;

/// Lives that may begin with one record: a call that makes its handset fall twice is given up.
const LIVES: u8 = 2;

/// Of all handsets.
#[derive(Debug, Default)]
pub struct Snapshots(Mutex<HashMap<Ipei, Snapshot>>);

#[derive(Debug, Default)]
struct Snapshot {
    presence: Option<PresenceRow>,
    record: Option<Bytes>,
    lives: u8,
}

impl Snapshots {
    /// Takes in what the store knew of where a handset was.
    pub fn located(&self, ipei: Ipei, row: PresenceRow) {
        self.0.lock().entry(ipei).or_default().presence = Some(row);
    }

    /// Takes in a record that was found; false if the one that is known already is as new.
    pub fn found(&self, ipei: Ipei, record: &Record) -> bool {
        let age = |record: &Record| (record.generation, record.sequence);
        let mut all = self.0.lock();
        let snapshot = all.entry(ipei).or_default();
        let known = snapshot
            .record
            .as_ref()
            .and_then(|r| Record::decode(r).ok());
        let newer = known.is_none_or(|known| age(&known) < age(record));
        if newer {
            snapshot.record = Some(record.encode().into());
        }
        newer
    }

    /// Takes in what a handset wants kept.
    pub fn kept(&self, ipei: Ipei, wish: &Store) {
        let mut all = self.0.lock();
        let snapshot = all.entry(ipei).or_default();
        match wish {
            Store::Record { record, .. } => {
                (snapshot.record, snapshot.lives) = (Some(record.clone()), 0);
            }
            Store::RemoveRecord { presence } => {
                (snapshot.record, snapshot.presence) = (None, Some(presence.clone()));
            }
            Store::Presence(row) => snapshot.presence = Some(row.clone()),
            Store::Handset { .. } | Store::ClaimTpui { .. } => {}
        }
    }

    /// Where a handset was.
    #[must_use]
    pub fn presence(&self, ipei: Ipei) -> Option<PresenceRow> {
        self.0.lock().get(&ipei)?.presence.clone()
    }

    /// The record that a life begins with.
    #[must_use]
    pub fn record(&self, ipei: Ipei) -> Option<Record> {
        let mut all = self.0.lock();
        let snapshot = all.get_mut(&ipei)?;
        let record = snapshot.record.as_ref()?;
        if snapshot.lives >= LIVES {
            warn!(%ipei, "the call of a handset is given up: its actor fell twice over it");
            return None;
        }
        snapshot.lives += 1;
        let read = Record::decode(record);
        read.inspect_err(|error| warn!(%ipei, %error, "the call of a handset is lost"))
            .ok()
    }

    /// Forgets a handset that is no longer one of ours.
    pub fn forget(&self, ipei: Ipei) {
        self.0.lock().remove(&ipei);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use ipdect_handset::record::{CallPart, CcPart, HandsetPart, MediaPart};
    use ipdect_handset::{BaseId, CallRef, Milestone, PathId, Placed, SessionId};

    use super::*;

    /// A record of a call that stands.
    pub(crate) fn record(generation: u32, sequence: u32) -> Record {
        Record {
            format: 1,
            lowest: 1,
            generation,
            sequence,
            milestone: Milestone::Active,
            written_s: 0,
            trace: None,
            handset: HandsetPart::default(),
            cc: CcPart::default(),
            call: CallPart {
                call: CallRef(1),
                placed: Placed::ByUs,
                began_s: 0,
                answered_s: None,
                number: "2001".into(),
                name: String::new(),
            },
            sip: None,
            media: MediaPart {
                session: SessionId(1),
                resource: None,
                path: None,
                path_id: PathId(1),
                base_rtp: None,
                sip_rtp: None,
                sip_key: None,
                codec: None,
            },
        }
    }

    fn ipei() -> Ipei {
        "65535 0000001".parse().unwrap()
    }

    #[test]
    fn the_newest_record_counts_whoever_had_it() {
        let snapshots = Snapshots::default();
        assert!(snapshots.found(ipei(), &record(1, 4)));
        assert!(!snapshots.found(ipei(), &record(1, 3)));
        assert!(!snapshots.found(ipei(), &record(1, 4)));
        assert!(snapshots.found(ipei(), &record(1, 5)));
        assert!(snapshots.found(ipei(), &record(2, 1)));
        assert_eq!(snapshots.record(ipei()), Some(record(2, 1)));
    }

    #[test]
    fn a_call_that_makes_its_handset_fall_twice_is_given_up() {
        let snapshots = Snapshots::default();
        let keep = || Store::Record {
            tag: None,
            record: record(1, 1).encode().into(),
        };
        snapshots.kept(ipei(), &keep());
        assert!(snapshots.record(ipei()).is_some());
        assert!(snapshots.record(ipei()).is_some());
        assert_eq!(snapshots.record(ipei()), None);
        // It went on after all.
        snapshots.kept(ipei(), &keep());
        assert!(snapshots.record(ipei()).is_some());
    }

    #[test]
    fn what_a_call_leaves_is_where_the_handset_was() {
        let snapshots = Snapshots::default();
        let row = PresenceRow {
            location: Some((BaseId("base-1".into()), 0)),
            ..PresenceRow::default()
        };
        snapshots.found(ipei(), &record(1, 1));
        let presence = row.clone();
        snapshots.kept(ipei(), &Store::RemoveRecord { presence });
        assert_eq!(snapshots.record(ipei()), None);
        assert_eq!(snapshots.presence(ipei()), Some(row));
        snapshots.forget(ipei());
        assert_eq!(snapshots.presence(ipei()), None);
    }
}
