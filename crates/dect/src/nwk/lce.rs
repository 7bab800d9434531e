//! Link control entity: finding a portable, EN 300 175-5 section 14.

use std::time::{Duration, Instant};

use super::ie::{PortableIdentity, RejectReason};
use super::{Ie, Kind, Lce, Message, Transaction};
use crate::identity::{Ipui, Tpui};

/// Time to wait for the answer to a page. Source: EN 300 175-5 annex A.
pub const LCE_03: Duration = Duration::from_secs(3);
/// Number of times a page is repeated. Source: EN 300 175-5 annex A.
pub const N300: u8 = 3;
/// Time a link stays after its last use, for what may follow. Source: EN 300 175-5 annex A (3 to 10 s).
pub const LCE_02: Duration = Duration::from_secs(5);
/// Time a link may be open without a message. Source: EN 300 175-5 annex A.
pub const LCE_05: Duration = Duration::from_secs(5);

/// What happens to a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message for a portable without link.
    Queue(Message),
    /// The portable answered, and the answer matches: see [`check_response`].
    Found,
    /// Nobody wants it any more.
    Cancelled,
    /// The time of [`Paging::next_deadline`] has come.
    Deadline,
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Page in the whole location area; attempts count from 1.
    Page {
        /// Number of this attempt, 1..=4.
        attempt: u8,
    },
    /// Send what waited, in order.
    Deliver(Vec<Message>),
    /// Take back the page.
    CancelPage,
    /// Nobody answered: the user is not in range.
    NotFound(Vec<Message>),
}

/// Fixed side: messages for one portable that has no link, and the pages that look for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    queue: Vec<Message>,
    /// Attempts made, and when the next is due. `None`: no page is out.
    pending: Option<(u8, Instant)>,
}

impl Paging {
    /// Takes in one event. A message that comes while a page is out joins the queue; there is never a second page.
    pub fn handle(&mut self, now: Instant, event: Event) -> Vec<Action> {
        match (event, self.pending) {
            (Event::Queue(message), Some(_)) => {
                self.queue.push(message);
                vec![]
            }
            (Event::Queue(message), None) => {
                self.queue.push(message);
                self.page(now, 1)
            }
            (Event::Found, Some(_)) => vec![Action::CancelPage, Action::Deliver(self.end())],
            (Event::Cancelled, Some(_)) => {
                self.end();
                vec![Action::CancelPage]
            }
            (Event::Deadline, Some((attempt, at))) if now >= at => match attempt > N300 {
                true => vec![Action::CancelPage, Action::NotFound(self.end())],
                false => self.page(now, attempt + 1),
            },
            (Event::Found | Event::Cancelled | Event::Deadline, _) => vec![],
        }
    }

    /// When the next attempt, or the end, is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.pending.map(|(_, at)| at)
    }

    /// Says whether a page is out.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    fn page(&mut self, now: Instant, attempt: u8) -> Vec<Action> {
        self.pending = Some((attempt, now + LCE_03));
        vec![Action::Page { attempt }]
    }

    fn end(&mut self) -> Vec<Message> {
        self.pending = None;
        std::mem::take(&mut self.queue)
    }
}

/// `{LCE-PAGE-RESPONSE}` of the portable with this identity.
pub fn page_response(ipui: Ipui) -> Message {
    Message::new(Transaction::originated(0), Kind::Lce(Lce::PageResponse))
        .with(Ie::PortableIdentity(PortableIdentity::Ipui(ipui)))
}

/// `{LCE-PAGE-REJECT}` with a reason; the identity is the one that the response had.
pub fn page_reject(response: &Message, reason: RejectReason) -> Message {
    let identity = response.portable_identity().copied();
    Message::new(response.transaction.answered(), Kind::Lce(Lce::PageReject))
        .with_all(identity.map(Ie::PortableIdentity))
        .with(Ie::RejectReason(reason))
}

/// Holds a `{LCE-PAGE-RESPONSE}` against the portable that was paged.
///
/// # Errors
/// The reason for `{LCE-PAGE-REJECT}`: another portable, or no identity at all.
pub fn check_response(
    response: &Message,
    ipui: Ipui,
    tpui: Option<Tpui>,
) -> Result<(), RejectReason> {
    match (response.ipui(), response.tpui()) {
        (Some(answered), _) if answered.matches(ipui) => Ok(()),
        (Some(_), _) => Err(RejectReason::FALSE_LCE_REPLY),
        (None, Some(answered)) if tpui == Some(answered) => Ok(()),
        (None, Some(_)) => Err(RejectReason::INVALID_TPUI),
        (None, None) => Err(response.lack_of(0x05).reject_reason()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nwk::Cc;
    use crate::tests::t0;

    fn message() -> Message {
        Message::new(Transaction::originated(0), Kind::Cc(Cc::Setup))
    }

    #[test]
    fn a_page_is_repeated_three_times_and_then_fails() {
        let (t, mut paging) = (t0(), Paging::default());
        let s = Duration::from_secs;
        assert_eq!(
            paging.handle(t, Event::Queue(message())),
            [Action::Page { attempt: 1 }]
        );
        assert_eq!(paging.handle(t, Event::Queue(message())), []);
        for (at, attempt) in [(3, 2), (6, 3), (9, 4)] {
            assert_eq!(paging.next_deadline(), Some(t + s(at)));
            assert_eq!(paging.handle(t + s(at - 1), Event::Deadline), []);
            assert_eq!(
                paging.handle(t + s(at), Event::Deadline),
                [Action::Page { attempt }]
            );
        }
        assert_eq!(
            paging.handle(t + s(12), Event::Deadline),
            [
                Action::CancelPage,
                Action::NotFound(vec![message(), message()])
            ]
        );
        assert_eq!(paging, Paging::default());
    }

    #[test]
    fn what_waited_is_sent_when_the_portable_is_found() {
        let (t, mut paging) = (t0(), Paging::default());
        paging.handle(t, Event::Queue(message()));
        assert_eq!(
            paging.handle(t, Event::Found),
            [Action::CancelPage, Action::Deliver(vec![message()])]
        );
        assert_eq!(paging.handle(t, Event::Found), []);
        paging.handle(t, Event::Queue(message()));
        assert_eq!(paging.handle(t, Event::Cancelled), [Action::CancelPage]);
        assert!(!paging.is_pending());
    }

    #[test]
    fn only_the_paged_portable_may_answer() {
        let ipui = |text: &str| Ipui::N(text.parse().unwrap());
        let (ours, other) = (ipui("65535 0000001"), ipui("65535 0000002"));
        let tpui = Tpui::from_bits(0x01234).unwrap();
        let response = page_response(ours);
        assert_eq!(response.encode()[..2], [0x00, 0x71]);
        assert_eq!(check_response(&response, ours, None), Ok(()));
        assert_eq!(
            check_response(&response, other, None),
            Err(RejectReason::FALSE_LCE_REPLY)
        );
        let by_tpui = Message::new(Transaction::default(), Kind::Lce(Lce::PageResponse))
            .with(Ie::PortableIdentity(PortableIdentity::Tpui(tpui)));
        assert_eq!(check_response(&by_tpui, ours, Some(tpui)), Ok(()));
        assert_eq!(
            check_response(&by_tpui, ours, None),
            Err(RejectReason::INVALID_TPUI)
        );
        let reject = page_reject(&response, RejectReason::FALSE_LCE_REPLY);
        assert!(reject.transaction.from_destination);
        assert_eq!(Message::decode(&reject.encode()), Ok(reject));
    }
}
