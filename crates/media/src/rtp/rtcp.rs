//! RTCP compounds (RFC 3550 section 6): SR or RR with one report, SDES with a CNAME, BYE.

use std::time::Duration;

/// Octets that [`Report::write`] may need with the longest CNAME.
pub const MAX_COMPOUND: usize = 28 + 24 + 4 + 4 + 2 + 255 + 4 + 8;

const SR: u8 = 200;
const RR: u8 = 201;
const SDES: u8 = 202;
const BYE: u8 = 203;

/// Whether a packet on a shared port is RTCP (RFC 5761 section 4).
#[must_use]
pub fn is_rtcp(packet: &[u8]) -> bool {
    matches!(packet, [first, 192..=223, ..] if first >> 6 == 2)
}

/// What a sender says of its own stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// Time of the report in 1/2^32 s since any fixed moment (RFC 3550 section 4 asks for no wall clock).
    pub ntp: u64,
    /// The same moment in RTP timestamp units.
    pub rtp_timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload octets sent.
    pub octets: u32,
}

/// What a receiver says of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// Part lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost in all, 24 bits signed.
    pub lost: i32,
    /// Highest sequence number with cycles.
    pub highest: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the source's last NTP time; 0 none.
    pub last_sr: u32,
    /// Time since that report came, in 1/65536 s.
    pub delay: u32,
}

/// A compound to send.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Our source.
    pub ssrc: u32,
    /// Our stream, if we sent anything: makes it an SR.
    pub sender: Option<SenderInfo>,
    /// The peer's stream, if we heard one.
    pub block: Option<ReportBlock>,
    /// Canonical name, 255 octets at most; more is cut.
    pub cname: &'a [u8],
    /// Whether the source leaves.
    pub bye: bool,
}

/// What a compound told about the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// Middle 32 bits of the sender's NTP time.
    pub last_sr: Option<u32>,
    /// The block about our source.
    pub block: Option<ReportBlock>,
    /// The sender left.
    pub bye: bool,
}

/// Why octets are not an RTCP compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RTCP compound")]
pub struct RtcpError;

impl Report<'_> {
    /// Writes the compound; answers its length, or `None` if the buffer is too small.
    #[must_use]
    pub fn write(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut out = Writer { buffer, at: 0 };
        let blocks = u8::from(self.block.is_some());
        let kind = if self.sender.is_some() { SR } else { RR };
        let words = 1 + 5 * u16::from(self.sender.is_some()) + 6 * u16::from(blocks);
        out.head(blocks, kind, words)?;
        out.word(self.ssrc)?;
        if let Some(sender) = &self.sender {
            out.put(&sender.ntp.to_be_bytes())?;
            out.word(sender.rtp_timestamp)?;
            out.word(sender.packets)?;
            out.word(sender.octets)?;
        }
        if let Some(block) = &self.block {
            out.block(block)?;
        }
        self.write_name(&mut out)?;
        if self.bye {
            out.head(1, BYE, 1)?;
            out.word(self.ssrc)?;
        }
        Some(out.at)
    }

    fn write_name(&self, out: &mut Writer<'_>) -> Option<()> {
        let name = &self.cname[..self.cname.len().min(255)];
        // SSRC, item head, name, and at least one zero octet up to the next word.
        let items = (2 + name.len()) / 4 + 1;
        out.head(1, SDES, 1 + items as u16)?;
        out.word(self.ssrc)?;
        out.put(&[1, name.len() as u8])?;
        out.put(name)?;
        out.put(&[0; 4][..4 * items - 2 - name.len()])
    }
}

struct Writer<'a> {
    buffer: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, octets: &[u8]) -> Option<()> {
        self.buffer
            .get_mut(self.at..self.at + octets.len())?
            .copy_from_slice(octets);
        self.at += octets.len();
        Some(())
    }

    fn word(&mut self, word: u32) -> Option<()> {
        self.put(&word.to_be_bytes())
    }

    fn head(&mut self, count: u8, kind: u8, words: u16) -> Option<()> {
        self.put(&[0x80 | count, kind])?;
        self.put(&words.to_be_bytes())
    }

    fn block(&mut self, block: &ReportBlock) -> Option<()> {
        let lost = block.lost.clamp(-(1 << 23), (1 << 23) - 1) as u32 & 0x00FF_FFFF;
        self.word(block.ssrc)?;
        self.word(u32::from(block.fraction_lost) << 24 | lost)?;
        for word in [block.highest, block.jitter, block.last_sr, block.delay] {
            self.word(word)?;
        }
        Some(())
    }
}

/// Reads a compound in the clear and keeps what concerns `our_ssrc`.
///
/// # Errors
/// [`RtcpError`] if a part is cut short, is not version 2, or the first one is neither SR nor RR.
pub fn parse(compound: &[u8], our_ssrc: u32) -> Result<Heard, RtcpError> {
    let mut heard = Heard::default();
    let mut rest = compound;
    let mut first = true;
    while !rest.is_empty() {
        let (head, kind, body, tail) = split(rest).ok_or(RtcpError)?;
        if first && kind != SR && kind != RR {
            return Err(RtcpError);
        }
        let blocks_at = match kind {
            SR => {
                heard.last_sr = Some(word(body, 6).ok_or(RtcpError)?);
                24
            }
            RR => 4,
            BYE => {
                heard.bye = true;
                body.len()
            }
            _ => body.len(),
        };
        let blocks = body.get(blocks_at..).ok_or(RtcpError)?.chunks_exact(24);
        let count = usize::from(head & 0x1F);
        let ours = blocks
            .take(count)
            .filter_map(report_block)
            .find(|b| b.ssrc == our_ssrc);
        heard.block = ours.or(heard.block);
        (rest, first) = (tail, false);
    }
    if first { Err(RtcpError) } else { Ok(heard) }
}

