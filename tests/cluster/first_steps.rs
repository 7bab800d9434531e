//! The README's first steps: `ipdect up`, a user of one's own, a real SIP phone that registers as him and calls 1001.

use std::time::Duration;

use ipdect_tests::kit::program::{Program, built};
use ipdect_tests::kit::wait::until;

use crate::call::{TALK, ear, least_of};
use crate::lab::on_a_bench;
use crate::office::{HANDSET_HZ, PHONE_HZ};
use crate::operator::Operator;
use crate::peers::phone::{Options, Phone};
use crate::peers::{LEVEL_DBM0, Peer as _};

/// Longest wait for `ipdect up` to say that its handsets are up, and for a step of a call.
const STEP: Duration = Duration::from_secs(60);

#[test]
fn a_phone_registers_at_ipdect_up_and_calls_1001() {
    on_a_bench(|lab| {
        let data = lab.folder("up")?;
        let mut command = lab.namespace().command(built("ipdect")?);
        command.arg("up").arg("--data").arg(&data);
        let mut up = Program::start("up-log", command, lab.logs())?;
        up.says("1001, 1002 up after", STEP)?;

        let operator = Operator::of_up(lab, &data)?;
        let users = data.join("users.csv");
        std::fs::write(&users, "username,auth_password\n2001,pw-2001\n")?;
        let import = ["users", "import", &users.to_string_lossy()];
        operator.types(&import)?.is_good()?;

        let options = Options {
            domain: "ipdect.internal",
            ..Options::new("2001", PHONE_HZ)
        };
        let mut phone = Phone::start(lab, &options, &data.join("server/pki/ca.pem"))?;
        phone.calls("1001")?;
        phone.says("## call EARLY 180")?;
        let speech = format!("tone:{HANDSET_HZ}@{LEVEL_DBM0}");
        let answer = ["press", "1001", "(", "--speak", &speech];
        operator.types(&answer)?.is_good()?;
        phone.talks()?;
        until("1001 hears the phone", STEP, || {
            let status = operator.types(&["status"])?;
            status.is_good()?;
            let mut lines = status.said.lines();
            let heard = |l: &str| l.contains("1001") && l.contains(&format!("{PHONE_HZ} Hz"));
            Ok(lines.any(heard).then_some(()))
        })?;
        std::thread::sleep(TALK);
        phone.hangs_up()?;
        phone.is_over()?;
        ear("the phone", &phone.heard()?, least_of(TALK), HANDSET_HZ)
    });
}
