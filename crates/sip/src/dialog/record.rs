//! A dialog as plain data, for the record that outlives its server. Source: `takeover.md` section 7.

use bytes::Bytes;

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Our INVITE is out, no tag seen.
    Calling,
    /// Our INVITE is out, the peer's tag is known.
    Early,
    /// The peer's INVITE waits for our answer.
    Incoming,
    /// The peer accepted; our ACK is not confirmed to be sent.
    Answered,
    /// We accepted; the ACK did not come yet.
    Unacknowledged,
    /// Both sides know that it stands.
    Confirmed,
    /// Our CANCEL or BYE was decided.
    Ending,
}

/// One early dialog: the peer's tag and where its requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlyRecord {
    /// The peer's tag.
    pub tag: String,
    /// Remote target.
    pub target: String,
    /// Route set, topmost first.
    pub route_set: Vec<String>,
}

/// The session timer in force (RFC 4028).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimerRecord {
    /// The interval in seconds.
    pub interval_s: u32,
    /// Whether we refresh.
    pub we_refresh: bool,
}

/// All of one call's SIP state that a new owner needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogRecord {
    /// How far the call is.
    pub phase: Phase,
    /// Whether we called.
    pub we_called: bool,
    /// Call-ID.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The peer's tag, once there is one.
    pub remote_tag: Option<String>,
    /// Early dialogs of our INVITE, 4 at most.
    pub early: Vec<EarlyRecord>,
    /// Our address as in From or To, without tag.
    pub local: String,
    /// The peer's address as in To or From, without tag.
    pub remote: String,
    /// Remote target.
    pub remote_target: String,
    /// Route set, topmost first.
    pub route_set: Vec<String>,
    /// Generation in which the dialog was created.
    pub created_in: u64,
    /// Highest CSeq number of the peer.
    pub remote_cseq: Option<u32>,
    /// CSeq number of the INVITE that opened the dialog, for its ACK.
    pub invite_cseq: u32,
    /// Contact last sent.
    pub contact: String,
    /// Proxy in use.
    pub proxy: Option<u8>,
    /// Whether the peer allows UPDATE.
    pub allows_update: bool,
    /// Session timer.
    pub session: Option<SessionTimerRecord>,
    /// Our open INVITE without its body: enough for CANCEL and ACK.
    pub open_invite: Option<Bytes>,
    /// The peer's open INVITE (or re-INVITE, UPDATE) without its body: enough to answer it.
    pub peer_request: Option<Bytes>,
    /// Whether the peer's open request brought an offer.
    pub peer_offered: bool,
    /// Our 2xx that waits for its ACK.
    pub unacknowledged: Option<Bytes>,
    /// Our last SDP.
    pub local_sdp: Option<Bytes>,
    /// Our SDP that waits for the peer's answer.
    pub pending_sdp: Option<Bytes>,
    /// Hash of the peer's last SDP.
    pub remote_sdp_hash: Option<u64>,
}
