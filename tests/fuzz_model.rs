//! The fuzz targets of model files, a bounded run of each over recorded and generated inputs.

mod support;

use std::sync::LazyLock;

use avec::model::fuzz;
use proptest::prelude::*;

const CONFIGS: &[&str] = &[
    r#"{"model_type": "gpt2", "n_layer": 3, "n_embd": 32, "n_head": 4, "n_positions": 64, "vocab_size": 387, "bos_token_id": 386, "eos_token_id": [386, 1], "layer_norm_epsilon": 1e-05}"#,
    r#"{"architectures": ["GPTNeoXForCausalLM"], "hidden_size": 32, "intermediate_size": 96, "max_position_embeddings": 48, "num_attention_heads": 4, "num_hidden_layers": 3, "rotary_emb_base": 10000, "rotary_pct": 0.5, "vocab_size": 340}"#,
    r#"{"model_type": "gpt2", "n_layer": 18446744073709551615, "n_embd": 4294967295, "n_head": 1, "n_positions": 1, "vocab_size": 4294967295, "n_inner": 0}"#,
    r#"{"model_type": "gpt_neox", "hidden_size": 65536, "intermediate_size": 4294967295, "max_position_embeddings": 1000000000000, "num_attention_heads": 65536, "num_hidden_layers": 4294967295, "rotary_pct": 1e-320, "vocab_size": 1, "rope_parameters": {"rope_theta": 0}}"#,
    r#"{"n_layer": NaN, "layer_norm_epsilon": -Infinity, "x": "Infinity"}"#,
    "[[[[[[[[",
    "null",
    "\"\u{0}\"",
    "",
];

const TOKENIZERS: &[&str] = &[
    r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{"id": 3, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": true, "normalized": false, "special": true}], "normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}, "post_processor": null, "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}, "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": {"a": 0, "b": 1, "ab": 2, "aa": 4}, "merges": [["a", "b"], "a a"]}}"#,
    r#"{"added_tokens": [{"id": 9, "content": " ", "lstrip": true, "rstrip": true}, {"id": 10, "content": "  ", "normalized": true}, {"id": 11, "content": "b", "single_word": true, "lstrip": true}], "pre_tokenizer": {"type": "WhitespaceSplit"}, "model": {"type": "WordLevel", "vocab": {"a": 4294967295, "b": 0}, "unk_token": "a"}}"#,
    r#"{"truncation": {"max_length": 2, "stride": 2}, "padding": {"strategy": {"Fixed": 10000000000}, "pad_token": "x", "pad_to_multiple_of": 18446744073709551615}, "normalizer": {"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"String": ""}, "content": "x"}]}, "model": {"continuing_subword_prefix": "é", "vocab": {"a": 0, "é": 1}, "merges": ["a é"], "dropout": 2}}"#,
    r#"{"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}]}]}, "decoder": {"type": "Sequence", "decoders": [{"type": "ByteLevel"}]}, "normalizer": {"type": "Precompiled", "precompiled_charsmap": ""}, "model": {"unk_token": "", "fuse_unk": true, "byte_fallback": true, "ignore_merges": true, "vocab": {"": 7, "<0x61>": 8}, "merges": [["", ""]]}}"#,
    r#"{"model": {"type": "Unigram", "vocab": [["a", 0.5]], "unk_id": 99}}"#,
    "{\"a\": 0, \"b\": 1}\n\na b\n",
    "{\"a\": 0, \"b\": 1, \"ab\": 4294967295}\n\n#version: 0.2\na b\na  b\n",
];

const SIDE_FILES: &[&str] = &[
    "{\"bos_token\": \"<s>\", \"pad_token\": {\"content\": \"[PAD]\", \"lstrip\": true}, \"add_prefix_space\": true, \"added_tokens_decoder\": {\"3\": {\"content\": \" \", \"lstrip\": true, \"rstrip\": true}}}",
    "{\"additional_special_tokens\": [\"<s>\", \"\", \" \", {\"content\": \"é\", \"normalized\": true}], \"split_special_tokens\": true}\n\n{\"eos_token\": {\"content\": \"  \", \"rstrip\": true}}\n\n{\"x\": -1, \"y\": 18446744073709551615}",
    "{\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"extra_special_tokens\": {\"a\": \"e\u{301}\", \"b\": null}}\n\n{\"unk_token\": null}\n\n{\"é\": 1, \"e\u{301}\": 1}",
    "[]\n\n{}\n\nnull",
];

