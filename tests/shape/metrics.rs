//! What is measured is declared, what is declared is measured, and names follow one set of rules.

use std::collections::{BTreeMap, BTreeSet};

use crate::repository::{files, root, shown, text};

/// A list and the folders whose measurements it declares. Libraries without a list are declared by the program they run in.
struct List {
    file: &'static str,
    folders: &'static [&'static str],
}

const LISTS: &[List] = &[
    List {
        file: "crates/node/src/metrics.rs",
        folders: &["crates/node/src"],
    },
    // The side of a link that accepts runs in servers alone.
    List {
        file: "server/src/metrics.rs",
        folders: &[
            "server/src",
            "crates/link/src",
            "crates/cluster/src",
            "crates/sip/src",
            "crates/handset/src",
        ],
    },
    List {
        file: "media-resource/src/metrics.rs",
        folders: &["media-resource/src", "crates/media/src"],
    },
    List {
        file: "base-station/src/metrics.rs",
        folders: &["base-station/src", "crates/dect/src"],
    },
    List {
        file: "admin-api/src/metrics.rs",
        folders: &["admin-api/src"],
    },
];

/// A measurement as its list declares it.
#[derive(Debug, PartialEq, Eq)]
struct Metric {
    name: String,
    /// `counter`, `gauge` or `histogram`.
    kind: &'static str,
    /// `Unit::..`, where the constructor does not imply it.
    unit: Option<String>,
    help: String,
    labels: Vec<String>,
}

/// What a list declares.
fn declared(file: &str) -> Vec<Metric> {
    let found = declared_in(&text(&root().join(file)));
    assert!(!found.is_empty(), "{file} declares nothing");
    found
}

fn declared_in(source: &str) -> Vec<Metric> {
    let from = source
        .find("METRICS: &[Metric] = &[")
        .map_or("", |at| &source[at..]);
    let list = &from[..from.find("];").unwrap_or(from.len())];
    list.split("Metric::")
        .skip(1)
        .filter_map(declaration)
        .collect()
}

/// Reads one constructor of `ipdect_node::metrics::Metric`: name, unit, help, labels, buckets in this order.
fn declaration(call: &str) -> Option<Metric> {
    let (constructor, arguments) = call.split_once('(')?;
    let (kind, implied) = match constructor {
        "counter" => ("counter", Some("Count")),
        "gauge" => ("gauge", None),
        "seconds" => ("histogram", Some("Seconds")),
        "histogram" => ("histogram", None),
        _ => return None,
    };
    // Texts are each second piece between quotes; none of them holds an escaped quote.
    let mut texts = arguments.split('"').skip(1).step_by(2).map(String::from);
    let said = || {
        arguments.split("Unit::").nth(1).map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric())
                .next()
                .unwrap_or_default()
        })
    };
    Some(Metric {
        name: texts.next()?,
        kind,
        unit: implied.or_else(said).map(String::from),
        help: texts.next()?,
        labels: texts.collect(),
    })
}

/// One measurement in the source.
struct Use {
    name: String,
    at: String,
    /// `counter`, `gauge` or `histogram`, where the same call says so.
    kind: Option<&'static str>,
    /// Labels given in the same call.
    labels: Vec<String>,
}

/// All names of metrics in the sources of these folders, but for declarations and unit tests.
fn uses(folders: &[&str]) -> Vec<Use> {
    let mut found = Vec::new();
    for file in folders.iter().flat_map(|folder| files(folder, ".rs")) {
        let name = shown(&file);
        if name.contains("/tests") {
            continue;
        }
        found.extend(uses_in(&name, &code(&text(&file))));
    }
    found
}

/// The source without declarations, comments and unit tests.
fn code(source: &str) -> String {
    let mut kept = String::new();
    let mut declaring = false;
    for line in source.lines() {
        if line.starts_with("#[cfg(test)]") {
            break;
        }
        declaring |= line.contains("METRICS: &[Metric] = &[");
        if !declaring && !line.trim_start().starts_with("//") {
            kept.push_str(line);
        }
        kept.push('\n');
        declaring &= !line.trim_end().ends_with("];");
    }
    kept
}

