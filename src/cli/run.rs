//! From arguments to a run, and from how it ended to an exit status.

use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::error::ErrorKind as ClapErrorKind;
use clap::{ColorChoice as ColorChoiceOfClap, CommandFactory, FromArgMatches};
use terminal_size::{Height, Width};

use super::args::{Cli, Command, GlobalArgs, RunArgs};
use crate::cancel::Cancel;
use crate::error::Error;
use crate::permissions::Permissions;
use crate::profile::Profile;
use crate::repl;
use crate::report::{ColorChoice, Painter, TerminalProgress, printable};
use crate::script::{Host, Output, Params, Session, Stopped, folder_of, script_text};
use crate::suggest::nearest;

/// A script or the program failed.
const FAILED: u8 = 1;
/// It was called wrongly.
const USAGE: u8 = 2;
/// The user stopped it; 128 + SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;
/// It took longer than `--timeout`; the status that the program `timeout` has for this.
const TIMED_OUT: u8 = 124;
/// How long the work has to stop when it is asked to. Then the process ends without it: some of
/// rhai's own functions can't be stopped.
const LAST_CHANCE: Duration = Duration::from_millis(400);

/// Runs the program with the process's own arguments.
pub fn run() -> ExitCode {
    std::panic::set_hook(Box::new(|mistake| {
        let mistake = mistake.to_string();
        complain(&format!(
            "error: a mistake in avec itself: {}\n  = help: please report it, with what led to it",
            printable(&mistake)
        ));
    }));
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => {
            let written = error.print();
            return match (error.kind(), written) {
                // A closed pipe is no failure.
                (ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion, Err(reason))
                    if reason.kind() != std::io::ErrorKind::BrokenPipe =>
                {
                    complain(&format!("error: can't write the output: {reason}"));
                    ExitCode::from(FAILED)
                }
                (ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion, _) => {
                    ExitCode::SUCCESS
                }
                _ => ExitCode::from(USAGE),
            };
        }
    };
    let painter = cli.global.color.painter(&std::io::stderr());
    match dispatch(cli) {
        Ok(status) => ExitCode::from(status),
        Err(Ended::Usage(text)) => {
            complain(&printable(&text));
            ExitCode::from(USAGE)
        }
        Err(Ended::Script(Stopped::Cancelled)) => {
            complain("interrupted");
            ExitCode::from(INTERRUPTED)
        }
        Err(Ended::Script(Stopped::TimedOut)) => {
            complain(TOO_LONG);
            ExitCode::from(TIMED_OUT)
        }
        Err(Ended::Script(Stopped::BrokenPipe)) => ExitCode::SUCCESS,
        Err(Ended::Script(Stopped::Failed(diagnostic))) => {
            let room = seen(terminal_size::terminal_size_of(std::io::stderr()));
            complain(&diagnostic.render_within(painter, room.map(|(columns, _)| columns)));
            ExitCode::from(FAILED)
        }
    }
}

/// What was typed. A wrong call is reported in the colours that it asked for, like all else.
fn parse() -> Result<Cli, clap::Error> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let plain = arguments
        .windows(2)
        .any(|pair| pair[0] == "--color" && pair[1] == "never")
        || arguments.iter().any(|argument| argument == "--color=never");
    let colors = if plain {
        ColorChoiceOfClap::Never
    } else {
        ColorChoiceOfClap::Auto
    };
    let matches = Cli::command()
        .color(colors)
        .try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

enum Ended {
    Usage(String),
    Script(Stopped),
}

impl From<Stopped> for Ended {
    fn from(stopped: Stopped) -> Self {
        Self::Script(stopped)
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Script(error.into())
    }
}

/// A line on stderr; when even that is closed, nobody reads it.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

const TOO_LONG: &str = "error: the run took longer than --timeout allows";

/// Does what was asked for and gives the status that it ends with.
fn dispatch(cli: Cli) -> Result<u8, Ended> {
    let global = &cli.global;
    let profile = if global.profile {
        Profile::on()
    } else {
        Profile::default()
    };
    let ended = command(&cli, &profile);
    if global.profile {
        complain(&profile.to_string());
    }
    ended
}

