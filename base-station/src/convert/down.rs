//! From servers: wire messages to instructions. What cannot be understood is answered, not guessed.

use ipdect_dect::dlc::Context;
use ipdect_dect::dlc::lapc::{MAX_MESSAGE, Part};
use ipdect_dect::identity::{Ari, Ipei, Ipui, Rfpi, Rpn, Tpui};
use ipdect_media::srtp::{KeyMaterial, Suite};
use ipdect_proto::link::v1 as link;
use ipdect_proto::radio::v1 as radio;
use ipdect_proto::radio::v1::server_to_base::Body;

use crate::cell::connection::DownReason;
use crate::cell::fence::{Fence, Floor, Start, Token};
use crate::cell::message::{Configuration, ConnectionId, Instruction, Order, Page, Paged, Task};
use crate::speech::{Path, PathKeys};

/// Most parts of messages that a handed-over link may bring.
const MAX_QUEUED: usize = ipdect_dect::dlc::lapc::MAX_QUEUED;

/// A message that cannot be carried out as it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Rejection {
    /// The order to answer with INVALID, if it is one with a number.
    pub order_id: Option<u64>,
    /// What is wrong.
    pub why: String,
}

type Wanted<T> = Result<T, String>;

/// Reads a message of a server; none for those that are the link's own, or that we do not know yet.
///
/// # Errors
/// [`Rejection`] for what is out of range or incomplete.
pub fn instruction(body: Body) -> Result<Option<Instruction>, Rejection> {
    let plain = |why| Rejection {
        order_id: None,
        why,
    };
    Ok(Some(match body {
        Body::Welcome(_) | Body::Refusal(_) | Body::Ping(_) | Body::Pong(_) => return Ok(None),
        Body::FenceFloor(told) => {
            Instruction::Floors(told.floors.into_iter().filter_map(floor).collect())
        }
        Body::Query(query) => Instruction::Query {
            query_id: query.query_id,
            fences: query.fences.iter().filter_map(fence).collect(),
        },
        Body::Configure(new) => Instruction::Configure(configuration(&new).map_err(plain)?),
        Body::Page(m) => order(m.order, page(&m))?,
        Body::CancelPage(m) => order(m.order, Ok(Task::CancelPage { page_id: m.page_id }))?,
        Body::Bind(m) => {
            let task = ipei(&m.ipei).map(|ipei| Task::Bind {
                connection: ConnectionId(m.connection_id),
                ipei,
            });
            order(m.order, task)?
        }
        Body::NwkDown(m) => {
            let connection = ConnectionId(m.connection_id);
            order(
                m.order,
                Ok(Task::NwkDown {
                    connection,
                    seq: m.seq,
                    pdu: m.pdu.to_vec(),
                }),
            )?
        }
        Body::NwkAck(m) => order(
            m.order,
            Ok(Task::NwkAck {
                connection: ConnectionId(m.connection_id),
                seq: m.seq,
            }),
        )?,
        Body::OpenSpeech(m) => order(m.order, open_speech(&m))?,
        Body::CloseSpeech(m) => order(
            m.order,
            Ok(Task::CloseSpeech {
                connection: ConnectionId(m.connection_id),
            }),
        )?,
        Body::SetCipherKey(m) => order(
            m.order,
            Ok(Task::SetCipherKey {
                connection: ConnectionId(m.connection_id),
            }),
        )?,
        Body::TakeContext(m) => order(
            m.order,
            Ok(Task::TakeContext {
                connection: ConnectionId(m.connection_id),
            }),
        )?,
        Body::HandoverGrant(m) => order(m.order, handover_grant(&m))?,
        Body::HandoverDeny(m) => {
            let connection = ConnectionId(m.connection_id);
            order(
                m.order,
                Ok(Task::HandoverDeny {
                    connection,
                    reason: m.reason,
                }),
            )?
        }
        Body::Adopt(m) => order(
            m.order,
            Ok(Task::Adopt {
                connection: ConnectionId(m.connection_id),
            }),
        )?,
        Body::ReleaseConnection(m) => {
            let reason = down_reason(m.reason());
            order(
                m.order,
                Ok(Task::Release {
                    connection: ConnectionId(m.connection_id),
                    reason,
                }),
            )?
        }
    }))
}

