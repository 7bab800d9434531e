//! Where a person sits: a whole system that just started, and a browser before its pages.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipdect_tests::kit::program::{Program, built};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use crate::browser::Browser;

/// Longest wait for the system to say that its handsets are up.
const START: Duration = Duration::from_secs(60);
/// The first account, and the password that the guide gives it.
pub(crate) const ACCOUNT: &str = "admin";
pub(crate) const FIRST_PASSWORD: &str = "ip6000";
/// The password that it gets.
pub(crate) const PASSWORD: &str = "a ladder at night";

/// Free ports everywhere, so that systems do not meet.
const CONFIGURATION: &str = "
[probe]
listen = '127.0.0.1:0'
[server.link]
listen = '127.0.0.1:0'
[server.initial.settings.sip]
local_port = 0
[server.initial.settings.domain]
enabled = true
port = 0
[media.rtp]
ports = '0'
base_ports = '0'
[base.speech]
listen = '127.0.0.1:0'
[base.radio.virtual]
listen = '127.0.0.1:0'
[admin.grpc]
listen = '127.0.0.1:0'
[admin.web]
listen = '127.0.0.1:0'
plain = '127.0.0.1:0'
";

/// Held by the desk that is in use: one at a time where tests share a process, since systems keep real time.
static TURN: Mutex<()> = Mutex::const_new(());

/// A system and a browser. Dropping it ends both.
pub(crate) struct Desk {
    pub(crate) browser: Browser,
    _system: Program,
    _folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Desk {
    /// Starts a new system; nobody has logged in yet.
    pub(crate) async fn new() -> Result<Self> {
        let turn = TURN.lock().await;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("ipdect.toml");
        std::fs::write(&file, CONFIGURATION)?;
        let mut command = Command::new(built("ipdect")?);
        command.arg("up").arg("--config").arg(&file);
        command.arg("--data").arg(folder.path().join("data"));
        let mut system = Program::start("ipdect", command, folder.path())?;
        system.says("1001, 1002 up after", START)?;
        let said = system.said();
        let rest = said
            .split("page http://")
            .nth(1)
            .context("no page is told")?;
        let at = rest.split('/').next().context("no address is told")?;
        let browser = Browser::open(&format!("http://{at}"), folder.path()).await?;
        Ok(Self {
            browser,
            _system: system,
            _folder: folder,
            _turn: turn,
        })
    }

    /// Starts a new system and enters it.
    pub(crate) async fn of_an_administrator() -> Result<Self> {
        let desk = Self::new().await?;
        desk.browser.goes_to("/login").await?;
        desk.enters().await?;
        Ok(desk)
    }

    /// Logs in for the first time, and changes the password.
    pub(crate) async fn enters(&self) -> Result<()> {
        self.logs_in(ACCOUNT, FIRST_PASSWORD).await?;
        self.browser.arrives_at("/password").await?;
        self.changes_password(FIRST_PASSWORD, PASSWORD).await?;
        self.browser.arrives_at("/").await
    }

    /// Fills in the login form and sends it.
    pub(crate) async fn logs_in(&self, name: &str, password: &str) -> Result<()> {
        self.browser.types("name", name).await?;
        self.browser.types("password", password).await?;
        self.browser.presses("Log in").await
    }

    /// Fills in the form for another password and sends it.
    pub(crate) async fn changes_password(&self, old: &str, new: &str) -> Result<()> {
        self.browser.types("old_password", old).await?;
        self.browser.types("new_password", new).await?;
        self.browser.types("again", new).await?;
        self.browser.presses("Change it").await
    }

    /// The scripts of the pages had no trouble, and nothing was refused by the policy.
    pub(crate) async fn nothing_was_amiss(&self) -> Result<()> {
        let complaints = self.browser.complaints().await?;
        ensure!(complaints.is_empty(), "{complaints:#?}");
        Ok(())
    }

    /// Looks at a page in a window of this width: nothing reaches out of it. A picture goes to `target/screens`.
    pub(crate) async fn fits(&self, name: &str, width: u32) -> Result<()> {
        let b = &self.browser;
        b.is_sized(width, 800).await?;
        let wide = b
            .asks("return document.documentElement.scrollWidth", json!([]))
            .await?;
        let culprits = b.asks(CULPRITS, json!([width])).await?;
        let height = b
            .asks("return document.documentElement.scrollHeight", json!([]))
            .await?;
        let height = u32::try_from(height.as_u64().context("no height")?)?;
        b.is_sized(width, height.clamp(800, 6000)).await?;
        std::fs::create_dir_all(screens()?)?;
        std::fs::write(
            screens()?.join(format!("{name}-{width}.png")),
            b.screenshot().await?,
        )?;
        let wide = wide.as_u64().context("no width")?;
        ensure!(
            wide <= u64::from(width),
            "{name} is {wide} px wide in a window of {width} px because of {culprits:#}"
        );
        Ok(())
    }
}

/// What reaches out of the window and does not scroll by itself.
const CULPRITS: &str = "return [...document.querySelectorAll('body *')]
    .filter((e) => e.getBoundingClientRect().right > arguments[0] + 0.5 && !e.closest('.scroll'))
    .slice(0, 5).map((e) => e.outerHTML.slice(0, 120))";

/// Where pictures of the pages are kept for whoever wants to look.
fn screens() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let target = test.ancestors().nth(3).context("the test has no folder")?;
    Ok(target.join("screens"))
}
