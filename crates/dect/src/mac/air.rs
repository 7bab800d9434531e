//! Datagrams of the virtual air, one UDP datagram a burst, network byte order.
//!
//! ```text
//!  0  1  2  3   4  5  6  7   8  9 10 11 12 13  14  15  16 ... 20  21 22 23  24 ...
//!  DE C7 01 ty  frame number  x     y     z   dBm  brr  RFPI       PMID     body
//! ```
//!
//! Frame number: of the base's clock; going up, of the downlink frame that the datagram follows. Position of the
//! sender in decimetres. Octets beyond a body are ignored, so that later versions may add some.

use smallvec::SmallVec;

use super::{
    B_FIELD_OCTETS, BEARERS, BField, FrameNumber, Pmid, RfpiOctets, SEGMENT_OCTETS, Segment,
};

/// First two octets of every datagram.
const MAGIC: [u8; 2] = [0xDE, 0xC7];
/// Version of the format.
const VERSION: u8 = 1;
/// Octets of the header that all datagrams share.
pub const HEADER_OCTETS: usize = 24;
/// Octets of a BURST: flags, level, CT segment and B-field are always there, if only as zeros.
pub const BURST_OCTETS: usize = HEADER_OCTETS + 2 + SEGMENT_OCTETS + B_FIELD_OCTETS;
/// Most pages that a BEACON carries.
pub const MAX_PAGES: usize = 32;
/// Longest datagram: a BEACON with all its pages.
pub const MAX_OCTETS: usize = BEACON_OCTETS + MAX_PAGES * 6;

const BEACON_OCTETS: usize = HEADER_OCTETS + 8;

/// Why a datagram is not one of the virtual air, or not one that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AirError {
    /// It ends before its header or body does.
    #[error("datagram of {0} octets is too short")]
    TooShort(usize),
    /// It does not begin with the octets of the virtual air.
    #[error("not a datagram of the virtual air")]
    NotAir,
    /// It has a version that we do not speak.
    #[error("version {0} of the virtual air is not spoken")]
    Version(u8),
    /// It has a type that does not exist.
    #[error("datagram type {0} does not exist")]
    Type(u8),
    /// A field has a value outside its range.
    #[error("{field} {value} is out of range")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Value found.
        value: u8,
    },
}

/// Place of a sender, in decimetres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// To the east, decimetres.
    pub x_dm: i16,
    /// To the north, decimetres.
    pub y_dm: i16,
    /// Height, decimetres.
    pub z_dm: i16,
}

impl Position {
    /// A place given in metres, clamped to what 16 bits of decimetres hold (about 3.2 km).
    pub fn from_metres([x, y, z]: [f64; 3]) -> Self {
        // `as` saturates and turns NaN into 0.
        let dm = |metres: f64| (metres * 10.0).round() as i16;
        Self {
            x_dm: dm(x),
            y_dm: dm(y),
            z_dm: dm(z),
        }
    }

    /// Distance in metres.
    pub fn distance_m(self, other: Self) -> f64 {
        let d = |a: i16, b: i16| (f64::from(a) - f64::from(b)) / 10.0;
        let (x, y, z) = (
            d(self.x_dm, other.x_dm),
            d(self.y_dm, other.y_dm),
            d(self.z_dm, other.z_dm),
        );
        (x * x + y * y + z * z).sqrt()
    }
}

/// Header of every datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The base's frame; going up, the downlink frame that this follows.
    pub frame: FrameNumber,
    /// Where the sender is.
    pub position: Position,
    /// Transmit power of the sender, dBm.
    pub power_dbm: i8,
    /// Bearer 1 to 12, 0 for none.
    pub bearer: u8,
    /// Base station that sends or is meant.
    pub rfpi: RfpiOctets,
    /// Portable that sends or is meant; [`super::ALL_PORTABLES`] for all.
    pub pmid: Pmid,
}

/// One page: a B-format message of 3 octets (short) or 5 (full). Source: EN 300 175-5 section 8.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageTail {
    /// Short format: header nibble and 16 bits of a TPUI.
    Short([u8; 3]),
    /// Full format: a TPUI with slot type, or an IPUI's low 28 bits.
    Full([u8; 5]),
}

impl PageTail {
    /// The message.
    pub fn octets(&self) -> &[u8] {
        match self {
            Self::Short(octets) => octets,
            Self::Full(octets) => octets,
        }
    }

    fn from_octets(octets: &[u8]) -> Option<Self> {
        match octets.len() {
            3 => octets.try_into().ok().map(Self::Short),
            5 => octets.try_into().ok().map(Self::Full),
            _ => None,
        }
    }
}

