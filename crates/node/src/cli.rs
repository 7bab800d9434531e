//! The command line that the four programs share.

use crate::config::{ConfigErrors, Document, Section, default_file, key_list};
use clap::{Args, Command, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// Options of every program; flatten them into its own.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Configuration file (TOML); without it defaults hold, with IPDECT_* variables on top.
    #[arg(long, value_name = "FILE", env = "IPDECT_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// Check the configuration, tell every mistake, and end: status 0 or 64.
    #[arg(long)]
    pub check_config: bool,
    #[command(subcommand)]
    pub task: Option<Task>,
}

/// Small tasks of every program instead of running.
#[derive(Debug, Clone, Subcommand)]
pub enum Task {
    /// Print shell completions.
    Completions {
        /// For this shell.
        shell: Shell,
    },
    /// Print a configuration file with every key, its default and its meaning.
    DefaultConfig,
    /// Print every configuration key with type, default and meaning.
    ConfigKeys,
}

impl Common {
    /// The file named on the command line, or an empty one, with the environment on top.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn document(&self, name: &str) -> Result<Document, ConfigErrors> {
        let document = match &self.config {
            Some(path) => Document::load(path)?,
            None => Document::empty(name),
        };
        Ok(document.with_process_environment())
    }
}

impl Task {
    /// What the task prints.
    #[must_use]
    pub fn output(&self, mut command: Command, title: &str, sections: &[Section]) -> Vec<u8> {
        match self {
            Task::Completions { shell } => {
                let name = command.get_name().to_owned();
                let mut out = Vec::new();
                clap_complete::generate(*shell, &mut command, name, &mut out);
                out
            }
            Task::DefaultConfig => default_file(title, sections).into_bytes(),
            Task::ConfigKeys => key_list(sections).into_bytes(),
        }
    }
}
