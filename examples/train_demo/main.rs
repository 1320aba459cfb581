//! Trains the demo model from scratch: generates its texts, then trains its tokenizer and weights.
//!
//! `cargo run --release --example train_demo` rewrites `assets/demo`; the same seed gives the same
//! model. With `-- --evaluate-only` it measures what steering does to the existing model.

mod evaluate;
mod grammar;
mod model;
mod text;
mod train;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

/// Train the demo model on generated text.
#[derive(Parser)]
struct Args {
    /// Where to write config.json, tokenizer.json and model.safetensors.
    #[arg(long, default_value = "assets/demo")]
    out: PathBuf,
    /// The grammar of the texts.
    #[arg(long, default_value = "assets/demo/grammar.txt")]
    grammar: PathBuf,
    #[arg(long, default_value_t = 1600)]
    steps: usize,
    #[arg(long, default_value_t = 5)]
    layers: usize,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print this number of texts of the grammar, then stop.
    #[arg(long, value_name = "N")]
    show: Option<usize>,
    /// Train nothing; measure steering on the existing model.
    #[arg(long)]
    evaluate_only: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let grammar = grammar::Grammar::read(&args.grammar)?;
    if let Some(n) = args.show {
        let mut texts = text::Texts::new(&grammar, args.seed);
        for _ in 0..n {
            println!("{}\n", texts.next_document()?);
        }
        return Ok(());
    }
    if !args.evaluate_only {
        std::fs::create_dir_all(&args.out)?;
        train::train(
            &grammar,
            &train::Plan {
                out: args.out.clone(),
                steps: args.steps,
                layers: args.layers,
                seed: args.seed,
            },
        )?;
    }
    evaluate::evaluate(&args.out, &grammar)
}
