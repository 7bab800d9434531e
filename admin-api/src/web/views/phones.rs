//! Virtual handsets: what they show and which keys make sense now.

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::{PortableCallState, PortableLinkState};

use super::Mark;
use crate::web::words;

/// Other handsets that one is offered to call.
const PEERS: usize = 3;
/// Below this nothing is heard, dBm0.
const SILENCE_DBM0: f32 = -90.0;

/// A key or two, as a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Button {
    /// What it says.
    pub(crate) word: String,
    /// Keys in order, `(` off hook, `)` on hook.
    pub(crate) keys: String,
    /// New microphone source; empty: unchanged.
    pub(crate) source: &'static str,
    /// The one to press.
    pub(crate) class: &'static str,
}

/// One virtual handset.
pub(crate) struct Phone {
    pub(crate) ipei: String,
    pub(crate) ipei_shown: String,
    pub(crate) number: String,
    pub(crate) mark: Mark,
    pub(crate) display: Vec<String>,
    pub(crate) ringer: String,
    /// Level for the meter, dBm0; silence is its lower end.
    pub(crate) level: String,
    pub(crate) ear: String,
    pub(crate) microphone: String,
    pub(crate) air: String,
    pub(crate) frames: String,
    pub(crate) buttons: Vec<Button>,
}

/// All of them.
pub(crate) fn phones(all: &[admin::Portable], usable: bool) -> Vec<Phone> {
    all.iter()
        .map(|p| phone(p, if usable { buttons(p, all) } else { Vec::new() }))
        .collect()
}

fn phone(portable: &admin::Portable, buttons: Vec<Button>) -> Phone {
    let silent = !portable.ear_level_dbm0.is_finite() || portable.ear_level_dbm0 <= SILENCE_DBM0;
    let pitch = if portable.ear_hz > 0.0 {
        format!(", {:.0} Hz", portable.ear_hz)
    } else {
        String::new()
    };
    Phone {
        ipei: portable.ipei.clone(),
        ipei_shown: words::ipei(&portable.ipei),
        number: if portable.number.is_empty() {
            "no number yet".into()
        } else {
            portable.number.clone()
        },
        mark: Mark(words::portable(portable)),
        display: portable.display.clone(),
        ringer: if portable.ringer == 0 {
            "silent".into()
        } else {
            format!("rings, sound {}", portable.ringer.saturating_sub(63))
        },
        level: if silent {
            "-60".into()
        } else {
            format!("{:.1}", portable.ear_level_dbm0)
        },
        ear: if silent {
            "silence".into()
        } else {
            format!("{:.1} dBm0{pitch}", portable.ear_level_dbm0)
        },
        microphone: if portable.speech_source.is_empty() {
            "silence".into()
        } else {
            portable.speech_source.clone()
        },
        air: match portable.link() {
            PortableLinkState::NoSignal => "hears no base station".into(),
            _ => format!("RPN {} at {} dBm", portable.rpn, portable.rssi_dbm),
        },
        frames: if portable.frames == 0 {
            String::new()
        } else {
            format!(
                "{} heard, {} lost, {} made up",
                portable.frames, portable.lost, portable.concealed
            )
        },
        buttons,
    }
}

/// The keys that make sense now.
fn buttons(portable: &admin::Portable, all: &[admin::Portable]) -> Vec<Button> {
    let button = |word: &str, keys: &str, source, class| Button {
        word: word.into(),
        keys: keys.into(),
        source,
        class,
    };
    let hang_up = || button("Hang up", ")", "", "danger");
    match portable.call() {
        PortableCallState::Ringing => vec![button("Answer", "(", "tone:700", "go"), hang_up()],
        PortableCallState::Connected => {
            vec![
                hang_up(),
                button("Speak 1000 Hz", "", "tone:1000", ""),
                button("Speak 700 Hz", "", "tone:700", ""),
                button("Be silent", "", "silence", ""),
            ]
        }
        PortableCallState::Dialling | PortableCallState::Calling | PortableCallState::Released => {
            vec![hang_up()]
        }
        PortableCallState::Idle | PortableCallState::Unspecified
            if portable.link() == PortableLinkState::Ready =>
        {
            let peers = all
                .iter()
                .filter(|p| p.ipei != portable.ipei && !p.number.is_empty())
                .take(PEERS);
            peers
                .map(|p| Button {
                    word: format!("Call {} from {}", p.number, portable.number),
                    keys: format!("({}#", p.number),
                    // So that something is heard as soon as the other side answers.
                    source: "tone:1000",
                    class: "go",
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portable(number: &str, call: PortableCallState) -> admin::Portable {
        admin::Portable {
            ipei: format!("65535000{number}"),
            number: number.into(),
            call: call.into(),
            link: PortableLinkState::Ready.into(),
            ear_level_dbm0: -100.0,
            ..Default::default()
        }
    }

    fn words_and_keys(all: &[admin::Portable], n: usize) -> Vec<(String, String)> {
        phones(all, true)[n]
            .buttons
            .iter()
            .map(|b| (b.word.clone(), b.keys.clone()))
            .collect()
    }

    #[test]
    fn an_idle_handset_offers_to_call_the_others_and_a_ringing_one_to_answer() {
        let all = [
            portable("1001", PortableCallState::Idle),
            portable("1002", PortableCallState::Ringing),
        ];
        assert_eq!(
            words_and_keys(&all, 0),
            [("Call 1002 from 1001".into(), "(1002#".into())]
        );
        assert_eq!(
            words_and_keys(&all, 1),
            [
                ("Answer".into(), "(".into()),
                ("Hang up".into(), ")".into())
            ]
        );
        assert!(
            phones(&all, false)[0].buttons.is_empty(),
            "who may only look gets no keys"
        );
    }

    #[test]
    fn silence_is_a_word_and_a_tone_is_measured() {
        let mut one = portable("1001", PortableCallState::Connected);
        assert_eq!(phones(std::slice::from_ref(&one), true)[0].ear, "silence");
        (one.ear_level_dbm0, one.ear_hz) = (-10.26, 1000.2);
        assert_eq!(phones(&[one], true)[0].ear, "-10.3 dBm0, 1000 Hz");
    }
}
