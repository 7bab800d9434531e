//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::client::login::Login;
use crate::client::password::New;
use crate::client::press::Strokes;
use crate::client::token::Token;
use crate::client::users::Users;
use crate::handset;

/// ipdect: an IP-DECT telephone system. Without a command it does `up`.
#[derive(Debug, Parser)]
#[command(name = "ipdect", version, arg_required_else_help = false)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole system in one process: server, media resource, base station, admin API, two virtual handsets.
    Up(Up),
    /// Run virtual handsets near any base station; each line on standard input presses keys.
    Handset(handset::Options),
    /// Enrolment tokens of devices.
    Token {
        #[command(flatten)]
        client: Client,
        #[command(subcommand)]
        task: Token,
    },
    /// Users.
    Users {
        #[command(flatten)]
        client: Client,
        #[command(subcommand)]
        task: Users,
    },
    /// Show devices, handsets and calls.
    Status {
        #[command(flatten)]
        client: Client,
    },
    /// Press keys of a virtual handset.
    Press {
        #[command(flatten)]
        client: Client,
        #[command(flatten)]
        press: Strokes,
    },
    /// Change the password of the account; the first one has to be.
    Password {
        #[command(flatten)]
        client: Client,
        #[command(flatten)]
        new: New,
    },
    /// Print shell completions.
    Completions {
        /// For this shell.
        shell: Shell,
    },
}

/// Options of `up`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Up {
    /// Folder of all files; else $XDG_DATA_HOME/ipdect or ~/.local/share/ipdect.
    #[arg(long, value_name = "DIR", env = "IPDECT_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Configuration file, as ipdect.toml; IPDECT_* variables count more.
    #[arg(long, value_name = "FILE", env = "IPDECT_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Let the network in: listen on all addresses, not on this machine's loopback alone.
    #[arg(long, conflicts_with = "check")]
    pub(crate) lan: bool,
    /// Try everything out on free ports, print one line of JSON, and end: status 0 if all is well, 1 if not.
    #[arg(long)]
    pub(crate) check: bool,
    /// Print a configuration file with every key, its default and its meaning, and end.
    #[arg(long, conflicts_with = "check")]
    pub(crate) default_config: bool,
}

/// Options of clients of the admin API.
#[derive(Clone, Debug, Args)]
pub(crate) struct Client {
    /// Folder of `ipdect up`, where address and root certificate are found.
    #[arg(long, value_name = "DIR", env = "IPDECT_DATA")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) login: Login,
}

/// The folder that was named, or the usual one of this user.
///
/// # Errors
/// A sentence if there is none.
pub(crate) fn data_folder(named: Option<PathBuf>) -> Result<PathBuf, String> {
    let of = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    folder_of(named, of("XDG_DATA_HOME"), of("HOME")).ok_or_else(|| {
        "no folder for files: neither --data nor HOME is set; name one with --data".to_owned()
    })
}

fn folder_of(
    named: Option<PathBuf>,
    xdg: Option<PathBuf>,
    home: Option<PathBuf>,
) -> Option<PathBuf> {
    // A relative XDG_DATA_HOME is to be ignored, says its specification.
    let xdg = xdg.filter(|path| path.is_absolute());
    named
        .or_else(|| xdg.map(|path| path.join("ipdect")))
        .or_else(|| home.map(|path| path.join(".local/share/ipdect")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_a_command_there_is_none() {
        assert!(parse("ipdect").unwrap().command.is_none());
    }

    #[test]
    fn a_check_is_for_this_machine_alone() {
        let Some(Command::Up(up)) = parse("ipdect up --check --data /tmp/x").unwrap().command
        else {
            panic!("no up");
        };
        assert!(up.check && !up.lan && up.data.is_some());
        assert!(parse("ipdect up --check --lan").is_err());
    }

    #[test]
    fn handsets_need_a_base_and_an_identity() {
        assert!(parse("ipdect handset --air 127.0.0.1:7462").is_err());
        let line = "ipdect handset --air 127.0.0.1:7462 --ipei 655350000001 --code 1234 --speak tone:1000 --hear wav:x.wav --dial 1002";
        assert!(matches!(
            parse(line).unwrap().command,
            Some(Command::Handset(_))
        ));
        assert!(parse(&line.replace("tone:1000", "tone:1")).is_err());
        assert!(parse(&line.replace("655350000001", "65535")).is_err());
    }

    #[test]
    fn tokens_name_a_role_that_exists() {
        assert!(parse("ipdect token create --role base --uses 3").is_ok());
        assert!(parse("ipdect token create --role handset").is_err());
        assert!(parse("ipdect token create --role base --hours 0").is_err());
    }

    #[test]
    fn the_folder_named_counts_more_than_the_usual_ones() {
        let path = |text: &str| Some(PathBuf::from(text));
        let folder = |named, xdg, home| folder_of(named, xdg, home);
        assert_eq!(folder(path("/a"), path("/b"), path("/c")), path("/a"));
        assert_eq!(folder(None, path("/b"), path("/c")), path("/b/ipdect"));
        assert_eq!(
            folder(None, path("b"), path("/c")),
            path("/c/.local/share/ipdect")
        );
        assert_eq!(folder(None, None, None), None);
    }
}
