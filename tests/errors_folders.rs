//! Errors of model folders and of memory, by their whole text.

mod support;

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor};
use support::{Program, tiny_folder};

// ------------------------------------------------------------------ model folders

/// The tiny model's files, one of them changed by `change`, loaded as `./m`.
fn folder(change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>) -> Program {
    let mut program = Program::script("load_model(\"./m\");");
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let contents = std::fs::read(tiny_folder().join(name)).unwrap();
        if let Some(contents) = change(name, contents) {
            program = program.file(&format!("m/{name}"), contents);
        }
    }
    program
}

/// The error in the one line of [`folder`]'s script.
fn at_load(message: &str, hints: &[&str]) -> String {
    let mut text = format!(
        "error: {message}\n --> script.rhai:1:1\n  |\n1 | load_model(\"./m\");\n  | ^^^^^^^^^^"
    );
    for hint in hints {
        text.push_str(&format!("\n  = help: {hint}"));
    }
    text
}

fn without(missing: &'static str) -> Program {
    folder(|name, contents| (name != missing).then_some(contents))
}

fn changed(file: &'static str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Program {
    folder(|name, contents| {
        Some(if name == file {
            change(contents)
        } else {
            contents
        })
    })
}

fn replaced(contents: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(contents).unwrap();
    assert!(text.contains(from), "{text}");
    text.replace(from, to).into_bytes()
}

#[test]
fn the_folder_itself_is_good() {
    assert_eq!(folder(|_, contents| Some(contents)).succeeds(), "");
}

#[test]
fn folders_with_missing_files() {
    Program::script("load_model(\"./m\");").fails(
        1,
        &at_load(
            "there is no folder ./m",
            &["a model is `demo`, an alias such as `gpt2-xl`, a hub id such as `org/name`, or a folder such as `./my-gpt2`"],
        ),
    );
    without("config.json").fails(
        1,
        &at_load(
            "the folder ./m has no config.json",
            &["a model folder has config.json, tokenizer.json and model.safetensors"],
        ),
    );
    without("tokenizer.json").fails(
        1,
        &at_load(
            "the folder ./m has no tokenizer",
            &["put tokenizer.json there, or vocab.json and merges.txt"],
        ),
    );
    without("model.safetensors").fails(
        1,
        &at_load(
            "the folder ./m has no model.safetensors",
            &["put model.safetensors there, or its shards with model.safetensors.index.json"],
        ),
    );
    without("model.safetensors").file("m/pytorch_model.bin", "").fails(
        1,
        &at_load(
            "the folder ./m has no model.safetensors",
            &["avec doesn't read pytorch_model.bin: convert it with `model.save_pretrained(folder, safe_serialization=True)`"],
        ),
    );
}

#[test]
fn configurations_that_do_not_fit() {
    changed("config.json", |c| replaced(c, "\"n_embd\": 32", "\"n_embd\": 64")).fails(
        1,
        &at_load(
            "loading ./m: tensor `ln_f.weight` in ./m/model.safetensors has shape [32], but the configuration asks for [64]",
            &["config.json and the weights belong to different models"],
        ),
    );
    changed("config.json", |c| {
        replaced(c, "\"n_layer\": 3", "\"n_layer\": 4")
    })
    .fails(
        1,
        &at_load(
            "loading ./m: n_layer is 4 in ./m/config.json, but ./m/model.safetensors has the tensors of 3 layers",
            &["config.json and the weights belong to different models"],
        ),
    );
    // Not a model of two layers, though all of their tensors are there.
    changed("config.json", |c| {
        replaced(c, "\"n_layer\": 3", "\"n_layer\": 2")
    })
    .fails(
        1,
        &at_load(
            "loading ./m: n_layer is 2 in ./m/config.json, but ./m/model.safetensors has the tensors of 3 layers",
            &["config.json and the weights belong to different models"],
        ),
    );
    changed("config.json", |c| replaced(c, "\"model_type\": \"gpt2\"", "\"model_type\": \"llama\"")).fails(
        1,
        &at_load(
            "loading ./m: ./m/config.json describes a model of type `llama`, not GPT-2 or GPT-NeoX",
            &["avec runs GPT-2 models (gpt2, gpt2-medium, gpt2-large, gpt2-xl, distilgpt2) and GPT-NeoX models (Pythia), and checkpoints like them"],
        ),
    );
    changed("config.json", |_| b"{".to_vec()).fails(
        1,
        &at_load(
            "loading ./m: can't read the configuration in ./m/config.json: it isn't whole: the JSON ends in the middle of something",
            &["use the config.json that the model was published with"],
        ),
    );
    for (contents, reason) in [
        ("[]", "it holds a list, not a JSON object"),
        (
            "{\n  \"n_layer\" 3\n}",
            "it isn't valid JSON at line 2, column 13",
        ),
    ] {
        changed("config.json", |_| contents.into()).fails(
            1,
            &at_load(
                &format!("loading ./m: can't read the configuration in ./m/config.json: {reason}"),
                &["use the config.json that the model was published with"],
            ),
        );
    }
    changed("config.json", |c| {
        replaced(c, "\"n_head\": 4", "\"n_head\": null")
    })
    .fails(
        1,
        &at_load(
            "loading ./m: can't read the configuration in ./m/config.json: it has no n_head",
            &["use the config.json that the model was published with"],
        ),
    );
    changed("config.json", |c| replaced(c, "gelu_new", "relu")).fails(
        1,
        &at_load(
            "loading ./m: can't read the configuration in ./m/config.json: activation_function is \"relu\", and avec knows gelu_new",
            &["such a model can't be run here: its results would be wrong"],
        ),
    );
    // Sizes that no machine has are refused before anything of them is allocated.
    changed("config.json", |c| replaced(c, "\"vocab_size\": 387", "\"vocab_size\": 4000000000")).fails(
        1,
        &at_load(
            "loading ./m: tensor `wte.weight` in ./m/model.safetensors has shape [387, 32], but the configuration asks for [4000000000, 32]",
            &["config.json and the weights belong to different models"],
        ),
    );
}

