//! One cell, one or two servers, a portable that speaks LAPC, and a clock that the test moves.

use std::time::{Duration, Instant};

use ipdect_dect::dlc::{Lapc, Output, Side};
use ipdect_dect::identity::{Ari, Ipei, Rfpi, Rpn};
use ipdect_dect::mac::Pmid;
use ipdect_dect::mac::air::AccessKind;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::cell::connection::DownReason;
use crate::cell::fence::{Fence, Floor, Start, Token};
use crate::cell::message::*;
use crate::cell::{Action, Cell, Event, LinkId, Settings};
use crate::radio::{self, Order as RadioOrder};
use crate::speech::Path;
use crate::tests::t0;

pub(super) const SHARD: u16 = 331;
pub(super) const ACTIVE: LinkId = 1;
pub(super) const STANDBY: LinkId = 2;

pub(super) struct Scene {
    pub(super) cell: Cell,
    pub(super) now: Instant,
    rng: ChaCha8Rng,
    order_id: u64,
}

pub(super) fn ipei() -> Ipei {
    "05003 0070387".parse().unwrap()
}

pub(super) fn fence(revision: u64) -> Fence {
    Fence {
        shard: SHARD,
        token: Token { era: 1, revision },
    }
}

pub(super) fn pmid(bits: u32) -> Pmid {
    Pmid::from_bits(bits).unwrap()
}

pub(super) fn start(node: &str) -> Start {
    Start {
        node_id: node.into(),
        boot_id: 1,
    }
}

pub(super) fn path(ssrc_in: u32) -> Path {
    Path {
        remote: "127.0.0.1:24576".parse().unwrap(),
        ssrc_out: 1,
        ssrc_in,
        payload_type: 96,
        dscp: 46,
        keys: None,
    }
}

impl Scene {
    /// Booted, nothing else.
    pub(super) fn booted() -> Self {
        let now = t0();
        let settings = Settings {
            boot_id: 0xAAAA_0001_0000_0007,
            orphan_grace: Duration::from_secs(900),
        };
        Self {
            cell: Cell::new(now, settings),
            now,
            rng: ChaCha8Rng::seed_from_u64(1),
            order_id: 0,
        }
    }

    /// Linked, configured, with floors of the shard at revision 10.
    pub(super) fn serving() -> Self {
        let mut scene = Self::booted();
        scene.link_up(ACTIVE, true);
        scene.configure(1, 0);
        scene.floor(10);
        scene
    }

    /// With one connection, bound.
    pub(super) fn bound() -> (Self, ConnectionId) {
        let mut scene = Self::serving();
        let id = scene.access(0x1234);
        scene.told(
            Task::Bind {
                connection: id,
                ipei: ipei(),
            },
            Outcome::Done,
        );
        (scene, id)
    }

    pub(super) fn handle(&mut self, event: Event) -> Vec<Action> {
        self.cell.handle(self.now, &mut self.rng, event)
    }

    pub(super) fn radio(&mut self, event: radio::Event) -> Vec<Action> {
        self.handle(Event::Radio(event))
    }

    /// Lets time pass, waking the cell whenever it wants to be.
    pub(super) fn pass(&mut self, time: Duration) -> Vec<Action> {
        let until = self.now + time;
        let mut out = Vec::new();
        let mut wakes = 0;
        while let Some(at) = self.cell.next_deadline().filter(|at| *at <= until) {
            wakes += 1;
            assert!(wakes < 10_000, "the cell wants to be woken without end");
            self.now = at.max(self.now);
            out.extend(self.handle(Event::Deadline));
        }
        self.now = until;
        out
    }

    pub(super) fn link_up(&mut self, link: LinkId, active: bool) -> Vec<Action> {
        let start = start(if link == ACTIVE {
            "server-1"
        } else {
            "server-2"
        });
        let orphan_grace = Duration::from_secs(900);
        self.handle(Event::LinkUp {
            link,
            start,
            active,
            orphan_grace,
        })
    }

    pub(super) fn configure(&mut self, revision: u64, handover_reserve: u8) -> Vec<Action> {
        let rfpi = Rfpi::new(Ari::class_b(0x1002, 0x345).unwrap(), Rpn(0x2A));
        let configuration = Configuration {
            revision,
            rfpi,
            capabilities: [1, 2, 3, 4, 5],
            handover_reserve,
        };
        self.handle(Event::Told {
            link: ACTIVE,
            instruction: Instruction::Configure(configuration),
        })
    }

    pub(super) fn floor(&mut self, revision: u64) {
        let floor = Floor {
            fence: fence(revision),
            start: start("server-1"),
        };
        let instruction = Instruction::Floors(vec![floor]);
        assert_eq!(
            self.handle(Event::Told {
                link: ACTIVE,
                instruction
            }),
            []
        );
    }