/// What the dummy bearer says: N_T, Q_T and P_T. One a multiframe, and at once for a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beacon {
    /// Fixed part capabilities (Q_H = 3), 40 bits a8 to a47. Source: EN 300 175-5 annex F.
    pub capabilities: [u8; 5],
    /// No bearer is free for speech: portables keep away.
    pub busy: bool,
    /// Frame and multiframe follow the sync source.
    pub synchronised: bool,
    /// Bearers free.
    pub free_bearers: u8,
    /// Pages now on the air, [`MAX_PAGES`] at most.
    pub pages: SmallVec<[PageTail; 4]>,
}

/// Why a portable asks for a bearer. Source: EN 300 175-3 section 7.2.5.2 (M_T access requests).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessKind {
    /// A new MAC connection.
    Access,
    /// Another bearer of the same base for the connection that this PMID has there.
    BearerHandover,
    /// A new MAC connection that takes over the links of one at another base.
    ConnectionHandover,
}

/// Why a set-up is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefuseReason {
    /// No bearer is free.
    NoBearer,
    /// A handover of a connection that nobody knows.
    UnknownConnection,
    /// The base station is being shut down.
    Draining,
}

/// Why a bearer is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseReason {
    /// Nobody needs it any more.
    Normal,
    /// A limit was passed.
    Abnormal,
    /// The connection goes on elsewhere.
    HandedOver,
}

/// Step of the MAC cipher handshake. Source: EN 300 175-7 section 6.4.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CipherStep {
    /// The portable asks for ciphering.
    StartRequest,
    /// The base agrees.
    StartConfirm,
    /// The portable has begun.
    StartGrant,
}

/// One CT segment with its number bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ct {
    /// Number bit, alternating.
    pub number: bool,
    /// The five octets.
    pub segment: Segment,
}

/// A-field and B-field of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// The C-channel, in odd frames only.
    pub ct: Option<Ct>,
    /// Number of the CT segment next expected.
    pub expected: bool,
    /// Speech.
    pub b_field: Option<BField>,
    /// Tail and B-field are ciphered.
    pub ciphered: bool,
    /// Level of the last burst heard from the other side, dBm (0 to -126); `None` if nothing was heard.
    pub heard_dbm: Option<i8>,
}

/// What a datagram says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// PP: listens to this base for 1 to 60 seconds; its socket gets beacons that long.
    Tune {
        /// Seconds, 1 to 60.
        seconds: u8,
    },
    /// FP: the dummy bearer.
    Beacon(Beacon),
    /// PP: asks for a bearer.
    Access {
        /// What for.
        kind: AccessKind,
        /// Attempt, 1 to 10.
        attempt: u8,
    },
    /// FP: the bearer in the header is the portable's.
    Confirm,
    /// FP: not yet decided.
    Wait,
    /// FP: no.
    Refuse(RefuseReason),
    /// Both: a burst on a bearer.
    Burst(Burst),
    /// Both: the cipher handshake.
    Cipher(CipherStep),
    /// Both: the bearer is gone. Sent twice.
    Release(ReleaseReason),
}

impl Body {
    fn code(&self) -> u8 {
        match self {
            Self::Tune { .. } => 1,
            Self::Beacon(_) => 2,
            Self::Access { .. } => 3,
            Self::Confirm => 4,
            Self::Wait => 5,
            Self::Refuse(_) => 6,
            Self::Burst(_) => 7,
            Self::Cipher(_) => 8,
            Self::Release(_) => 9,
        }
    }
}

/// One datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// What all have.
    pub header: Header,
    /// What it says.
    pub body: Body,
}

impl Datagram {
    /// Reads a datagram as received.
    ///
    /// # Errors
    /// [`AirError`] for whatever is not a whole datagram with all fields in their ranges.
    pub fn parse(octets: &[u8]) -> Result<Self, AirError> {
        let (kind, header) = parse_header(octets)?;
        let mut reader = Reader {
            rest: &octets[HEADER_OCTETS..],
            total: octets.len(),
        };
        let body = parse_body(kind, &header, &mut reader)?;
        Ok(Self { header, body })
    }

    /// Writes the datagram into `out`, from its start, and answers its length. Pages beyond [`MAX_PAGES`] are left out.
    pub fn write(&self, out: &mut [u8; MAX_OCTETS]) -> usize {
        write_header(self.body.code(), &self.header, out);
        let mut writer = Writer {
            out,
            at: HEADER_OCTETS,
        };
        write_body(&self.body, &mut writer);
        writer.at
    }

