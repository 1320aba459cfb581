//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::report::ColorChoice;
use crate::script::parse_assignment;

/// Scripts for activation-steering experiments on GPT-2 models.
#[derive(Debug, Parser)]
#[command(
    name = "avec",
    version,
    about = "Runs scripts for activation-steering experiments on GPT-2 models",
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
    /// How many processor threads to use; all by default
    #[arg(long, value_name = "N", global = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// How much memory generating may take at once, e.g. 500M or 4G; half of what is free by default
    #[arg(long, value_name = "SIZE", global = true, value_parser = parse_size)]
    pub memory: Option<u64>,
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

fn parse_color(text: &str) -> Result<ColorChoice, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is none of auto, always, never"))
}
