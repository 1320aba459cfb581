//! Files of models that a stranger made to do harm: each ends in an error that says what is wrong, in
//! no time and without taking memory by the sizes that it claims.

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use avec::model::{HookedTransformer, LoadOptions, ModelFiles, TokenizerFiles};
use serde_json::{Value, json};
use support::{folder_files, repository, run};

struct Folder {
    place: tempfile::TempDir,
}

impl Folder {
    /// The files of one of the tiny models.
    fn of(base: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        for name in ["config.json", "tokenizer.json", "model.safetensors"] {
            let from = repository().join("tests/golden").join(base).join(name);
            std::fs::copy(from, place.path().join(name)).unwrap();
        }
        Self { place }
    }

    fn path(&self) -> &Path {
        self.place.path()
    }

    /// With some fields of a JSON file replaced, those of its `model` too.
    fn with(self, name: &str, fields: Value) -> Self {
        let path = self.path().join(name);
        let mut json: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for (field, value) in fields.as_object().unwrap() {
            match (field.as_str(), value.as_object()) {
                ("model", Some(inner)) => {
                    for (field, value) in inner {
                        json["model"][field] = value.clone();
                    }
                }
                _ => json[field] = value.clone(),
            }
        }
        std::fs::write(path, json.to_string()).unwrap();
        self
    }

    fn file(self, name: &str, contents: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.path().join(name), contents).unwrap();
        self
    }

    fn files(&self) -> ModelFiles {
        folder_files(self.path())
    }

    #[track_caller]
    fn fails(&self, files: &ModelFiles, reason: &str) {
        let started = Instant::now();
        let error = HookedTransformer::load(&run(), files, &LoadOptions::default())
            .err()
            .unwrap_or_else(|| panic!("it loads, and should say: {reason}"));
        let message = error.message();
        assert!(message.contains(reason), "{message}\nand not: {reason}");
        assert!(!error.hints().is_empty(), "{message}");
        assert!(message.len() < 1000, "{message}");
        assert!(started.elapsed() < Duration::from_secs(5), "{message}");
    }
}

