//! The body of the cell: it owns clock, sockets and links, and decides nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ipdect_dect::mac::BEARERS;
use ipdect_node::{Clock, Environment, drops};
use rand_core::RngCore;
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time;

use crate::cell::message::{Instruction, Report};
use crate::cell::{Action, Cell, Event, LinkId, Settings};
use crate::convert;
use crate::metrics::Meters;
use crate::radio::virtual_air::VirtualAir;
use crate::radio::{self, Order, Radio};
use crate::traces::Traces;
use crate::uplink::{self, Greeting, Senders};
use crate::wire::UdpSink;

/// Packets of speech taken at once, so that the radio's clock waits for no flood.
const BATCH: usize = 64;
/// Longest packet of speech worth reading.
const PACKET_OCTETS: usize = 2048;
/// How often gauges are shown.
const SHOW_EVERY: Duration = Duration::from_secs(1);
/// Orphan grace until a server says another one. Source: contracts, section 5.
const ORPHAN_GRACE: Duration = Duration::from_secs(900);
/// Time for the last words of a drained cell: RELEASE goes twice, and links have queues.
const LAST_WORDS: Duration = Duration::from_millis(60);

/// Random numbers of this base.
pub(crate) type Rng = Box<dyn RngCore + Send>;

/// What a body is made of.
pub(crate) struct Parts {
    pub(crate) env: Environment,
    pub(crate) radio: VirtualAir<Rng>,
    pub(crate) speech: UdpSocket,
    pub(crate) greeting: Arc<Greeting>,
    pub(crate) rng: Rng,
    /// Why portables cannot be served now; empty when they can.
    pub(crate) readiness: watch::Sender<Vec<String>>,
}

/// A running cell.
pub(crate) struct CellBody {
    cell: Cell,
    clock: Arc<dyn Clock>,
    radio: VirtualAir<Rng>,
    speech: UdpSocket,
    links: Senders,
    greeting: Arc<Greeting>,
    rng: Rng,
    meters: Meters,
    traces: Traces,
    readiness: watch::Sender<Vec<String>>,
    dscp: Option<u8>,
    rises: u64,
    rpn: u8,
    drained: bool,
}