fn uses_in(file: &str, code: &str) -> Vec<Use> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("\"ipdect_") {
        let rest = &code[at + 1..];
        let Some(end) = rest.find('"') else { continue };
        let name = &rest[..end];
        let is_name = name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        // Names of our own libraries and programs in log filters and run files.
        if !is_name || LIBRARIES.contains(&name) {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let before = code[..at].trim_end();
        let kind = ["counter", "gauge", "histogram"].into_iter().find(|kind| {
            [format!("{kind}!("), format!(".{kind}(")]
                .iter()
                .any(|call| before.ends_with(call.as_str()))
        });
        let macro_call = kind.is_some_and(|kind| before.ends_with(&format!("{kind}!(")));
        let labels = if macro_call {
            labels(&rest[end + 1..])
        } else {
            Vec::new()
        };
        found.push(Use {
            name: name.into(),
            at: format!("{file}:{line}"),
            kind,
            labels,
        });
    }
    found
}

const LIBRARIES: &[&str] = &[
    "ipdect_server",
    "ipdect_media",
    "ipdect_media_resource",
    "ipdect_base_station",
    "ipdect_admin_api",
    "ipdect_node",
];

/// The labels of a macro call: each text before `=>`, up to the parenthesis that ends the call.
fn labels(rest: &str) -> Vec<String> {
    let mut depth = 0;
    let end = rest.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth < 0
    });
    let call = &rest[..end.unwrap_or(rest.len())];
    let before_arrows = call.split("=>").collect::<Vec<_>>();
    let named = before_arrows.iter().rev().skip(1).rev();
    named
        .filter_map(|text| text.trim_end().strip_suffix('"')?.rsplit('"').next())
        .map(String::from)
        .collect()
}

