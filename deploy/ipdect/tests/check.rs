//! `ipdect up --check` as anyone runs it: the whole system, judged from outside by its line of JSON.

use std::process::{Command, Output};

use serde_json::Value;

fn ipdect(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipdect"));
    // Settings of whoever runs the tests must not reach the system under test.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("IPDECT_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).output().expect("the program runs")
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

fn assert_heard(ear: &Value, hz: f64) {
    assert_eq!(number(&ear["sent_hz"]), hz, "{ear}");
    assert!((number(&ear["heard_hz"]) - hz).abs() <= 5.0, "{ear}");
    let lost_db = number(&ear["heard_dbm0"]) - number(&ear["sent_dbm0"]);
    assert!(lost_db.abs() <= 3.0, "{ear}");
    assert!(number(&ear["snr_db"]) >= 20.0, "{ear}");
    assert!(number(&ear["frames"]) >= 290.0, "{ear}");
    assert!(
        number(&ear["lost"]) * 100.0 <= number(&ear["frames"]),
        "{ear}"
    );
}

#[test]
fn two_handsets_subscribe_call_both_ways_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let output = ipdect(&["up", "--check", "--data", data.to_str().unwrap()]);
    let (line, said) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert_eq!(line.lines().count(), 1, "{line}\n{said}");
    let report: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(output.status.code(), Some(0), "{line}\n{said}");
    assert_eq!(
        (&report["ok"], &report["failures"]),
        (&Value::Bool(true), &Value::Array(vec![]))
    );
    assert!(number(&report["took_ms"]) < 30_000.0);
    assert_eq!(report["admin"]["refused_before_change"], true);

    let handsets = report["handsets"].as_array().unwrap();
    let numbers: Vec<&str> = handsets
        .iter()
        .filter_map(|h| h["number"].as_str())
        .collect();
    assert_eq!(numbers, ["1001", "1002"]);
    for handset in handsets {
        for time in ["subscribed_ms", "located_ms", "registered_ms"] {
            assert!(handset[time].is_u64(), "{time}: {handset}");
        }
    }

    let calls = report["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 2);
    let ways: Vec<_> = calls
        .iter()
        .map(|c| (&c["from"], &c["to"]))
        .map(|(a, b)| format!("{a}{b}"))
        .collect();
    assert_eq!(ways, ["\"1001\"\"1002\"", "\"1002\"\"1001\""]);
    for call in calls {
        assert_eq!(call["talk_ms"], 3000);
        assert_eq!(call["base_codec"], "AAL2-G726-32", "{call}");
        assert_eq!(call["sip_codec"], "PCMA", "{call}");
        assert_eq!(call["srtp"], "AES_CM_128_HMAC_SHA1_80", "{call}");
        let [called, caller] = call["ears"].as_array().unwrap().as_slice() else {
            panic!("not two ears: {call}");
        };
        assert_eq!((&called["at"], &caller["at"]), (&call["to"], &call["from"]));
        assert_heard(called, 1000.0);
        assert_heard(caller, 700.0);
    }
    // One hang-up by the caller, one by the called side.
    assert_eq!(calls[0]["released_by"], calls[0]["from"]);
    assert_eq!(calls[1]["released_by"], calls[1]["to"]);

    for figure in ["bearers", "connections", "sessions", "rtp_ports", "dialogs"] {
        assert_eq!(report["left"][figure], 0, "{figure}");
    }
}

#[test]
fn a_folder_in_use_is_a_mistake_of_usage() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let output = ipdect(&["up", "--check", "--data", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(64));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("not empty"));
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ipdect.toml");
    std::fs::write(
        &file,
        "[base.radio.virtual]\nloss = 2\n[server.link]\nlissen = ''\n",
    )
    .unwrap();
    let data = folder.path().join("data");
    let arguments = [
        "up",
        "--config",
        file.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
    ];
    let output = ipdect(&arguments);
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for part in ["ipdect.toml:2:8", "ipdect.toml:4:1", "server.link.listen"] {
        assert!(said.contains(part), "{part:?} is missing in:\n{said}");
    }
    assert!(!data.exists(), "nothing was made");
    assert_eq!(ipdect(&["up", "--lann"]).status.code(), Some(64));
}