/// Headers of weights, each behind the length that it claims.
static WEIGHTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let headers = [
        r#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [4294967296, 4294967296, 4294967296], "data_offsets": [0, 0]}}"#,
        r#"{"a": {"dtype": "F16", "shape": [18446744073709551615, 2], "data_offsets": [0, 4]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [0, 9], "data_offsets": [4, 4]}, "b": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [18446744073709551612, 0]}}"#,
        r#"{"h.999999999999.x": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}, "__metadata__": {"format": "pt"}}"#,
    ];
    let of = |header: &str| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0, 1, 2, 3]);
        bytes
    };
    let mut files: Vec<Vec<u8>> = headers.into_iter().map(of).collect();
    files.push(u64::MAX.to_le_bytes().to_vec());
    files.push((1u64 << 40).to_le_bytes().to_vec());
    files
});

fn one_tokenizer(bytes: &[u8]) {
    fuzz::tokenizer_json(bytes);
    fuzz::vocab_and_merges(bytes);
}

#[test]
fn recorded_files() {
    for text in CONFIGS {
        fuzz::config(text.as_bytes());
    }
    for text in TOKENIZERS {
        one_tokenizer(text.as_bytes());
        for side in SIDE_FILES {
            fuzz::side_files(text.as_bytes(), side.as_bytes());
        }
    }
    for bytes in WEIGHTS.iter() {
        fuzz::safetensors(bytes);
    }
    for base in ["tiny", "tiny_neox"] {
        let folder = support::repository().join("tests/golden").join(base);
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        fuzz::config(&read("config.json"));
        one_tokenizer(&read("tokenizer.json"));
        for side in SIDE_FILES {
            fuzz::side_files(&read("tokenizer.json"), side.as_bytes());
        }
        fuzz::safetensors(&read("model.safetensors"));
    }
}

/// What a number, a word or a name may be turned into.
const PIECES: &[&str] = &[
    "0",
    "-1",
    "1e999",
    "18446744073709551616",
    "4294967296",
    "null",
    "true",
    "NaN",
    "\"\"",
    "[]",
    "{}",
    "\" \"",
    "\"a\"",
    "\"ab\"",
    "\"e\u{301}\"",
    "\"type\": \"BPE\"",
    ",",
    "\n\n",
    "\"lstrip\": true",
    "\"rstrip\": true",
];

/// A recorded file with some bytes changed, values replaced and parts of others put in.
fn mutated(recorded: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let one = prop::sample::select(recorded);
    let piece = prop::sample::select(PIECES);
    let edit = (any::<prop::sample::Index>(), any::<u8>(), piece, 0..6_u8);
    let edits = prop::collection::vec(edit, 0..6);
    (one.clone(), one, edits).prop_map(|(mut bytes, other, edits)| {
        for (index, byte, piece, what) in edits {
            let at = index.index(bytes.len() + 1);
            match what {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                2 => {
                    let from = index.index(other.len() + 1);
                    let to = other.len().min(from + usize::from(byte));
                    bytes.splice(at..at, other[from..to].iter().copied());
                }
                3 => bytes.truncate(at.max(1)),
                _ => {
                    // In place of the value behind the next colon, if there is one.
                    let colon = bytes[at..].iter().position(|b| *b == b':');
                    let start = colon.map_or(at, |n| at + n + 1);
                    let rest = bytes[start..].iter().position(|b| b",}]".contains(b));
                    let end = rest.map_or(start, |n| start + n);
                    bytes.splice(start..end, piece.bytes());
                }
            }
        }
        bytes
    })
}

fn owned(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_config_is_believed(bytes in mutated(owned(CONFIGS))) {
        fuzz::config(&bytes);
    }

    #[test]
    fn no_tokenizer_is_believed(bytes in mutated(owned(TOKENIZERS))) {
        one_tokenizer(&bytes);
    }

    #[test]
    fn no_side_file_is_believed(
        tokenizer in mutated(owned(&TOKENIZERS[..4])),
        side in mutated(owned(SIDE_FILES)),
    ) {
        fuzz::side_files(TOKENIZERS[0].as_bytes(), &side);
        fuzz::side_files(&tokenizer, &side);
    }

    #[test]
    fn no_header_is_believed(bytes in mutated(WEIGHTS.clone())) {
        fuzz::safetensors(&bytes);
    }
}