#[test]
fn broken_weights() {
    let hint = "the file may be cut short or damaged: copy or download it again";
    changed("model.safetensors", |w| w[..w.len() / 2].to_vec()).fails(
        1,
        &at_load(
            "loading ./m: can't read the weights in ./m/model.safetensors: incomplete metadata, file not fully covered",
            &[hint],
        ),
    );
    changed("model.safetensors", |_| b"abc".to_vec()).fails(
        1,
        &at_load(
            "loading ./m: can't read the weights in ./m/model.safetensors: it has only 3 bytes",
            &[hint],
        ),
    );
    changed("model.safetensors", |_| Vec::new()).fails(
        1,
        &at_load(
            "loading ./m: can't read the weights in ./m/model.safetensors: it is empty",
            &[hint],
        ),
    );
    changed("model.safetensors", |mut w| {
        w[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        w
    })
    .fails(
        1,
        &at_load(
            "loading ./m: can't read the weights in ./m/model.safetensors: header too large",
            &[hint],
        ),
    );
}

#[test]
fn broken_tokenizers() {
    changed("tokenizer.json", |_| b"[]".to_vec()).fails(
        1,
        &at_load(
            "loading ./m: can't read the tokenizer in ./m/tokenizer.json: it holds a list, not a JSON object",
            &[AGAIN],
        ),
    );
    changed("tokenizer.json", |t| t[..t.len() / 2].to_vec()).fails(
        1,
        &at_load(
            "loading ./m: can't read the tokenizer in ./m/tokenizer.json: it isn't whole: the JSON ends in the middle of something",
            &[AGAIN],
        ),
    );
    changed("tokenizer.json", |_| b"{\"version\": \"1.0\", \"model\": {\"type\": 3}}".to_vec()).fails(
        1,
        &at_load(
            "loading ./m: can't read the tokenizer in ./m/tokenizer.json: it is JSON, but it doesn't describe a tokenizer",
            &[AGAIN],
        ),
    );
    for (vocab, reason) in [
        ("[1]", "it isn't a JSON object of tokens and their ids"),
        ("{\"a\" 0}", "it isn't valid JSON at line 1, column 6"),
    ] {
        without("tokenizer.json")
            .file("m/vocab.json", vocab)
            .file("m/merges.txt", "")
            .fails(
                1,
                &at_load(
                    &format!("loading ./m: can't read the tokenizer in ./m/vocab.json: {reason}"),
                    &[AGAIN],
                ),
            );
    }
    without("tokenizer.json")
        .file("m/vocab.json", "{\"a\": 0, \"b\": 1}")
        .file("m/merges.txt", "#version: 0.2\na b c\n")
        .fails(
            1,
            &at_load(
                "loading ./m: can't read the tokenizer in ./m/merges.txt: line 2 is not two parts: \"a b c\"",
                &[AGAIN],
            ),
        );
}

const AGAIN: &str = "copy or download it again, from the model that the weights are of";

#[test]
fn shards_outside_of_the_folder() {
    without("model.safetensors")
        .file(
            "m/model.safetensors.index.json",
            "{\"weight_map\": {\"wte.weight\": \"../other.safetensors\"}}",
        )
        .fails(
            1,
            &at_load(
                "can't read the list of shards in ./m/model.safetensors.index.json: \"../other.safetensors\" is not a file of this folder",
                &["copy or download it again, with the shards that it lists"],
            ),
        );
}

#[test]
fn lists_of_shards_that_make_no_sense() {
    for (index, reason) in [
        (
            "",
            "it isn't whole: the JSON ends in the middle of something",
        ),
        ("[}", "it isn't valid JSON at line 1, column 2"),
        (
            "{}",
            "it has no weight_map that names a file for each tensor",
        ),
        ("{\"weight_map\": {}}", "it lists none"),
    ] {
        without("model.safetensors")
            .file("m/model.safetensors.index.json", index)
            .fails(
                1,
                &at_load(
                    &format!("can't read the list of shards in ./m/model.safetensors.index.json: {reason}"),
                    &["copy or download it again, with the shards that it lists"],
                ),
            );
    }
}

/// The tiny model's tensors, changed and written as the shards that `shard` names.
fn sharded(
    change: impl Fn(&mut HashMap<String, Tensor>),
    shard: impl Fn(&str) -> &'static str,
) -> Program {
    let path = tiny_folder().join("model.safetensors");
    let mut tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    change(&mut tensors);
    let program = without("model.safetensors");
    let mut shards: BTreeMap<&str, HashMap<String, Tensor>> = BTreeMap::new();
    let mut map = BTreeMap::new();
    for (name, tensor) in tensors {
        map.insert(name.clone(), shard(&name));
        shards.entry(shard(&name)).or_default().insert(name, tensor);
    }
    for (shard, tensors) in shards {
        let path = program.folder.path().join("m").join(shard);
        candle_core::safetensors::save(&tensors, path).unwrap();
    }
    let index = serde_json::json!({ "weight_map": map }).to_string();
    program.file("m/model.safetensors.index.json", index)
}

fn halves(name: &str) -> &'static str {
    if name.starts_with("h.") {
        "a.safetensors"
    } else {
        "b.safetensors"
    }
}

