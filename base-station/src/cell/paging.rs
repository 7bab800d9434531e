//! Pages on the air: the cell keeps their names and lives, the radio repeats them.

use std::collections::BTreeMap;
use std::time::Instant;

use ipdect_dect::mac::air::{MAX_PAGES, PageTail};
use ipdect_dect::mac::{FRAME, FRAMES_PER_MULTIFRAME};
use ipdect_dect::nwk::{LceHeader, Page as LcePage, SlotType};

use super::message::{Outcome, Page, Paged};
use super::state::{Action, Cell};
use crate::radio::Order;

/// Longest life of a page, multiframes: what a handset that sleeps deeply needs, and a bound.
const MAX_LIFE: u32 = 64;

/// Pages known by name.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pages: BTreeMap<u64, (Page, Instant)>,
}

impl Pages {
    /// Pages on the air.
    pub(super) fn len(&self) -> u32 {
        self.pages.len() as u32
    }

    /// Forgets those whose life is over.
    pub(super) fn age(&mut self, now: Instant) {
        self.pages.retain(|_, (_, until)| *until > now);
    }

    /// When the next life is over.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.pages.values().map(|(_, until)| *until).min()
    }
}

impl Cell {
    pub(super) fn page(
        &mut self,
        now: Instant,
        page: Page,
        out: &mut Vec<Action>,
    ) -> Result<(), Outcome> {
        if self.draining.is_some() {
            return Err(Outcome::Draining);
        }
        let known = self.pages.pages.get(&page.page_id);
        if known.is_some_and(|(known, _)| *known != page) {
            return Err(Outcome::Conflict(format!(
                "page {} was another one",
                page.page_id
            )));
        }
        if known.is_none() && self.pages.pages.len() >= MAX_PAGES {
            return Err(Outcome::NoResource(format!(
                "{MAX_PAGES} pages are on the air"
            )));
        }
        let multiframes = page.life_multiframes.clamp(1, MAX_LIFE);
        self.pages.pages.insert(
            page.page_id,
            (page, now + FRAME * FRAMES_PER_MULTIFRAME * multiframes),
        );
        out.push(Action::Radio(Order::Page {
            page_id: page.page_id,
            tail: tail(&page),
            multiframes,
        }));
        Ok(())
    }

    /// A page that is over already counts as cancelled.
    pub(super) fn cancel_page(&mut self, page_id: u64, out: &mut Vec<Action>) {
        if self.pages.pages.remove(&page_id).is_some() {
            out.push(Action::Radio(Order::CancelPage { page_id }));
        }
    }
}

/// Short where it can be: a full page takes the place of two.
fn tail(page: &Page) -> PageTail {
    let header = LceHeader::from_code(page.header);
    let octets = match page.paged {
        Paged::Tpui(tpui) if page.long_slot => LcePage::FullTpui {
            header,
            slot_type: SlotType::LONG_640,
            tpui,
            setup_info: 0,
        }
        .encode(),
        Paged::Tpui(tpui) => LcePage::short(header, tpui).encode(),
        Paged::Ipui(ipui) => LcePage::by_ipui(header, ipui).encode(),
    };
    match *octets {
        [a, b, c] => PageTail::Short([a, b, c]),
        [a, b, c, d, e] => PageTail::Full([a, b, c, d, e]),
        _ => unreachable!("a page has 3 or 5 octets"),
    }
}
