//! Colours and weights of text, or none of them.

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
    /// The painter for a stream. `auto` paints on terminals, unless `NO_COLOR` is set or the
    /// terminal is dumb; `CLICOLOR_FORCE` paints everywhere.
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
    /// One that adds nothing.
    pub const fn plain() -> Self {
        Self { on: false }
    }

    /// One that colours.
    pub const fn colored() -> Self {
        Self { on: true }
    }

    /// Whether it colours.
    pub fn is_on(self) -> bool {
        self.on
    }

    /// For what stands out.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// For what may be overlooked.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// For errors.
    pub fn red(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// For strings.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// For numbers.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// For keywords.
    pub fn magenta(self, text: &str) -> String {
        self.paint("35", text)
    }

    /// For prompts and hints.
    pub fn cyan(self, text: &str) -> String {
        self.paint("36", text)
    }

    /// For functions and places.
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
