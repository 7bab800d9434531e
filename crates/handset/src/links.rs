//! The handset's MAC connections: numbers of messages both ways, and what still has to be taken by the base station.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use ipdect_dect::nwk::lce::LCE_02;

use crate::action::Radio;
use crate::event::{BaseId, Held, Link, NwkUp, Tag};
use crate::record::HandsetPart;

/// All connections of one handset.
#[derive(Debug, Default)]
pub(crate) struct Links {
    connections: BTreeMap<Link, Connection>,
    /// Base stations whose link is dead.
    unreachable: BTreeSet<BaseId>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Radio part number of its base station.
    pub(crate) rpn: u8,
    /// Where its base station takes speech; not known of an inherited one until the base station has told.
    pub(crate) speech: Option<SocketAddr>,
    /// Number of the last message from the handset that was applied.
    pub(crate) last_up: u64,
    /// Number of the last message to the handset.
    pub(crate) last_down: u64,
    /// When it is released for want of use (LCE.02).
    pub(crate) release_at: Option<Instant>,
    /// Messages to the handset that the base station did not confirm to have taken.
    untaken: BTreeMap<u64, (Tag, Bytes)>,
    /// It is known from a record, which may be older than the last message: the base station has the last number.
    inherited: bool,
}

/// What to make of a message's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// First message of a connection that was not known.
    First,
    /// The next message of a connection.
    Next,
    /// Applied before.
    Again,
}

impl Links {
    /// Takes note of a message's arrival.
    pub(crate) fn arrived(&mut self, up: &NwkUp) -> Arrival {
        let inherited = |c: &Connection| c.inherited;
        if !self.connections.get(&up.link).is_some_and(inherited) {
            self.unreachable.remove(&up.link.base);
        }
        let Some(connection) = self.connections.get_mut(&up.link) else {
            let (rpn, speech, last_up) = (up.rpn, Some(up.speech), up.seq);
            let fresh = Connection {
                rpn,
                speech,
                last_up,
                last_down: 0,
                release_at: None,
                untaken: BTreeMap::new(),
                inherited: false,
            };
            self.connections.insert(up.link.clone(), fresh);
            return Arrival::First;
        };
        if up.seq <= connection.last_up {
            return Arrival::Again;
        }
        connection.last_up = up.seq;
        Arrival::Next
    }

    /// A connection that a record tells of. What is to be sent on it waits for the base station's inventory.
    pub(crate) fn restore(&mut self, part: &HandsetPart) {
        let Some(link) = part.link.clone() else {
            return;
        };
        let HandsetPart {
            rpn,
            last_up,
            last_down,
            ..
        } = *part;
        let connection = Connection {
            rpn,
            speech: None,
            last_up,
            last_down,
            release_at: None,
            untaken: BTreeMap::new(),
            inherited: true,
        };
        self.unreachable.insert(link.base.clone());
        self.connections.insert(link, connection);
    }

    /// A connection that nobody told of, with messages of the handset that wait.
    pub(crate) fn learn(&mut self, link: &Link, held: &Held) {
        let Some(first) = held.unacked.first() else {
            return;
        };
        let connection = Connection {
            rpn: first.rpn,
            speech: Some(held.address),
            last_up: first.seq.saturating_sub(1),
            last_down: held.last_down_seq,
            release_at: None,
            untaken: BTreeMap::new(),
            inherited: false,
        };
        self.connections.insert(link.clone(), connection);
    }

    /// A connection, if it stands.
    pub(crate) fn get(&self, link: &Link) -> Option<&Connection> {
        self.connections.get(link)
    }

    /// Some connection whose base station can be reached: the newest one.
    pub(crate) fn usable(&self) -> Option<&Link> {
        self.connections
            .keys()
            .rfind(|link| self.reaches(&link.base))
    }

    /// Whether orders reach a base station, as far as we know.
    pub(crate) fn reaches(&self, base: &BaseId) -> bool {
        !self.unreachable.contains(base)
    }