impl CellBody {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            env,
            radio,
            speech,
            greeting,
            rng,
            readiness,
        } = parts;
        let settings = Settings {
            boot_id: greeting.boot_id,
            orphan_grace: ORPHAN_GRACE,
        };
        Self {
            cell: Cell::new(env.clock.now(), settings),
            meters: Meters::new(&env.metrics),
            clock: env.clock,
            radio,
            speech,
            links: Senders::default(),
            greeting,
            rng,
            traces: Traces::default(),
            readiness,
            dscp: None,
            rises: 0,
            rpn: 0,
            drained: false,
        }
    }

    /// Runs until drained.
    ///
    /// # Errors
    /// Those of the radio or of the speech socket; nothing works without them.
    pub(crate) async fn run(
        mut self,
        mut uplink: mpsc::Receiver<uplink::Event>,
        mut drain: watch::Receiver<Option<Instant>>,
    ) -> io::Result<()> {
        let mut packet = [0; PACKET_OCTETS];
        let mut show = time::interval(SHOW_EVERY);
        let mut asked = false;
        while !self.drained {
            let deadline = self.cell.next_deadline();
            tokio::select! {
                biased;
                event = self.radio.event() => self.on_air(event?),
                received = self.speech.recv_from(&mut packet) => self.packets(received, &mut packet)?,
                Some(event) = uplink.recv() => self.on_link(event),
                () = sleep_until(deadline) => self.handle(Event::Deadline),
                Some(deadline) = drain_asked(&mut drain), if !asked => {
                    asked = true;
                    self.handle(Event::Drain { deadline });
                }
                _ = show.tick() => self.show(),
            }
        }
        self.last_words().await
    }

    /// Lets the radio say RELEASE a second time, and links take what is queued.
    async fn last_words(&mut self) -> io::Result<()> {
        let end = self.clock.now() + LAST_WORDS;
        while self.clock.now() < end {
            if let Ok(event) = time::timeout(LAST_WORDS, self.radio.event()).await {
                self.on_air(event?);
            }
        }
        Ok(())
    }

    fn on_air(&mut self, event: radio::Event) {
        let now = self.clock.now();
        match event {
            radio::Event::FrameStarted(frame) => {
                let (radio, mut sink) = (&mut self.radio, UdpSink(&self.speech));
                self.cell
                    .speech_mut()
                    .frame(now, frame, &mut sink, |bearer, b_field| {
                        radio.order(Order::Send {
                            bearer,
                            segment: None,
                            b_field: Some(b_field),
                        });
                    });
            }
            radio::Event::BField {
                bearer,
                frame,
                field,
                rssi_dbm,
            } => {
                let mut sink = UdpSink(&self.speech);
                self.cell
                    .speech_mut()
                    .b_field(bearer, frame, field, rssi_dbm, &mut sink);
            }
            event => self.handle(Event::Radio(event)),
        }
        self.radio.flush();
    }

    fn packets(
        &mut self,
        first: io::Result<(usize, SocketAddr)>,
        packet: &mut [u8],
    ) -> io::Result<()> {
        let now = self.clock.now();
        let mut received = first;
        for _ in 0..BATCH {
            match received {
                Ok((length, from)) => {
                    self.cell
                        .speech_mut()
                        .received(now, from, &mut packet[..length])
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // An ICMP error of an earlier packet: its media resource is away, the socket is not.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(()),
                Err(error) => return Err(error),
            }
            received = self.speech.try_recv_from(packet);
        }
        Ok(())
    }

    fn on_link(&mut self, event: uplink::Event) {
        match event {
            uplink::Event::Up {
                link,
                sender,
                start,
                active,
                orphan_grace,
            } => {
                self.links.add(link, sender);
                self.handle(Event::LinkUp {
                    link,
                    start,
                    active,
                    orphan_grace,
                });
            }
            uplink::Event::Down { link } => {
                self.links.remove(link);
                self.handle(Event::LinkDown { link });
            }
            uplink::Event::Message { link, trace, body } => {
                self.traces.ordered(&trace, &body);
                self.told(link, body);
            }
        }
        self.radio.flush();
    }

    fn told(&mut self, link: LinkId, body: ipdect_proto::radio::v1::server_to_base::Body) {
        match convert::instruction(body) {
            Ok(Some(instruction)) => {
                if let Instruction::Configure(configuration) = &instruction {
                    self.rpn = configuration.rfpi.rpn().0;
                }
                self.handle(Event::Told { link, instruction });
            }
            Ok(None) => {}
            Err(rejection) => {
                tracing::warn!(link, order_id = rejection.order_id, why = %rejection.why, "message not understood");
                if let Some(order_id) = rejection.order_id {
                    self.links.tell(
                        link,
                        Bytes::new(),
                        convert::rejected(order_id, rejection.why),
                    );
                }
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let now = self.clock.now();
        for action in self.cell.handle(now, &mut *self.rng, event) {
            self.run_action(action);
        }
        self.tell_floors();
        self.tell_readiness();
    }

    fn run_action(&mut self, action: Action) {
        match action {
            Action::Radio(order) => {
                match &order {
                    Order::Page { .. } => self.meters.paged(),
                    Order::Refuse { .. } => self.meters.blocked(),
                    _ => {}
                }
                self.radio.order(order);
            }
            Action::Tell { link, report } => self.tell(link, report),
            Action::MarkSpeech { dscp } => self.mark(dscp),
            Action::Drained => self.drained = true,
        }
    }

    fn tell(&mut self, link: LinkId, report: Report) {
        self.meters.reported(&report);
        let trace = self.traces.of(&report);
        self.links
            .tell(link, trace, convert::body(report, self.rpn));
    }

    /// One socket has one mark; servers give all paths the same.
    fn mark(&mut self, dscp: u8) {
        if self.dscp.replace(dscp) == Some(dscp) {
            return;
        }
        let (socket, tos) = (SockRef::from(&self.speech), u32::from(dscp) << 2);
        let marked = match self.speech.local_addr() {
            Ok(SocketAddr::V6(_)) => socket.set_tclass_v6(tos),
            _ => socket.set_tos_v4(tos),
        };
        if let Err(error) = marked {
            tracing::warn!(dscp, %error, "speech packets cannot be marked");
        }
    }

    /// The next `Hello` names the floors of now.
    fn tell_floors(&mut self) {
        let floors = self.cell.floors();
        if floors.rises() != self.rises {
            self.rises = floors.rises();
            *self.greeting.floors.lock() = (floors.era(), floors.all());
        }
    }

    fn tell_readiness(&self) {
        let ready = self.cell.is_ready();
        self.readiness.send_if_modified(|reasons| {
            let changed = reasons.is_empty() != ready;
            *reasons = if ready {
                vec![]
            } else {
                vec!["no server, or not configured by it".to_owned()]
            };
            changed
        });
    }

    fn show(&mut self) {
        let cell = &self.cell;
        self.traces.keep(|id| cell.stands(id));
        let speech = self.cell.speech();
        let (busy, streams, counts) = (
            self.cell.state().bearers_busy,
            speech.open_streams(),
            speech.counts(),
        );
        self.links.set_load(f32::from(busy) / f32::from(BEARERS));
        self.meters.show(
            self.cell.is_ready(),
            busy,
            streams,
            counts,
            self.overflow(),
            self.radio.counts(),
        );
    }

    /// Packets of speech that the kernel dropped so far, because they came faster than they were read.
    fn overflow(&self) -> u64 {
        let port = self.speech.local_addr().map_or(0, |a| a.port());
        drops::read().get(&port).copied().unwrap_or(0)
    }
}

/// The deadline of a drain, once one is asked for; none when nobody can ask any more.
async fn drain_asked(drain: &mut watch::Receiver<Option<Instant>>) -> Option<Instant> {
    drain
        .wait_for(Option::is_some)
        .await
        .ok()
        .and_then(|deadline| *deadline)
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
