//! Taking over calls of a start that is over (`takeover.md` sections 7 and 8): their handsets wait until the media resource
//! that carries them has said what it holds, because its record may be newer than the store's. What comes for them
//! meanwhile is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use ipdect_dect::identity::Ipei;
use ipdect_handset::{Event, MediaId, Record};
use parking_lot::Mutex;
use tracing::{info, warn};

use crate::handset::registry::Handsets;
use crate::media::pool::Pool;
use crate::snapshots::Snapshots;

/// Longest wait for a media resource. Peers repeat a request for far longer, and nobody hears the wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Handsets that wait to go on with their calls.
#[derive(Debug, Default)]
pub(crate) struct Adoption(Mutex<BTreeMap<Ipei, Option<MediaId>>>);

impl Adoption {
    /// Lets the handset of a record wait for its media resource, which the record names unless the session was just being
    /// opened.
    pub(crate) fn begin(
        &self,
        ipei: Ipei,
        record: &Record,
        snapshots: &Snapshots,
        handsets: &Handsets,
        media: &Pool,
    ) {
        snapshots.found(ipei, record);
        handsets.expect(ipei);
        let session = record.media.session;
        let Some((resource, boot)) = &record.media.resource else {
            media.expect_anywhere(session, ipei);
            self.0.lock().insert(ipei, None);
            return;
        };
        if media.expect(resource, *boot, session, ipei) {
            self.0.lock().insert(ipei, Some(resource.clone()));
        } else {
            // It has been started anew since.
            let resource = resource.clone();
            handsets.answer(ipei, Event::MediaLost { resource });
        }
    }

    /// Whether a handset waits.
    #[must_use]
    pub(crate) fn waits(&self, ipei: Ipei) -> bool {
        self.0.lock().contains_key(&ipei)
    }

    /// A media resource has the session of a handset that waits.
    pub(crate) fn found(&self, ipei: Ipei, resource: &MediaId) {
        if let Some(waits_for) = self.0.lock().get_mut(&ipei) {
            *waits_for = Some(resource.clone());
        }
    }

    /// A media resource has said all that it holds: who waits for it.
    #[must_use]
    pub(crate) fn counted(&self, resource: &MediaId) -> Vec<Ipei> {
        self.take(|waits_for| waits_for == Some(resource))
    }

    /// Patience is over: all who still wait.
    #[must_use]
    pub(crate) fn all(&self) -> Vec<Ipei> {
        let late = self.take(|_| true);
        if !late.is_empty() {
            warn!(
                calls = late.len(),
                "calls are taken over without a word of their media resources"
            );
        }
        late
    }

    fn take(&self, is_due: impl Fn(Option<&MediaId>) -> bool) -> Vec<Ipei> {
        let mut waiting = self.0.lock();
        let due: Vec<Ipei> = waiting
            .iter()
            .filter(|(_, waits_for)| is_due(waits_for.as_ref()))
            .map(|(ipei, _)| *ipei)
            .collect();
        due.iter().for_each(|ipei| {
            waiting.remove(ipei);
        });
        if !due.is_empty() {
            info!(calls = due.len(), "calls are taken over");
        }
        due
    }
}
