//! `ipdect`: the operator's command line. `up` runs a whole system in one process; `handset` runs virtual handsets; the
//! rest are clients of the admin API.
//!
//! Only this file installs what belongs to the process: log, metrics, cryptography.

mod check;
mod cli;
mod client;
mod handset;
mod host;
mod thread;
mod up;

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use cli::{Arguments, Client, Command, Up, data_folder};
use client::ClientError;
use ipdect_node::config::{Document, EXIT_CONFIG, LogFormat, default_file};
use ipdect_node::telemetry::{self, Settings};
use ipdect_node::{Environment, Metrics, Random, StartError, tls};
use tokio::runtime::Runtime;
use up::config::{Keys, Plan, Reach};

/// Longest wait for tasks that are left when all is done.
const LEFTOVERS: Duration = Duration::from_millis(300);

/// Why the command did not succeed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A check failed; everything has been said.
    #[error("not all checks passed")]
    Check,
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Client(ClientError::Input(_) | ClientError::Root { .. }) => {
                EXIT_CONFIG
            }
            Self::Start(error) => error.exit_code(),
            Self::Client(_) | Self::Check => 1,
        }
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed pipe is the reader's choice.
            let _ = error.print();
            return match error.use_stderr() {
                true => ExitCode::from(EXIT_CONFIG),
                false => ExitCode::SUCCESS,
            };
        }
    };
    let command = arguments
        .command
        .unwrap_or_else(|| Command::Up(up_by_environment()));
    match perform(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// `up` without options; those that the environment gives count.
fn up_by_environment() -> Up {
    match Arguments::try_parse_from(["ipdect", "up"]).map(|arguments| arguments.command) {
        Ok(Some(Command::Up(up))) => up,
        _ => Up::default(),
    }
}

fn perform(command: Command) -> Result<(), Failure> {
    match command {
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Arguments::command(),
                "ipdect",
                &mut std::io::stdout(),
            );
            Ok(())
        }
        Command::Up(up) if up.default_config => {
            let keys = Keys::new(reach(&up)).for_file();
            print!(
                "{}",
                default_file("ipdect.toml: a whole system of ipdect", &keys.sections())
            );
            Ok(())
        }
        Command::Up(up) => run_up(up),
        Command::Handset(options) => {
            let runtime = runtime()?;
            let result = runtime.block_on(async {
                let _telemetry = telemetry::install(&to_stderr("ipdect handset"))?;
                tls::install_provider();
                Ok(handset::run(options, Random::system()).await?)
            });
            // Whoever reads standard input waits for a line that may never come.
            runtime.shutdown_timeout(LEFTOVERS);
            result
        }
        Command::Token { client, task } => with_session(client, async |session| {
            client::token::run(&session, task).await
        }),
        Command::Users { client, task } => with_session(client, async |session| {
            client::users::run(&session, task).await
        }),
        Command::Press { client, press } => with_session(client, async |session| {
            client::press::run(&session, press).await
        }),
        Command::Password { client, new } => {
            let login = client.login.clone();
            with_session(client, async |session| {
                client::password::run(&session, &login, new).await
            })
        }
        Command::Status { client } => {
            with_session(client, async |session| client::status::run(&session).await)
        }
    }
}

fn reach(up: &Up) -> Reach {
    match (up.check, up.lan) {
        (true, _) => Reach::Free,
        (_, true) => Reach::Lan,
        _ => Reach::Loopback,
    }
}

fn run_up(up: Up) -> Result<(), Failure> {
    // Lives until the check is over; its folder goes with it.
    let folder = match up.check {
        true => Some(check::Folder::prepare(up.data.clone()).map_err(Failure::Usage)?),
        false => None,
    };
    let data = match &folder {
        Some(folder) => folder.path().to_owned(),
        None => data_folder(up.data.clone()).map_err(Failure::Usage)?,
    };
    let document = match &up.config {
        Some(path) => Document::load(path).map_err(StartError::from)?,
        None => Document::empty("ipdect.toml"),
    };
    let document = document.with_process_environment();
    let plan = Plan::read(document, &data, reach(&up), "ipdect").map_err(StartError::from)?;
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        let telemetry = telemetry::install(&plan.telemetry)?;
        tls::install_provider();
        let metrics: Metrics = up::metrics();
        metrics.install()?;
        metrics.built("ipdect", &ipdect_link::release::Release::ours().to_string());
        tokio::spawn(metrics.clone().keep_up());
        let environment = Environment::system(metrics);
        let result = match up.check {
            true => match check::run(plan, environment).await {
                true => Ok(()),
                false => Err(Failure::Check),
            },
            false => up::run(plan, environment).await.map_err(Failure::from),
        };
        // Sending what traces are left may block.
        let _ = tokio::task::spawn_blocking(move || telemetry.shutdown()).await;
        result
    });
    runtime.shutdown_timeout(LEFTOVERS);
    result
}

fn with_session(
    client: Client,
    task: impl AsyncFnOnce(client::Session) -> Result<(), ClientError>,
) -> Result<(), Failure> {
    // Without a folder the options have to say everything.
    let data = data_folder(client.data).ok();
    runtime()?.block_on(async {
        tls::install_provider();
        let session = client.login.open(data.as_deref()).await?;
        Ok(task(session).await?)
    })
}

fn runtime() -> Result<Runtime, StartError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::Other {
            what: format!("no threads: {error}"),
            remedy: "raise the limit of processes".into(),
        })
}

/// Warnings on standard error, unless the environment says otherwise.
fn to_stderr(program: &'static str) -> Settings {
    Settings {
        program,
        node_id: String::new(),
        level: std::env::var("IPDECT_LOG__LEVEL").unwrap_or_else(|_| "warn".to_owned()),
        format: LogFormat::Text,
        otlp_endpoint: String::new(),
    }
}
