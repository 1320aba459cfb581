//! Colours and weights of text, or plain text.

use std::io::IsTerminal;

use crate::words::words;

words! {
    /// When to use colour.
    pub enum ColorChoice: "colour choice", default Auto {
        /// Asks the stream and the environment.
        Auto = "auto",
        /// On every stream.
        Always = "always",
        /// On none.
        Never = "never",
    }
}

impl ColorChoice {
    /// The painter for a stream. `auto` uses colour on terminals, unless `NO_COLOR` is set or the
    /// terminal is dumb; `CLICOLOR_FORCE` forces it everywhere.
    pub fn painter(self, stream: &impl IsTerminal) -> Painter {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let on = match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if set("NO_COLOR") => false,
            Self::Auto if set("CLICOLOR_FORCE") => true,
            Self::Auto => {
                stream.is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        Painter { on }
    }
}

/// Wraps text in escape codes, or leaves it plain.
#[derive(Debug, Clone, Copy, Default)]
pub struct Painter {
    on: bool,
}

impl Painter {
    /// A painter that leaves text plain.
    pub const fn plain() -> Self {
        Self { on: false }
    }

    /// A painter that uses escape codes.
    pub const fn colored() -> Self {
        Self { on: true }
    }

    /// Whether it uses escape codes.
    pub fn is_on(self) -> bool {
        self.on
    }

    /// Bold text.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Dim text.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Bold red text.
    pub fn red(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// Green text.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Yellow text.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Magenta text.
    pub fn magenta(self, text: &str) -> String {
        self.paint("35", text)
    }

    /// Cyan text.
    pub fn cyan(self, text: &str) -> String {
        self.paint("36", text)
    }

    /// Bold blue text.
    pub fn blue(self, text: &str) -> String {
        self.paint("1;34", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
