//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::report::ColorChoice;
use crate::script::parse_assignment;

/// Scripts for activation-steering experiments on GPT-2 and Pythia models.
#[derive(Debug, Parser)]
#[command(
    name = "avec",
    version,
    about = "Runs scripts for activation-steering experiments on GPT-2 and Pythia models",
    after_help = "Examples:\n  avec scripts/basic_functionality.rhai\n  avec scripts/love_hate.rhai -p model=gpt2-xl -p coeff=8\n  echo 'print(load_model(\"demo\"))' | avec -\n  avec doc x_vector",
    disable_help_subcommand = true
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub global: GlobalArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a script; the same as naming it alone
    Run(RunArgs),
    /// Begin an interactive session; the same as naming no script
    Repl(ParamArgs),
    /// Show what a script is about, and its parameters
    Info {
        /// The script
        script: PathBuf,
    },
    /// Show the script functions, or one of them
    Doc {
        /// A function's name
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The script to run; - reads it from standard input, none begins an interactive session
    pub script: Option<PathBuf>,
    #[command(flatten)]
    pub params: ParamArgs,
}

#[derive(Debug, Args)]
pub(super) struct ParamArgs {
    /// Set a parameter of the script
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = parse_assignment)]
    pub param: Vec<(String, String)>,
}

impl Cli {
    /// What was typed before a subcommand and is no part of it.
    pub(super) fn stray(&self) -> Option<String> {
        self.command.as_ref()?;
        let script = self.run.script.as_ref();
        script
            .map(|script| script.display().to_string())
            .or_else(|| {
                let (name, value) = self.run.params.param.first()?;
                Some(format!("-p {name}={value}"))
            })
    }
}

#[derive(Debug, Args)]
pub(super) struct GlobalArgs {
    /// Use no network: models come from the cache, from folders, or are the demo
    #[arg(long, global = true)]
    pub offline: bool,
    /// How many processor threads to use, at most 512; all by default
    #[arg(long, value_name = "N", global = true, value_parser = clap::value_parser!(u16).range(1..=MOST_THREADS))]
    pub threads: Option<u16>,
    /// How much memory the run may take, e.g. 500M or 4G; half of what is free by default
    #[arg(long, value_name = "SIZE", global = true, value_parser = parse_size)]
    pub memory: Option<u64>,
    /// End the run with status 124 if it takes longer, e.g. 90, 60s, 5m or 500ms
    #[arg(long, value_name = "TIME", global = true, value_parser = parse_time)]
    pub timeout: Option<Duration>,
    /// Tell at the end, on stderr, where the time went
    #[arg(long, global = true)]
    pub profile: bool,
    /// No progress, no notes: only the script's output and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// When to use colour: auto, always or never
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto", value_parser = parse_color)]
    pub color: ColorChoice,
}

/// More threads than any machine gains from; each has a stack of its own.
const MOST_THREADS: i64 = 512;

/// Bytes, or KiB, MiB, GiB or TiB with K, M, G or T after the number.
fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size; write for example 500M or 4G");
    let upper = text.trim().to_ascii_uppercase();
    let number = upper.trim_end_matches("IB").trim_end_matches('B');
    let (number, shift) = match number.as_bytes().last() {
        Some(b'K') => (&number[..number.len() - 1], 10),
        Some(b'M') => (&number[..number.len() - 1], 20),
        Some(b'G') => (&number[..number.len() - 1], 30),
        Some(b'T') => (&number[..number.len() - 1], 40),
        _ => (number, 0),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let bytes = number * (1u64 << shift) as f64;
    if !(bytes.is_finite() && bytes >= 1.0) {
        return Err(wrong());
    }
    Ok(bytes as u64)
}

/// Seconds, or milliseconds, minutes or hours with ms, m or h after the number.
fn parse_time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time; write for example 90, 60s, 5m or 500ms");
    let lower = text.trim().to_ascii_lowercase();
    let end = lower
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(lower.len());
    let (number, unit) = lower.split_at(end);
    let seconds = match unit.trim() {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let time = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
    if time.is_zero() {
        return Err(wrong());
    }
    Ok(time)
}

fn parse_color(text: &str) -> Result<ColorChoice, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is none of auto, always, never"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let milliseconds = |text: &str| parse_time(text).map(|time| time.as_millis());
        for (text, expected) in [
            ("90", 90_000),
            ("60s", 60_000),
            ("1m", 60_000),
            ("500ms", 500),
            ("1.5 h", 5_400_000),
        ] {
            assert_eq!(milliseconds(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "0",
            "-1",
            "s",
            "1d",
            "1e99",
            "nan",
            "inf",
            "1.2.3",
            "99999999999999999999h",
        ] {
            assert_eq!(
                milliseconds(text),
                Err(format!(
                    "{text:?} is no time; write for example 90, 60s, 5m or 500ms"
                ))
            );
        }
    }
}
