//! Plain values of the speech path, as orders and results speak of them (`contracts.md` sections 7 and 8).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Names one speech session of a handset: a UUIDv7, drawn by the owner of the handset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub u128);

/// Names one call of a handset: a UUIDv7, drawn by the owner of the handset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallRef(pub u128);

/// Names a leg within a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LegId(pub u32);

impl LegId {
    /// The leg towards the base station.
    pub const BASE: LegId = LegId(1);
    /// The leg towards the SIP peer.
    pub const SIP: LegId = LegId(2);
}

/// Names a path of the base leg; each base station that carries the speech has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PathId(pub u32);

/// What a leg leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LegKind {
    /// A base station: one port a worker, streams told apart by SSRC.
    Base,
    /// A SIP peer: a port pair of its own.
    Sip,
}

/// Which session is let in when resources run short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// An ordinary call.
    #[default]
    Normal,
    /// An emergency call: may use the reserve.
    Emergency,
}

/// One payload type that a leg may send or receive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Codec {
    /// RTP payload type, 0 to 127.
    pub payload_type: u8,
    /// Encoding name as in SDP, such as `PCMA` or `AAL2-G726-32`.
    pub name: String,
    /// RTP clock in hertz.
    pub clock_hz: u32,
    /// Packet length in milliseconds.
    pub ptime_ms: u32,
}

/// A master key and salt of SDES, as RFC 4568 section 6.1 carries them.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SrtpKey(pub Vec<u8>);

/// Name of the one suite that base legs use, and our first choice towards SIP.
pub const AES_CM_128_HMAC_SHA1_80: &str = "AES_CM_128_HMAC_SHA1_80";

/// Length of master key and salt of [`AES_CM_128_HMAC_SHA1_80`] in octets.
pub const SRTP_KEY_LENGTH: usize = 30;

/// Keys of a path between base station and media resource, as seen by the one who is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PathSrtp {
    /// Name of the suite.
    pub suite: String,
    /// Key of what the told one sends.
    pub key_out: SrtpKey,
    /// Key of what it receives.
    pub key_in: SrtpKey,
}

/// One stream pair between a base station and a media resource, as seen by the one who is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Path {
    /// Where to send to.
    pub remote: SocketAddr,
    /// SSRC of what the told one sends.
    pub ssrc_out: u32,
    /// SSRC of what it receives.
    pub ssrc_in: u32,
    /// RTP payload type of the speech, 96.
    pub payload_type: u8,
    /// Keys; absent where the administrator switched SRTP on base legs off.
    pub srtp: Option<PathSrtp>,
}

impl Path {
    /// The same path as the other end sees it, which sends to `remote`.
    #[must_use]
    pub fn mirrored(&self, remote: SocketAddr) -> Path {
        Path {
            remote,
            ssrc_out: self.ssrc_in,
            ssrc_in: self.ssrc_out,
            payload_type: self.payload_type,
            srtp: self.srtp.as_ref().map(|srtp| PathSrtp {
                suite: srtp.suite.clone(),
                key_out: srtp.key_in.clone(),
                key_in: srtp.key_out.clone(),
            }),
        }
    }
}

/// Our side of SDES on a SIP leg: what we will send with (RFC 4568).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LegSrtp {
    /// Name of the suite.
    pub suite: String,
    /// Key of what the media resource sends.
    pub key_out: SrtpKey,
    /// Master key identifier and its length in octets, when offered.
    pub mki: Option<(u64, u8)>,
    /// Packets after which the key is spent, when offered.
    pub lifetime_packets: Option<u64>,
}

/// The peer's side of SDES on a SIP leg.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RemoteSrtp {
    /// Name of the suite; the leg's own key of this suite is used.
    pub suite: String,
    /// Key of what the media resource receives.
    pub key_in: SrtpKey,
    /// Master key identifier and its length in octets.
    pub mki: Option<(u64, u8)>,
}

/// Where the peer of a SIP leg takes media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Remote {
    /// Address.
    pub address: IpAddr,
    /// RTP port.
    pub rtp_port: u16,
    /// RTCP port.
    pub rtcp_port: u16,
}

/// Which way media flows on a leg, as seen by us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// To the peer only.
    SendOnly,
    /// From the peer only.
    RecvOnly,
    /// Neither way.
    Inactive,
}

/// How strictly the source of what arrives on a leg is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Only what comes from the signalled address.
    Strict,
    /// The first source after the SDP is kept, for peers behind address translation.
    LatchOnce,
}

/// Which way a connection between two legs lets speech through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Junction {
    /// Both ways.
    Both,
    /// From the first named leg to the second.
    AToB,
    /// From the second named leg to the first.
    BToA,
}

/// A call progress tone, made by the media resource towards the handset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Tone {
    /// Dial now.
    Dial,
    /// The other side rings.
    RingBack,
    /// The other side is busy.
    Busy,
    /// The call failed in the network.
    Congestion,
    /// Done.
    Confirm,
    /// Not done.
    NegativeAck,
    /// Another call waits.
    CallWaiting,
    /// The call was diverted by the network.
    Intercept,
}

/// Final figures of a leg, passed on for the call's summary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LegStats {
    /// Packets sent.
    pub sent: u64,
    /// Packets received.
    pub received: u64,
    /// Sequence gaps and receive-queue overflows.
    pub lost: u64,
    /// Packets made up.
    pub concealed: u64,
    /// Frames that were bad on the air.
    pub bad_air: u64,
    /// Interarrival jitter in microseconds.
    pub jitter_us: u32,
    /// Level in dBm0.
    pub level_dbm0: f32,
    /// Transmission rating, 0 to 100.
    pub r_factor: f32,
}

impl fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SrtpKey(redacted)")
    }
}

/// Writes a 128-bit identifier in the form of RFC 9562.
fn uuid(f: &mut fmt::Formatter<'_>, value: u128) -> fmt::Result {
    let hex = format!("{value:032x}");
    write!(
        f,
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid(f, self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid(f, self.0)
    }
}

impl fmt::Display for CallRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid(f, self.0)
    }
}

impl fmt::Debug for CallRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid(f, self.0)
    }
}