fn order(head: Option<link::Order>, task: Wanted<Task>) -> Result<Instruction, Rejection> {
    let head = head.ok_or_else(|| Rejection {
        order_id: None,
        why: "order without head".into(),
    })?;
    let reject = |why: String| Rejection {
        order_id: Some(head.order_id),
        why,
    };
    let fence = head
        .fence
        .as_ref()
        .and_then(fence)
        .ok_or_else(|| reject("order without fence of a shard".into()))?;
    let task = task.map_err(reject)?;
    Ok(Instruction::Order(Order {
        order_id: head.order_id,
        fence,
        task,
    }))
}

fn fence(fence: &link::Fence) -> Option<Fence> {
    let shard = u16::try_from(fence.shard)
        .ok()
        .filter(|shard| *shard < ipdect_dect::identity::SHARDS)?;
    Some(Fence {
        shard,
        token: Token {
            era: fence.era,
            revision: fence.revision,
        },
    })
}

fn floor(floor: link::Floor) -> Option<Floor> {
    let fence = fence(floor.fence.as_ref()?)?;
    Some(Floor {
        fence,
        start: Start {
            node_id: floor.node_id,
            boot_id: floor.boot_id,
        },
    })
}

fn configuration(new: &radio::Configure) -> Wanted<Configuration> {
    let rpn = u8::try_from(new.rpn).map_err(|_| format!("RPN {} is above 255", new.rpn))?;
    let octets: [u8; 8] = new.capabilities.to_be_bytes();
    let [0, 0, 0, capabilities @ ..] = octets else {
        return Err("capabilities have more than 40 bits".into());
    };
    Ok(Configuration {
        revision: new.revision,
        rfpi: Rfpi::new(ari(&new.park)?, Rpn(rpn)),
        capabilities,
        handover_reserve: new.handover_reserve.min(12) as u8,
    })
}

/// The identity stands left-aligned in five octets; its class says how many bits it has.
fn ari(park: &[u8]) -> Wanted<Ari> {
    let [a, b, c, d, e]: [u8; 5] = park
        .try_into()
        .map_err(|_| format!("PARK of {} octets", park.len()))?;
    let bits = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
    let length = if a >> 5 == 0 { 36 } else { 31 };
    Ari::from_bits(length, bits >> (40 - length)).map_err(|error| error.to_string())
}

fn ipei(digits: &str) -> Wanted<Ipei> {
    digits
        .parse()
        .map_err(|error: ipdect_dect::identity::IpeiError| error.to_string())
}

fn page(page: &radio::Page) -> Wanted<Task> {
    let paged = match &page.identity {
        Some(radio::page::Identity::Tpui(bits)) => {
            Paged::Tpui(Tpui::from_bits(*bits).map_err(|e| e.to_string())?)
        }
        Some(radio::page::Identity::Ipui(octets)) => {
            Paged::Ipui(Ipui::decode(40, octets).map_err(|e| e.to_string())?)
        }
        None => return Err("page without identity".into()),
    };
    let header = u8::try_from(page.header)
        .ok()
        .filter(|h| *h < 8)
        .ok_or("LCE header above 7")?;
    let long_slot = page.slot_type() == radio::SlotType::Long;
    let life_multiframes = page.life_multiframes;
    Ok(Task::Page(Page {
        page_id: page.page_id,
        paged,
        header,
        long_slot,
        life_multiframes,
    }))
}