    /// Numbers a message to the handset; the order to send it, unless it has to wait for the base station's link.
    pub(crate) fn send(&mut self, tag: Tag, link: &Link, pdu: Bytes) -> Option<Radio> {
        let reachable = self.reaches(&link.base);
        let connection = self.connections.get_mut(link)?;
        connection.last_down += 1;
        let seq = connection.last_down;
        connection.untaken.insert(seq, (tag, pdu.clone()));
        reachable.then(|| Radio::SendNwk {
            tag,
            link: link.clone(),
            seq,
            pdu,
        })
    }

    /// Takes in that the base station took a message, or never will; tells whose connection it was.
    pub(crate) fn taken(&mut self, tag: Tag) -> Option<Link> {
        let (link, connection) = self.connections.iter_mut().find(|(_, c)| c.has(tag))?;
        connection.untaken.retain(|_, (waiting, _)| *waiting != tag);
        Some(link.clone())
    }

    /// Whether an order to send is still without result.
    pub(crate) fn waits_for(&self, tag: Tag) -> Option<&Link> {
        self.connections
            .iter()
            .find(|(_, c)| c.has(tag))
            .map(|(link, _)| link)
    }

    /// Forgets a connection.
    pub(crate) fn remove(&mut self, link: &Link) -> Option<Connection> {
        self.connections.remove(link)
    }

    /// The link to a base station is dead.
    pub(crate) fn lost(&mut self, base: &BaseId) {
        if self.connections.keys().any(|link| link.base == *base) {
            self.unreachable.insert(base.clone());
        }
    }

    /// The base station is back and says what it holds: connections that are gone, and what has to be sent again.
    pub(crate) fn back(
        &mut self,
        base: &BaseId,
        same_boot: bool,
        held: &[Held],
    ) -> (Vec<Link>, Vec<Radio>) {
        self.unreachable.remove(base);
        let holds = |link: &Link| {
            held.iter()
                .find(|held| held.connection == link.connection)
                .filter(|_| same_boot)
        };
        let here = self
            .connections
            .iter_mut()
            .filter(|(link, _)| link.base == *base);
        let (mut gone, mut again) = (Vec::new(), Vec::new());
        for (link, connection) in here {
            match holds(link) {
                Some(held) => {
                    connection.speech = Some(held.address);
                    again.extend(connection.again(link, held.last_down_seq));
                }
                None => gone.push(link.clone()),
            }
        }
        (gone, again)
    }

    /// Connections in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Link, &Connection)> {
        self.connections.iter()
    }

    /// Starts the clock of connections that nobody uses, and stops that of those in use (LCE.02).
    pub(crate) fn settle(&mut self, now: Instant, in_use: impl Fn(&Link) -> bool) {
        for (link, connection) in &mut self.connections {
            connection.release_at = match in_use(link) {
                true => None,
                false => connection.release_at.or(Some(now + LCE_02)),
            };
        }
    }

    /// When the first idle connection is to be released.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.connections.values().filter_map(|c| c.release_at).min()
    }

    /// Connections that nobody needs any longer.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<Link> {
        let due = |c: &Connection| c.release_at.is_some_and(|at| now >= at);
        self.connections
            .iter()
            .filter(|(_, c)| due(c))
            .map(|(link, _)| link.clone())
            .collect()
    }
}

impl Connection {
    fn has(&self, tag: Tag) -> bool {
        self.untaken.values().any(|(waiting, _)| *waiting == tag)
    }

    /// Orders for what the base station did not take; what it took is done with.
    fn again(&mut self, link: &Link, taken: u64) -> Vec<Radio> {
        if std::mem::take(&mut self.inherited) {
            self.renumber(taken);
        }
        self.untaken.retain(|seq, _| *seq > taken);
        let order = |(seq, (tag, pdu)): (&u64, &(Tag, Bytes))| Radio::SendNwk {
            tag: *tag,
            link: link.clone(),
            seq: *seq,
            pdu: pdu.clone(),
        };
        self.untaken.iter().map(order).collect()
    }
}

