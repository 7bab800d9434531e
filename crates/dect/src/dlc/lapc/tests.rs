use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;
use crate::mac::SEGMENT_OCTETS;
use crate::tests::t0;

const LSIG: u16 = 0x1234;

fn pair() -> (Lapc, Lapc) {
    (
        Lapc::new(Side::Portable, LSIG),
        Lapc::new(Side::Fixed, LSIG),
    )
}

/// Feeds what one side transmits to the other, in segments; what else came out stays.
fn feed(now: Instant, outputs: &mut Vec<Output>, to: &mut Lapc) -> Vec<Output> {
    let mut out = Vec::new();
    outputs.retain(|output| {
        let Output::Transmit(octets) = output else {
            return true;
        };
        for segment in octets.chunks(SEGMENT_OCTETS) {
            out.extend(to.segment(now, segment.try_into().unwrap()));
        }
        false
    });
    out
}

/// Lets both sides talk until neither transmits, and answers what came out at each.
fn talk(
    now: Instant,
    a: &mut Lapc,
    b: &mut Lapc,
    from_a: Vec<Output>,
) -> (Vec<Output>, Vec<Output>) {
    let (mut at_a, mut at_b) = (from_a, Vec::new());
    loop {
        let quiet = |out: &[Output]| !out.iter().any(|o| matches!(o, Output::Transmit(_)));
        if quiet(&at_a) && quiet(&at_b) {
            return (at_a, at_b);
        }
        let more = feed(now, &mut at_a, b);
        at_b.extend(more);
        let more = feed(now, &mut at_b, a);
        at_a.extend(more);
    }
}

fn transmitted(outputs: &[Output]) -> Vec<Frame> {
    let frame = |o: &Output| match o {
        Output::Transmit(octets) => [Side::Portable, Side::Fixed]
            .iter()
            .find_map(|side| Frame::parse(octets, *side, LSIG).ok()),
        _ => None,
    };
    outputs.iter().filter_map(frame).collect()
}

#[test]
fn the_first_frame_establishes_and_is_answered_with_the_new_link_flag() {
    let (mut pt, mut ft) = pair();
    let mut sent = pt.send(t0(), b"setup").unwrap();
    assert!(transmitted(&sent)[0].new_link);
    let mut answered = feed(t0(), &mut sent, &mut ft);
    assert_eq!(
        answered[..2],
        [Output::Established, Output::Deliver(b"setup".to_vec())]
    );
    let answer = &transmitted(&answered)[0];
    assert_eq!(
        (answer.new_link, answer.control),
        (true, Control::ReceiveReady { n_r: true })
    );
    assert_eq!(
        feed(t0(), &mut answered, &mut pt),
        [Output::Established, Output::AllSent]
    );
    assert!(pt.is_established() && pt.is_idle() && pt.next_deadline().is_none());
}

#[test]
fn messages_go_both_ways_in_order() {
    let (mut pt, mut ft) = pair();
    let sent = pt.send(t0(), b"one").unwrap();
    talk(t0(), &mut pt, &mut ft, sent);
    let mut down = ft.send(t0(), b"two").unwrap();
    down.extend(ft.send(t0(), b"three").unwrap());
    let (at_ft, at_pt) = talk(t0(), &mut ft, &mut pt, down);
    assert_eq!(
        at_pt,
        [
            Output::Deliver(b"two".to_vec()),
            Output::Deliver(b"three".to_vec())
        ]
    );
    assert_eq!(at_ft, [Output::AllSent]);
}

#[test]
fn a_long_message_goes_in_parts() {
    let (mut pt, mut ft) = pair();
    let message: Vec<u8> = (0..200).map(|i| i as u8).collect();
    let mut sent = pt.send(t0(), &message).unwrap();
    let first = &transmitted(&sent)[0];
    assert_eq!((first.more, first.info.len()), (true, MAX_INFO));
    let mut from_ft = feed(t0(), &mut sent, &mut ft);
    let rest = feed(t0(), &mut from_ft, &mut pt);
    let (_, at_ft) = talk(t0(), &mut pt, &mut ft, rest);
    assert_eq!(at_ft, [Output::Deliver(message)]);
}

