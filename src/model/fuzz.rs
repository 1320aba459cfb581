//! Plain functions of bytes for fuzzers: they give what a stranger could put into a model's folder to
//! the code that reads it, and panic if something comes through that must not.

use super::config_json::ConfigJson;
use super::family::{self, MapPart};
use super::tokenizer;

/// Texts that reach the corners of a tokenizer: special tokens, spaces around them, bytes that are
/// no whole character, words long enough for many merges.
const TEXTS: &[&str] = &[
    "",
    "Hello world<|endoftext|>x <|startoftext|>  <s> </s>[PAD]",
    "na\u{ef}ve e\u{301} \u{65e5}\u{672c}\u{8a9e} \u{1f600}\0\n\r\t",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa abababab",
];

/// A `config.json`: what passes describes sizes that can be computed with.
pub fn config(data: &[u8]) {
    let Ok(config) = ConfigJson::parse(data, "config.json") else {
        return;
    };
    let _ = config.token_ids("bos_token_id");
    let _ = config.token_ids("eos_token_id");
    let Ok((family, arch)) = family::identify(&config) else {
        return;
    };
    assert!(arch.n_layers > 0 && arch.d_model > 0 && arch.d_head > 0 && arch.d_mlp > 0);
    assert_eq!(arch.n_heads * arch.d_head, arch.d_model);
    let _ = arch.parameters();
    assert!(arch.score_scale(arch.n_layers - 1) > 0.0);
    for part in [
        MapPart::Query,
        MapPart::Value,
        MapPart::MlpIn,
        MapPart::MlpOut,
    ] {
        let Some(stored) = family.map(&arch, part, arch.n_layers - 1) else {
            continue;
        };
        let (inputs, outputs) = part.sizes(&arch);
        assert_eq!(stored.shape(inputs).iter().filter(|n| **n == 0).count(), 0);
        let own: usize = stored.outputs.iter().map(|run| run.len()).sum();
        assert_eq!(own, outputs);
        assert!(stored.outputs.iter().all(|run| run.end <= stored.stored));
    }
}

/// A `tokenizer.json`.
pub fn tokenizer_json(data: &[u8]) {
    tokenizer::fuzz((data, None), [b"{}"; 3], TEXTS);
}

/// `vocab.json` and `merges.txt`, with an empty line between.
pub fn vocab_and_merges(data: &[u8]) {
    let (vocab, merges) = split(data);
    let merges = String::from_utf8_lossy(merges);
    tokenizer::fuzz((b"", Some((vocab, &merges))), [b"{}"; 3], TEXTS);
}

/// `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`, with empty lines
/// between, beside this `tokenizer.json`.
pub fn side_files(tokenizer_json: &[u8], data: &[u8]) {
    let (tokenizer_config, rest) = split(data);
    let (special_tokens_map, added_tokens) = split(rest);
    let companions = [tokenizer_config, special_tokens_map, added_tokens];
    tokenizer::fuzz((tokenizer_json, None), companions, TEXTS);
}

/// A `model.safetensors`.
pub fn safetensors(data: &[u8]) {
    crate::weights::fuzz(data);
}

/// What is before and behind the first empty line.
fn split(data: &[u8]) -> (&[u8], &[u8]) {
    match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, b""),
    }
}