fn open_speech(order: &radio::OpenSpeech) -> Wanted<Task> {
    let path = order.path.as_ref().ok_or("no path")?;
    let remote = path
        .remote
        .parse()
        .map_err(|_| format!("remote {:?} is no address and port", path.remote))?;
    let payload_type = u8::try_from(path.payload_type)
        .ok()
        .filter(|t| *t < 128)
        .ok_or("payload type above 127")?;
    let dscp = u8::try_from(order.dscp)
        .ok()
        .filter(|d| *d < 64)
        .ok_or("DSCP above 63")?;
    let keys = path.srtp.as_ref().and_then(path_keys).transpose()?;
    let (ssrc_out, ssrc_in) = (path.ssrc_out, path.ssrc_in);
    let path = Path {
        remote,
        ssrc_out,
        ssrc_in,
        payload_type,
        dscp,
        keys,
    };
    Ok(Task::OpenSpeech {
        connection: ConnectionId(order.connection_id),
        path,
    })
}

fn path_keys(srtp: &link::PathSrtp) -> Option<Wanted<PathKeys>> {
    let suite = match srtp.suite() {
        link::SrtpSuite::Unspecified if srtp.key_out.is_empty() && srtp.key_in.is_empty() => {
            return None;
        }
        link::SrtpSuite::Unspecified => {
            return Some(Err("keys of a suite that is not spoken here".into()));
        }
        link::SrtpSuite::AesCm128HmacSha180 => Suite::AesCm128HmacSha1_80,
        link::SrtpSuite::AesCm128HmacSha132 => Suite::AesCm128HmacSha1_32,
        link::SrtpSuite::Aes256CmHmacSha180 => Suite::AesCm256HmacSha1_80,
        link::SrtpSuite::AeadAes128Gcm => Suite::AeadAes128Gcm,
        link::SrtpSuite::AeadAes256Gcm => Suite::AeadAes256Gcm,
    };
    let key = |octets: &[u8]| KeyMaterial::new(suite, octets).map_err(|error| error.to_string());
    Some(key(&srtp.key_out).and_then(|out| {
        Ok(PathKeys {
            out,
            inward: key(&srtp.key_in)?,
        })
    }))
}

fn handover_grant(grant: &radio::HandoverGrant) -> Wanted<Task> {
    Ok(Task::HandoverGrant {
        connection: ConnectionId(grant.connection_id),
        ipei: ipei(&grant.ipei)?,
        context: context(grant.context.as_ref().ok_or("no LAPC context")?)?,
        ciphered: grant.cipher_key.is_some(),
    })
}

/// `unacked` and `queued` are parts of messages as the other base's LAPC had them.
fn context(context: &radio::LapcContext) -> Wanted<Context> {
    let part = |octets: &[u8]| {
        Part::from_octets(octets).ok_or_else(|| "LAPC context does not parse".to_owned())
    };
    if context.queued.len() > MAX_QUEUED || context.reassembly.len() > MAX_MESSAGE {
        return Err("LAPC context is too large".into());
    }
    let unacked = Some(&context.unacked).filter(|octets| !octets.is_empty());
    Ok(Context {
        v_s: context.v_s & 1 == 1,
        v_r: context.v_r & 1 == 1,
        v_a: context.v_a & 1 == 1,
        unacked: unacked.map(|octets| part(octets)).transpose()?,
        reassembly: context.reassembly.to_vec(),
        queued: context
            .queued
            .iter()
            .map(|octets| part(octets))
            .collect::<Wanted<_>>()?,
    })
}

fn down_reason(reason: radio::DownReason) -> DownReason {
    match reason {
        radio::DownReason::Unspecified | radio::DownReason::Normal => DownReason::Normal,
        radio::DownReason::RadioLost => DownReason::RadioLost,
        radio::DownReason::DlcFailed => DownReason::DlcFailed,
        radio::DownReason::Drained => DownReason::Drained,
        radio::DownReason::NotAdopted => DownReason::NotAdopted,
    }
}