#[test]
fn both_sides_may_establish_at_once() {
    let (mut pt, mut ft) = pair();
    let mut up = pt.send(t0(), b"up").unwrap();
    let mut down = ft.send(t0(), b"down").unwrap();
    let at_ft = feed(t0(), &mut up, &mut ft);
    let mut at_pt = feed(t0(), &mut down, &mut pt);
    let (at_ft, later) = talk(t0(), &mut ft, &mut pt, at_ft);
    at_pt.extend(later);
    let (at_pt, more) = talk(t0(), &mut pt, &mut ft, at_pt);
    let deliveries = |out: Vec<Output>| {
        out.into_iter()
            .filter(|o| matches!(o, Output::Deliver(_)))
            .collect::<Vec<_>>()
    };
    assert_eq!(deliveries(at_pt), [Output::Deliver(b"down".to_vec())]);
    assert_eq!(
        deliveries([at_ft, more].concat()),
        [Output::Deliver(b"up".to_vec())]
    );
    assert!(pt.is_established() && ft.is_established() && pt.is_idle() && ft.is_idle());
}

#[test]
fn a_lost_answer_makes_no_second_delivery() {
    let (mut pt, mut ft) = pair();
    let start = t0();
    let mut sent = pt.send(start, b"setup").unwrap();
    feed(start, &mut sent, &mut ft);
    let later = start + DL_07;
    assert_eq!(pt.next_deadline(), Some(later));
    let repeated = pt.deadline(later);
    assert!(transmitted(&repeated)[0].new_link);
    let (at_pt, at_ft) = talk(later, &mut pt, &mut ft, repeated);
    assert_eq!(at_ft, []);
    assert_eq!(at_pt, [Output::Established, Output::AllSent]);
}

#[test]
fn without_answer_the_link_fails_after_three_repetitions() {
    let (mut pt, _) = pair();
    let mut now = t0();
    pt.send(now, b"setup").unwrap();
    for _ in 0..N250 {
        now += DL_07;
        assert_eq!(pt.deadline(now - Duration::from_millis(1)), []);
        assert_eq!(transmitted(&pt.deadline(now)).len(), 1);
    }
    now += DL_07;
    assert_eq!(pt.deadline(now), [Output::Failed]);
    assert_eq!(pt.next_deadline(), None);
    assert_eq!(pt.send(now, b"more"), Err(SendError::Ended));
}

#[test]
fn a_frame_of_an_unknown_link_is_not_answered() {
    let (mut pt, mut ft) = pair();
    let sent = pt.send(t0(), b"one").unwrap();
    talk(t0(), &mut pt, &mut ft, sent);
    let mut stranger = Lapc::new(Side::Fixed, LSIG);
    let mut sent = pt.send(t0(), b"two").unwrap();
    assert_eq!(feed(t0(), &mut sent, &mut stranger), []);
}

#[test]
fn a_portable_that_begins_anew_is_taken() {
    let (mut pt, mut ft) = pair();
    for message in [&b"one"[..], b"two"] {
        let sent = pt.send(t0(), message).unwrap();
        talk(t0(), &mut pt, &mut ft, sent);
    }
    let mut again = Lapc::new(Side::Portable, LSIG);
    let sent = again.send(t0(), b"three").unwrap();
    let (_, at_ft) = talk(t0(), &mut again, &mut ft, sent);
    assert_eq!(
        at_ft,
        [Output::Established, Output::Deliver(b"three".to_vec())]
    );
    let sent = ft.send(t0(), b"four").unwrap();
    let (_, at_pt) = talk(t0(), &mut ft, &mut again, sent);
    assert_eq!(at_pt, [Output::Deliver(b"four".to_vec())]);
}

#[test]
fn what_cannot_be_sent_is_refused_whole() {
    let (mut pt, _) = pair();
    assert_eq!(pt.send(t0(), b""), Err(SendError::Length(0)));
    assert_eq!(
        pt.send(t0(), &[0; MAX_MESSAGE + 1]),
        Err(SendError::Length(MAX_MESSAGE + 1))
    );
    // The first one is under way, so it does not count.
    for _ in 0..=MAX_QUEUED {
        pt.send(t0(), b"x").unwrap();
    }
    assert_eq!(pt.send(t0(), b"x"), Err(SendError::Full));
}

