//! A worker: one thread with its poll, its sockets and its sessions. Nothing here waits but the poll, and no lock is
//! taken for a packet.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ipdect_media::rtp::{Header, rtcp};
use ipdect_media::session::{Event, LegId, LegStats, PathId, PathSpec, Session};
use mio::{Events, Poll, Token, Waker};
use rand::{CryptoRng, RngCore};

use super::net::{Inbox, Outbound};
use super::sockets::{Owner, Sockets, WAKE};
use super::{
    Act, Command, Done, Failure, LegState, Second, SessionKey, SessionState, Surroundings, Told,
};

/// Longest sleep of a worker that has nothing to do.
const IDLE: Duration = Duration::from_secs(1);
/// Batches read of one socket before the others have their turn.
const FAIR: usize = 8;

/// The handle of a worker; when it is dropped the thread ends.
#[derive(Debug)]
pub struct Worker {
    hands: Hands,
    base: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

/// Sends commands to a worker; clones send to the same one.
#[derive(Debug, Clone)]
pub struct Hands {
    commands: mpsc::Sender<Command>,
    waker: Arc<Waker>,
}

impl Hands {
    /// Sends a command; orders of one session are carried out in the order of sending. A worker that has ended drops it,
    /// and with it the place for the answer.
    pub fn send(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            // Fails only when the poll is gone, and then nobody waits.
            let _ = self.waker.wake();
        }
    }
}

impl Worker {
    /// Starts a worker on the socket of its base legs.
    ///
    /// # Errors
    /// If the system refuses a poll or a thread.
    pub fn start(number: usize, base: UdpSocket, around: Surroundings) -> io::Result<Worker> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let address = base.local_addr()?;
        let sockets = Sockets::new(poll.registry().try_clone()?, base)?;
        let (commands, inbound) = mpsc::channel();
        // Made on its own thread: the headers of its batches hold pointers.
        let work = move || Bench::new(number, poll, sockets, inbound, around).run();
        let thread = std::thread::Builder::new()
            .name(format!("media-{number}"))
            .spawn(work)?;
        let hands = Hands { commands, waker };
        Ok(Worker {
            hands,
            base: address,
            thread: Some(thread),
        })
    }

    /// Sends commands to it.
    #[must_use]
    pub fn hands(&self) -> Hands {
        self.hands.clone()
    }

    /// Where its base legs are taken.
    #[must_use]
    pub fn base(&self) -> SocketAddr {
        self.base
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.hands.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            // A worker that panicked has said so on its way down.
            let _ = thread.join();
        }
    }
}

/// What the thread works on.
struct Bench {
    poll: Poll,
    inbound: mpsc::Receiver<Command>,
    sockets: Sockets,
    sessions: BTreeMap<SessionKey, Session>,
    /// Paths of base legs by the source that they receive.
    sources: HashMap<u32, (SessionKey, LegId, PathId)>,
    /// Sockets that had more to read than their turn.
    unread: Vec<Token>,
    inbox: Inbox,
    outbound: Outbound,
    rng: Box<dyn CryptoRng + Send>,
    around: Surroundings,
    second: Second,
    second_at: Instant,
    due_at: Instant,
}

