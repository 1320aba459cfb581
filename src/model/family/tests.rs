//! Configurations of GPT-2, valid and invalid.

use super::identify;
use crate::error::Result;
use crate::model::arch::Arch;
use crate::model::config_json::ConfigJson;

const GPT2: &str = r#"{"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12,
    "n_positions": 1024, "vocab_size": 50257, "bos_token_id": 50256, "eos_token_id": 50256}"#;

fn read(text: &str, path: &str) -> Result<Arch> {
    let config = ConfigJson::parse(text.as_bytes(), path)?;
    Ok(identify(&config)?.1)
}

#[test]
fn gpt2_small_has_its_known_sizes() {
    let arch = read(GPT2, "config.json").unwrap();
    assert_eq!((arch.d_head, arch.d_mlp), (64, 3072));
    assert_eq!(arch.parameters(), 124_439_808);
}

#[test]
fn unknown_families_are_named() {
    let error = read(r#"{"model_type": "llama"}"#, "x/config.json").unwrap_err();
    assert_eq!(
        error.to_string(),
        "x/config.json describes a model of type `llama`, not GPT-2 or GPT-NeoX"
    );
}

#[test]
fn the_first_of_several_end_tokens_is_used() {
    let text = GPT2
        .replace("\"eos_token_id\": 50256", "\"eos_token_id\": [386, 50256]")
        .replace("\"bos_token_id\": 50256", "\"bos_token_id\": []");
    let arch = read(&text, "config.json").unwrap();
    assert_eq!((arch.eos_token, arch.bos_token), (386, 50256));
}

#[test]
fn errors_of_configurations_are_in_plain_words() {
    let error = |text: &str| {
        let error = read(text, "c").unwrap_err();
        assert_eq!(
            error.hints(),
            ["use the config.json that the model was published with"],
            "{text}"
        );
        let message = error.message();
        let reason = message.strip_prefix("can't read the configuration in c: ");
        reason.unwrap_or(&message).to_owned()
    };
    let with = |from: &str, to: &str| {
        assert!(GPT2.contains(from));
        GPT2.replace(from, to)
    };
    for (text, expected) in [
        (
            "".to_owned(),
            "it isn't whole: the JSON ends in the middle of something",
        ),
        ("{,}".into(), "it isn't valid JSON at line 1, column 2"),
        ("[]".into(), "it holds a list, not a JSON object"),
        ("\"gpt2\"".into(), "it holds a text, not a JSON object"),
        (
            with("\"n_layer\": 12", "\"n_layer\": \"12\""),
            "n_layer must be a whole number, but it is \"12\"",
        ),
        (
            with("\"n_layer\": 12", "\"n_layer\": -1"),
            "n_layer must be a whole number, but it is -1",
        ),
        (with("\"n_layer\": 12, ", ""), "it has no n_layer"),
        (with("\"n_head\": 12", "\"n_head\": 0"), "n_head is 0"),
        (
            with("\"eos_token_id\": 50256", "\"eos_token_id\": [1.5]"),
            "eos_token_id must be a token id, but it is 1.5",
        ),
        (
            with("\"eos_token_id\": 50256", "\"eos_token_id\": 99999"),
            "eos_token_id is 99999, and the vocabulary ends at 50256",
        ),
    ] {
        assert_eq!(error(&text), expected);
    }
}

#[test]
fn heads_must_divide_the_width() {
    let text = GPT2.replace("\"n_head\": 12", "\"n_head\": 7");
    assert_eq!(
        read(&text, "config.json").unwrap_err().to_string(),
        "can't read the configuration in config.json: n_embd is 768, which 7 heads can't share equally"
    );
}