#[test]
fn an_overlong_message_is_dropped_and_the_link_goes_on() {
    let (mut pt, mut ft) = pair();
    let sent = pt.send(t0(), &[1; MAX_MESSAGE]).unwrap();
    // The last part pretends that the message goes on.
    pt.queued.back_mut().unwrap().more = true;
    let (_, at_ft) = talk(t0(), &mut pt, &mut ft, sent);
    assert_eq!(at_ft, [Output::Established]);
    let sent = pt.send(t0(), b"tail").unwrap();
    assert_eq!(talk(t0(), &mut pt, &mut ft, sent).1, []);
    let sent = pt.send(t0(), b"next").unwrap();
    assert_eq!(
        talk(t0(), &mut pt, &mut ft, sent).1,
        [Output::Deliver(b"next".to_vec())]
    );
}

#[test]
fn a_link_goes_on_at_another_base_with_its_context() {
    let (mut pt, mut ft) = pair();
    let sent = pt.send(t0(), b"setup").unwrap();
    talk(t0(), &mut pt, &mut ft, sent);
    // One message under way and one queued while the portable moves; of its own long one a part has arrived.
    ft.send(t0(), b"under way").unwrap();
    ft.send(t0(), b"queued").unwrap();
    let long = [9; 100];
    let mut first_part = pt.send(t0(), &long).unwrap();
    feed(t0(), &mut first_part, &mut ft);
    let context = ft.take_context();
    assert_eq!(ft.send(t0(), b"too late"), Err(SendError::Ended));
    assert_eq!(
        (
            context.unacked.is_some(),
            context.queued.len(),
            context.reassembly.len()
        ),
        (true, 1, MAX_INFO)
    );

    let (mut elsewhere, resumed) = Lapc::resume(t0(), Side::Fixed, LSIG, context);
    let (mut at_new, mut at_pt) = talk(t0(), &mut elsewhere, &mut pt, resumed);
    let again = pt.deadline(t0() + DL_04);
    let (more_pt, more_new) = talk(t0() + DL_04, &mut pt, &mut elsewhere, again);
    at_new.extend(more_new);
    at_pt.extend(more_pt);
    let delivered = |out: &[Output]| -> Vec<Vec<u8>> {
        out.iter()
            .filter_map(|o| {
                if let Output::Deliver(m) = o {
                    Some(m.clone())
                } else {
                    None
                }
            })
            .collect()
    };
    assert_eq!(
        delivered(&at_pt),
        [b"under way".to_vec(), b"queued".to_vec()]
    );
    assert_eq!(delivered(&at_new), [long.to_vec()]);
}

#[test]
fn parts_survive_the_wire() {
    for part in [
        Part {
            more: true,
            info: SmallVec::from_slice(&[1; 63]),
        },
        Part {
            more: false,
            info: SmallVec::new(),
        },
    ] {
        assert_eq!(Part::from_octets(&part.to_octets()), Some(part));
    }
    assert_eq!(Part::from_octets(&[2, 1]), None);
    assert_eq!(Part::from_octets(&[1; 65]), None);
    assert_eq!(Part::from_octets(&[]), None);
}

#[test]
fn messages_arrive_once_and_in_order_when_one_frame_in_ten_is_lost() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (mut pt, mut ft) = pair();
    let messages: Vec<Vec<u8>> = (1..20u8).map(|i| vec![i; usize::from(i) * 7]).collect();
    let mut now = t0();
    let mut up = Vec::new();
    for message in &messages {
        up.extend(pt.send(now, message).unwrap());
    }
    let (mut down, mut arrived) = (Vec::new(), Vec::new());
    let mut lossy = |out: Vec<Output>| -> Vec<Output> {
        out.into_iter()
            .filter(|o| !matches!(o, Output::Transmit(_)) || rng.next_u32() % 10 != 0)
            .collect()
    };
    for _ in 0..400 {
        down.extend(feed(now, &mut lossy(std::mem::take(&mut up)), &mut ft));
        arrived.extend(down.extract_if(.., |o| matches!(o, Output::Deliver(_))));
        up.extend(feed(now, &mut lossy(std::mem::take(&mut down)), &mut pt));
        if up.iter().all(|o| !matches!(o, Output::Transmit(_))) {
            now += DL_04;
            up.extend(pt.deadline(now));
            assert!(!up.contains(&Output::Failed), "N250 passed: unlucky seed");
        }
    }
    let wanted: Vec<Output> = messages.into_iter().map(Output::Deliver).collect();
    assert_eq!(arrived, wanted);
}

proptest! {
    #[test]
    fn no_segment_stream_breaks_a_link(data in proptest::collection::vec(any::<u8>(), 0..400)) {
        fuzz_lapc(&data, t0());
    }
}
