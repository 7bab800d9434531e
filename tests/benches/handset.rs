//! What one event costs the mind of a handset.

use std::time::{Instant, SystemTime};

use ipdect_dect::identity::Ipui;
use ipdect_dect::nwk::ie::{BasicService, PortableIdentity};
use ipdect_dect::nwk::{Cc, Ie, Kind, Message, Transaction};
use ipdect_handset::{Action, Event, State};
use ipdect_tests::kit::handset::{Scene, ipei};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::bench::{Bench, Figure};

fn setup() -> Message {
    Message::new(Transaction::originated(0), Kind::Cc(Cc::Setup))
        .with(Ie::PortableIdentity(PortableIdentity::Ipui(
            Ipui::N(ipei()),
        )))
        .with(Ie::BasicService(BasicService::NORMAL_SPEECH))
        .with(Ie::MultiKeypad(b"4711#".to_vec()))
}

const SDP: &str = "v=0\r\no=- 77 1 IN IP4 192.0.2.60\r\ns=-\r\nc=IN IP4 192.0.2.60\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8 101\r\n\
a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

/// A registered handset and what happens to it next.
struct Moment {
    scene: Scene,
    event: Event,
    now: Instant,
    wall: SystemTime,
    rng: ChaCha8Rng,
}

fn moment(event: impl FnOnce(&mut Scene) -> Event) -> Moment {
    let mut scene = Scene::new();
    let event = event(&mut scene);
    Moment {
        scene,
        event,
        now: Instant::now(),
        wall: SystemTime::UNIX_EPOCH,
        rng: ChaCha8Rng::seed_from_u64(1),
    }
}

/// Lets it happen; the state comes back, so that dropping it costs nothing here.
fn happens(moment: Moment) -> (Vec<Action>, State) {
    let Moment {
        scene,
        event,
        now,
        wall,
        mut rng,
    } = moment;
    let mut state = scene.state;
    (state.handle(now, wall, &mut rng, event), state)
}

pub(crate) fn run(bench: &mut Bench) {
    let off_hook = || moment(|scene| Event::Nwk(scene.up(&setup())));
    let called = || moment(|scene| scene.invite("", Some(SDP)));
    for made in [off_hook(), called()] {
        assert!(
            happens(made)
                .0
                .iter()
                .any(|action| matches!(action, Action::Media(_))),
            "a session is opened"
        );
    }
    let per_second = |figure: Figure| format!("{:.0} k events a second and core", 1e6 / figure.ns);
    let octets = setup().encode();
    let figure = bench.each("handset/nwk-codec", || {
        Message::decode(&octets).map(|message| message.encode())
    });
    bench.alone("NWK: decode and encode {CC-SETUP}", figure, |_| {
        String::new()
    });
    let figure = bench.batched("handset/cc-setup", off_hook, happens);
    bench.alone("handset: {CC-SETUP} to actions", figure, per_second);
    let figure = bench.batched("handset/invite", called, happens);
    bench.alone("handset: INVITE to actions", figure, per_second);
}