impl Connection {
    /// Numbers go on from the last one that the base station took, whoever gave it out (`takeover.md` 4, rule 4).
    fn renumber(&mut self, taken: u64) {
        let waiting = std::mem::take(&mut self.untaken).into_values();
        self.untaken = (taken + 1..).zip(waiting).collect();
        self.last_down = taken + self.untaken.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Trace;
    use crate::tests::t0;

    fn up(seq: u64) -> NwkUp {
        let link = Link {
            base: BaseId("b".into()),
            connection: 1,
        };
        let speech = SocketAddr::from(([127, 0, 0, 1], 24592));
        NwkUp {
            link,
            rpn: 0,
            speech,
            seq,
            pdu: Bytes::new(),
            trace: Trace::default(),
        }
    }

    #[test]
    fn a_message_is_new_once() {
        let mut links = Links::default();
        let arrivals = [1, 1, 2, 1, 3].map(|seq| links.arrived(&up(seq)));
        use Arrival::{Again, First, Next};
        assert_eq!(arrivals, [First, Again, Next, Again, Next]);
    }

    #[test]
    fn what_was_not_taken_is_sent_again_under_its_old_number() {
        let mut links = Links::default();
        links.arrived(&up(1));
        let link = up(1).link;
        links.lost(&link.base);
        assert_eq!(links.send(Tag(1), &link, Bytes::from_static(b"a")), None);
        assert_eq!(links.send(Tag(2), &link, Bytes::from_static(b"b")), None);
        let held = Held {
            connection: 1,
            address: up(1).speech,
            speech: false,
            last_up_seq: 1,
            last_down_seq: 1,
            unacked: Vec::new(),
        };
        let (gone, again) = links.back(&link.base, true, std::slice::from_ref(&held));
        let b = Radio::SendNwk {
            tag: Tag(2),
            link: link.clone(),
            seq: 2,
            pdu: Bytes::from_static(b"b"),
        };
        assert_eq!((gone, again), (vec![], vec![b]));
        assert_eq!(links.back(&link.base, false, &[held]).0, [link]);
    }

    #[test]
    fn an_inherited_connection_goes_on_from_the_number_that_the_base_station_knows() {
        let (mut links, link) = (Links::default(), up(1).link);
        let part = HandsetPart {
            link: Some(link.clone()),
            last_up: 3,
            last_down: 6,
            ..HandsetPart::default()
        };
        links.restore(&part);
        assert_eq!(links.arrived(&up(3)), Arrival::Again);
        links.lost(&link.base);
        let pdu = Bytes::from_static(b"a");
        assert_eq!(links.send(Tag(1), &link, pdu.clone()), None);
        // The last owner had sent three more than its record tells.
        let held = Held {
            connection: 1,
            address: up(1).speech,
            speech: true,
            last_up_seq: 3,
            last_down_seq: 9,
            unacked: Vec::new(),
        };
        let order = |tag, seq| Radio::SendNwk {
            tag,
            link: link.clone(),
            seq,
            pdu: pdu.clone(),
        };
        let (gone, again) = links.back(&link.base, true, &[held]);
        assert_eq!((gone, again), (vec![], vec![order(Tag(1), 10)]));
        let next = links.send(Tag(2), &link, pdu.clone());
        assert_eq!(next, Some(order(Tag(2), 11)));
    }

    #[test]
    fn an_unused_connection_is_overdue_after_lce_02() {
        let (mut links, now) = (Links::default(), t0());
        links.arrived(&up(1));
        links.settle(now, |_| false);
        assert_eq!(
            (links.overdue(now), links.next_deadline()),
            (vec![], Some(now + LCE_02))
        );
        assert_eq!(links.overdue(now + LCE_02), [up(1).link]);
        links.settle(now, |_| true);
        assert_eq!(links.next_deadline(), None);
    }
}