impl Bench {
    fn new(
        number: usize,
        poll: Poll,
        sockets: Sockets,
        inbound: mpsc::Receiver<Command>,
        around: Surroundings,
    ) -> Bench {
        let now = around.clock.now();
        Bench {
            poll,
            inbound,
            sockets,
            sessions: BTreeMap::new(),
            sources: HashMap::new(),
            unread: Vec::new(),
            inbox: Inbox::new(),
            outbound: Outbound::new(),
            rng: around.random.generator(),
            around,
            second: Second {
                worker: number,
                ..Second::default()
            },
            second_at: now,
            due_at: now,
        }
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(256);
        let mut busy = Duration::ZERO;
        loop {
            let sleep = Some(self.sleep());
            if let Err(error) = self.poll.poll(&mut events, sleep)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "poll failed");
                return;
            }
            let began = self.around.clock.now();
            for token in std::mem::take(&mut self.unread) {
                self.read(token);
            }
            for event in &events {
                if event.token() != WAKE {
                    self.read(event.token());
                }
            }
            if !self.obey() {
                return;
            }
            let now = self.around.clock.now();
            if now >= self.due_at {
                self.keep_time(now);
            }
            self.flush();
            busy += self.around.clock.now() - began;
            if now >= self.second_at + IDLE {
                self.tell_second(now, std::mem::take(&mut busy));
            }
        }
    }

    fn sleep(&self) -> Duration {
        if !self.unread.is_empty() {
            return Duration::ZERO;
        }
        self.due_at
            .saturating_duration_since(self.around.clock.now())
            .min(IDLE)
    }

    /// Reads a socket until it is empty, or others must have their turn.
    fn read(&mut self, token: Token) {
        for _ in 0..FAIR {
            let Some((owner, socket, ipv6)) = self.sockets.owner(token) else {
                return;
            };
            let now = self.around.clock.now();
            match self.inbox.receive(socket, ipv6) {
                Ok(count) => self.take(now, owner, count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An ICMP error of a packet sent earlier; the socket goes on.
                Err(_) => continue,
            }
            let spent = self.around.clock.now().saturating_duration_since(now);
            self.second.forward_max = self.second.forward_max.max(spent);
        }
        self.unread.push(token);
    }

    fn take(&mut self, now: Instant, owner: Owner, count: usize) {
        for n in 0..count {
            let Some((packet, from)) = self.inbox.datagram(n) else {
                continue;
            };
            self.second.packets_in += 1;
            self.second.octets_in += packet.len() as u64;
            let place = match owner {
                Owner::Sip { session, leg, rtcp } => Some((session, leg, 0, rtcp)),
                Owner::Base => source(packet).and_then(|(ssrc, rtcp)| {
                    self.sources
                        .get(&ssrc)
                        .map(|(s, leg, path)| (*s, *leg, *path, rtcp))
                }),
            };
            let Some((key, leg, path, is_rtcp)) = place else {
                self.second.unknown += 1;
                continue;
            };
            let Some(session) = self.sessions.get_mut(&key) else {
                continue;
            };
            self.outbound.session = key;
            // Peers may mix both on the RTP port without a word (RFC 5761 asks for one).
            if is_rtcp || rtcp::is_rtcp(packet) {
                session.on_rtcp(now, leg, path, packet, from);
            } else {
                session.on_rtp(now, leg, path, packet, from, &mut self.outbound);
            }
            tell_events(&self.around, key, session);
            if self.outbound.is_filling() {
                self.flush();
            }
        }
        self.flush();
    }

    fn flush(&mut self) {
        if !self.outbound.is_empty() {
            let sockets = &self.sockets;
            let (packets, octets) = self.outbound.flush(|session, to| sockets.of(session, to));
            self.second.packets_out += packets;
            self.second.octets_out += octets;
        }
    }

    /// Lets every session do what is due.
    fn keep_time(&mut self, now: Instant) {
        let mut next = now + IDLE;
        let mut over = Vec::new();
        for (key, session) in &mut self.sessions {
            if session.next_deadline() <= now {
                self.outbound.session = *key;
                session.on_deadline(now, &mut self.outbound);
                if tell_events(&self.around, *key, session) {
                    over.push(*key);
                }
                let sockets = &self.sockets;
                let (packets, octets) = self.outbound.flush(|session, to| sockets.of(session, to));
                self.second.packets_out += packets;
                self.second.octets_out += octets;
            }
            next = next.min(session.next_deadline());
        }
        self.due_at = next;
        for session in over {
            let stats = self.close(now, session).unwrap_or_default();
            tell(&self.around, Told::Ended { session, stats });
        }
    }

    fn tell_second(&mut self, now: Instant, busy: Duration) {
        let length = now.saturating_duration_since(self.second_at);
        let worker = self.second.worker;
        let mut second = std::mem::replace(
            &mut self.second,
            Second {
                worker,
                ..Second::default()
            },
        );
        second.busy = (busy.as_secs_f64() / length.as_secs_f64().max(0.001)).min(1.0);
        second.dropped = std::mem::take(&mut self.outbound.dropped);
        self.second_at = now;
        tell(&self.around, Told::Second(second));
    }

    /// Carries out what was commanded; `false`: the thread is to end.
    fn obey(&mut self) -> bool {
        loop {
            match self.inbound.try_recv() {
                Ok(Command::Act {
                    session,
                    act,
                    reply,
                }) => {
                    let now = self.around.clock.now();
                    let done = self.act(now, session, act);
                    // Tones and digits may be due at once.
                    self.due_at = now;
                    let _ = reply.send(done);
                }
                Ok(Command::Describe { sessions, reply }) => {
                    let described = sessions.into_iter().filter_map(|key| self.describe(key));
                    let _ = reply.send(described.collect());
                }
                Ok(Command::Stop) | Err(mpsc::TryRecvError::Disconnected) => {
                    let now = self.around.clock.now();
                    for key in self.sessions.keys().copied().collect::<Vec<_>>() {
                        self.close(now, key);
                    }
                    self.flush();
                    return false;
                }
                Err(mpsc::TryRecvError::Empty) => return true,
            }
        }
    }

    fn act(&mut self, now: Instant, key: SessionKey, act: Act) -> Result<Done, Failure> {
        if let Act::Open = act {
            let mut name = [0; 8];
            self.rng.fill_bytes(&mut name);
            let name = name.map(|octet| b'a' + octet % 26);
            self.sessions
                .entry(key)
                .or_insert_with(|| Session::new(now, &name));
            return Ok(Done::Done);
        }
        match act {
            Act::OpenBase {
                leg,
                codec,
                path,
                spec,
            } => {
                self.check_source(key, leg, path, &spec)?;
                let ssrc = spec.ssrc_in;
                let (session, rng) = self.session(key)?;
                session.open_base(now, leg, codec, path, spec, rng)?;
                self.sources.insert(ssrc, (key, leg, path));
                let here = self.advertised(self.sockets.base());
                return Ok(Done::Opened {
                    leg,
                    rtp: here,
                    rtcp: here,
                });
            }
            Act::OpenSip {
                leg,
                local,
                sockets,
                dscp,
            } => {
                let there = self.sockets.sip(key, leg);
                let (session, rng) = self.session(key)?;
                if there.is_none() && sockets.is_none() {
                    return Err(Failure::NoSocket);
                }
                session.open_sip(now, leg, local, rng)?;
                let [rtp, rtcp] = match (there, sockets) {
                    (Some(addresses), _) => addresses,
                    (None, Some(pair)) => {
                        let opened = self.sockets.open(key, leg, pair, dscp);
                        opened.map_err(|_| Failure::NoSocket)?
                    }
                    (None, None) => return Err(Failure::NoSocket),
                };
                let (rtp, rtcp) = (self.advertised(rtp), self.advertised(rtcp));
                return Ok(Done::Opened { leg, rtp, rtcp });
            }
            Act::AddPath { leg, path, spec } => {
                self.check_source(key, leg, path, &spec)?;
                let ssrc = spec.ssrc_in;
                let (session, rng) = self.session(key)?;
                session.add_path(leg, path, spec, rng)?;
                self.sources.insert(ssrc, (key, leg, path));
            }
            Act::DropPath { leg, path } => {
                self.session(key)?.0.drop_path(leg, path)?;
                self.sources.retain(|_, place| *place != (key, leg, path));
            }
            Act::CloseLeg { leg } => return self.close_leg(now, key, leg),
            Act::Close => {
                let stats = self.close(now, key).ok_or(Failure::UnknownSession)?;
                return Ok(Done::Closed(stats));
            }
            other => act_within(self.session(key)?.0, now, other)?,
        }
        Ok(Done::Done)
    }

    fn session(&mut self, key: SessionKey) -> Result<(&mut Session, &mut dyn RngCore), Failure> {
        let session = self.sessions.get_mut(&key).ok_or(Failure::UnknownSession)?;
        Ok((session, &mut *self.rng))
    }

    /// One port serves all base legs of a worker, so a source may stand for one path only.
    fn check_source(
        &self,
        key: SessionKey,
        leg: LegId,
        path: PathId,
        spec: &PathSpec,
    ) -> Result<(), Failure> {
        match self.sources.get(&spec.ssrc_in) {
            Some(place) if *place != (key, leg, path) => Err(Failure::SsrcInUse),
            _ => Ok(()),
        }
    }

    fn close_leg(&mut self, now: Instant, key: SessionKey, leg: LegId) -> Result<Done, Failure> {
        let session = self.sessions.get_mut(&key).ok_or(Failure::UnknownSession)?;
        self.outbound.session = key;
        let stats = session.close_leg(now, leg, &mut self.outbound);
        // Its goodbye must leave by its own socket.
        self.flush();
        self.sockets.close(key, leg);
        self.sources.retain(|_, (s, l, _)| (*s, *l) != (key, leg));
        Ok(Done::LegClosed(stats.map(|stats| (leg, stats))))
    }

    fn close(&mut self, now: Instant, key: SessionKey) -> Option<Vec<(LegId, LegStats)>> {
        let legs: Vec<LegId> = self.sessions.get(&key)?.leg_ids().collect();
        let mut stats = Vec::new();
        for leg in legs {
            if let Ok(Done::LegClosed(closed)) = self.close_leg(now, key, leg) {
                stats.extend(closed);
            }
        }
        self.sessions.remove(&key);
        Some(stats)
    }

    fn describe(&self, key: SessionKey) -> Option<(SessionKey, SessionState)> {
        let session = self.sessions.get(&key)?;
        let legs = session.legs().map(|view| {
            let base = self.sockets.base();
            let [rtp, rtcp] = self.sockets.sip(key, view.id).unwrap_or([base, base]);
            LegState {
                leg: view.id,
                rtp: self.advertised(rtp),
                rtcp: self.advertised(rtcp),
                local: view.local.cloned(),
                remote: view.remote.cloned(),
                paths: session
                    .paths(view.id)
                    .map(|(id, spec)| (id, spec.clone()))
                    .collect(),
                tone: view.tone,
            }
        });
        let state = SessionState {
            legs: legs.collect(),
            junctions: session.junctions().to_vec(),
        };
        Some((key, state))
    }

    fn advertised(&self, bound: SocketAddr) -> SocketAddr {
        match self.around.advertise {
            Some(ip) => SocketAddr::new(ip, bound.port()),
            None => bound,
        }
    }
}

