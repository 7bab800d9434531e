//! A frame of 20 ms through G.726 at 32 kbit/s: the codec of the air.

use ipdect_media::codec::g726::{Decoder, Encoder, Packing, Rate};

use crate::bench::Bench;
use crate::peers::{self, Peer};

const FRAME: usize = 160;

/// One second of 1000 Hz at a quarter of full scale; the peer's program makes the same.
fn tone() -> Vec<i16> {
    let sample =
        |n: u32| (8192.0 * (f64::from(n) * std::f64::consts::TAU / 8.0).sin()).round() as i16;
    (0..8000).map(sample).collect()
}

pub(crate) fn run(bench: &mut Bench) {
    let tone = tone();
    let mut frames = tone.chunks_exact(FRAME).cycle();
    let (mut encoder, mut octets) = (Encoder::new(Rate::R32), [0; FRAME / 2]);
    let encode = bench.each("g726/encode", || {
        Packing::Aal2.encode(&mut encoder, frames.next().expect("for ever"), &mut octets)
    });

    let mut encoder = Encoder::new(Rate::R32);
    let mut coded = vec![0; tone.len() / 2];
    Packing::Aal2.encode(&mut encoder, &tone, &mut coded);
    let mut frames = coded.chunks_exact(FRAME / 2).cycle();
    let (mut decoder, mut linear) = (Decoder::new(Rate::R32), [0; FRAME]);
    let decode = bench.each("g726/decode", || {
        Packing::Aal2.decode(&mut decoder, frames.next().expect("for ever"), &mut linear)
    });
    let spandsp = Peer {
        name: "spandsp 0.0.6",
        source: "g726_spandsp.c",
        libraries: &["-lspandsp", "-lm"],
        package: "libspandsp-dev",
    };
    peers::beside(
        bench,
        "G.726-32: encode a frame of 20 ms",
        encode,
        &spandsp,
        "encode",
    );
    peers::beside(
        bench,
        "G.726-32: decode a frame of 20 ms",
        decode,
        &spandsp,
        "decode",
    );
}
