//! Where a script's text goes, how much room there is for it, and why it can't be written. What that
//! means for a script is decided where scripts are run.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use crate::report::{Painter, printable};

/// Where a script's text goes. Cloned freely; all clones write to the same place.
#[derive(Clone)]
pub struct Output {
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    /// Why nothing can be written any more.
    failure: Arc<OnceLock<OutputError>>,
    room: Room,
    /// How text is coloured.
    pub painter: Painter,
}

/// Why a run's text goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputError {
    /// Nobody reads it, as after `avec .. | head`.
    Closed,
    /// A full disk, for instance.
    Broken(String),
}

impl std::fmt::Display for OutputError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("nobody reads the output any more"),
            Self::Broken(reason) => write!(f, "can't write the output: {reason}"),
        }
    }
}

impl std::error::Error for OutputError {}

/// How much is seen at once.
#[derive(Clone, Copy)]
enum Room {
    /// So many columns, and lines without end.
    Columns(usize),
    /// A terminal, which tells its columns and lines, and may change them.
    Terminal(fn() -> Option<(usize, usize)>),
}

impl Output {
    /// An output that is no terminal; tables may be `width` columns wide.
    pub fn new(writer: Box<dyn Write + Send>, width: usize, painter: Painter) -> Self {
        Self {
            writer: Arc::new(Mutex::new(writer)),
            failure: Arc::default(),
            room: Room::Columns(width),
            painter,
        }
    }

    /// An output on a terminal whose columns and lines `size` tells. There, what is being written
    /// is shown while it grows.
    pub fn terminal(
        writer: Box<dyn Write + Send>,
        size: fn() -> Option<(usize, usize)>,
        painter: Painter,
    ) -> Self {
        Self {
            room: Room::Terminal(size),
            ..Self::new(writer, 0, painter)
        }
    }

    /// How wide tables may be.
    pub fn width(&self) -> usize {
        match self.room {
            Room::Columns(columns) => columns,
            Room::Terminal(_) => self.columns().unwrap_or(80),
        }
    }

    /// How many columns a terminal shows; none if this isn't one.
    pub fn columns(&self) -> Option<usize> {
        self.seen().map(|(columns, _)| columns)
    }

    /// How many lines a terminal shows; none if this isn't one.
    pub fn height(&self) -> Option<usize> {
        self.seen().map(|(_, lines)| lines)
    }

    /// Columns and lines of a terminal.
    fn seen(&self) -> Option<(usize, usize)> {
        match self.room {
            Room::Columns(_) => None,
            Room::Terminal(size) => size(),
        }
    }

    /// Writes text that moves the cursor. What can't be drawn is not missed.
    pub fn raw(&self, text: &str) {
        if let Ok(mut writer) = self.writer.lock() {
            let _ = write!(writer, "{text}").and_then(|()| writer.flush());
        }
    }

    /// Writes a line, in which nothing acts on a terminal but newlines and tabs. Once that has failed,
    /// it fails from then on.
    ///
    /// # Errors
    /// If nobody reads the output any more, or it can't be written.
    pub fn line(&self, text: &str) -> Result<(), OutputError> {
        self.painted(&printable(text))
    }

    /// Writes a line that may hold the painter's codes: whatever else is in it must be printable.
    pub fn painted(&self, text: &str) -> Result<(), OutputError> {
        if let Ok(mut writer) = self.writer.lock()
            && let Err(error) = writeln!(writer, "{text}").and_then(|()| writer.flush())
        {
            self.failure.get_or_init(|| match error.kind() {
                std::io::ErrorKind::BrokenPipe => OutputError::Closed,
                _ => OutputError::Broken(error.to_string()),
            });
        }
        match self.failure() {
            None => Ok(()),
            Some(failure) => Err(failure.clone()),
        }
    }

    /// What went wrong with an earlier line.
    pub fn failure(&self) -> Option<&OutputError> {
        self.failure.get()
    }
}