/// Orders that concern nothing but the session itself.
fn act_within(session: &mut Session, now: Instant, act: Act) -> Result<(), Failure> {
    match act {
        Act::Modify { leg, remote } => session.modify_sip(leg, remote)?,
        Act::Connect { a, b, direction } => session.connect(now, a, b, direction)?,
        Act::Disconnect { a, b, direction } => session.disconnect(a, b, direction)?,
        Act::PlayTone {
            leg,
            tone,
            region,
            level_dbm0,
        } => {
            session.play_tone(now, leg, tone, region, level_dbm0)?;
        }
        Act::StopTone { leg } => session.stop_tone(leg)?,
        Act::SendDtmf {
            leg,
            digits,
            duration,
            gap,
            cause,
        } => {
            session.send_dtmf(now, leg, &digits, duration, gap, cause)?;
        }
        Act::Overflowed { leg, packets } => session.overflowed(leg, packets),
        // The others were dealt with before.
        _ => {}
    }
    Ok(())
}

/// The source of a packet on the shared port, and whether it is RTCP.
fn source(packet: &[u8]) -> Option<(u32, bool)> {
    if rtcp::is_rtcp(packet) {
        let octets = packet.get(4..)?.first_chunk::<4>()?;
        return Some((u32::from_be_bytes(*octets), true));
    }
    Header::parse(packet)
        .ok()
        .map(|header| (header.ssrc, false))
}

/// Tells what happened in a session; answers whether it is over.
fn tell_events(around: &Surroundings, session: SessionKey, mind: &mut Session) -> bool {
    let mut over = false;
    while let Some(event) = mind.poll_event() {
        over |= event == Event::Abandoned;
        if event != Event::Abandoned {
            tell(around, Told::Event { session, event });
        }
    }
    over
}

/// A full queue loses the message: speech must not wait for it.
fn tell(around: &Surroundings, told: Told) {
    if around.teller.try_send(told).is_err() {
        tracing::debug!("queue to the service is full");
    }
}
