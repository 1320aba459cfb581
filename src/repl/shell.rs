//! The loop: read an input, run it, show what came of it, and never lose the session.

use std::cell::RefCell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use super::command::{COMMANDS, Command, Saving};
use super::editor::{LineEditor, Typed};
use crate::error::{Error, Result};
use crate::report::{Painter, filled, printable, visible};
use crate::script::{Interactive, Output, Session, Stopped};

/// Runs an interactive session to its end. It prints errors and goes on; only a terminal that can't
/// be read from ends it otherwise.
///
/// # Errors
/// If the terminal can't be read from.
pub fn run(session: Session, painter: Painter, quiet: bool) -> Result<()> {
    let output = session.output.clone();
    let state = Rc::new(RefCell::new(Interactive::new(session)));
    let mut editor = LineEditor::new(state.clone(), painter).map_err(terminal)?;
    let mut shell = Shell {
        state,
        output,
        painter,
    };
    if !quiet {
        shell.draw(&painter.dim(concat!(
            "avec ",
            env!("CARGO_PKG_VERSION"),
            " · ? helps, :help NAME tells more, Tab completes, Ctrl-D leaves"
        )));
    }
    loop {
        match editor.read().map_err(terminal)? {
            Typed::Input(text) if text.trim().is_empty() => {}
            Typed::Input(text) => {
                // Not even a mistake of avec ends a session; the panic hook has told it.
                let next = catch_unwind(AssertUnwindSafe(|| shell.input(&text)));
                if next.is_ok_and(|next| next == Next::Leave) {
                    return Ok(());
                }
            }
            Typed::Cancelled => {}
            Typed::NotText => {
                let error = Error::other("this is not text: it is not UTF-8");
                shell.complain(error.hint("nothing of it was run").into());
            }
            Typed::End => return Ok(()),
        }
    }
}

fn terminal(error: impl std::fmt::Display) -> Error {
    Error::other(format!("can't use the terminal: {error}"))
}

#[derive(PartialEq, Eq)]
enum Next {
    Go,
    Leave,
}

struct Shell {
    state: Rc<RefCell<Interactive>>,
    output: Output,
    painter: Painter,
}

impl Shell {
    fn say(&self, text: &str) {
        // When nobody reads any more, the next read ends the session.
        let _ = self.output.line(text);
    }

    /// Says what may hold the painter's codes.
    fn draw(&self, text: &str) {
        let _ = self.output.painted(text);
    }

    /// Says what may be overlooked.
    fn note(&self, text: &str) {
        self.draw(&self.painter.dim(&printable(text)));
    }

    fn complain(&self, stopped: Stopped) {
        match stopped {
            Stopped::Cancelled | Stopped::TimedOut => self.note("interrupted"),
            Stopped::BrokenPipe => {}
            Stopped::Failed(diagnostic) => {
                let columns = self.output.columns();
                self.draw(&diagnostic.render_within(self.painter, columns));
            }
        }
    }

    fn input(&mut self, text: &str) -> Next {
        let command = match Command::parse(text) {
            None => {
                self.eval(text);
                return Next::Go;
            }
            Some(Ok(command)) => command,
            Some(Err(error)) => {
                self.complain(error.into());
                return Next::Go;
            }
        };
        if command == Command::Quit {
            return Next::Leave;
        }
        if let Err(error) = self.obey(command) {
            self.complain(error.into());
        }
        Next::Go
    }

    fn eval(&mut self, text: &str) {
        let result = self.state.borrow_mut().eval(text);
        self.tell(result);
    }

    fn tell(&self, result: Result<Option<String>, Stopped>) {
        match result {
            // Its own text is printable; a table has colours.
            Ok(Some(value)) => self.draw(&value),
            Ok(None) => {}
            Err(stopped) => self.complain(stopped),
        }
    }

