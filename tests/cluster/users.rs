//! Bad input of an operator: each mistake is told with its field and a remedy, and what is wrong changes nothing.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::lab::{Lab, on_a_bench};
use crate::operator::{Done, Operator};
use crate::system::{self, Settings};

/// The users of the file that the server begins with.
const FIRST: [&str; 3] = ["1001", "1002", "2001"];

/// An operator of a server with its own domain.
fn with_an_operator(test: impl FnOnce(&Lab, &Operator) -> Result<()>) {
    on_a_bench(|lab| {
        let settings = Settings {
            embedded: true,
            ..Default::default()
        };
        let mut server = system::server(lab, &settings)?;
        server.is_ready(lab)?;
        test(lab, &Operator::starts(lab)?)
    });
}

#[test]
fn a_user_with_a_mistake_is_refused_in_words() {
    with_an_operator(|_, operator| {
        let cases: [(&[&str], &str); 4] = [
            (
                &["1003", "--ipei", "65535 0000003 9"],
                "ipei = 65535 0000003 9: check digit of the IPEI is 9, expected 5; it is printed in the handset",
            ),
            (
                &["1003", "--ipei", "65535 0000001 3"],
                "ipei = 65535 0000001 3: this handset is user 1001's; take it from there first",
            ),
            (
                &["1001"],
                "username = 1001: another user has this name; choose another, or change that one",
            ),
            (
                &["1003", "--code", "12a4"],
                "access_code: an access code has 1 to 8 digits",
            ),
        ];
        for (user, text) in cases {
            let done = operator.types(&[&["users", "add"], user].concat())?;
            done.is_refused(1, &["the admin API says no", text])?;
        }
        ensure!(operator.users()? == FIRST);
        operator.types(&["users", "add", "1003"])?.is_good()?;
        ensure!(operator.users()? == ["1001", "1002", "1003", "2001"]);
        Ok(())
    });
}

/// What a spreadsheet may hold.
const LIST: &str = "username,ipei,access_code
1003,,1234
1004,65535 0000004 1,1
1005,,x
1001,,
1006
1003,,
";

/// What is said of each of its lines, and of all of them.
const REPORT: [&str; 7] = [
    "line 2: 1003 created",
    "line 3: 1004 failed: ipei \"65535 0000004 1\": check digit of the IPEI is 1, expected 6; it is printed in the handset, such as 05003 0070387",
    "line 4: 1005 failed: access_code \"\": an access code has 1 to 8 digits",
    "line 5: 1001 failed: username \"1001\": exists already; allow changes of existing users, or remove the line",
    "line 6:  failed: line \"\": has 1 fields, the header has 3; put texts with separators in quotes",
    "line 7: 1003 failed: username \"1003\": stands on an earlier line of this file too; remove one",
    "1 created, 0 updated, 5 failed",
];

fn imports(operator: &Operator, file: &Path, text: &str, how: &[&str]) -> Result<Done> {
    std::fs::write(file, text)?;
    let path = file.to_string_lossy();
    operator.types(&[&["users", "import", &path], how].concat())
}

#[test]
fn a_list_of_users_is_imported_but_for_its_bad_lines() {
    with_an_operator(|lab, operator| {
        let file = lab.folder("import")?.join("users.csv");
        let unknown = imports(operator, &file, "username,phone\n1003,7\n", &[])?;
        unknown.is_refused(
            1,
            &["header: unknown column phone; the columns are username, "],
        )?;

        for (how, after) in [
            (&["--dry-run"][..], &FIRST[..]),
            (&[], &["1001", "1002", "1003", "2001"]),
        ] {
            let done = imports(operator, &file, LIST, how)?;
            done.is_refused(1, &["5 line(s) not imported"])?;
            let report: Vec<&str> = done.said.lines().take(REPORT.len()).collect();
            ensure!(report == REPORT, "{report:#?}");
            let users = operator.users()?;
            ensure!(users == after, "{users:?} after import {how:?}");
        }
        Ok(())
    });
}
