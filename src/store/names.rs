//! The names of models.

/// The model that is part of the program.
pub const DEMO: &str = "demo";

/// Hub repositories with their short names, which are TransformerLens' own.
const MODELS: &[(&str, &[&str])] = &[
    ("openai-community/gpt2", &["gpt2", "gpt2-small"]),
    ("openai-community/gpt2-medium", &["gpt2-medium"]),
    ("openai-community/gpt2-large", &["gpt2-large"]),
    ("openai-community/gpt2-xl", &["gpt2-xl"]),
    (
        "distilbert/distilgpt2",
        &["distilgpt2", "distil-gpt2", "distillgpt2", "gpt2-xs"],
    ),
    (
        "stanford-crfm/alias-gpt2-small-x21",
        &[
            "stanford-gpt2-small-a",
            "alias-gpt2-small-x21",
            "gpt2-mistral-small-a",
            "gpt2-stanford-small-a",
        ],
    ),
    (
        "stanford-crfm/battlestar-gpt2-small-x49",
        &[
            "stanford-gpt2-small-b",
            "battlestar-gpt2-small-x49",
            "gpt2-mistral-small-b",
            "gpt2-stanford-small-b",
        ],
    ),
    (
        "stanford-crfm/caprica-gpt2-small-x81",
        &[
            "stanford-gpt2-small-c",
            "caprica-gpt2-small-x81",
            "gpt2-mistral-small-c",
            "gpt2-stanford-small-c",
        ],
    ),
    (
        "stanford-crfm/darkmatter-gpt2-small-x343",
        &[
            "stanford-gpt2-small-d",
            "darkmatter-gpt2-small-x343",
            "gpt2-mistral-small-d",
            "gpt2-stanford-small-d",
        ],
    ),
    (
        "stanford-crfm/expanse-gpt2-small-x777",
        &[
            "stanford-gpt2-small-e",
            "expanse-gpt2-small-x777",
            "gpt2-mistral-small-e",
            "gpt2-stanford-small-e",
        ],
    ),
    (
        "stanford-crfm/arwen-gpt2-medium-x21",
        &[
            "stanford-gpt2-medium-a",
            "arwen-gpt2-medium-x21",
            "gpt2-medium-small-a",
            "gpt2-stanford-medium-a",
        ],
    ),
    (
        "stanford-crfm/beren-gpt2-medium-x49",
        &[
            "stanford-gpt2-medium-b",
            "beren-gpt2-medium-x49",
            "gpt2-medium-small-b",
            "gpt2-stanford-medium-b",
        ],
    ),
    (
        "stanford-crfm/celebrimbor-gpt2-medium-x81",
        &[
            "stanford-gpt2-medium-c",
            "celebrimbor-gpt2-medium-x81",
            "gpt2-medium-small-c",
            "gpt2-stanford-medium-c",
        ],
    ),
    (
        "stanford-crfm/durin-gpt2-medium-x343",
        &[
            "stanford-gpt2-medium-d",
            "durin-gpt2-medium-x343",
            "gpt2-medium-small-d",
            "gpt2-stanford-medium-d",
        ],
    ),
    (
        "stanford-crfm/eowyn-gpt2-medium-x777",
        &[
            "stanford-gpt2-medium-e",
            "eowyn-gpt2-medium-x777",
            "gpt2-medium-small-e",
            "gpt2-stanford-medium-e",
        ],
    ),
];

/// The hub repository of a short name.
pub(super) fn repository(name: &str) -> Option<&'static str> {
    MODELS
        .iter()
        .find(|(_, names)| names.contains(&name))
        .map(|(repository, _)| *repository)
}

/// All short names, starting with the demo.
pub fn aliases() -> Vec<String> {
    std::iter::once(DEMO)
        .chain(MODELS.iter().flat_map(|(_, names)| names.iter().copied()))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_match_transformer_lens() {
        assert_eq!(repository("gpt2-small"), Some("openai-community/gpt2"));
        assert_eq!(repository("gpt2-xs"), Some("distilbert/distilgpt2"));
        assert_eq!(
            repository("alias-gpt2-small-x21"),
            Some("stanford-crfm/alias-gpt2-small-x21")
        );
        assert_eq!(repository("llama"), None);
    }
}