#[test]
fn what_is_measured_is_declared() {
    let mut wrong = Vec::new();
    let mut read = 0;
    for list in LISTS {
        let metrics = declared(list.file);
        for used in uses(list.folders) {
            read += 1;
            let Some(metric) = metrics.iter().find(|metric| metric.name == used.name) else {
                wrong.push(format!(
                    "{}: {} is not declared in {}",
                    used.at, used.name, list.file
                ));
                continue;
            };
            if used.kind.is_some_and(|kind| kind != metric.kind) {
                wrong.push(format!(
                    "{}: {} is declared as a {}",
                    used.at, used.name, metric.kind
                ));
            }
            for label in used
                .labels
                .iter()
                .filter(|label| !metric.labels.contains(label))
            {
                wrong.push(format!("{}: {} has no label {label}", used.at, used.name));
            }
        }
    }
    assert!(read > 80, "only {read} uses were found");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn what_is_declared_is_measured() {
    let mut wrong = Vec::new();
    for list in LISTS {
        let used: BTreeSet<String> = uses(list.folders)
            .into_iter()
            .map(|used| used.name)
            .collect();
        let idle = declared(list.file)
            .into_iter()
            .filter(|metric| !used.contains(&metric.name));
        wrong.extend(idle.map(|metric| {
            format!(
                "{} is declared in {} and never measured",
                metric.name, list.file
            )
        }));
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// In `ipdect up` all lists meet in one recorder.
#[test]
fn no_name_is_declared_twice() {
    let mut files: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for list in LISTS {
        for metric in declared(list.file) {
            files.entry(metric.name).or_default().push(list.file);
        }
    }
    files.retain(|_, files| files.len() > 1);
    assert!(files.is_empty(), "{files:?}");
}

#[test]
fn names_say_what_and_in_which_unit() {
    // Base units only: seconds, bytes, ratios. A level in dBm has none.
    const SCALED: &[&str] = &[
        "_ms",
        "_us",
        "_milliseconds",
        "_kb",
        "_kilobytes",
        "_percent",
        "_octets",
        "_minutes",
    ];
    let mut wrong = Vec::new();
    for metric in LISTS.iter().flat_map(|list| declared(list.file)) {
        let name = metric.name.as_str();
        let mut rule = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{name} {what}"));
            }
        };
        rule(name.starts_with("ipdect_"), "lacks the prefix");
        rule(
            name.ends_with("_total") == (metric.kind == "counter"),
            "is a counter if, and only if, it ends in _total",
        );
        rule(
            !SCALED
                .iter()
                .any(|unit| name.trim_end_matches("_total").ends_with(unit)),
            "has a scaled unit",
        );
        rule(metric.unit.is_some(), "has no unit");
        rule(
            metric.unit.as_deref() != Some("Seconds") || name.ends_with("_seconds"),
            "does not end in its unit",
        );
        rule(!name.contains("__"), "has an empty word");
        rule(
            metric.help.ends_with('.') && metric.help.len() > 10,
            "has no sentence of help",
        );
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// A label's values are few and known: people, calls and addresses are for traces.
#[test]
fn labels_are_bounded() {
    const KNOWN: &[&str] = &[
        "method",
        "code_class",
        "code",
        "transport",
        "direction",
        "codec",
        "reason",
        "peer_kind",
        "base",
        "media",
        "node",
        "kind",
        "state",
        "result",
        "status",
        "outcome",
        "role",
        "leg",
        "use",
        "field",
        "version",
        "release",
        "program",
    ];
    let mut wrong = Vec::new();
    for metric in LISTS.iter().flat_map(|list| declared(list.file)) {
        let unknown = metric
            .labels
            .iter()
            .filter(|label| !KNOWN.contains(&label.as_str()));
        wrong.extend(unknown.map(|label| format!("{}{{{label}}}", metric.name)));
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// `ipdect up --check` reads the probes of all programs.
#[test]
fn what_is_read_is_declared() {
    let names: BTreeSet<String> = LISTS
        .iter()
        .flat_map(|list| declared(list.file))
        .map(|metric| metric.name)
        .collect();
    let read = uses(&["deploy/ipdect/src"]).into_iter();
    let wrong: Vec<String> = read
        .filter(|used| !names.contains(&used.name))
        .map(|used| format!("{}: {}", used.at, used.name))
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

/// Dashboards, alerts and the runbook show what some list declares.
#[test]
fn dashboards_show_what_is_declared() {
    let names: BTreeSet<String> = LISTS
        .iter()
        .flat_map(|list| declared(list.file))
        .map(|metric| metric.name)
        .collect();
    let mut wrong = Vec::new();
    for file in ["deploy/grafana", "deploy/prometheus"]
        .iter()
        .flat_map(|folder| files(folder, ""))
    {
        let text = text(&file);
        for (at, _) in text.match_indices("ipdect_") {
            let name: String = text[at..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .unwrap_or(&name);
            if !names.contains(base) && !names.contains(&name) {
                wrong.push(format!("{}: {name}", shown(&file)));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn lists_are_read_as_they_are_written() {
    let source = "pub const METRICS: &[Metric] = &[\n  Metric::gauge(\n \"ipdect_a\", Unit::Percent, \"Some help.\", &[\"use\", \"base\"]),\n\
                  Metric::seconds(\"ipdect_b_seconds\", \"More help.\", &[], MEDIA_SECONDS),\n];\n Metric::counter(\"ipdect_c_total\", \"\", &[])";
    let metric = |name: &str, kind, unit: &str, help: &str, labels: &[&str]| Metric {
        name: name.into(),
        kind,
        unit: Some(unit.into()),
        help: help.into(),
        labels: labels.iter().map(|label| label.to_string()).collect(),
    };
    assert_eq!(
        declared_in(source),
        [
            metric(
                "ipdect_a",
                "gauge",
                "Percent",
                "Some help.",
                &["use", "base"]
            ),
            metric(
                "ipdect_b_seconds",
                "histogram",
                "Seconds",
                "More help.",
                &[]
            ),
        ]
    );
}

#[test]
fn the_scan_reads_calls_as_they_are_written() {
    let source = "metrics::counter!(\n  \"ipdect_a_total\", \"role\" => name(x), \"reason\" => reason)\n.increment(1);\n\
                  // \"ipdect_comment\"\nlet g = metrics.gauge(\"ipdect_b\", &[(\"use\", \"voice\")]);\n\
                  pub const METRICS: &[Metric] = &[\n  Metric::counter(\"ipdect_c_total\", \"..\", &[\"x\"]),\n];\n\
                  #[cfg(test)]\nmod tests { \"ipdect_d\" }";
    let found: Vec<_> = uses_in("f", &code(source))
        .into_iter()
        .map(|u| (u.at, u.name, u.kind, u.labels))
        .collect();
    let labels = vec!["role".to_string(), "reason".to_string()];
    assert_eq!(
        found,
        [
            (
                "f:2".to_string(),
                "ipdect_a_total".to_string(),
                Some("counter"),
                labels
            ),
            (
                "f:5".to_string(),
                "ipdect_b".to_string(),
                Some("gauge"),
                vec![]
            ),
        ]
    );
}
