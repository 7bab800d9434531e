//! What a portable is, and what it remembers while switched off.

use ipdect_dect::display::{OWN_EMC, Size};
use ipdect_dect::identity::{AriError, Ipei, Park, Tpui, TpuiError};
use ipdect_dect::mac::air::Position;
use ipdect_dect::mac::propagation::Propagation;
use ipdect_dect::nwk::ie::{ModelIdentifier, TerminalCapability};
use ipdect_dect::security::{AccessCode, Key};
use serde::{Deserialize, Serialize};

/// What a portable is and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Its identity.
    pub ipei: Ipei,
    /// Code for a subscription, unless the key press brings another.
    pub access_code: AccessCode,
    /// Whether it makes call progress tones itself; else it asks for them in band.
    pub local_tones: bool,
    /// Where it is, in metres.
    pub position_m: [f64; 3],
    /// Transmit power in dBm.
    pub tx_power_dbm: i8,
    /// How the air damps and loses bursts on the way here.
    pub propagation: Propagation,
    /// Lines and columns of its display.
    pub display: Size,
    /// Model number under our maker code.
    pub model: u8,
}

impl Config {
    /// A portable one metre from the origin, 24 dBm, 4 lines of 16, no tones of its own.
    pub fn new(ipei: Ipei, access_code: AccessCode) -> Self {
        Self {
            ipei,
            access_code,
            local_tones: false,
            position_m: [1.0, 0.0, 0.0],
            tx_power_dbm: 24,
            propagation: Propagation::default(),
            display: Size {
                lines: 4,
                columns: 16,
            },
            model: 1,
        }
    }

    pub(crate) fn position(&self) -> Position {
        Position::from_metres(self.position_m)
    }

    pub(crate) fn terminal(&self) -> TerminalCapability {
        TerminalCapability::gap(self.local_tones, self.display.lines, self.display.columns)
    }

    pub(crate) const fn model_identifier(&self) -> ModelIdentifier {
        ModelIdentifier {
            emc: OWN_EMC,
            model: self.model,
        }
    }
}

/// What a portable keeps of its subscription. Saved as plain text fields, the key in hexadecimal: protect the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Memory {
    /// Whose memory it is.
    pub ipei: Ipei,
    /// User authentication key.
    pub uak: Key,
    /// Key that opens the system.
    pub park: Park,
    /// What the system calls it, once located.
    pub tpui: Option<Tpui>,
}

/// Why a saved memory cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The identity is none.
    #[error("ipei: {0}")]
    Ipei(#[from] ipdect_dect::identity::IpeiError),
    /// The key is not 32 hexadecimal digits.
    #[error("uak: not 32 hexadecimal digits")]
    Uak,
    /// The PARK is none.
    #[error("park: {0}")]
    Park(#[from] AriError),
    /// The TPUI is none.
    #[error("tpui: {0}")]
    Tpui(#[from] TpuiError),
}

#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    ipei: String,
    uak: String,
    park: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tpui: Option<String>,
}

impl From<Memory> for Stored {
    fn from(memory: Memory) -> Self {
        Self {
            ipei: memory.ipei.to_string(),
            uak: hex::encode(memory.uak.octets()),
            park: memory.park.to_string(),
            tpui: memory.tpui.map(|tpui| tpui.to_string()),
        }
    }
}

impl TryFrom<Stored> for Memory {
    type Error = MemoryError;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let mut uak = [0; 16];
        hex::decode_to_slice(&stored.uak, &mut uak).map_err(|_| MemoryError::Uak)?;
        Ok(Self {
            ipei: stored.ipei.parse()?,
            uak: Key::new(uak),
            park: stored.park.parse()?,
            tpui: stored.tpui.map(|tpui| tpui.parse()).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_dect::identity::Ari;

    #[test]
    fn a_memory_survives_its_file() {
        let memory = Memory {
            ipei: "65535 0000001".parse().unwrap(),
            uak: Key::new([0xAB; 16]),
            park: Ari::class_b(0x1002, 0x345).unwrap().park(),
            tpui: Some(Tpui::assigned(0x01234).unwrap()),
        };
        let text = serde_json::to_string(&memory).unwrap();
        assert!(
            text.contains("65535 0000001 3") && text.contains("01234"),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), memory);
        assert!(!format!("{memory:?}").contains("abab"));
    }

    #[test]
    fn a_spoilt_file_is_told_by_field() {
        let bad = |text: &str| {
            serde_json::from_str::<Memory>(text)
                .unwrap_err()
                .to_string()
        };
        let text = r#"{"ipei":"65535 0000001 4","uak":"00","park":"x"}"#;
        assert!(bad(text).contains("uak"), "{}", bad(text));
        let text = text.replace("\"00\"", "\"00112233445566778899aabbccddeeff\"");
        assert!(bad(&text).contains("expected 3"), "{}", bad(&text));
    }
}
