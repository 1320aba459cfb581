//! The line editor: rustyline with avec's completion, colours and rule for unfinished input.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::rc::Rc;

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Cmd, CompletionType, Config, Context, Editor, Helper, KeyEvent};

use super::command::Command;
use super::complete::complete;
use super::highlight::highlight_from;
use super::history::{history_file, is_usable, make_printable, make_private};
use super::pasted::{CONTINUED, PROMPT, inputs};
use crate::report::{Painter, printable, visible};
use crate::script::{Catalog, Interactive};

/// What the person at the keyboard did.
pub(super) enum Typed {
    Input(String),
    /// Ctrl-C: the line is dropped.
    Cancelled,
    /// Bytes that are no text.
    NotText,
    /// Ctrl-D, or the end of what is piped in.
    End,
}

/// Reads inputs, one or more lines each, with a history that outlives the session.
pub(super) struct LineEditor {
    editor: Editor<Assistant, FileHistory>,
    history: Option<PathBuf>,
    /// Inputs that came with the last one.
    pending: VecDeque<String>,
}

impl LineEditor {
    /// `state` is what completion looks into. It is not borrowed while an input runs.
    pub(super) fn new(
        state: Rc<RefCell<Interactive>>,
        painter: Painter,
    ) -> rustyline::Result<Self> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(10_000)?
            .build();
        let mut editor = Editor::with_config(config)?;
        let catalog = state.borrow().host().catalog();
        editor.set_helper(Some(Assistant {
            state,
            catalog,
            painter,
            hinter: HistoryHinter::new(),
            begun: String::new(),
        }));
        editor.bind_sequence(KeyEvent::alt('p'), Cmd::HistorySearchBackward);
        editor.bind_sequence(KeyEvent::alt('n'), Cmd::HistorySearchForward);
        let history = history_file().filter(|path| is_usable(path));
        if let Some(path) = &history {
            make_printable(path);
            // The first session has none.
            let _ = editor.load_history(path);
        }
        Ok(Self {
            editor,
            history,
            pending: VecDeque::new(),
        })
    }

    /// An input, which goes on over as many lines as it needs.
    pub(super) fn read(&mut self) -> rustyline::Result<Typed> {
        let mut text = match self.pending.pop_front() {
            Some(text) => text,
            None => match self.line(PROMPT)? {
                Ok(text) => text,
                Err(typed) => return Ok(typed),
            },
        };
        while self.pending.is_empty() && self.lacks_its_end(&text) {
            self.begin(format!("{text}\n"));
            let line = self.line(CONTINUED);
            self.begin(String::new());
            match line? {
                Ok(line) => {
                    text.push('\n');
                    text.push_str(&line);
                }
                // What there is may say what is wrong.
                Err(Typed::End) => break,
                Err(typed) => return Ok(typed),
            }
        }
        if !text.trim().is_empty() {
            self.editor.add_history_entry(printable(text.trim_end()))?;
            self.save_history();
        }
        Ok(Typed::Input(text))
    }

    /// A line behind a prompt. Of several inputs in one line, the others wait.
    fn line(&mut self, prompt: &str) -> rustyline::Result<Result<String, Typed>> {
        Ok(match self.editor.readline(prompt) {
            Ok(line) => {
                self.pending = inputs(&line).into();
                Ok(self.pending.pop_front().unwrap_or_default())
            }
            Err(ReadlineError::Interrupted) => Err(Typed::Cancelled),
            Err(ReadlineError::Eof) => Err(Typed::End),
            Err(ReadlineError::Io(error)) if error.kind() == ErrorKind::InvalidData => {
                Err(Typed::NotText)
            }
            Err(error) => return Err(error),
        })
    }

    fn lacks_its_end(&self, text: &str) -> bool {
        Command::parse(text).is_none()
            && self.editor.helper().is_some_and(|assistant| {
                let state = assistant.state.try_borrow();
                state.is_ok_and(|state| state.is_incomplete(text))
            })
    }

    /// Tells the helper the lines of the input before the one that is typed.
    fn begin(&mut self, begun: String) {
        if let Some(assistant) = self.editor.helper_mut() {
            assistant.begun = begun;
        }
    }

    /// After every input, so that a session that is killed loses nothing. Not being able to is no
    /// reason to disturb one.
    fn save_history(&mut self) {
        if let Some(path) = &self.history
            && is_usable(path)
        {
            make_private(path);
            let _ = self.editor.append_history(path);
        }
    }
}

struct Assistant {
    state: Rc<RefCell<Interactive>>,
    catalog: Catalog,
    painter: Painter,
    hinter: HistoryHinter,
    /// The lines of the input before the one that is typed.
    begun: String,
}

impl Helper for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Ok(state) = self.state.try_borrow() else {
            return Ok((pos, Vec::new()));
        };
        let before = format!("{}{}", self.begun, &line[..pos]);
        let (start, offers) = complete(&before, &state, &self.catalog);
        let Some(start) = start.checked_sub(self.begun.len()) else {
            return Ok((pos, Vec::new()));
        };
        // A file's name may hold what would act on the terminal.
        let harmless = offers
            .into_iter()
            .filter(|offer| visible(&offer.text) == offer.text);
        let pairs = harmless.map(|offer| Pair {
            display: visible(&offer.display),
            replacement: offer.text,
        });
        Ok((start, pairs.collect()))
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, pos: usize) -> Cow<'l, str> {
        let is_command = self.begun.is_empty() && line.trim_start().starts_with([':', '?']);
        let shown = printable(line);
        if !self.painter.is_on() || is_command || shown != line {
            return shown;
        }
        let from = self.begun.len();
        let whole = format!("{}{line}", self.begun);
        Cow::Owned(highlight_from(&whole, from, from + pos, self.painter))
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        _default: bool,
    ) -> Cow<'b, str> {
        Cow::Owned(self.painter.bold(&self.painter.cyan(prompt)))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(self.painter.dim(hint))
    }

    fn highlight_char(&self, _line: &str, _pos: usize, _kind: CmdKind) -> bool {
        self.painter.is_on()
    }
}

impl Hinter for Assistant {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, ctx: &Context<'_>) -> Option<String> {
        // A hint that can't be told from what was typed would be a lie.
        if !self.painter.is_on() || line.is_empty() {
            return None;
        }
        let hint = self.hinter.hint(line, pos, ctx)?;
        (!hint.contains('\n')).then_some(hint)
    }
}

/// A line is a line: which further ones belong to it is for the session to say.
impl Validator for Assistant {}
