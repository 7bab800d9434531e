//! An operator at the command line: `ipdect` as a client of the admin API.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use ipdect_tests::kit::program::built;

use crate::lab::Lab;
use crate::system::{self, ADMIN, Node, root};

/// The password that the guide gives the first account, and the one that it gets.
const FIRST_PASSWORD: &str = "ip6000";
const PASSWORD: &str = "a ladder at night";

/// An operator who has logged in once.
pub(crate) struct Operator<'l> {
    lab: &'l Lab,
    /// The cluster's root certificate.
    root: PathBuf,
    _admin: Option<Node>,
}

/// How a command ended, and all that it printed.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: Option<i32>,
    pub(crate) said: String,
}

impl Done {
    /// Whether it did what it was told.
    pub(crate) fn is_good(&self) -> Result<()> {
        ensure!(self.status == Some(0), "{self:?}");
        Ok(())
    }

    /// Holds it to an end with this status, in which it said all of these texts.
    pub(crate) fn is_refused(&self, status: i32, texts: &[&str]) -> Result<()> {
        ensure!(self.status == Some(status), "{self:?}");
        for text in texts {
            ensure!(self.said.contains(text), "no {text:?} in {self:?}");
        }
        Ok(())
    }
}

impl<'l> Operator<'l> {
    /// Starts the admin API of a server that is ready, and changes the first password.
    pub(crate) fn starts(lab: &'l Lab) -> Result<Self> {
        let mut admin = system::admin(lab)?;
        admin.is_ready(lab)?;
        Self::enters(lab, root(lab)?, Some(admin))
    }

    /// Enters a system that `ipdect up` runs in this folder, and changes the first password.
    pub(crate) fn of_up(lab: &'l Lab, data: &Path) -> Result<Self> {
        Self::enters(lab, data.join("server/pki/ca.pem"), None)
    }

    fn enters(lab: &'l Lab, root: PathBuf, admin: Option<Node>) -> Result<Self> {
        let entered = Self {
            lab,
            root,
            _admin: admin,
        };
        let changed = entered.typed(FIRST_PASSWORD, &["password", "--new", PASSWORD])?;
        changed.is_good()?;
        Ok(entered)
    }

    /// Types a command, such as `users list`.
    pub(crate) fn types(&self, arguments: &[&str]) -> Result<Done> {
        self.typed(PASSWORD, arguments)
    }

    /// The names of all users.
    pub(crate) fn users(&self) -> Result<Vec<String>> {
        let listed = self.types(&["users", "list"])?;
        listed.is_good()?;
        let names = listed.said.lines().filter_map(|l| l.split(' ').next());
        Ok(names.map(str::to_owned).collect())
    }

    fn typed(&self, password: &str, arguments: &[&str]) -> Result<Done> {
        let mut command = self.lab.namespace().command(built("ipdect")?);
        command
            .args(arguments)
            .env("IPDECT_ADMIN", ADMIN)
            .env("IPDECT_CA", &self.root)
            .env("IPDECT_PASSWORD", password);
        let done = command.output().context("ipdect")?;
        ensure!(done.status.signal().is_none(), "{done:?}");
        let said = [done.stdout, done.stderr].concat();
        Ok(Done {
            status: done.status.code(),
            said: String::from_utf8_lossy(&said).into_owned(),
        })
    }
}
