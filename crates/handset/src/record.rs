//! The record of a handset with a call: what its next owner must know (`takeover.md` section 7).
//!
//! One value, written whole at every milestone, first to the media session, then to the store. It is JSON with short field
//! names and a format number of its own: a reader refuses what is newer than it knows how to read, by `lowest`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::event::{Link, MediaId};
use crate::media::{CallRef, Path, PathId, SessionId, SrtpKey, Tone};
use crate::notice::Placed;

/// Format that we write.
pub const FORMAT: u16 = 1;

/// Most octets of a record (`contracts.md` section 8).
pub const LONGEST: usize = 8 * 1024;

/// How far a call was when its record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    /// `{CC-SETUP}` taken.
    SetupTaken,
    /// About to send INVITE.
    Calling,
    /// A provisional answer brought the first tag of the peer.
    FirstTag,
    /// INVITE taken: before page and 180.
    InviteTaken,
    /// The handset rings: before 180.
    Alerting,
    /// Answered: before ACK or 200.
    Active,
    /// Our 200 was acknowledged.
    Acknowledged,
    /// Media were changed within the call, by either side: before the answer or offer.
    Changed,
    /// Another media resource carries the speech.
    Moved,
    /// About to send BYE, CANCEL or a final refusal.
    Ending,
}

/// The record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Format of the writer.
    pub format: u16,
    /// Lowest format that a reader must know.
    pub lowest: u16,
    /// Claim of the shard under which it was written.
    pub generation: u32,
    /// Rises with each record of the call.
    pub sequence: u32,
    /// Why it was written.
    pub milestone: Milestone,
    /// When, in seconds of UTC: for people only.
    pub written_s: u64,
    /// Trace id, hexadecimal.
    pub trace: Option<String>,
    /// Radio side.
    pub handset: HandsetPart,
    /// Call control towards the handset.
    pub cc: CcPart,
    /// The call as people see it.
    pub call: CallPart,
    /// Its SIP dialog; absent while dialling.
    pub sip: Option<SipPart>,
    /// Its speech.
    pub media: MediaPart,
}

/// Group *handset*.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandsetPart {
    /// 36 bits of the IPEI.
    pub ipei: u64,
    /// Connection of the call.
    pub link: Option<Link>,
    /// Radio part number there.
    pub rpn: u8,
    /// Last `NwkUp` applied.
    pub last_up: u64,
    /// Last `NwkDown` given out.
    pub last_down: u64,
}

/// Group *CC call*.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CcPart {
    /// Transaction value.
    pub tv: u8,
    /// Whether the fixed part began the transaction.
    pub ours: bool,
    /// State by its number in EN 300 175-5 section 9.2.1, such as 10 for F-10.
    pub state: u8,
    /// Digits dialled.
    pub digits: String,
    /// Whether dialling is over.
    pub dialled: bool,
    /// Tone towards the handset.
    pub tone: Option<Tone>,
}

/// What people see, and what follows a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallPart {
    /// The call.
    pub call: CallRef,
    /// Who placed it.
    pub placed: Placed,
    /// UTC seconds of its begin.
    pub began_s: u64,
    /// UTC seconds of the answer.
    pub answered_s: Option<u64>,
    /// Number or address of the other party.
    pub number: String,
    /// Name of the other party.
    pub name: String,
}

/// Groups *SIP call*, *dialog*, *open INVITE*, *offer/answer*.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipPart {
    /// Number of the call within the user agent.
    pub number: u32,
    /// Dialog and open transactions; absent before there are any.
    pub dialog: Option<DialogPart>,
    /// Our last SDP, as sent.
    pub local_sdp: Option<String>,
    /// The peer's last SDP.
    pub remote_sdp: Option<String>,
    /// `o=` id of our SDP.
    pub sdp_id: u64,
    /// Version of our last SDP.
    pub sdp_version: u64,
}