    /// The datagram as octets.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = [0; MAX_OCTETS];
        let length = self.write(&mut out);
        out[..length].to_vec()
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], AirError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(AirError::TooShort(self.total))?;
        self.rest = rest;
        Ok(taken)
    }

    fn octet(&mut self) -> Result<u8, AirError> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], AirError> {
        Ok(self
            .take(N)?
            .try_into()
            .expect("take gives what was asked for"))
    }
}

fn parse_header(octets: &[u8]) -> Result<(u8, Header), AirError> {
    let mut reader = Reader {
        rest: octets,
        total: octets.len(),
    };
    if reader.array::<2>()? != MAGIC {
        return Err(AirError::NotAir);
    }
    let version = reader.octet()?;
    if version != VERSION {
        return Err(AirError::Version(version));
    }
    let kind = reader.octet()?;
    let frame = FrameNumber::new(u32::from_be_bytes(reader.array()?));
    let [x_dm, y_dm, z_dm] =
        [reader.array()?, reader.array()?, reader.array()?].map(i16::from_be_bytes);
    let power_dbm = reader.octet()? as i8;
    let bearer = in_range("bearer", reader.octet()?, 0, BEARERS)?;
    let rfpi = reader.array()?;
    let [high, middle, low] = reader.array()?;
    let pmid =
        Pmid::from_bits(u32::from_be_bytes([0, high, middle, low])).ok_or(AirError::Field {
            field: "PMID",
            value: high,
        })?;
    Ok((
        kind,
        Header {
            frame,
            position: Position { x_dm, y_dm, z_dm },
            power_dbm,
            bearer,
            rfpi,
            pmid,
        },
    ))
}

fn parse_body(kind: u8, header: &Header, reader: &mut Reader<'_>) -> Result<Body, AirError> {
    Ok(match kind {
        1 => Body::Tune {
            seconds: in_range("seconds", reader.octet()?, 1, 60)?,
        },
        2 => Body::Beacon(parse_beacon(reader)?),
        3 => Body::Access {
            kind: access_kind(reader.octet()?)?,
            attempt: in_range("attempt", reader.octet()?, 1, 10)?,
        },
        4 => {
            in_range("bearer", header.bearer, 1, BEARERS)?;
            Body::Confirm
        }
        5 => Body::Wait,
        6 => Body::Refuse(refuse_reason(reader.octet()?)?),
        7 => {
            in_range("bearer", header.bearer, 1, BEARERS)?;
            Body::Burst(parse_burst(reader)?)
        }
        8 => Body::Cipher(cipher_step(reader.octet()?)?),
        9 => Body::Release(release_reason(reader.octet()?)?),
        other => return Err(AirError::Type(other)),
    })
}

fn in_range(field: &'static str, value: u8, low: u8, high: u8) -> Result<u8, AirError> {
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(AirError::Field { field, value })
    }
}

fn access_kind(value: u8) -> Result<AccessKind, AirError> {
    match value {
        0 => Ok(AccessKind::Access),
        1 => Ok(AccessKind::BearerHandover),
        2 => Ok(AccessKind::ConnectionHandover),
        value => Err(AirError::Field {
            field: "kind of access",
            value,
        }),
    }
}

fn refuse_reason(value: u8) -> Result<RefuseReason, AirError> {
    match value {
        1 => Ok(RefuseReason::NoBearer),
        2 => Ok(RefuseReason::UnknownConnection),
        3 => Ok(RefuseReason::Draining),
        value => Err(AirError::Field {
            field: "reason of refusal",
            value,
        }),
    }
}

fn cipher_step(value: u8) -> Result<CipherStep, AirError> {
    match value {
        0 => Ok(CipherStep::StartRequest),
        1 => Ok(CipherStep::StartConfirm),
        2 => Ok(CipherStep::StartGrant),
        value => Err(AirError::Field {
            field: "cipher step",
            value,
        }),
    }
}

fn release_reason(value: u8) -> Result<ReleaseReason, AirError> {
    match value {
        0 => Ok(ReleaseReason::Normal),
        1 => Ok(ReleaseReason::Abnormal),
        2 => Ok(ReleaseReason::HandedOver),
        value => Err(AirError::Field {
            field: "reason of release",
            value,
        }),
    }
}

