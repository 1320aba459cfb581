//! A template grammar in a text file: rules with alternatives, expanded at random.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub(crate) struct Grammar {
    rules: HashMap<String, Vec<String>>,
}

impl Grammar {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("reading the grammar {}", path.display()))?;
        let mut rules: HashMap<String, Vec<String>> = HashMap::new();
        let mut current: Option<String> = None;
        for line in text.lines() {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                rules.entry(name.to_owned()).or_default();
                current = Some(name.to_owned());
            } else if let Some(name) = &current {
                rules.entry(name.clone()).or_default().push(line.to_owned());
            } else {
                bail!(
                    "{}: a line before the first [rule]: {line:?}",
                    path.display()
                );
            }
        }
        Ok(Self { rules })
    }

    /// The words of a `[words.*]` list.
    pub(crate) fn words(&self, name: &str) -> Vec<&str> {
        self.rules
            .get(&format!("words.{name}"))
            .map(|lines| lines.iter().flat_map(|l| l.split_whitespace()).collect())
            .unwrap_or_default()
    }
}

/// A document being written: its latent choices, and the alternatives it has used.
pub(crate) struct Expansion<'g> {
    grammar: &'g Grammar,
    /// The values of `$mood`, `$verb`, `$topic` and `$topic2`.
    latents: HashMap<&'static str, &'static str>,
    used: HashSet<(String, usize)>,
}

impl<'g> Expansion<'g> {
    pub(crate) fn new(grammar: &'g Grammar, latents: HashMap<&'static str, &'static str>) -> Self {
        Self {
            grammar,
            latents,
            used: HashSet::new(),
        }
    }

    /// Expands a rule into a text. Alternatives don't repeat while unused ones are left.
    pub(crate) fn expand(&mut self, rule: &str, rng: &mut ChaCha8Rng) -> Result<String> {
        let name = rule
            .split('.')
            .map(|part| match part.strip_prefix('$') {
                Some(latent) => self.latents.get(latent).copied().unwrap_or(part),
                None => part,
            })
            .collect::<Vec<_>>()
            .join(".");
        let Some(alternatives) = self.grammar.rules.get(&name) else {
            bail!("the grammar has no rule [{name}]");
        };
        let fresh: Vec<usize> = (0..alternatives.len())
            .filter(|i| !self.used.contains(&(name.clone(), *i)))
            .collect();
        let choice = match fresh.as_slice() {
            [] => rng.random_range(0..alternatives.len()),
            fresh => fresh[rng.random_range(0..fresh.len())],
        };
        // Repeated lines are weights: using one uses its twins too.
        for (i, other) in alternatives.iter().enumerate() {
            if *other == alternatives[choice] {
                self.used.insert((name.clone(), i));
            }
        }
        let mut text = String::new();
        let mut rest = alternatives[choice].as_str();
        while let Some(open) = rest.find('{') {
            let Some(length) = rest[open..].find('}') else {
                bail!("an open brace in [{name}]: {rest:?}");
            };
            text.push_str(&rest[..open]);
            let slot = &rest[open + 1..open + length];
            match slot.strip_prefix('^') {
                Some(slot) => text.push_str(&capital(&self.expand(slot, rng)?)),
                None => text.push_str(&self.expand(slot, rng)?),
            }
            rest = &rest[open + length + 1..];
        }
        text.push_str(rest);
        Ok(text)
    }
}

pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
