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
fn other_families_are_refused_by_name() {
    let error = read(r#"{"model_type": "llama"}"#, "x/config.json").unwrap_err();
    assert_eq!(
        error.to_string(),
        "x/config.json describes a model of type `llama`, not GPT-2 or GPT-NeoX"
    );
}

#[test]
fn token_ids_are_one_or_several() {
    let ids = |value: &str| {
        let text = GPT2.replace(
            "\"eos_token_id\": 50256",
            &format!("\"eos_token_id\": {value}"),
        );
        let config = ConfigJson::parse(text.as_bytes(), "c").unwrap();
        config.token_ids("eos_token_id").map_err(|e| e.message())
    };
    assert_eq!(ids("[386, 50256]"), Ok(vec![386, 50256]));
    assert_eq!(ids("386"), Ok(vec![386]));
    for none in ["[]", "null", "-1", "18446744073709551615", "[null]"] {
        assert_eq!(ids(none), Ok(vec![]), "{none}");
    }
    assert_eq!(
        ids("[1.5]").unwrap_err(),
        "can't read the configuration in c: eos_token_id must be a token id, but it is 1.5"
    );
}

#[test]
fn scores_of_later_layers_may_be_smaller() {
    let text = GPT2.replace(
        "\"n_layer\": 12",
        "\"n_layer\": 12, \"scale_attn_by_inverse_layer_idx\": true, \"reorder_and_upcast_attn\": true",
    );
    let arch = read(&text, "c").unwrap();
    assert_eq!(arch.score_scale(0), 0.125);
    assert_eq!(arch.score_scale(3), 0.03125);
}

#[test]
fn sizes_can_t_overflow() {
    for size in [u64::MAX, 1 << 63, 1 << 40] {
        for name in ["n_layer", "n_embd", "n_head", "n_positions", "vocab_size"] {
            let at = GPT2.find(&format!("\"{name}\": ")).unwrap() + name.len() + 4;
            let end = at + GPT2[at..].find([',', '}']).unwrap();
            let text = format!("{}{size}{}", &GPT2[..at], &GPT2[end..]);
            let message = read(&text, "c").unwrap_err().message();
            assert!(
                message.contains(&format!("{name} is {size}, and at most")),
                "{message}"
            );
        }
    }
    let text = GPT2.replace("\"n_layer\": 12", "\"n_layer\": 12, \"n_inner\": 0");
    let message = read(&text, "c").unwrap_err().message();
    assert!(message.ends_with("n_inner is 0"), "{message}");
    let mut arch = read(GPT2, "c").unwrap();
    arch.n_layers = usize::MAX;
    arch.d_model = usize::MAX;
    assert_eq!(arch.parameters(), u64::MAX);
}

#[test]
fn errors_of_odd_files_are_plain() {
    let reason_of = |text: &str| {
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
    ] {
        assert_eq!(reason_of(&text), expected);
    }
}

#[test]
fn heads_must_share_the_model_equally() {
    let text = GPT2.replace("\"n_head\": 12", "\"n_head\": 7");
    assert_eq!(
        read(&text, "config.json").unwrap_err().to_string(),
        "can't read the configuration in config.json: n_embd is 768, which 7 heads can't share equally"
    );
}