#[test]
fn shards_that_are_missing_or_cut() {
    let whole = sharded(|_| {}, halves);
    assert_eq!(whole.succeeds(), "");
    let shard = whole.folder.path().join("m/b.safetensors");
    let contents = std::fs::read(&shard).unwrap();
    std::fs::write(&shard, &contents[..contents.len() - 8]).unwrap();
    whole.fails(
        1,
        &at_load(
            "loading ./m: can't read the weights in ./m/b.safetensors: incomplete metadata, file not fully covered",
            &["the file may be cut short or damaged: copy or download it again"],
        ),
    );
    std::fs::remove_file(&shard).unwrap();
    whole.fails(
        1,
        &at_load(
            "the folder ./m has no b.safetensors",
            &["model.safetensors.index.json lists it as a shard: copy or download it too"],
        ),
    );
}

#[test]
fn tensors_that_are_missing_or_of_another_type() {
    let missing =
        "the weights are incomplete or not those of this model: copy or download them again";
    let one = |_: &str| "a.safetensors";
    sharded(
        |tensors| {
            tensors.remove("h.1.mlp.c_fc.bias");
        },
        one,
    )
    .fails(
        1,
        &at_load(
            "loading ./m: ./m/a.safetensors has no tensor `h.1.mlp.c_fc.bias`",
            &[missing],
        ),
    );
    // Nothing in it is of GPT-2.
    sharded(
        |tensors| {
            let tensor = tensors["ln_f.bias"].clone();
            *tensors = HashMap::from([("model.norm.weight".to_owned(), tensor)]);
        },
        one,
    )
    .fails(
        1,
        &at_load(
            "loading ./m: ./m/a.safetensors has no tensor `ln_f.weight`",
            &[missing],
        ),
    );
    for (dtype, name) in [(DType::F64, "F64"), (DType::I64, "I64")] {
        sharded(
            |tensors| {
                for tensor in tensors.values_mut() {
                    *tensor = tensor.to_dtype(dtype).unwrap();
                }
            },
            one,
        )
        .fails(
            1,
            &at_load(
                &format!("loading ./m: can't read the weights in ./m/a.safetensors: tensor `ln_f.weight` has type {name}, and avec reads F32, F16 and BF16"),
                &["convert them in Python: model.float().save_pretrained(\"folder\")"],
            ),
        );
    }
}