fn parse_beacon(reader: &mut Reader<'_>) -> Result<Beacon, AirError> {
    let capabilities = reader.array()?;
    let status = reader.octet()?;
    let free_bearers = in_range("free bearers", reader.octet()?, 0, BEARERS)?;
    let count = in_range("number of pages", reader.octet()?, 0, MAX_PAGES as u8)?;
    let mut pages = SmallVec::new();
    for _ in 0..count {
        let length = reader.octet()?;
        let page = PageTail::from_octets(reader.take(usize::from(length))?);
        pages.push(page.ok_or(AirError::Field {
            field: "length of a page",
            value: length,
        })?);
    }
    Ok(Beacon {
        capabilities,
        busy: status & 1 != 0,
        synchronised: status & 2 != 0,
        free_bearers,
        pages,
    })
}

fn parse_burst(reader: &mut Reader<'_>) -> Result<Burst, AirError> {
    let flags = reader.octet()?;
    let level = in_range("level", reader.octet()?, 0, 127)?;
    let segment = reader.array()?;
    let b_field: BField = reader.array()?;
    Ok(Burst {
        ct: (flags & 1 != 0).then_some(Ct {
            number: flags & 2 != 0,
            segment,
        }),
        expected: flags & 4 != 0,
        b_field: (flags & 8 != 0).then_some(b_field),
        ciphered: flags & 16 != 0,
        heard_dbm: (level != 127).then_some(-(level as i8)),
    })
}

struct Writer<'a> {
    out: &'a mut [u8; MAX_OCTETS],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, octets: &[u8]) {
        self.out[self.at..self.at + octets.len()].copy_from_slice(octets);
        self.at += octets.len();
    }
}

fn write_header(code: u8, header: &Header, out: &mut [u8; MAX_OCTETS]) {
    let mut writer = Writer { out, at: 0 };
    writer.put(&MAGIC);
    writer.put(&[VERSION, code]);
    writer.put(&header.frame.value().to_be_bytes());
    let Position { x_dm, y_dm, z_dm } = header.position;
    for axis in [x_dm, y_dm, z_dm] {
        writer.put(&axis.to_be_bytes());
    }
    writer.put(&[header.power_dbm as u8, header.bearer]);
    writer.put(&header.rfpi);
    writer.put(&header.pmid.bits().to_be_bytes()[1..]);
}

fn write_body(body: &Body, writer: &mut Writer<'_>) {
    match body {
        Body::Tune { seconds } => writer.put(&[*seconds]),
        Body::Beacon(beacon) => write_beacon(beacon, writer),
        Body::Access { kind, attempt } => writer.put(&[*kind as u8, *attempt]),
        Body::Confirm | Body::Wait => {}
        Body::Refuse(reason) => writer.put(&[*reason as u8 + 1]),
        Body::Burst(burst) => write_burst(burst, writer),
        Body::Cipher(step) => writer.put(&[*step as u8]),
        Body::Release(reason) => writer.put(&[*reason as u8]),
    }
}

fn write_beacon(beacon: &Beacon, writer: &mut Writer<'_>) {
    let pages = &beacon.pages[..beacon.pages.len().min(MAX_PAGES)];
    let status = u8::from(beacon.busy) | u8::from(beacon.synchronised) << 1;
    writer.put(&beacon.capabilities);
    writer.put(&[status, beacon.free_bearers, pages.len() as u8]);
    for page in pages {
        writer.put(&[page.octets().len() as u8]);
        writer.put(page.octets());
    }
}

fn write_burst(burst: &Burst, writer: &mut Writer<'_>) {
    let number = burst.ct.is_some_and(|ct| ct.number);
    let flags = u8::from(burst.ct.is_some())
        | u8::from(number) << 1
        | u8::from(burst.expected) << 2
        | u8::from(burst.b_field.is_some()) << 3
        | u8::from(burst.ciphered) << 4;
    let level = burst
        .heard_dbm
        .map_or(127, |dbm| (-i16::from(dbm)).clamp(0, 126) as u8);
    writer.put(&[flags, level]);
    writer.put(&burst.ct.map_or([0; SEGMENT_OCTETS], |ct| ct.segment));
    writer.put(&burst.b_field.unwrap_or([0; B_FIELD_OCTETS]));
}

/// Fuzz entry: whatever parses is written and parsed to the same again.
pub fn fuzz_air(data: &[u8]) {
    if let Ok(datagram) = Datagram::parse(data) {
        let again = Datagram::parse(&datagram.to_vec());
        assert_eq!(
            again.as_ref(),
            Ok(&datagram),
            "written datagrams parse to themselves"
        );
    }
}

#[cfg(test)]
mod tests;
