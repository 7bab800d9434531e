//! A whole virtual handset against station, cell and speech, all in virtual time; the test is the server.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ipdect_dect::identity::{Ari, Ipei, Rfpi, Rpn};
use ipdect_dect::mac::air::Position;
use ipdect_dect::mac::propagation::Propagation;
use ipdect_dect::mac::{FRAME, FrameNumber};
use ipdect_dect::security;
use ipdect_portable::{
    Action as Did, Config, Event as Happens, Key, LocationFailure, Memory, Portable,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::t0;
use crate::cell::connection::DownReason;
use crate::cell::fence::{Fence, Floor, Start, Token};
use crate::cell::message::{
    Configuration, ConnectionId, Instruction, Order, Outcome, Page, Paged, Report, Task,
};
use crate::cell::{Action, Cell, Event, Settings};
use crate::radio;
use crate::radio::station::{Place, Station};

const SHARD: u16 = 716;

struct World {
    now: Instant,
    frame: u32,
    next_frame: Instant,
    rng: ChaCha8Rng,
    station: Station,
    cell: Cell,
    portable: Portable,
    sent: Vec<(SocketAddr, Vec<u8>)>,
    events: VecDeque<radio::Event>,
    reports: Vec<Report>,
    did: Vec<Did>,
    order_id: u64,
}

fn base() -> SocketAddr {
    "127.0.0.1:7462".parse().unwrap()
}

fn host() -> SocketAddr {
    "127.0.0.1:40000".parse().unwrap()
}

fn ipei() -> Ipei {
    "65535 0000001".parse().unwrap()
}

fn ari() -> Ari {
    Ari::class_b(0x1002, 0x345).unwrap()
}

fn fence() -> Fence {
    Fence {
        shard: SHARD,
        token: Token {
            era: 1,
            revision: 1,
        },
    }
}

impl World {
    /// A subscribed portable five metres away, switched off; a base that serves.
    fn new() -> Self {
        let now = t0();
        let place = Place {
            position: Position::default(),
            power_dbm: 24,
            propagation: Propagation {
                loss: 0.02,
                ..Propagation::default()
            },
        };
        let memory = Memory {
            ipei: ipei(),
            uak: security::Key::new([7; 16]),
            park: ari().park(),
            tpui: None,
        };
        let mut config = Config::new(ipei(), "1234".parse().unwrap());
        config.position_m = [5.0, 0.0, 0.0];
        let settings = Settings {
            boot_id: 1,
            orphan_grace: Duration::from_secs(900),
        };
        let mut world = Self {
            now,
            frame: 0,
            next_frame: now + FRAME,
            rng: ChaCha8Rng::seed_from_u64(9),
            station: Station::new(place),
            cell: Cell::new(now, settings),
            portable: Portable::new(config, Some(memory), vec![base()]),
            sent: Vec::new(),
            events: VecDeque::new(),
            reports: Vec::new(),
            did: Vec::new(),
            order_id: 0,
        };
        let start = Start {
            node_id: "server-1".into(),
            boot_id: 1,
        };
        let grace = Duration::from_secs(900);
        world.event(Event::LinkUp {
            link: 1,
            start: start.clone(),
            active: true,
            orphan_grace: grace,
        });
        world.told(Instruction::Floors(vec![Floor {
            fence: fence(),
            start,
        }]));
        world.told(Instruction::Configure(Configuration {
            revision: 1,
            rfpi: Rfpi::new(ari(), Rpn(3)),
            capabilities: [0x30, 0, 0, 0, 0],
            handover_reserve: 0,
        }));
        world
    }

    fn told(&mut self, instruction: Instruction) {
        self.event(Event::Told {
            link: 1,
            instruction,
        });
    }

    fn order(&mut self, task: Task) {
        self.order_id += 1;
        let order = Order {
            order_id: self.order_id,
            fence: fence(),
            task,
        };
        self.told(Instruction::Order(order));
        let result = Report::Result {
            order_id: self.order_id,
            outcome: Outcome::Done,
        };
        assert!(self.reports.contains(&result), "{:?}", self.reports.last());
    }

    fn event(&mut self, event: Event) {
        for action in self.cell.handle(self.now, &mut self.rng, event) {
            match action {
                Action::Radio(order) => self.station.order(self.now, order, &mut self.sent),
                Action::Tell { report, .. } => self.reports.push(report),
                Action::MarkSpeech { .. } | Action::Drained => {}
            }
        }
    }

    fn key(&mut self, key: Key) {
        let did = self
            .portable
            .handle(self.now, &mut self.rng, Happens::Key(key));
        self.carry(did);
    }

    fn carry(&mut self, did: Vec<Did>) {
        for did in did {
            match did {
                Did::Send { octets, .. } => {
                    self.station.received(
                        self.now,
                        host(),
                        &octets,
                        &mut self.rng,
                        &mut self.events,
                    );
                }
                other => self.did.push(other),
            }
        }
    }

    /// Carries everything to and fro until nothing is on the way.
    fn settle(&mut self) {
        loop {
            self.station.send_urgent(&mut self.sent);
            if let Some(event) = self.events.pop_front() {
                self.event(Event::Radio(event));
            } else if self.sent.is_empty() {
                return;
            } else {
                let (to, octets) = self.sent.remove(0);
                assert_eq!(to, host());
                let datagram = Happens::Datagram {
                    from: base(),
                    octets: &octets,
                };
                let did = self.portable.handle(self.now, &mut self.rng, datagram);
                self.carry(did);
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(1);
            if self
                .portable
                .next_deadline()
                .is_some_and(|at| at <= self.now)
            {
                let did = self
                    .portable
                    .handle(self.now, &mut self.rng, Happens::Deadline);
                self.carry(did);
            }
            if self.cell.next_deadline().is_some_and(|at| at <= self.now) {
                self.event(Event::Deadline);
            }
            if self.now >= self.next_frame {
                self.next_frame += FRAME;
                self.frame += 1;
                self.station
                    .start_frame(self.now, FrameNumber::new(self.frame), &mut self.events);
                self.settle();
                self.station.finish_frame(&mut self.sent);
            }
            self.settle();
        }
    }

    fn until<T>(&mut self, what: &str, find: impl Fn(&Self) -> Option<T>) -> T {
        for _ in 0..30_000 {
            if let Some(found) = find(self) {
                return found;
            }
            self.run(Duration::from_millis(1));
        }
        panic!("never: {what}; {:?} {:?}", self.reports, self.did);
    }
}

/// Message type of the second octet. Source: EN 300 175-5 section 7.4.
const LOCATE_REQUEST: u8 = 0x54;
const LCE_PAGE_RESPONSE: u8 = 0x71;

fn connection(world: &World) -> Option<ConnectionId> {
    world.reports.iter().find_map(|r| match r {
        Report::ConnectionUp { connection, .. } => Some(*connection),
        _ => None,
    })
}

fn said(world: &World, kind: u8) -> Option<u64> {
    world.reports.iter().find_map(|r| match r {
        Report::NwkUp(up) if up.pdu.get(1) == Some(&kind) => Some(up.seq),
        _ => None,
    })
}

fn down(world: &World) -> Option<DownReason> {
    world.reports.iter().find_map(|r| match r {
        Report::ConnectionDown { reason, .. } => Some(*reason),
        _ => None,
    })
}

/// Switches on, is heard, is told no: its link is released by the server.
fn refused(world: &mut World) {
    world.key(Key::PowerOn);
    let id = world.until("a connection", connection);
    let seq = world.until("a location request", |w| said(w, LOCATE_REQUEST));
    world.order(Task::Bind {
        connection: id,
        ipei: ipei(),
    });
    world.order(Task::NwkAck {
        connection: id,
        seq,
    });
    // {LOCATE-REJECT} reason 80: location area not allowed.
    let pdu = vec![0x85, 0x57, 0x60, 0x01, 0x80];
    world.order(Task::NwkDown {
        connection: id,
        seq: 1,
        pdu,
    });
    world.until("the rejection", |w| {
        w.did.iter().find_map(|d| match d {
            Did::Located(Err(LocationFailure::Rejected(_))) => Some(()),
            _ => None,
        })
    });
    world.order(Task::Release {
        connection: id,
        reason: DownReason::Normal,
    });
    assert_eq!(world.until("the end", down), DownReason::Normal);
    world.reports.clear();
}

#[test]
fn a_handset_is_heard_and_hears_through_two_percent_of_loss() {
    let mut world = World::new();
    refused(&mut world);
    assert_eq!(world.cell.state().bearers_busy, 0);
}

#[test]
fn a_handset_answers_a_page_and_is_lost_when_it_walks_away() {
    let mut world = World::new();
    refused(&mut world);
    let paged = Paged::Ipui(ipdect_dect::identity::Ipui::N(ipei()));
    let page = Page {
        page_id: 1,
        paged,
        header: 4,
        long_slot: false,
        life_multiframes: 6,
    };
    world.order(Task::Page(page));
    let id = world.until("a connection", connection);
    world.until("a page response", |w| said(w, LCE_PAGE_RESPONSE));
    world.order(Task::Bind {
        connection: id,
        ipei: ipei(),
    });
    world.run(Duration::from_secs(1));
    // Two kilometres on, nothing of it is heard any more.
    world.portable.set_position([2000.0, 0.0, 0.0]);
    assert_eq!(world.until("the loss", down), DownReason::RadioLost);
    assert_eq!(world.cell.state().bearers_busy, 0);
}
