//! The real program in a terminal that a test can look at.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "a part of each test file that uses it"
)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use expectrl::Session;
use expectrl::session::OsSession;

/// A run of `avec` in a pseudo-terminal, and its screen as a user would see it.
pub struct Terminal {
    session: OsSession,
    screen: vt100::Parser,
    prompts: usize,
}

/// Long enough for a busy machine; nothing is timed by it.
const PATIENCE: Duration = Duration::from_secs(60);
pub const PROMPT: &str = "avec> ";

impl Terminal {
    /// Starts an interactive session with `columns` columns and `folder` as home and working
    /// folder, and waits for the first prompt.
    pub fn start(folder: &Path, columns: u16, args: &[&str]) -> Self {
        Self::start_with(folder, columns, args, &[])
    }

    /// Like `start` with other environment variables; an empty one is removed.
    pub fn start_with(
        folder: &Path,
        columns: u16,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_avec"));
        command
            .args(args)
            .current_dir(folder)
            .env("HOME", folder)
            .env("XDG_STATE_HOME", folder.join("state"))
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .env_remove("VISUAL")
            .env("EDITOR", "true");
        for (name, value) in variables {
            if value.is_empty() {
                command.env_remove(name);
            } else {
                command.env(name, value);
            }
        }
        let mut session = Session::spawn(command).unwrap();
        const ROWS: u16 = 500;
        let size = |n: u16| std::num::NonZero::new(n).unwrap();
        session
            .get_process_mut()
            .set_window_size(columns, ROWS)
            .unwrap();
        let mut terminal = Self {
            session,
            screen: vt100::Parser::new(size(ROWS), size(columns), 2000),
            prompts: 0,
        };
        terminal.until("the first prompt", |text| text.contains(PROMPT.trim_end()));
        terminal.prompts = 1;
        terminal
    }

    /// The screen, with the escape codes of its colours.
    pub fn coloured(&self) -> String {
        self.screen.screen().contents_formatted()
    }

    /// The text on the screen.
    pub fn text(&self) -> String {
        let text = self.screen.screen().contents();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        lines.join("\n").trim_end().to_owned()
    }

    fn pump(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.session.try_read(&mut bytes) {
            Ok(0) | Err(_) => false,
            Ok(n) => {
                self.screen.process(&bytes[..n]);
                true
            }
        }
    }

    /// Waits until a condition holds for the screen.
    #[track_caller]
    pub fn until(&mut self, what: &str, holds: impl Fn(&str) -> bool) {
        let started = Instant::now();
        loop {
            while self.pump() {}
            if holds(&self.text()) {
                return;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{what} did not come:\n{}",
                self.text()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends keys.
    pub fn keys(&mut self, keys: &str) {
        self.bytes(keys.as_bytes());
    }

    /// What arrives, text or not.
    pub fn bytes(&mut self, bytes: &[u8]) {
        use std::io::Write;
        self.session.write_all(bytes).unwrap();
        self.session.flush().unwrap();
    }

    /// Types a one-line input and returns what is printed before the next prompt.
    #[track_caller]
    pub fn enter(&mut self, input: &str) -> String {
        self.keys(input);
        self.keys("\r");
        self.output()
    }

    /// Waits for the next prompt and returns the output before it.
    #[track_caller]
    pub fn output(&mut self) -> String {
        self.prompts += 1;
        let wanted = self.prompts;
        self.until("the next prompt", |text| {
            prompts(text) == wanted && text.ends_with(PROMPT.trim_end())
        });
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        let places: Vec<usize> = (0..lines.len())
            .filter(|i| lines[*i].starts_with(PROMPT.trim_end()))
            .collect();
        let [.., input, next] = places.as_slice() else {
            return String::new();
        };
        lines[input + 1..*next].join("\n")
    }

    /// Waits for the program to exit.
    pub fn end(mut self) {
        let started = Instant::now();
        while self.session.get_process().is_alive().unwrap_or(false) {
            self.pump();
            assert!(
                started.elapsed() < PATIENCE,
                "it did not end:\n{}",
                self.text()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn prompts(text: &str) -> usize {
    text.lines()
        .filter(|line| line.starts_with(PROMPT.trim_end()))
        .count()
}
