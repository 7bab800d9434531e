//! From where the packets of a SIP peer are believed.

use std::net::SocketAddr;

use super::types::SourceRule;

/// The rule of one leg and what it learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gate {
    rule: SourceRule,
    signalled: SocketAddr,
    latched: Option<SocketAddr>,
}

impl Gate {
    pub(super) fn new(rule: SourceRule, signalled: SocketAddr) -> Gate {
        Gate {
            rule,
            signalled,
            latched: None,
        }
    }

    /// New SDP: a latch is only let go when the peer names another address.
    pub(super) fn renewed(self, rule: SourceRule, signalled: SocketAddr) -> Gate {
        if rule == self.rule && signalled == self.signalled {
            return self;
        }
        Gate::new(rule, signalled)
    }

    /// Whether a packet from there may be looked at.
    pub(super) fn admits(&self, from: SocketAddr) -> bool {
        match (self.rule, self.latched) {
            (SourceRule::Strict, _) => from == self.signalled,
            (SourceRule::LatchOnce, Some(latched)) => from == latched,
            (SourceRule::LatchOnce, None) => true,
        }
    }

    /// Whether RTCP from there may be looked at: its port is often another one.
    pub(super) fn admits_rtcp(&self, from: SocketAddr) -> bool {
        match (self.rule, self.latched) {
            (SourceRule::LatchOnce, None) => false,
            _ => from.ip() == self.peer().ip(),
        }
    }

    /// A packet from there was believed: where SRTP is on, it was authenticated.
    pub(super) fn believed(&mut self, from: SocketAddr) {
        if self.rule == SourceRule::LatchOnce {
            self.latched.get_or_insert(from);
        }
    }

    /// Where to send.
    pub(super) fn peer(&self) -> SocketAddr {
        self.latched.unwrap_or(self.signalled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_strict_gate_knows_one_address() {
        let mut gate = Gate::new(SourceRule::Strict, address("192.0.2.1:4000"));
        assert!(gate.admits(address("192.0.2.1:4000")));
        assert!(!gate.admits(address("192.0.2.1:4002")));
        assert!(gate.admits_rtcp(address("192.0.2.1:4001")));
        gate.believed(address("192.0.2.9:1"));
        assert_eq!(gate.peer(), address("192.0.2.1:4000"));
    }

    #[test]
    fn a_latch_closes_after_the_first_believed_packet_and_opens_only_for_new_sdp() {
        let signalled = address("10.0.0.5:4000");
        let mut gate = Gate::new(SourceRule::LatchOnce, signalled);
        assert!(gate.admits(address("203.0.113.7:999")));
        assert!(!gate.admits_rtcp(address("203.0.113.7:1000")));
        gate.believed(address("203.0.113.7:999"));
        gate.believed(address("203.0.113.66:1"));
        assert_eq!(gate.peer(), address("203.0.113.7:999"));
        assert!(!gate.admits(address("203.0.113.66:1")));
        assert!(!gate.admits(signalled));
        assert_eq!(gate.renewed(SourceRule::LatchOnce, signalled), gate);
        let moved = gate.renewed(SourceRule::LatchOnce, address("10.0.0.6:4000"));
        assert!(moved.admits(address("203.0.113.66:1")));
    }
}