    /// A portable asks for a connection and is heard on its bearer.
    pub(super) fn access(&mut self, bits: u32) -> ConnectionId {
        let out = self.ask(bits, AccessKind::Access);
        let up = reports(&out).into_iter().find_map(|r| match r {
            Report::ConnectionUp {
                connection, bearer, ..
            } => Some((connection, bearer)),
            _ => None,
        });
        let (id, bearer) = up.expect("a connection");
        self.radio(radio::Event::BearerUp { bearer });
        id
    }

    pub(super) fn ask(&mut self, bits: u32, kind: AccessKind) -> Vec<Action> {
        self.radio(radio::Event::Access {
            pmid: pmid(bits),
            kind,
            rssi_dbm: -50,
        })
    }

    pub(super) fn order(
        &mut self,
        link: LinkId,
        fence: Fence,
        task: Task,
    ) -> (Outcome, Vec<Action>) {
        self.order_id += 1;
        let order = Order {
            order_id: self.order_id,
            fence,
            task,
        };
        self.give(link, order)
    }

    pub(super) fn give(&mut self, link: LinkId, order: Order) -> (Outcome, Vec<Action>) {
        let order_id = order.order_id;
        let mut out = self.handle(Event::Told {
            link,
            instruction: Instruction::Order(order),
        });
        let mut outcome = None;
        out.retain(|action| match action {
            Action::Tell {
                link: to,
                report:
                    Report::Result {
                        order_id: of,
                        outcome: found,
                    },
            } => {
                assert_eq!((*to, *of), (link, order_id));
                assert!(outcome.replace(found.clone()).is_none(), "one result");
                false
            }
            _ => true,
        });
        (outcome.expect("each order is answered"), out)
    }

    /// Gives an order on the active link in the name of revision 10, and answers what it brought about.
    pub(super) fn told(&mut self, task: Task, outcome: Outcome) -> Vec<Action> {
        let (found, out) = self.order(ACTIVE, fence(10), task);
        assert_eq!(found, outcome);
        out
    }
}

/// What was told to servers.
pub(super) fn reports(out: &[Action]) -> Vec<Report> {
    out.iter()
        .filter_map(|action| match action {
            Action::Tell {
                report: Report::Cell(_),
                ..
            } => None,
            Action::Tell { report, .. } => Some(report.clone()),
            _ => None,
        })
        .collect()
}

/// What the radio was told, but for the broadcast.
pub(super) fn orders(out: &[Action]) -> Vec<RadioOrder> {
    out.iter()
        .filter_map(|action| match action {
            Action::Radio(RadioOrder::Broadcast(_)) => None,
            Action::Radio(order) => Some(order.clone()),
            _ => None,
        })
        .collect()
}

pub(super) fn down(connection: ConnectionId, reason: DownReason) -> Report {
    Report::ConnectionDown {
        connection,
        reason,
        last: None,
    }
}

/// A portable's end of LAPC on one bearer.
pub(super) struct Portable {
    pub(super) lapc: Lapc,
    pub(super) bearer: u8,
    pub(super) heard: Vec<Vec<u8>>,
}

impl Portable {
    pub(super) fn new(bits: u32, bearer: u8) -> Self {
        Self {
            lapc: Lapc::new(Side::Portable, pmid(bits).lsig()),
            bearer,
            heard: Vec::new(),
        }
    }

    /// Sends a message; answers what the cell did, with its answers fed back until all is quiet.
    pub(super) fn says(&mut self, scene: &mut Scene, message: &[u8]) -> Vec<Action> {
        let outputs = self.lapc.send(scene.now, message).unwrap();
        let mut out = Vec::new();
        self.carry(scene, outputs, &mut out);
        out
    }

    /// Takes what the cell orders for its bearer; answers what else it orders.
    pub(super) fn hears(&mut self, scene: &mut Scene, actions: Vec<Action>, out: &mut Vec<Action>) {
        for action in actions {
            match action {
                Action::Radio(RadioOrder::Send {
                    bearer,
                    segment: Some(segment),
                    ..
                }) if bearer == self.bearer => {
                    let outputs = self.lapc.segment(scene.now, segment);
                    let more = scene.radio(radio::Event::SegmentTaken { bearer });
                    self.carry(scene, outputs, out);
                    self.hears(scene, more, out);
                }
                other => out.push(other),
            }
        }
    }

    pub(super) fn carry(&mut self, scene: &mut Scene, outputs: Vec<Output>, out: &mut Vec<Action>) {
        for output in outputs {
            match output {
                Output::Transmit(octets) => {
                    for segment in octets.chunks_exact(5) {
                        let segment = segment.try_into().unwrap();
                        let actions = scene.radio(radio::Event::Segment {
                            bearer: self.bearer,
                            segment,
                        });
                        self.hears(scene, actions, out);
                    }
                }
                Output::Deliver(message) => self.heard.push(message),
                Output::Established | Output::AllSent | Output::Failed => {}
            }
        }
    }
}