    fn obey(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Help(None) => self.help(),
            Command::Help(Some(name)) => {
                let call = format!("help({})", crate::script::string_literal(&name));
                self.without_saving(&call);
            }
            Command::Load(path) => {
                let result = self.state.borrow_mut().load(&path);
                self.tell(result);
            }
            Command::Save(saving) => self.save(&saving)?,
            Command::Show(option) => {
                let text = self.state.borrow().dial(option.as_deref())?;
                self.say(&text);
            }
            Command::Edit => self.edit()?,
            Command::Reset => {
                self.state.borrow_mut().reset();
                self.note("variables and functions are forgotten");
            }
            Command::Vars => self.vars(),
            Command::Time(text) => {
                let started = Instant::now();
                self.eval(&text);
                let time = started.elapsed().as_secs_f64();
                self.note(&format!("{time:.3} s"));
            }
            Command::Model => self.models(),
            Command::Change(change) => {
                let call = self.state.borrow().change(&change)?;
                let result = self.state.borrow_mut().eval(&call);
                self.tell(result.map_err(without_place));
            }
            Command::Quit => {}
        }
        Ok(())
    }

    /// Help is nothing that a saved script should repeat.
    fn without_saving(&mut self, call: &str) {
        let result = self.state.borrow().aside(call);
        self.tell(result.map(|()| None).map_err(without_place));
    }

    fn help(&self) {
        let columns = self.output.columns();
        let width = columns.unwrap_or(usize::MAX);
        let mut text = String::from("commands:");
        for (name, argument, meaning) in COMMANDS {
            let command = format!("  :{name} {argument}");
            text.push('\n');
            text.push_str(&filled(&command, meaning, 19, width));
        }
        text.push_str("\n\n");
        let rest = "Everything else is rhai: let x = 1; x + 1. `_` is the last value.";
        text.push_str(&filled("", rest, 0, width));
        text.push_str("\n\n");
        text.push_str(
            &self
                .state
                .borrow()
                .host()
                .catalog()
                .overview_within(columns),
        );
        self.say(&text);
    }

    fn vars(&self) {
        let variables = self.state.borrow().variables();
        if variables.is_empty() {
            self.note("there are no variables");
        }
        let name = variables.iter().map(|v| v.name.chars().count()).max();
        let kind = variables.iter().map(|v| v.kind.chars().count()).max();
        let (name, kind) = (name.unwrap_or(0), kind.unwrap_or(0));
        let room = self.output.width().saturating_sub(name + kind + 4).max(10);
        for variable in variables {
            let line = variable.value.lines().next().unwrap_or_default();
            let line = visible(line);
            let value = if variable.value.lines().count() <= 1 && line.chars().count() <= room {
                line
            } else {
                format!("{}…", line.chars().take(room - 1).collect::<String>())
            };
            self.say(&format!(
                "{:name$}  {:kind$}  {value}",
                variable.name, variable.kind
            ));
        }
    }

    fn models(&self) {
        let state = self.state.borrow();
        let models = state.session().models();
        if models.is_empty() {
            self.note("no model is loaded; let m = load_model(\"demo\")");
        }
        for model in models {
            self.say(&state.show_value(model));
        }
    }

    fn save(&self, saving: &Saving) -> Result<()> {
        let path = match saving.path.extension() {
            Some(_) => saving.path.clone(),
            None => saving.path.with_extension("rhai"),
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let state = self.state.borrow();
        let text = match saving.last {
            true => state.script_of_last(folder)?,
            false => state.script(folder)?,
        };
        let written = match saving.force {
            true => write_over(&path, &text),
            false => write_new(&path, &text),
        };
        written.map_err(|error| {
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                return Error::other(format!("{} is there already", path.display()))
                    .hint(":save --force writes over it, or choose another name");
            }
            Error::io("write", &path, &error)
        })?;
        self.note(&format!("saved; run it with: {}", run_with(&state, &path)));
        Ok(())
    }

    /// The last input in the user's own editor, and then run.
    fn edit(&mut self) -> Result<()> {
        let editor = std::env::var("VISUAL")
            .or_else(|_| std::env::var("EDITOR"))
            .unwrap_or_else(|_| "vi".into());
        let before = self
            .state
            .borrow()
            .last_input()
            .unwrap_or_default()
            .to_owned();
        let failed = |error: &dyn std::fmt::Display| {
            Error::other(format!("can't edit with {editor}: {error}"))
                .hint("set EDITOR to a program that edits text")
        };
        let file = tempfile::Builder::new()
            .prefix("avec-")
            .suffix(".rhai")
            .tempfile()
            .map_err(|error| failed(&error))?;
        std::fs::write(file.path(), before + "\n").map_err(|error| failed(&error))?;
        // EDITOR may have arguments of its own.
        let mut words = editor.split_whitespace();
        let program = words.next().unwrap_or("vi");
        let status = std::process::Command::new(program)
            .args(words)
            .arg(file.path())
            .status()
            .map_err(|error| failed(&error))?;
        if !status.success() {
            return Err(failed(&status));
        }
        let text = std::fs::read_to_string(file.path()).map_err(|error| failed(&error))?;
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        self.say(text);
        self.eval(text);
        Ok(())
    }
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}

/// Writes a file whole or leaves the one that is there. What is no file is not written over.
fn write_over(path: &Path, text: &str) -> std::io::Result<()> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(std::io::Error::other("it is not a file"));
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".avec-")
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The command that runs a saved session with the parameters that it used.
fn run_with(state: &Interactive, path: &Path) -> String {
    let mut command = String::from("avec");
    for (name, value) in state.session().params.used() {
        command.push_str(&format!(" -p {}", shell_word(&format!("{name}={value}"))));
    }
    format!("{command} {}", shell_word(&path.display().to_string()))
}

/// A word as a shell takes it whole.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "=./_-+:,@%".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// An error of a call that nobody typed: its place would tell nothing.
fn without_place(stopped: Stopped) -> Stopped {
    match stopped {
        Stopped::Failed(mut diagnostic) => {
            diagnostic.labels.clear();
            Stopped::Failed(diagnostic)
        }
        other => other,
    }
}
