//! The ladder of a call: who said what to whom, on one axis of time.

use std::fmt::Write as _;

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::LadderStep;

/// Width of a column, of the column of times, height of a step and of the heads, pixels.
const COLUMN: usize = 160;
const TIMES: usize = 84;
const STEP: usize = 30;
const HEAD: usize = 40;
/// Letters that fit over an arrow.
const LETTERS: usize = 20;

/// One column.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) what: &'static str,
    pub(crate) x: usize,
}

/// One arrow, and the line of text below the picture.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arrow {
    /// Names the step on the page, where there may be several ladders: `step-0-4`.
    pub(crate) id: String,
    pub(crate) time: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// `nwk`, `sip`, `media`, `radio` or `other`.
    pub(crate) class: &'static str,
    pub(crate) protocol: String,
    pub(crate) summary: String,
    pub(crate) short: String,
    pub(crate) detail: String,
    /// Line and head as SVG paths.
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) label_x: usize,
    pub(crate) label_y: usize,
    pub(crate) y: usize,
}

/// The whole picture.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ladder {
    pub(crate) columns: Vec<Column>,
    pub(crate) arrows: Vec<Arrow>,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// Lays out the steps, which are in order of time; `place` is the place of the ladder among those of its page.
pub(crate) fn ladder(call: &admin::Call, place: usize, steps: &[LadderStep]) -> Ladder {
    let names = names(call, steps);
    let x = |name: &str| {
        TIMES + COLUMN / 2 + COLUMN * names.iter().position(|n| n == name).unwrap_or(0)
    };
    let began = steps.first().map_or(0, |s| s.at_utc_us);
    let arrows = (0..)
        .zip(steps)
        .map(|(n, step)| Arrow {
            id: format!("step-{place}-{n}"),
            ..arrow(n, step, began, x(&step.from), x(&step.to))
        })
        .collect();
    let columns = names
        .iter()
        .map(|n| Column {
            name: n.clone(),
            what: what(call, n),
            x: x(n),
        })
        .collect();
    Ladder {
        columns,
        arrows,
        width: TIMES + COLUMN * names.len(),
        height: HEAD + STEP * (steps.len() + 1),
    }
}

/// Names of the columns, from the handset to the peer.
fn names(call: &admin::Call, steps: &[LadderStep]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in steps.iter().flat_map(|s| [&s.from, &s.to]) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    // Stable: unknown names keep the order in which they came.
    names.sort_by_key(|n| rank(call, n));
    names
}

fn rank(call: &admin::Call, name: &str) -> u8 {
    match name {
        n if n == "PP" || n.starts_with("PP ") => 0,
        "SIP" => 5,
        "media" => 4,
        n if n == call.base_node_id => 1,
        n if n == call.server_node_id => 2,
        n if n == call.media_node_id => 4,
        _ => 3,
    }
}

fn what(call: &admin::Call, name: &str) -> &'static str {
    match rank(call, name) {
        0 => "handset",
        1 => "base station",
        2 => "server",
        4 => "media resource",
        5 => "SIP peer",
        _ => "",
    }
}

fn arrow(number: usize, step: &LadderStep, began: u64, from: usize, to: usize) -> Arrow {
    let y = HEAD + STEP * (number + 1);
    let (line, head) = drawn(from, to, y);
    Arrow {
        id: String::new(),
        time: offset(step.at_utc_us.saturating_sub(began)),
        from: step.from.clone(),
        to: step.to.clone(),
        class: match step.protocol.as_str() {
            "nwk" => "nwk",
            "sip" => "sip",
            "media" => "media",
            "radio" => "radio",
            _ => "other",
        },
        protocol: step.protocol.clone(),
        summary: step.summary.clone(),
        short: shortened(
            &step.summary,
            LETTERS * from.abs_diff(to).max(COLUMN) / COLUMN,
        ),
        detail: step.detail.clone(),
        line,
        head,
        label_x: if from == to {
            from + 12
        } else {
            (from + to) / 2
        },
        label_y: y - 5,
        y,
    }
}

fn drawn(from: usize, to: usize, y: usize) -> (String, String) {
    let mut head = String::new();
    if from == to {
        // Said to itself: a small hook.
        let _ = write!(head, "M{} {}l8 -4v8z", to, y + 6);
        return (format!("M{from} {}h8v8h-8", y - 2), head);
    }
    let back: i64 = if to > from { -8 } else { 8 };
    let _ = write!(head, "M{to} {y}l{back} -4v8z");
    (format!("M{from} {y}H{to}"), head)
}

fn offset(us: u64) -> String {
    if us < 1_000_000 {
        format!("+{}.{} ms", us / 1000, us / 100 % 10)
    } else {
        format!("+{}.{:03} s", us / 1_000_000, us / 1000 % 1000)
    }
}

fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.into();
    }
    let mut short: String = text.chars().take(letters.saturating_sub(1)).collect();
    short.push('\u{2026}');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(at_utc_us: u64, from: &str, to: &str) -> LadderStep {
        LadderStep {
            at_utc_us,
            from: from.into(),
            to: to.into(),
            protocol: "sip".into(),
            summary: "INVITE".into(),
            ..Default::default()
        }
    }

    fn call() -> admin::Call {
        admin::Call {
            server_node_id: "s".into(),
            base_node_id: "b".into(),
            media_node_id: "m".into(),
            ..Default::default()
        }
    }

    #[test]
    fn columns_stand_from_the_handset_to_the_peer_whoever_spoke_first() {
        let made = ladder(
            &call(),
            0,
            &[
                step(0, "SIP", "s"),
                step(1500, "s", "m"),
                step(2000, "s", "b"),
                step(12_340_000, "b", "PP"),
            ],
        );
        let names: Vec<&str> = made.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["PP", "b", "s", "m", "SIP"]);
        let times: Vec<&str> = made.arrows.iter().map(|a| a.time.as_str()).collect();
        assert_eq!(times, ["+0.0 ms", "+1.5 ms", "+2.0 ms", "+12.340 s"]);
        assert_eq!(made.width, TIMES + 5 * COLUMN);
    }

    #[test]
    fn arrows_point_where_the_message_went() {
        let made = ladder(&call(), 0, &[step(0, "s", "SIP"), step(0, "SIP", "s")]);
        assert_eq!(made.arrows[0].head, "M324 70l-8 -4v8z");
        assert_eq!(made.arrows[1].head, "M164 100l8 -4v8z");
    }

    #[test]
    fn a_ladder_without_steps_is_empty_and_long_texts_are_cut() {
        assert_eq!(ladder(&call(), 0, &[]).arrows, []);
        assert_eq!(shortened("abcdef", 4), "abc\u{2026}");
        assert_eq!(shortened("äöü", 3), "äöü");
    }
}
