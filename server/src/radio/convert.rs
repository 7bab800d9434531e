//! Between the mind's orders and the radio contract. No wire type goes further in than this.

use bytes::Bytes;
use ipdect_dect::identity::Ipei;
use ipdect_handset::{DownReason, Outcome, PageIdentity, ReleaseCause};
use ipdect_handset::{Path, PathSrtp};
use ipdect_proto::link::v1 as link;
use ipdect_proto::radio::v1 as radio;

/// How long a page is repeated on the air, in multiframes of 160 ms.
const PAGE_LIFE: u32 = 6;

/// A path as the told end shall use it.
pub(crate) fn path(path: &Path) -> link::SpeechPath {
    link::SpeechPath {
        remote: path.remote.to_string(),
        ssrc_out: path.ssrc_out,
        ssrc_in: path.ssrc_in,
        payload_type: u32::from(path.payload_type),
        srtp: path.srtp.as_ref().map(path_srtp),
    }
}

fn path_srtp(srtp: &PathSrtp) -> link::PathSrtp {
    link::PathSrtp {
        suite: suite(&srtp.suite).into(),
        key_out: Bytes::from(srtp.key_out.0.clone()),
        key_in: Bytes::from(srtp.key_in.0.clone()),
    }
}

/// The number of a suite's name; a name we do not know is unspecified, which a device refuses.
pub(crate) fn suite(name: &str) -> link::SrtpSuite {
    match name {
        "AES_CM_128_HMAC_SHA1_80" => link::SrtpSuite::AesCm128HmacSha180,
        "AES_CM_128_HMAC_SHA1_32" => link::SrtpSuite::AesCm128HmacSha132,
        "AES_256_CM_HMAC_SHA1_80" => link::SrtpSuite::Aes256CmHmacSha180,
        "AEAD_AES_128_GCM" => link::SrtpSuite::AeadAes128Gcm,
        "AEAD_AES_256_GCM" => link::SrtpSuite::AeadAes256Gcm,
        _ => link::SrtpSuite::Unspecified,
    }
}

/// A page order.
pub(crate) fn page(
    order: link::Order,
    page: u64,
    identity: PageIdentity,
    header: u8,
) -> radio::Page {
    radio::Page {
        order: Some(order),
        page_id: page,
        identity: Some(match identity {
            PageIdentity::Tpui(tpui) => radio::page::Identity::Tpui(tpui),
            PageIdentity::IpuiN(ipei) => radio::page::Identity::Ipui(ipui(ipei)),
        }),
        header: u32::from(header),
        slot_type: radio::SlotType::Full.into(),
        life_multiframes: PAGE_LIFE,
    }
}

/// IPUI-N as 40 bits: four bits of type, then the IPEI.
fn ipui(ipei: u64) -> Bytes {
    Bytes::copy_from_slice(&ipei.to_be_bytes()[3..])
}

/// Why we end a connection.
pub(crate) fn cause(cause: ReleaseCause) -> radio::DownReason {
    match cause {
        ReleaseCause::Normal => radio::DownReason::Normal,
        ReleaseCause::Refused => radio::DownReason::NotAdopted,
    }
}

/// Why a base station ended one.
pub(crate) fn down(reason: i32) -> DownReason {
    match radio::DownReason::try_from(reason) {
        Ok(radio::DownReason::RadioLost) => DownReason::RadioLost,
        Ok(radio::DownReason::DlcFailed) => DownReason::DlcFailed,
        Ok(radio::DownReason::Drained) => DownReason::Drained,
        Ok(radio::DownReason::NotAdopted) => DownReason::NotAdopted,
        Ok(radio::DownReason::Normal | radio::DownReason::Unspecified) | Err(_) => {
            DownReason::Normal
        }
    }
}

/// What became of an order, on either kind of link.
pub(crate) fn outcome(status: i32) -> Outcome {
    match link::OrderStatus::try_from(status) {
        Ok(link::OrderStatus::Done) => Outcome::Done,
        Ok(link::OrderStatus::Fenced) => Outcome::Fenced,
        Ok(link::OrderStatus::WrongShard) => Outcome::WrongShard,
        Ok(link::OrderStatus::UnknownTarget) => Outcome::UnknownTarget,
        Ok(link::OrderStatus::NoResource) => Outcome::NoResource,
        Ok(link::OrderStatus::Conflict) => Outcome::Conflict,
        Ok(link::OrderStatus::Draining) => Outcome::Draining,
        Ok(link::OrderStatus::Invalid | link::OrderStatus::Unspecified) | Err(_) => {
            Outcome::Invalid
        }
    }
}

/// The handset as base stations are told it: its 12 digits.
pub(crate) fn ipei(ipei: Ipei) -> String {
    ipei.digits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipui_n_is_the_ipei_in_forty_bits() {
        let handset: Ipei = "05003 0070387".parse().unwrap();
        assert_eq!(&ipui(handset.bits())[..], [0x01, 0x38, 0xB1, 0x12, 0xF3]);
    }

    #[test]
    fn every_status_has_its_outcome() {
        assert_eq!(outcome(1), Outcome::Done);
        assert_eq!(outcome(2), Outcome::Fenced);
        assert_eq!(outcome(0), Outcome::Invalid);
        assert_eq!(outcome(99), Outcome::Invalid);
    }
}