#[test]
fn parts_of_a_tokenizer_are_refused_by_name() {
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true});
    let many = vec![byte_level.clone(); 60];
    let added = |content: &str, lstrip: bool| {
        json!({"id": 1, "content": content, "single_word": false, "lstrip": lstrip, "rstrip": true,
            "normalized": false, "special": true})
    };
    for (fields, reason) in [
        (
            json!({"normalizer": {"type": "Precompiled", "precompiled_charsmap": ""}}),
            "its normalizer is \"Precompiled\", and avec knows NFC",
        ),
        (
            json!({"normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": "x"}}),
            "its normalizer is \"Replace\"",
        ),
        (
            json!({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}}),
            "its normalizer is \"Lowercase\"",
        ),
        (
            json!({"normalizer": {"type": "Sequence"}}),
            "a Sequence in it has no list of normalizers",
        ),
        (json!({"normalizer": 3}), "its normalizer is \"of no type\""),
        (
            json!({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": false}}),
            "its pre_tokenizer is \"Split\", and avec knows ByteLevel and WhitespaceSplit",
        ),
        (
            json!({"pre_tokenizer": {"type": "Sequence", "pretokenizers": many}}),
            "its pre_tokenizer has ByteLevel twice",
        ),
        (
            json!({"pre_tokenizer": {"type": "ByteLevel", "use_regex": "no"}}),
            "use_regex of its pre_tokenizer must be true or false",
        ),
        (
            json!({"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true}}),
            "its decoder is \"WordPiece\", and avec knows ByteLevel",
        ),
        (
            json!({"truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 2, "direction": "Right"}}),
            "its truncation goes back by 2 of 2 tokens, and so never ends",
        ),
        (
            json!({"padding": {"strategy": {"Fixed": 10_000_000_000_u64}, "direction": "Left", "pad_id": 0, "pad_type_id": 0, "pad_token": "x"}}),
            "its padding is to 10000000000 tokens",
        ),
        (
            json!({"padding": {"strategy": "BatchLongest", "pad_to_multiple_of": u64::MAX}}),
            "its padding is to 18446744073709551615 tokens",
        ),
        (
            json!({"version": "2.0"}),
            "its version is \"2.0\", and avec knows \"1.0\"",
        ),
        (
            json!({"post_tokenizer": null}),
            "it has \"post_tokenizer\", and avec knows no such part",
        ),
        (
            json!({"model": {"continuing_subword_prefix": "#"}}),
            "it has a continuing_subword_prefix, and avec knows none",
        ),
        (
            json!({"model": {"continuing_subword_prefix": "é"}}),
            "it has a continuing_subword_prefix",
        ),
        (
            json!({"model": {"end_of_word_suffix": "</w>"}}),
            "it has a end_of_word_suffix",
        ),
        (
            json!({"model": {"type": "WordPiece"}}),
            "its model is \"WordPiece\", and avec knows BPE",
        ),
        (
            json!({"model": {"max_input_chars_per_word": 100}}),
            "it has \"model.max_input_chars_per_word\"",
        ),
        (
            json!({"model": {"vocab": [["a", 0.5]]}}),
            "it doesn't describe a tokenizer",
        ),
        (
            json!({"model": {"vocab": {"a": -1}}}),
            "it doesn't describe a tokenizer",
        ),
        (
            json!({"model": {"vocab": {"a": 4_294_967_295_u32}, "merges": []}}),
            "the id of \"a\" is 4294967295",
        ),
        (
            json!({"model": {"vocab": {"a": 1, "b": 1}, "merges": []}}),
            "\"a\" and \"b\" have the same id",
        ),
        (
            json!({"model": {"vocab": {"a": 0, "b": 1}, "merges": ["a b"]}}),
            "merge 1 joins \"a\" and \"b\", and the vocabulary has no \"ab\"",
        ),
        (
            json!({"model": {"vocab": {"a": 0}, "merges": [["a", "b"]]}}),
            "the vocabulary has no \"b\"",
        ),
        (
            json!({"model": {"vocab": {"a": 0}, "merges": ["a"]}}),
            "it doesn't describe a tokenizer",
        ),
        (
            json!({"added_tokens": [added("<s>", false), added(" ", true)]}),
            "its added token \" \" is only spaces and strips spaces",
        ),
        (
            json!({"added_tokens": [{"content": "x"}]}),
            "it doesn't describe a tokenizer",
        ),
    ] {
        let folder = Folder::of("tiny").with("tokenizer.json", fields);
        folder.fails(&folder.files(), reason);
    }
    let many: Vec<Value> = (0..200_000)
        .map(|i| json!({"id": i, "content": format!("<{i}>")}))
        .collect();
    let folder = Folder::of("tiny").with("tokenizer.json", json!({"added_tokens": many}));
    folder.fails(
        &folder.files(),
        "200001 tokens are to be added to it, and at most 131072 can be",
    );
    let merges = vec![["a", "b"]; 100_000];
    let model = json!({"model": {"vocab": {"a": 0, "b": 1, "ab": 2}, "merges": merges}});
    let folder = Folder::of("tiny").with("tokenizer.json", model);
    folder.fails(
        &folder.files(),
        "merge 1049 is one too many: 3 tokens have at most that many",
    );
    let deep = format!("{{\"normalizer\": {}", "[".repeat(100_000));
    let folder = Folder::of("tiny").file("tokenizer.json", deep);
    folder.fails(&folder.files(), "it isn't valid JSON");
}

/// What changes no ids here is not asked for, and nothing of it runs.
#[test]
fn parts_that_are_not_used_are_reset() {
    let plain = Folder::of("tiny");
    let load = |folder: &Folder| {
        HookedTransformer::load(&run(), &folder.files(), &LoadOptions::default()).unwrap()
    };
    let text = "I hate you because you never listen ".repeat(100);
    let expected = load(&plain).to_tokens(&text).unwrap();
    for fields in [
        json!({"truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}}),
        json!({"padding": {"strategy": {"Fixed": 5000}, "direction": "Left", "pad_to_multiple_of": 7, "pad_id": 3, "pad_type_id": 0, "pad_token": "x"}}),
        json!({"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}], "pair": [], "special_tokens": {}}}),
        json!({"post_processor": {"type": "Nonsense"}}),
        json!({"model": {"dropout": 0.9}}),
    ] {
        let folder = Folder::of("tiny").with("tokenizer.json", fields.clone());
        assert_eq!(
            load(&folder).to_tokens(&text).unwrap(),
            expected,
            "{fields}"
        );
    }
}

#[test]
fn vocab_and_merges_must_belong_together() {
    for (vocab, merges, reason) in [
        (
            r#"{"a":0,"b":1}"#,
            "a b\n",
            "merges.txt: line 1 joins \"a\" and \"b\", and the vocabulary has no \"ab\"",
        ),
        (
            r#"{"a":0,"ab":1}"#,
            "#version: 0.2\n\na b\n",
            "merges.txt: line 3 joins \"a\" and \"b\", and the vocabulary has no \"b\"",
        ),
        (
            r#"{"a":0,"a b":1}"#,
            "a b c\n",
            "merges.txt: line 1 is not two parts: \"a b c\"",
        ),
        (
            r#"{"a":0,"b":0}"#,
            "",
            "vocab.json: \"a\" and \"b\" have the same id",
        ),
        (
            r#"{"a":4294967296}"#,
            "",
            "vocab.json: it isn't a JSON object of tokens and their ids",
        ),
    ] {
        let folder = Folder::of("tiny")
            .file("vocab.json", vocab)
            .file("merges.txt", merges);
        let file = |name: &str| avec::Source::Path(folder.path().join(name));
        let files = ModelFiles {
            tokenizer: TokenizerFiles::VocabAndMerges {
                vocab: file("vocab.json"),
                merges: file("merges.txt"),
            },
            ..folder.files()
        };
        folder.fails(&files, reason);
    }
    let secret = format!("{}\n", "secret".repeat(1000));
    let folder = Folder::of("tiny")
        .file("vocab.json", "{}")
        .file("merges.txt", secret);
    let file = |name: &str| avec::Source::Path(folder.path().join(name));
    let files = ModelFiles {
        tokenizer: TokenizerFiles::VocabAndMerges {
            vocab: file("vocab.json"),
            merges: file("merges.txt"),
        },
        ..folder.files()
    };
    folder.fails(&files, "line 1 is not two parts: \"secretsecret");
}

/// A weights file whose header has a tensor more than the model's own.
fn with_tensor(folder: Folder, name: &str) -> Folder {
    let path = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut views = tensors.tensors();
    let (_, last) = views[0].clone();
    views.push((name.to_owned(), last));
    safetensors::serialize_to_file(views, None, &path).unwrap();
    folder
}

#[test]
fn sizes_are_believed_only_as_far_as_the_tensors_go() {
    let gpt2 = |fields: Value| Folder::of("tiny").with("config.json", fields);
    let neox = |fields: Value| Folder::of("tiny_neox").with("config.json", fields);
    for (folder, reason) in [
        (
            gpt2(json!({"n_layer": u64::MAX})),
            "n_layer is 18446744073709551615, and at most",
        ),
        (
            with_tensor(
                gpt2(json!({"n_layer": 1_000_000_000_000_u64})),
                "h.999999999999.x",
            ),
            "n_layer is 1000000000000, and at most",
        ),
        (
            with_tensor(gpt2(json!({"n_layer": u32::MAX})), "h.4294967294.x"),
            "has no tensor `h.3.ln_1.weight`",
        ),
        (
            with_tensor(gpt2(json!({})), "h.18446744073709551615.x"),
            "has the tensors of 18446744073709551615 layers",
        ),
        (gpt2(json!({"n_inner": 0})), "n_inner is 0"),
        (gpt2(json!({"n_inner": u32::MAX})), "has shape"),
        (
            gpt2(json!({"n_inner": u64::MAX})),
            "n_inner is 18446744073709551615, and at most",
        ),
        (gpt2(json!({"n_embd": 4_294_967_292_u64})), "has shape"),
        (
            gpt2(json!({"n_head": 1 << 20, "n_embd": 1 << 20})),
            "n_head is 1048576, and at most 65536 can be",
        ),
        (gpt2(json!({"n_positions": u32::MAX})), "`wpe.weight`"),
        (gpt2(json!({"vocab_size": u32::MAX})), "`wte.weight`"),
        (
            gpt2(json!({"layer_norm_epsilon": "NaN"})),
            "layer_norm_epsilon must be a number",
        ),
        (
            neox(json!({"num_hidden_layers": u32::MAX})),
            "num_hidden_layers is 4294967295",
        ),
        (
            neox(json!({"max_position_embeddings": 1_000_000_000_000_u64})),
            "max_position_embeddings is 1000000000000",
        ),
        (
            neox(json!({"max_position_embeddings": u32::MAX})),
            "its rotary positions would need 68.7 GB of memory",
        ),
        (neox(json!({"rotary_emb_base": 0})), "rotary_emb_base is 0"),
        (
            neox(json!({"rotary_pct": 1e-300})),
            "can't be rotated in pairs",
        ),
        (neox(json!({"intermediate_size": u32::MAX})), "has shape"),
    ] {
        folder.fails(&folder.files(), reason);
    }
}

#[test]
fn headers_of_weights_that_lie() {
    let file = |header: &str, length: Option<u64>| {
        let length = length.unwrap_or(header.len() as u64);
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0; 16]);
        bytes
    };
    for bytes in [
        file(
            r#"{"wte.weight": {"dtype": "F32", "shape": [4294967296, 4294967296, 4294967296], "data_offsets": [0, 16]}}"#,
            None,
        ),
        file(
            r#"{"wte.weight": {"dtype": "F32", "shape": [18446744073709551615, 4], "data_offsets": [0, 16]}}"#,
            None,
        ),
        file(
            r#"{"wte.weight": {"dtype": "F32", "shape": [4], "data_offsets": [18446744073709551600, 16]}}"#,
            None,
        ),
        file(
            r#"{"wte.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 17]}}"#,
            None,
        ),
        file("{}", Some(u64::MAX)),
        file("{}", Some(1 << 40)),
        file(&"[".repeat(100_000), None),
    ] {
        let folder = Folder::of("tiny").file("model.safetensors", bytes);
        folder.fails(&folder.files(), "can't read the weights in");
    }
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548105171\n";
    let folder = Folder::of("tiny").file("model.safetensors", pointer);
    folder.fails(
        &folder.files(),
        "is a git-lfs pointer: its 548.1 MB have not been fetched",
    );
}
