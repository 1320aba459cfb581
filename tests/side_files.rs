//! What the files beside the weights decide, compared with transformers on the same folders.

mod support;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use avec::Source;
use avec::model::{HookedTransformer, Hooks, LoadOptions, ModelFiles, SideFiles, TokenizerFiles};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value};
use support::{Program, repository, run};

fn golden() -> std::path::PathBuf {
    repository().join("tests/golden")
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The base's weights, their embeddings cut or continued by their own rows with the other sign.
fn weights(base: &Path, rows: usize) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let bytes = std::fs::read(base.join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let own = tensors.iter().filter(|(_, t)| t.dtype() == Dtype::F32);
    own.map(|(name, tensor)| {
        let (mut shape, mut data) = (tensor.shape().to_vec(), tensor.data().to_vec());
        if ["wte.weight", "gpt_neox.embed_in.weight", "embed_out.weight"].contains(&name) {
            let width = 4 * shape[1];
            let more = data
                .chunks(4)
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()));
            let more: Vec<u8> = more.flat_map(|x| (-x).to_le_bytes()).collect();
            data.extend(more);
            data.truncate(rows * width);
            shape[0] = rows;
        }
        (name.to_owned(), (shape, data))
    })
    .collect()
}

fn write_weights(folder: &Path, tensors: &BTreeMap<String, (Vec<usize>, Vec<u8>)>) {
    let views = tensors.iter().map(|(name, (shape, data))| {
        let view = TensorView::new(Dtype::F32, shape.clone(), data).unwrap();
        (name.as_str(), view)
    });
    let path = folder.join("model.safetensors");
    safetensors::serialize_to_file(views, None, &path).unwrap();
}

fn update(object: &mut Value, with: &Value) {
    if let Some(with) = with.as_object() {
        object.as_object_mut().unwrap().extend(with.clone());
    }
}

/// The folder of a case, as `golden/reference/side_files.py` makes it.
fn build(folder: &Path, case: &Value) {
    let base = golden().join(case["base"].as_str().unwrap());
    let mut config = json(&base.join("config.json"));
    update(&mut config, &case["config"]);
    for name in case["drop"].as_array().into_iter().flatten() {
        let config = config.as_object_mut().unwrap();
        config.remove(name.as_str().unwrap());
    }
    let rows = case["rows"]
        .as_u64()
        .or(config["vocab_size"].as_u64())
        .unwrap();
    config["vocab_size"] = rows.into();
    let mut text = config.to_string();
    // Python writes words that JSON doesn't have.
    for word in ["NaN", "-Infinity", "Infinity"] {
        text = text.replace(&format!("\"<{word}>\""), word);
    }
    std::fs::write(folder.join("config.json"), text).unwrap();
    let mut tokenizer = json(&base.join("tokenizer.json"));
    let mut added = tokenizer["added_tokens"].as_array().unwrap().clone();
    if case["unlisted"] == true {
        for token in added.drain(..) {
            let text = token["content"].as_str().unwrap();
            tokenizer["model"]["vocab"][text] = token["id"].clone();
        }
    }
    added.extend(case["added"].as_array().into_iter().flatten().cloned());
    tokenizer["added_tokens"] = added.into();
    update(&mut tokenizer, &case["tokenizer"]);
    update(&mut tokenizer["model"], &case["model"]);
    if case["older"] == true {
        for name in ["vocab.json", "merges.txt"] {
            std::fs::copy(base.join(name), folder.join(name)).unwrap();
        }
    } else {
        std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    }
    for (name, contents) in case["files"].as_object().unwrap_or(&Map::new()) {
        std::fs::write(folder.join(name), contents.to_string()).unwrap();
    }
    write_weights(folder, &weights(&base, rows as usize));
}

fn load(folder: &Path) -> avec::error::Result<HookedTransformer> {
    let file = |name: &str| Source::Path(folder.join(name));
    let present = |name: &str| folder.join(name).exists().then(|| file(name));
    let files = ModelFiles {
        name: "m".into(),
        config: file("config.json"),
        tokenizer: match present("tokenizer.json") {
            Some(json) => TokenizerFiles::Json(json),
            None => TokenizerFiles::VocabAndMerges {
                vocab: file("vocab.json"),
                merges: file("merges.txt"),
            },
        },
        weights: vec![file("model.safetensors")],
        side: SideFiles::find(|name| Ok::<_, avec::error::Error>(present(name))).unwrap(),
    };
    HookedTransformer::load(&run(), &files, &LoadOptions::default())
}

