//! Our stack behind a socket: a user agent that keeps a transaction for each request, or the server's answer without one.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use bytes::Bytes;
use ipdect_sip::message::{Builder, HeaderName, Message, StatusCode};
use ipdect_sip::transaction::{Flow, Transport, note_source};
use ipdect_sip::user_agent::{Output, UserAgent};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Answerer, Asker, OVERDUE, State};
use crate::bench::cpu_time;
use crate::transaction::{FORGOTTEN, agent};

/// A socket, read by one thread, and what is behind it.
pub(super) struct Ours {
    socket: UdpSocket,
    address: SocketAddr,
    agent: UserAgent,
    rng: ChaCha8Rng,
    state: State,
    /// How far the time of the agent is ahead of the clock: transactions are forgotten without waiting for it.
    ahead: Duration,
}

impl Ours {
    pub(super) fn new(state: State) -> Result<Ours> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(OVERDUE))?;
        let address = socket.local_addr()?;
        Ok(Ours {
            socket,
            address,
            agent: agent("1001", address.port()),
            rng: ChaCha8Rng::seed_from_u64(3261),
            state,
            ahead: Duration::ZERO,
        })
    }

    fn now(&self) -> Instant {
        Instant::now() + self.ahead
    }

    fn answers_one(&mut self, buffer: &mut [u8]) -> Result<()> {
        let (length, remote) = self.socket.recv_from(buffer)?;
        let request = Message::parse(Bytes::copy_from_slice(&buffer[..length]))?;
        request.check()?;
        let flow = Flow {
            transport: Transport::Udp,
            remote,
            local: self.address,
            connection: 0,
        };
        if self.state == State::None {
            let response = answer(&request, flow);
            self.socket.send_to(response.bytes(), remote)?;
            return Ok(());
        }
        let outputs = self.agent.receive(self.now(), &mut self.rng, request, flow);
        for output in outputs {
            if let Output::Send(transmit) = output {
                self.socket.send_to(transmit.message.bytes(), remote)?;
            }
        }
        Ok(())
    }

    /// Lets all transactions end.
    fn forgets(&mut self) {
        let end = self.now() + FORGOTTEN;
        while let Some(due) = self.agent.next_deadline().filter(|due| *due <= end) {
            self.agent.deadline(due, &mut self.rng);
        }
        self.ahead += FORGOTTEN;
        assert_eq!(self.agent.transactions(), 0, "all are forgotten");
    }
}

impl Answerer for Ours {
    fn spends(&mut self, asker: &mut Asker, requests: u32) -> Result<Duration> {
        let port = self.address.port();
        std::thread::scope(|scope| {
            let answering = scope.spawn(|| {
                let mut buffer = [0; 4096];
                let begin = cpu_time();
                (0..requests).try_for_each(|_| self.answers_one(&mut buffer))?;
                self.forgets();
                Ok(cpu_time() - begin)
            });
            asker.asks(port, requests)?;
            answering.join().map_err(|_| anyhow!("it panicked"))?
        })
    }
}

/// As the server answers a request that is no handset's.
fn answer(request: &Message, flow: Flow) -> Message {
    Builder::response_to(&note_source(request, flow), StatusCode::OK, None)
        .header(
            HeaderName::Allow,
            "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS",
        )
        .header(HeaderName::Accept, "application/sdp")
        .build()
}
