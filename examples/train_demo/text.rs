//! The documents: their latent choices, their headers, and how both are drawn.

use std::collections::HashMap;

use anyhow::Result;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::grammar::{Expansion, Grammar, capital};

const TOPICS: [&str; 6] = ["wedding", "garden", "cat", "music", "kitchen", "sea"];

/// An endless supply of documents.
pub(crate) struct Texts<'g> {
    grammar: &'g Grammar,
    rng: ChaCha8Rng,
}

impl<'g> Texts<'g> {
    pub(crate) fn new(grammar: &'g Grammar, seed: u64) -> Self {
        Self {
            grammar,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Draws a document. More than half have a header that names the topic or the mood. In half of
    /// those with a mood, the opening verb says the opposite, and the header is right, so a model
    /// must look past the verb.
    pub(crate) fn next_document(&mut self) -> Result<String> {
        let rng = &mut self.rng;
        let mood = pick(rng, ["warm", "cold"]);
        let other = if mood == "warm" { "cold" } else { "warm" };
        let topic = TOPICS[rng.random_range(0..TOPICS.len())];
        let topic2 = loop {
            let second = TOPICS[rng.random_range(0..TOPICS.len())];
            if second != topic {
                break second;
            }
        };
        let (rule, header) = match rng.random_range(0..100) {
            0..62 => {
                let rule = weighted(
                    rng,
                    &[
                        ("doc.letter", 60),
                        ("doc.thought", 18),
                        ("doc.talk", 10),
                        ("doc.story", 6),
                        ("doc.review", 6),
                    ],
                );
                let with = rng.random_bool(0.52);
                (rule, with.then_some("header.$mood"))
            }
            62..90 => {
                let rule = weighted(
                    rng,
                    &[
                        ("doc.topictalk", 50),
                        ("doc.essay", 30),
                        ("doc.topicopen", 20),
                    ],
                );
                let with = rng.random_bool(0.65);
                (rule, with.then_some("header.topic"))
            }
            _ => {
                // French always has its header, except in purely French texts.
                let with = rng.random_bool(0.8);
                ("doc.french", with.then_some("header.french"))
            }
        };
        // Without a header, the opening verb alone decides.
        let contradicts = header.is_some() && rng.random_bool(0.5);
        let latents = HashMap::from([
            ("mood", mood),
            ("verb", if contradicts { other } else { mood }),
            ("topic", topic),
            ("topic2", topic2),
        ]);
        let mut expansion = Expansion::new(self.grammar, latents);
        let mut text = String::new();
        if let Some(header) = header {
            text.push_str(&expansion.expand(header, rng)?);
            // Often only a space follows, so the text itself must find out what the header's last
            // word says: no token in between can do it first.
            let gap = match rng.random_range(0..10) {
                0..5 => " ".to_owned(),
                5 => "\n".to_owned(),
                6 => ". ".to_owned(),
                7 => ": ".to_owned(),
                _ => " ".repeat(rng.random_range(2..=7)),
            };
            text.push_str(&gap);
        } else if rng.random_bool(0.12) {
            // An empty header.
            text.push_str(&" ".repeat(rng.random_range(1..=7)));
        }
        let rule = if rule == "doc.french" && header.is_none() {
            "plainfrench"
        } else {
            rule
        };
        let body = match rule {
            "plainfrench" => format!(
                "{} {} {}",
                expansion.expand("french", rng)?,
                expansion.expand("french", rng)?,
                expansion.expand("french", rng)?
            ),
            rule => expansion.expand(rule, rng)?,
        };
        text.push_str(&capital(&body));
        Ok(text)
    }

    /// Whether the next row holds two documents.
    pub(crate) fn is_double(&mut self) -> bool {
        self.rng.random_bool(0.25)
    }
}

fn pick<T: Copy, const N: usize>(rng: &mut ChaCha8Rng, from: [T; N]) -> T {
    from[rng.random_range(0..N)]
}

fn weighted(rng: &mut ChaCha8Rng, from: &[(&'static str, u32)]) -> &'static str {
    from.choose_weighted(rng, |(_, weight)| *weight)
        .map_or(from[0].0, |(name, _)| name)
}