fn loss(model: &HookedTransformer, text: &str) -> f64 {
    let tokens = model.to_tokens(text).unwrap();
    f64::from(model.loss(&run(), &tokens, Hooks::none()).unwrap())
}

#[test]
fn as_transformers_reads_the_same_folders() {
    let golden = json(&golden().join("side_files.json"));
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 80);
    let mut wrong = Vec::new();
    for case in cases {
        let expected = &case["expected"];
        let folder = tempfile::tempdir().unwrap();
        build(folder.path(), case);
        let name = format!("{} {}", case["base"], case["name"]);
        let model = match load(folder.path()) {
            Ok(model) => model,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let tokenizer = model.tokenizer();
        let mut ends = tokenizer.ends().to_vec();
        ends.sort_unstable();
        let ids = tokenizer.encode(golden["text"].as_str().unwrap()).unwrap();
        let found = serde_json::json!({
            "bos": tokenizer.bos(), "pad": tokenizer.pad(), "ends": ends, "ids": ids,
        });
        for (field, found) in found.as_object().unwrap() {
            if *found != expected[field] {
                wrong.push(format!("{name}: {field} {found}, not {}", expected[field]));
            }
        }
        let loss = loss(&model, golden["loss_text"].as_str().unwrap());
        if (loss - expected["loss"].as_f64().unwrap()).abs() > 5e-5 {
            wrong.push(format!("{name}: loss {loss}, not {}", expected["loss"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One case by hand, with these changes.
fn made(case: &Value) -> (tempfile::TempDir, avec::error::Result<HookedTransformer>) {
    let folder = tempfile::tempdir().unwrap();
    build(folder.path(), case);
    let model = load(folder.path());
    (folder, model)
}

#[test]
fn without_any_name_of_bos_only_what_needs_it_fails() {
    let class = serde_json::json!({ "tokenizer_class": "PreTrainedTokenizerFast" });
    let case = |extra: Value| {
        let mut case = serde_json::json!({
            "base": "tiny", "drop": ["bos_token_id", "eos_token_id"],
            "files": { "tokenizer_config.json": class }, "tokenizer": { "added_tokens": [] },
        });
        update(&mut case, &extra);
        made(&case).1.unwrap()
    };
    let model = case(serde_json::json!({}));
    assert_eq!(model.tokenizer().bos(), None);
    assert_eq!(model.tokenizer().pad(), None);
    assert!(model.tokenizer().ends().is_empty());
    let error = model.to_tokens("I hate").unwrap_err();
    assert_eq!(
        error.to_string(),
        "this model's files name no token that begins texts (BOS)"
    );
    assert_eq!(
        error.hints(),
        ["name one: bos_token in tokenizer_config.json, or bos_token_id in config.json"]
    );
    let tokens = model.tokenizer().encode("I hate you").unwrap();
    assert!(model.loss(&run(), &tokens, Hooks::none()).is_ok());
    // `<s>` begins texts wherever nothing else does; config.json's id wins over it.
    let s = serde_json::json!([{
        "id": 387, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true,
    }]);
    let s = serde_json::json!({ "added_tokens": s });
    let model = case(serde_json::json!({ "tokenizer": s, "rows": 388 }));
    assert_eq!(model.tokenizer().bos(), Some(386));
    let config = serde_json::json!({ "bos_token_id": 5 });
    let model = case(serde_json::json!({ "tokenizer": s, "config": config, "drop": [] }));
    assert_eq!(model.tokenizer().bos(), Some(5));
    // As in TransformerLens, `<|endoftext|>` stands in for what nobody names.
    let model = case(serde_json::json!({ "tokenizer": {} }));
    assert_eq!(model.tokenizer().bos(), Some(386));
    assert_eq!(model.tokenizer().ends(), [386]);
}

#[test]
fn a_token_beyond_the_embedding_is_an_error_where_it_is_used() {
    let files = serde_json::json!({
        "tokenizer_config.json": { "bos_token": "<|startoftext|>", "pad_token": "[PAD]" },
    });
    let (_folder, model) = made(&serde_json::json!({ "base": "tiny", "files": files }));
    let model = model.unwrap();
    let tokens = model.to_tokens("I hate you").unwrap();
    assert_eq!(tokens[0], 387);
    let error = model.loss(&run(), &tokens, Hooks::none()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "token id 387 is out of range: the vocabulary has ids 0 to 386"
    );
    assert!(model.loss(&run(), &tokens[1..], Hooks::none()).is_ok());
}

#[test]
fn a_head_in_the_file_wins_over_tying_and_none_is_made_up() {
    let text = "I hate you because you never";
    for base in ["tiny", "tiny_neox"] {
        let case = |tied: Value| {
            let config = serde_json::json!({ "tie_word_embeddings": tied });
            made(&serde_json::json!({ "base": base, "config": config }))
        };
        let (embedding, head) = match base {
            "tiny" => ("wte.weight", "lm_head.weight"),
            _ => ("gpt_neox.embed_in.weight", "embed_out.weight"),
        };
        let (folder, _) = case(true.into());
        let rows = json(&folder.path().join("config.json"))["vocab_size"]
            .as_u64()
            .unwrap();
        let mut tensors = weights(&golden().join(base), rows as usize);
        let tied = {
            tensors.remove(head);
            write_weights(folder.path(), &tensors);
            loss(&load(folder.path()).unwrap(), text)
        };
        let mut own = tensors[embedding].clone();
        own.1.reverse();
        own.1.chunks_mut(4).for_each(<[u8]>::reverse);
        tensors.insert(head.into(), own);
        write_weights(folder.path(), &tensors);
        let with_head = loss(&load(folder.path()).unwrap(), text);
        assert!((tied - with_head).abs() > 1e-3, "{base} {tied} {with_head}");
        // For GPT-NeoX absent means false, for GPT-2 true.
        let (folder, _) = case(if base == "tiny" {
            false.into()
        } else {
            Value::Null
        });
        tensors.remove(head);
        write_weights(folder.path(), &tensors);
        let error = load(folder.path()).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with(&format!("has no tensor `{head}`")),
            "{error}"
        );
        assert!(
            error
                .hints()
                .iter()
                .any(|hint| hint.contains("tie_word_embeddings"))
        );
    }
}

#[test]
fn side_files_that_make_no_sense_are_named() {
    for (name, contents, reason) in [
        (
            "tokenizer_config.json",
            "[]",
            "it holds a list, not a JSON object",
        ),
        (
            "special_tokens_map.json",
            "{\"bos_token\": 3}",
            "bos_token must be a token: a text, or an object with its content",
        ),
        (
            "added_tokens.json",
            "{\"x\": \"y\"}",
            "it isn't a JSON object of tokens and their ids",
        ),
        (
            "tokenizer_config.json",
            "{\"added_tokens_decoder\": {\"x\": {\"content\": \"y\"}}}",
            "added_tokens_decoder has a key that is no id",
        ),
        (
            "generation_config.json",
            "{\"eos_token_id\": \"x\"}",
            "eos_token_id must be a token id, but it is \"x\"",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        build(folder.path(), &serde_json::json!({ "base": "tiny" }));
        std::fs::write(folder.path().join(name), contents).unwrap();
        let message = load(folder.path()).unwrap_err().message();
        let place = format!("{}: {reason}", folder.path().join(name).display());
        assert!(message.ends_with(&place), "{message}");
    }
}

/// Through the store: the files of a folder are found, and the end of a text is any of the ends.
#[test]
fn a_script_sees_what_the_side_files_say() {
    let file = |program: Program, name: &str| {
        let contents: Cow<[u8]> = std::fs::read(golden().join("tiny").join(name))
            .unwrap()
            .into();
        program.file(&format!("m/{name}"), contents)
    };
    let script = "let m = load_model(\"./m\"); let all = m.generate(\"I hate\", #{ temperature: 0, max_new_tokens: 5 }); print(m.to_tokens(all));";
    let program = ["config.json", "tokenizer.json", "model.safetensors"]
        .into_iter()
        .fold(Program::script(script), file);
    let ids: Vec<u32> = serde_json::from_str(program.succeeds().trim()).unwrap();
    let prompt = 3;
    let first = ids[prompt];
    let program = program.file(
        "m/generation_config.json",
        format!("{{\"eos_token_id\": [{first}]}}"),
    );
    let ended: Vec<u32> = serde_json::from_str(program.succeeds().trim()).unwrap();
    assert_eq!(ended, ids[..=prompt]);
}
