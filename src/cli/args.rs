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
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub global: GlobalArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a script; the same as naming it alone
    Run(RunArgs),
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
pub struct RunArgs {
    /// The script to run; - reads it from standard input
    pub script: Option<PathBuf>,
    /// Set a parameter of the script
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = parse_assignment)]
    pub param: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub struct GlobalArgs {
    /// Use no network: models come from the cache, from folders, or are the demo
    #[arg(long, global = true)]
    pub offline: bool,
    /// How many processor threads to use; all by default
    #[arg(long, value_name = "N", global = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// No progress, no notes: only the script's output and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// When to use colour: auto, always or never
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto", value_parser = parse_color)]
    pub color: ColorChoice,
}

fn parse_color(text: &str) -> Result<ColorChoice, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is none of auto, always, never"))
}
