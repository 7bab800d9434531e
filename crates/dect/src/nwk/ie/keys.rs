//! Elements of authentication, key allocation and ciphering.

/// Authentication or cipher algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// A standard algorithm, 7-bit code: authentication 01 DSAA, 02 DSAA2, 40 GSM; cipher 01 DSC, 02 DSC2.
    Standard(u8),
    /// A maker's own, told apart by one octet.
    Proprietary(u8),
}

const PROPRIETARY: u8 = 0x7F;

impl Algorithm {
    /// DECT standard authentication algorithm.
    pub const DSAA: Self = Self::Standard(0x01);
    /// DECT standard authentication algorithm 2, made of AES-128.
    pub const DSAA2: Self = Self::Standard(0x02);
    /// DECT standard cipher.
    pub const DSC: Self = Self::Standard(0x01);
    /// DECT standard cipher 2, made of AES-128.
    pub const DSC2: Self = Self::Standard(0x02);

    fn decode(contents: &[u8]) -> Option<(Self, &[u8])> {
        match *contents {
            [first, own, ref rest @ ..] if first & 0x7F == PROPRIETARY => {
                Some((Self::Proprietary(own), rest))
            }
            [first, ref rest @ ..] if first & 0x7F != PROPRIETARY => {
                Some((Self::Standard(first & 0x7F), rest))
            }
            _ => None,
        }
    }

    fn encode(self, flag: u8) -> Vec<u8> {
        match self {
            Self::Standard(code) => vec![flag | code & 0x7F],
            Self::Proprietary(own) => vec![flag | PROPRIETARY, own],
        }
    }
}

/// Key that an authentication uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// User authentication key, kept since subscription.
    Uak,
    /// PIN of the user.
    Upi,
    /// Access code typed for a subscription.
    AccessCode,
    /// Another code, 4 bits.
    Other(u8),
}

impl KeyType {
    const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Uak,
            3 => Self::Upi,
            4 => Self::AccessCode,
            other => Self::Other(other),
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Uak => 1,
            Self::Upi => 3,
            Self::AccessCode => 4,
            Self::Other(code) => code & 0x0F,
        }
    }
}

/// `<<AUTH-TYPE>>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthType {
    /// Algorithm.
    pub algorithm: Algorithm,
    /// Key to be used.
    pub key_type: KeyType,
    /// Its number, 0..=15; from 8 on it is tied to IPUI and PARK.
    pub key_number: u8,
    /// Count ZAP up (INC).
    pub increment: bool,
    /// Transmit the derived cipher key to the portable (TXC).
    pub transmit_cipher_key: bool,
    /// Keep the derived key as cipher key `cipher_key_number` (UPC).
    pub keep_cipher_key: bool,
    /// Number of the cipher key, 0..=15.
    pub cipher_key_number: u8,
    /// The derived key becomes a default key with this index (DEF), and perhaps the cipher it is for.
    pub default_key: Option<(u16, Option<u8>)>,
}

const INC: u8 = 0x80;
const DEF: u8 = 0x40;
const TXC: u8 = 0x20;
const UPC: u8 = 0x10;

impl AuthType {
    /// Authentication with the key of this type and number, no cipher key kept.
    pub const fn new(algorithm: Algorithm, key_type: KeyType, key_number: u8) -> Self {
        Self {
            algorithm,
            key_type,
            key_number,
            increment: false,
            transmit_cipher_key: false,
            keep_cipher_key: false,
            cipher_key_number: 0,
            default_key: None,
        }
    }

    /// The same, and both sides keep the derived key as cipher key `number`.
    #[must_use]
    pub const fn keeping(mut self, number: u8) -> Self {
        self.keep_cipher_key = true;
        self.cipher_key_number = number;
        self
    }

    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let (algorithm, rest) = Algorithm::decode(contents)?;
        let &[key, flags, ref rest @ ..] = rest else {
            return None;
        };
        let default_key = match (flags & DEF != 0, rest) {
            (false, _) => None,
            (true, &[a, b, ref rest @ ..]) => {
                Some((u16::from_be_bytes([a, b]), rest.first().copied()))
            }
            (true, _) => return None,
        };
        Some(Self {
            algorithm,
            key_type: KeyType::from_code(key >> 4),
            key_number: key & 0x0F,
            increment: flags & INC != 0,
            transmit_cipher_key: flags & TXC != 0,
            keep_cipher_key: flags & UPC != 0,
            cipher_key_number: flags & 0x0F,
            default_key,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut octets = self.algorithm.encode(0);
        octets.push(self.key_type.code() << 4 | self.key_number & 0x0F);
        let flag = |set, bit| if set { bit } else { 0 };
        octets.push(
            flag(self.increment, INC)
                | flag(self.default_key.is_some(), DEF)
                | flag(self.transmit_cipher_key, TXC)
                | flag(self.keep_cipher_key, UPC)
                | self.cipher_key_number & 0x0F,
        );
        if let Some((index, cipher)) = self.default_key {
            octets.extend(index.to_be_bytes());
            octets.extend(cipher);
        }
        octets
    }
}

/// `<<ALLOCATION-TYPE>>`: which key becomes which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocationType {
    /// Algorithm.
    pub algorithm: Algorithm,
    /// Number of the new UAK, 0..=15.
    pub uak_number: u8,
    /// Number of the access code it is made from, 0..=15.
    pub access_code_number: u8,
}

impl AllocationType {
    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let (algorithm, rest) = Algorithm::decode(contents)?;
        let numbers = *rest.first()?;
        Some(Self {
            algorithm,
            uak_number: numbers >> 4,
            access_code_number: numbers & 0x0F,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut octets = self.algorithm.encode(0);
        octets.push((self.uak_number & 0x0F) << 4 | self.access_code_number & 0x0F);
        octets
    }
}

/// `<<CIPHER-INFO>>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CipherInfo {
    /// Switch ciphering on; else off.
    pub enable: bool,
    /// Cipher.
    pub algorithm: Algorithm,
    /// Key type, 4 bits: 9 derived, A static.
    pub key_type: u8,
    /// Key number, 0..=15.
    pub key_number: u8,
}

impl CipherInfo {
    /// Key type of a key derived by authentication.
    pub const DERIVED: u8 = 9;

    pub(super) fn decode(contents: &[u8]) -> Option<Self> {
        let (algorithm, rest) = Algorithm::decode(contents)?;
        let key = *rest.first()?;
        Some(Self {
            enable: contents[0] & 0x80 != 0,
            algorithm,
            key_type: key >> 4,
            key_number: key & 0x0F,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut octets = self.algorithm.encode(if self.enable { 0x80 } else { 0 });
        octets.push((self.key_type & 0x0F) << 4 | self.key_number & 0x0F);
        octets
    }
}