/// First octet, packet type, body and what follows.
fn split(octets: &[u8]) -> Option<(u8, u8, &[u8], &[u8])> {
    let [head, kind, l0, l1, ..] = *octets else {
        return None;
    };
    let length = 4 + 4 * usize::from(u16::from_be_bytes([l0, l1]));
    if head >> 6 != 2 {
        return None;
    }
    Some((head, kind, octets.get(4..length)?, &octets[length..]))
}

fn word(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*octets.get(at..)?.first_chunk()?))
}

fn report_block(octets: &[u8]) -> Option<ReportBlock> {
    let loss = word(octets, 4)?;
    Some(ReportBlock {
        ssrc: word(octets, 0)?,
        fraction_lost: (loss >> 24) as u8,
        // Sign extension of 24 bits.
        lost: (loss << 8) as i32 >> 8,
        highest: word(octets, 8)?,
        jitter: word(octets, 12)?,
        last_sr: word(octets, 16)?,
        delay: word(octets, 20)?,
    })
}

/// A duration since any fixed moment as an NTP timestamp.
#[must_use]
pub fn ntp(elapsed: Duration) -> u64 {
    let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
    elapsed.as_secs() << 32 | fraction
}

/// Middle 32 bits of an NTP timestamp: what report blocks carry.
#[must_use]
pub fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// Round trip time of a block that arrived at `now` (RFC 3550 section 6.4.1), if it holds one.
#[must_use]
pub fn round_trip(now: u64, block: &ReportBlock) -> Option<Duration> {
    if block.last_sr == 0 {
        return None;
    }
    let units = middle(now)
        .wrapping_sub(block.last_sr)
        .wrapping_sub(block.delay);
    // Clocks that disagree give a large number; no call has a round trip of a minute.
    (units < 60 << 16).then(|| Duration::from_secs_f64(f64::from(units) / 65_536.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block() -> ReportBlock {
        ReportBlock {
            ssrc: 0xCAFE,
            fraction_lost: 12,
            lost: -3,
            highest: 0x1_0007,
            jitter: 44,
            last_sr: 0x1234_5678,
            delay: 65_536,
        }
    }

    fn report(sender: bool, with_block: bool, cname: &[u8], bye: bool) -> Report<'_> {
        Report {
            ssrc: 7,
            sender: sender.then_some(SenderInfo {
                ntp: 0x1122_3344_5566_7788,
                rtp_timestamp: 160,
                packets: 2,
                octets: 320,
            }),
            block: with_block.then(block),
            cname,
            bye,
        }
    }

    #[test]
    fn compounds_of_every_shape_read_back_here_and_in_another_implementation() {
        let long = [b'x'; 255];
        for cname in [&b""[..], b"a", b"abc", b"base-1@media", &long] {
            for shape in 0..8u8 {
                let (sender, with_block, bye) = (shape & 1 > 0, shape & 2 > 0, shape & 4 > 0);
                let mut buffer = [0xEE; MAX_COMPOUND];
                let length = report(sender, with_block, cname, bye)
                    .write(&mut buffer)
                    .unwrap();
                let heard = parse(&buffer[..length], 0xCAFE).unwrap();
                assert_eq!(heard.last_sr, sender.then_some(0x3344_5566));
                assert_eq!((heard.block, heard.bye), (with_block.then(block), bye));
                let parts = rtcp::packet::unmarshal(&mut &buffer[..length]).unwrap();
                assert_eq!(parts.len(), 2 + usize::from(bye), "{shape} {}", cname.len());
            }
        }
    }

    #[test]
    fn blocks_about_others_are_passed_over() {
        let mut buffer = [0; MAX_COMPOUND];
        let length = report(true, true, b"x", false).write(&mut buffer).unwrap();
        assert_eq!(parse(&buffer[..length], 1).unwrap().block, None);
        assert_eq!(
            report(true, true, b"x", false).write(&mut buffer[..40]),
            None
        );
    }

    #[test]
    fn the_round_trip_is_what_passed_less_what_the_peer_waited() {
        let sent = ntp(Duration::from_millis(10_000));
        let back = ntp(Duration::from_millis(11_250));
        let block = ReportBlock {
            last_sr: middle(sent),
            delay: 65_536,
            ..block()
        };
        let trip = round_trip(back, &block).unwrap();
        assert!((trip.as_secs_f64() - 0.25).abs() < 0.001, "{trip:?}");
        assert_eq!(round_trip(sent, &block), None);
    }

    #[test]
    fn damaged_compounds_are_refused() {
        let mut buffer = [0; MAX_COMPOUND];
        let length = report(true, true, b"name", true)
            .write(&mut buffer)
            .unwrap();
        for cut in 0..length {
            let whole = [52, 68].contains(&cut);
            assert!(parse(&buffer[..cut], 7).is_err() || whole, "{cut}");
        }
        assert_eq!(parse(&[0x81, 202, 0, 1, 0, 0, 0, 1], 7), Err(RtcpError));
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = parse(&octets, 1);
            let _ = is_rtcp(&octets);
        }
    }
}