fn command(cli: &Cli, profile: &Profile) -> Result<u8, Ended> {
    let global = &cli.global;
    if let Some(stray) = cli.stray() {
        return Err(Ended::Usage(format!(
            "error: {stray} stands before a command; write what belongs to the command after it, as in: avec run script.rhai -p coeff=5"
        )));
    }
    if let Some(threads) = global.threads {
        crate::kernels::set_threads(threads.into());
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.into())
            .build_global()
            .map_err(|error| Error::other(format!("can't start {threads} threads: {error}")))?;
    }
    match &cli.command {
        None => run_script(&cli.run, global, profile),
        Some(Command::Run(run)) => run_script(run, global, profile),
        Some(Command::Repl(params)) => interactive(&params.param, global, profile).map(|()| 0),
        Some(Command::Info { script }) => {
            let host = host(global, &[], None, profile)?;
            let header = host.header(script)?;
            print_line(&host, &header.to_string()).map(|()| 0)
        }
        Some(Command::Doc { name: None }) => {
            let host = host(global, &[], None, profile)?;
            print_line(&host, &host.catalog().overview()).map(|()| 0)
        }
        Some(Command::Doc { name: Some(name) }) => {
            let mut host = host(global, &[], None, profile)?;
            // The same words as in a script.
            let call = format!("help({name:?})");
            host.run_text("avec doc", &call)
                .map(|()| 0)
                .map_err(|stopped| match stopped {
                    // There is no script whose line would help.
                    Stopped::Failed(mut diagnostic) => {
                        diagnostic.labels.clear();
                        Stopped::Failed(diagnostic).into()
                    }
                    other => Ended::Script(other),
                })
        }
    }
}

fn print_line(host: &Host, text: &str) -> Result<(), Ended> {
    let output = &host.session().output;
    let _ = output.line(text);
    match output.failure() {
        Some(failure) => Err(Ended::Script(failure.clone().into())),
        None => Ok(()),
    }
}

fn run_script(run: &RunArgs, global: &GlobalArgs, profile: &Profile) -> Result<u8, Ended> {
    let Some(script) = &run.script else {
        if std::io::stdin().is_terminal() {
            return interactive(&run.params.param, global, profile).map(|()| 0);
        }
        return Err(Ended::Usage(
            "avec needs a script: avec scripts/basic_functionality.rhai\nor a terminal, to be used interactively; `avec -` reads a script from standard input".into(),
        ));
    };
    let is_input = script == Path::new("-");
    let file = (!is_input).then_some(script.as_path());
    let mut host = host(global, &run.params.param, file, profile)?;
    if is_input {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .map_err(|error| Error::other(format!("can't read standard input: {error}")))?;
        let text = script_text(bytes, "standard input")?;
        host.run_text("-", &text)?;
    } else {
        if let Some(error) = command_meant(script) {
            return Err(error.into());
        }
        host.run_file(script)?;
    }
    Ok(host.session().exit.get().unwrap_or(0))
}

/// What people call the commands of other programs, and avec's command for it.
const COMMANDS: &[(&[&str], &str)] = &[
    (
        &["doc", "docs", "list", "ls", "functions", "reference"],
        "`avec doc` lists the functions, `avec doc NAME` tells what one does",
    ),
    (&["help", "usage"], "`avec --help` tells how avec is called"),
    (&["version"], "`avec --version` tells it"),
    (
        &["repl", "shell", "console", "interactive", "start"],
        "`avec repl`, or `avec` alone, begins an interactive session",
    ),
    (
        &["info", "show", "describe", "params"],
        "`avec info SCRIPT` tells what a script is about, and its parameters",
    ),
    (
        &["run", "exec", "execute"],
        "`avec run SCRIPT` runs a script",
    ),
];

/// For a single word that is no file: the command that was meant.
fn command_meant(script: &Path) -> Option<Error> {
    let word = script.to_str()?;
    let is_word = word
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !is_word || script.exists() {
        return None;
    }
    let names: Vec<&str> = COMMANDS
        .iter()
        .flat_map(|(names, _)| *names)
        .copied()
        .collect();
    let meant = nearest(word, &names)?;
    let (_, advice) = COMMANDS.iter().find(|(names, _)| names.contains(&meant))?;
    Some(Error::other(format!("there is no command or script `{word}`")).hint(*advice))
}

fn interactive(
    params: &[(String, String)],
    global: &GlobalArgs,
    profile: &Profile,
) -> Result<(), Ended> {
    if global.timeout.is_some() {
        return Err(Ended::Usage(
            "error: --timeout is for scripts; in a session, Ctrl-C stops an input".into(),
        ));
    }
    let session = session(global, params, profile, OnSecondInterrupt::Wait)?;
    let painter = session.output.painter;
    Ok(repl::run(session, painter, global.quiet)?)
}