#[test]
fn a_folder_in_place_of_a_file() {
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        without(name).file(&format!("m/{name}/x"), "").fails(
            1,
            &at_load(
                &format!("./m/{name} is a folder, and it must be a file"),
                &["a model folder has config.json, tokenizer.json and model.safetensors as files"],
            ),
        );
    }
    Program::script("load_model(\"./m\");").file("m", "").fails(
        1,
        &at_load(
            "./m is a file, and a model is a folder",
            &["name the folder that holds config.json"],
        ),
    );
}

/// Root reads whatever it likes, so as root there is nothing to see here; the words for the system's refusal
/// are held by unit tests of `Error::io` and of the store's folders.
#[cfg(unix)]
#[test]
fn files_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let hint = "check the permissions of the file and of its folders";
    let close = |program: &Program, name: &str| {
        let path = program.folder.path().join(name);
        let mode = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(&path, mode).unwrap();
        std::fs::read_dir(&path).is_err() && std::fs::read(&path).is_err()
    };
    let script = Program::new(["u.rhai"]).file("u.rhai", "print(1);");
    if !close(&script, "u.rhai") {
        eprintln!("skipped: this user may read everything");
        return;
    }
    script.fails(
        1,
        &format!("error: can't read u.rhai: Permission denied\n  = help: {hint}"),
    );
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let program = folder(|_, contents| Some(contents));
        close(&program, &format!("m/{name}"));
        program.fails(
            1,
            &at_load(
                &format!("loading ./m: can't read ./m/{name}: Permission denied"),
                &[hint],
            ),
        );
    }
    let program = folder(|_, contents| Some(contents));
    close(&program, "m");
    program.fails(
        1,
        &at_load("can't read ./m/config.json: Permission denied", &[hint]),
    );
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(program.folder.path().join("m"), mode).unwrap();
}

#[test]
fn several_end_tokens_are_as_good_as_one() {
    changed("config.json", |c| {
        let text = String::from_utf8(c).unwrap();
        let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
        let id = config["eos_token_id"].clone();
        config["eos_token_id"] = serde_json::json!([id, 0]);
        config["bos_token_id"] = serde_json::json!([id]);
        config.to_string().into_bytes()
    })
    .succeeds();
}

// ------------------------------------------------------------------ memory

/// How much is free differs from machine to machine and from moment to moment.
fn without_the_free_memory(text: &str) -> String {
    let Some((before, rest)) = text.split_once("of memory, and ") else {
        return text.to_owned();
    };
    let after = rest
        .split_once(" may be used")
        .map_or("", |(_, after)| after);
    format!("{before}of memory, and FREE may be used{after}")
}

#[test]
fn weights_that_do_not_fit_into_memory() {
    // A terabyte of embeddings, as a hole in a file.
    let (rows, width) = (1u64 << 32, 64u64);
    let size = 4 * rows * width;
    let header = serde_json::json!({
        "wte.weight": { "dtype": "F32", "shape": [rows, width], "data_offsets": [0, size] },
    })
    .to_string();
    for (options, needed, hint) in [
        (
            "",
            "1.1 TB",
            "take a smaller model, or dtype: \"bf16\", which halves it",
        ),
        (
            ", #{ dtype: \"bf16\" }",
            "549.8 GB",
            "take a smaller model, or end other programs",
        ),
    ] {
        let script = format!("load_model(\"./m\"{options});");
        let program = without("model.safetensors").file("script.rhai", &script);
        let path = program.folder.path().join("m/model.safetensors");
        let mut contents = (header.len() as u64).to_le_bytes().to_vec();
        contents.extend(header.as_bytes());
        std::fs::write(&path, &contents).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        if file.set_len(contents.len() as u64 + size).is_err() {
            eprintln!("skipped: this file system has no files of that size");
            return;
        }
        let ran = program.run();
        assert_eq!(
            without_the_free_memory(ran.stderr.trim_end()),
            format!(
                "error: loading ./m: the weights of ./m would need {needed} of memory, and FREE may be used\n \
                 --> script.rhai:1:1\n  |\n1 | {script}\n  | ^^^^^^^^^^\n  = help: {hint}"
            )
        );
        assert_eq!(ran.status, Some(1));
    }
}