/// Group *dialog*, as [`ipdect_sip::dialog::DialogRecord`] gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialogPart {
    /// How far it is, as a number in the order of [`ipdect_sip::dialog::Phase`].
    pub phase: u8,
    /// Whether we called.
    pub we_called: bool,
    /// Call-ID.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The peer's tag.
    pub remote_tag: Option<String>,
    /// Early dialogs: tag, target, route set.
    pub early: Vec<(String, String, Vec<String>)>,
    /// Our address, without tag.
    pub local: String,
    /// The peer's address, without tag.
    pub remote: String,
    /// Remote target.
    pub remote_target: String,
    /// Route set, topmost first.
    pub route_set: Vec<String>,
    /// Generation in which it was created.
    pub created_in: u64,
    /// Highest CSeq number of the peer.
    pub remote_cseq: Option<u32>,
    /// CSeq number of the INVITE that opened it.
    pub invite_cseq: u32,
    /// Contact last sent.
    pub contact: String,
    /// Proxy in use.
    pub proxy: Option<u8>,
    /// Whether the peer allows UPDATE.
    pub allows_update: bool,
    /// Session timer: interval in seconds, whether we refresh.
    pub session: Option<(u32, bool)>,
    /// Our open INVITE without its body.
    pub open_invite: Option<String>,
    /// The peer's open request without its body.
    pub peer_request: Option<String>,
    /// Whether the peer's open request brought an offer.
    pub peer_offered: bool,
    /// Our 2xx that waits for its ACK.
    pub unacknowledged: Option<String>,
    /// Our last SDP, if it is another than the call's.
    pub local_sdp: Option<String>,
    /// Our SDP that waits for an answer.
    pub pending_sdp: Option<String>,
    /// Hash of the peer's last SDP.
    pub remote_sdp_hash: Option<u64>,
}

/// Group *media*.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaPart {
    /// The session.
    pub session: SessionId,
    /// Who has it, and which start of it.
    pub resource: Option<(MediaId, u64)>,
    /// The base leg's path as the media resource sees it, keys and SSRCs included.
    pub path: Option<Path>,
    /// Its id.
    pub path_id: PathId,
    /// Where the media resource takes RTP and RTCP of the base leg.
    pub base_rtp: Option<(SocketAddr, u16)>,
    /// Where it takes them of the SIP leg.
    pub sip_rtp: Option<(SocketAddr, u16)>,
    /// Our SDES key towards the SIP peer.
    pub sip_key: Option<SrtpKey>,
    /// Codec towards the SIP peer.
    pub codec: Option<String>,
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Longer than any record may be.
    #[error("record of {0} octets, at most {LONGEST} are possible")]
    TooLong(usize),
    /// Written by a release whose records this one cannot read.
    #[error("record needs a reader of format {0}, this one knows {FORMAT}")]
    TooNew(u16),
    /// Not a record.
    #[error("not a record: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Record {
    /// The record as octets, to be sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("all keys are strings and all values finite")
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`RecordError`] if it is too long, too new or no record at all.
    pub fn decode(octets: &[u8]) -> Result<Record, RecordError> {
        #[derive(Deserialize)]
        struct Head {
            lowest: u16,
        }
        if octets.len() > LONGEST {
            return Err(RecordError::TooLong(octets.len()));
        }
        let Head { lowest } = serde_json::from_slice(octets)?;
        if lowest > FORMAT {
            return Err(RecordError::TooNew(lowest));
        }
        Ok(serde_json::from_slice(octets)?)
    }
}

/// Fuzz entry: reading never panics, and what was read is written and read back as the same.
pub fn fuzz_record(octets: &[u8]) {
    if let Ok(record) = Record::decode(octets) {
        let again = Record::decode(&record.encode());
        assert!(matches!(again, Ok(same) if same == record) || record.encode().len() > LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_says_why() {
        let read = |octets: &[u8]| Record::decode(octets).map_err(|error| error.to_string());
        let long = vec![b' '; LONGEST + 1];
        assert_eq!(
            read(&long),
            Err("record of 8193 octets, at most 8192 are possible".into())
        );
        let newer = br#"{"format":9,"lowest":7}"#;
        assert_eq!(
            read(newer),
            Err("record needs a reader of format 7, this one knows 1".into())
        );
        assert!(
            read(b"{}").is_err_and(|why| why.starts_with("not a record: missing field `lowest`"))
        );
        assert!(read(br#"{"format":1,"lowest":1}"#).is_err());
    }

    #[test]
    fn reading_never_panics() {
        let corpus: [&[u8]; 6] = [
            b"",
            b"{",
            b"null",
            b"[1,2]",
            br#"{"lowest":-1}"#,
            br#"{"lowest":1e99}"#,
        ];
        corpus.into_iter().for_each(fuzz_record);
    }
}