fn host(
    global: &GlobalArgs,
    params: &[(String, String)],
    script: Option<&Path>,
    profile: &Profile,
) -> Result<Host, Ended> {
    let mut session = session(global, params, profile, OnSecondInterrupt::Exit)?;
    if let Some(script) = script {
        session.run.permissions.own = Some(folder_of(script));
    }
    Ok(Host::new(session))
}

/// A session on this process's terminal.
fn session(
    global: &GlobalArgs,
    params: &[(String, String)],
    profile: &Profile,
    second: OnSecondInterrupt,
) -> Result<Session, Ended> {
    let mut session = Session::new(stdout(global.color));
    session.params = Params::new(params.iter().cloned());
    session.run.permissions = Permissions {
        offline: global.offline,
        // A script in a file has its own instead.
        own: Some(PathBuf::from(".")),
        named: params.iter().map(|(_, value)| value.clone()).collect(),
        ..Permissions::default()
    };
    session.run.cancel = on_interrupt(second)?;
    session.run.profile = profile.clone();
    session.run.memory = global.memory;
    session.run.guard_process();
    if let Some(time) = global.timeout {
        end_after(time, &session.run.cancel)?;
    }
    let err = std::io::stderr();
    if !global.quiet {
        let painter = global.color.painter(&err);
        session.notes = Box::new(move |note| {
            complain(&painter.dim(&printable(&format!("avec: {note}"))));
        });
        if err.is_terminal() {
            session.run.progress = Arc::new(TerminalProgress);
        }
    }
    Ok(session)
}

fn stdout(color: ColorChoice) -> Output {
    let out = std::io::stdout();
    let painter: Painter = color.painter(&out);
    // A pipe has no width; COLUMNS lets tests and pagers choose one.
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    if terminal_room().is_some() {
        return Output::terminal(Box::new(out), terminal_room, painter);
    }
    let columns: usize = columns.unwrap_or(100);
    Output::new(Box::new(out), columns.min(WIDEST), painter)
}

/// No window is wider; lines are padded to this.
const WIDEST: usize = 1000;

/// Columns and lines of the terminal that standard output is, if it is one.
fn terminal_room() -> Option<(usize, usize)> {
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        // It can't move its cursor.
        return None;
    }
    seen(terminal_size::terminal_size_of(std::io::stdout()))
}

/// Columns and lines of a terminal that knows them.
fn seen(size: Option<(Width, Height)>) -> Option<(usize, usize)> {
    let (width, height) = size?;
    let columns = usize::from(width.0).min(WIDEST);
    (width.0 > 0 && height.0 > 0).then(|| (columns, height.0.into()))
}

/// What a second Ctrl-C does while the first is being obeyed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnSecondInterrupt {
    /// Ends the process at once.
    Exit,
    /// Nothing more: an interactive session is never lost.
    Wait,
}

/// Ctrl-C asks the work to stop. A script that doesn't is left behind; its lines are all written.
fn on_interrupt(second: OnSecondInterrupt) -> Result<Cancel, Error> {
    let cancel = Cancel::new();
    let flag = cancel.clone();
    ctrlc::set_handler(move || {
        if second == OnSecondInterrupt::Exit {
            if flag.is_raised() {
                std::process::exit(INTERRUPTED.into());
            }
            // Without a thread, a second Ctrl-C does it.
            let _ = std::thread::Builder::new().spawn(|| {
                std::thread::sleep(LAST_CHANCE);
                end("interrupted", INTERRUPTED);
            });
        }
        flag.raise();
    })
    .map_err(|error| Error::other(format!("can't listen for Ctrl-C: {error}")))?;
    Ok(cancel)
}

/// Asks the work to stop once its time is up, and ends the process if it doesn't.
fn end_after(time: Duration, cancel: &Cancel) -> Result<(), Error> {
    let flag = cancel.clone();
    let clock = move || {
        std::thread::sleep(time);
        flag.time_is_up();
        std::thread::sleep(LAST_CHANCE);
        end(TOO_LONG, TIMED_OUT);
    };
    std::thread::Builder::new()
        .spawn(clock)
        .map(drop)
        .map_err(|error| Error::other(format!("can't start the clock of --timeout: {error}")))
}

/// Ends the process from beside the work.
fn end(words: &str, status: u8) -> ! {
    complain(words);
    std::process::exit(status.into());
}
