//! Finding models: in folders, and on a loopback hub with everything that can go wrong there.

mod support;

#[path = "support/hub.rs"]
mod hub;
#[path = "support/hub_runs.rs"]
mod hub_runs;

use std::collections::BTreeMap;
use std::path::Path;

use hub::{Hub, Serve};
use hub_runs::{SCRIPT, cached, failure, program, repository, strays};
use support::{Program, tiny_folder};

#[test]
fn a_model_is_downloaded_once_without_unneeded_files() {
    let hub = Hub::start([("org/tiny", repository())]);
    let program = program(&hub);
    assert_eq!(program.succeeds(), "3\n");
    let snapshot = "snapshots/0123456789abcdef0123456789abcdef01234567";
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        assert!(cached(&program, &format!("{snapshot}/{name}")), "{name}");
    }
    assert!(!cached(&program, &format!("{snapshot}/README.md")));
    assert!(cached(&program, "refs/main"));
    // The second time, nothing is requested.
    let requests = hub.log().len();
    assert_eq!(program.succeeds(), "3\n");
    assert_eq!(hub.log().len(), requests);
    assert_eq!(program.arg("--offline").succeeds(), "3\n");
}

#[test]
fn sharded_weights_with_the_older_tokenizer_layout() {
    let tiny = candle_core::safetensors::load(
        tiny_folder().join("model.safetensors"),
        &candle_core::Device::Cpu,
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut repository = repository();
    repository.files.remove("tokenizer.json");
    repository.files.remove("model.safetensors");
    let mut map = BTreeMap::new();
    for (i, shard) in [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ]
    .into_iter()
    .enumerate()
    {
        // Half of the tensors in each, with the prefix that some checkpoints have.
        let tensors: std::collections::HashMap<String, candle_core::Tensor> = tiny
            .iter()
            .filter(|(name, _)| (name.len() % 2 == 0) == (i == 0))
            .map(|(name, t)| (format!("transformer.{name}"), t.clone()))
            .collect();
        for name in tensors.keys() {
            map.insert(name.clone(), shard);
        }
        let path = folder.path().join(shard);
        candle_core::safetensors::save(&tensors, &path).unwrap();
        repository
            .files
            .insert(shard.to_owned(), std::fs::read(path).unwrap());
    }
    let index = serde_json::json!({ "weight_map": map }).to_string();
    repository
        .files
        .insert("model.safetensors.index.json".into(), index.into_bytes());
    for name in ["vocab.json", "merges.txt"] {
        let contents = std::fs::read(tiny_folder().join(name)).unwrap();
        repository.files.insert(name.into(), contents);
    }
    let hub = Hub::start([("org/tiny", repository)]);
    // The same values as from a single file.
    let script = "let m = load_model(\"org/tiny\"); print(m.to_tokens(\"I hate you<|endoftext|>naïve 日本\")); print(m.loss(\"I hate you because\"));";
    let sharded = Program::script(script)
        .env("HF_ENDPOINT", &hub.endpoint())
        .succeeds();
    let whole = script.replace("org/tiny", tiny_folder().to_str().unwrap());
    assert_eq!(sharded, Program::script(&whole).succeeds());
}

#[test]
fn half_precision_weights_are_read() {
    let tiny = candle_core::safetensors::load(
        tiny_folder().join("model.safetensors"),
        &candle_core::Device::Cpu,
    )
    .unwrap();
    let loss = |dtype: candle_core::DType| -> f64 {
        let tensors: std::collections::HashMap<String, candle_core::Tensor> = tiny
            .iter()
            .map(|(name, t)| (name.clone(), t.to_dtype(dtype).unwrap()))
            .collect();
        let mut program =
            Program::script("print(load_model(\"./m\").loss(\"I hate you because\"));");
        for name in ["config.json", "tokenizer.json"] {
            let contents = std::fs::read(tiny_folder().join(name)).unwrap();
            program = program.file(&format!("m/{name}"), contents);
        }
        let path = program.folder.path().join("m/model.safetensors");
        candle_core::safetensors::save(&tensors, path).unwrap();
        program.succeeds().trim().parse().unwrap()
    };
    let whole = loss(candle_core::DType::F32);
    assert!((loss(candle_core::DType::F16) - whole).abs() < 0.01);
    assert!((loss(candle_core::DType::BF16) - whole).abs() < 0.1);
}

#[test]
fn revisions_are_named_in_the_id_or_the_options() {
    let mut repository = repository();
    repository.revisions.push("v2".into());
    let hub = Hub::start([("org/tiny", repository)]);
    assert_eq!(
        program(&hub).arg("-p").arg("model=org/tiny@v2").succeeds(),
        "3\n"
    );
    assert!(hub.log()[0].ends_with("/revision/v2"), "{:?}", hub.log());
    program(&hub).arg("-p").arg("model=org/tiny@v3").fails(
        1,
        &failure(
            "`org/tiny@v3` is on the hub, but not in this revision",
            &["a revision is a branch, a tag or a commit"],
        ),
    );
}

#[test]
fn a_model_that_is_not_there() {
    let hub = Hub::start([]);
    program(&hub).fails(
        1,
        &failure(
            "there is no model `org/tiny`",
            &[
                "a model is `demo`, an alias such as `gpt2-xl`, a hub id such as `org/name`, or a folder such as `./my-gpt2`",
                "the hub shows no public model of this name; a private one needs HF_TOKEN",
            ],
        ),
    );
}

#[test]
fn a_repository_without_safetensors() {
    let mut repository = repository();
    repository.files.remove("model.safetensors");
    repository.files.insert("pytorch_model.bin".into(), vec![0]);
    let hub = Hub::start([("org/tiny", repository)]);
    program(&hub).fails(
        1,
        &failure(
            "`org/tiny` on the hub has no model.safetensors",
            &["avec doesn't read pytorch_model.bin: convert it with `model.save_pretrained(folder, safe_serialization=True)`"],
        ),
    );
}

#[test]
fn models_that_need_a_token() {
    let mut repository = repository();
    repository.token = Some("secret".into());
    let hub = Hub::start([("org/tiny", repository)]);
    program(&hub).fails(
        1,
        &failure(
            "the hub gives `org/tiny` only to users who have access",
            &["set HF_TOKEN to a token that has access, or check the name"],
        ),
    );
    program(&hub).env("HF_TOKEN", "wrong").fails(
        1,
        &failure(
            "the hub refuses `org/tiny` to the owner of this token",
            &["ask for access on the model's page, or use another token"],
        ),
    );
    assert_eq!(program(&hub).env("HF_TOKEN", "secret").succeeds(), "3\n");
    // The token in the file written by the hub's login.
    let by_file = program(&hub).file("hf/token", "secret\n");
    assert_eq!(by_file.succeeds(), "3\n");
}

#[test]
fn files_on_another_server() {
    let storage = Hub::start([("org/tiny", repository())]);
    let mut repository = repository();
    repository
        .serve
        .insert("model.safetensors".into(), Serve::Redirect(storage.port));
    let hub = Hub::start([("org/tiny", repository)]);
    assert_eq!(program(&hub).succeeds(), "3\n");
    assert!(storage.log().iter().any(|line| line.contains("/storage/")));
}

#[test]
fn a_hub_that_does_not_answer() {
    // Port 9 is in every test's environment: nothing listens there.
    let ran = Program::script(SCRIPT).run();
    assert_eq!(ran.status, Some(1));
    let expected = failure(
        "can't download org/tiny: http://127.0.0.1:9 can't be reached: Connection refused",
        &["check the network and HF_ENDPOINT; `demo` and models in folders need no network"],
    );
    assert_eq!(ran.stderr.trim_end(), expected);
}

#[test]
fn without_network_only_the_cache() {
    let expected = failure(
        "`org/tiny` is not in the cache, and this run may not use the network",
        &["run once without --offline and HF_HUB_OFFLINE to download it"],
    );
    Program::script(SCRIPT).arg("--offline").fails(1, &expected);
    Program::script(SCRIPT)
        .env("HF_HUB_OFFLINE", "1")
        .fails(1, &expected);
}

#[test]
fn a_cut_download_is_resumed() {
    let mut repository = repository();
    repository
        .serve
        .insert("model.safetensors".into(), Serve::Cut(100_000));
    let hub = Hub::start([("org/tiny", repository)]);
    let program = program(&hub);
    let ran = program.run();
    assert_eq!(ran.status, Some(1));
    let first = ran.stderr.lines().next().unwrap();
    assert!(
        first.starts_with("error: can't download model.safetensors of org/tiny: it broke off: "),
        "{first}"
    );
    assert!(
        ran.stderr
            .trim_end()
            .ends_with("= help: run it again: the download goes on where it stopped"),
        "{}",
        ran.stderr
    );
    assert_eq!(program.succeeds(), "3\n");
    let resumed = hub
        .log()
        .into_iter()
        .any(|line| line.ends_with("model.safetensors bytes=100000-"));
    assert!(resumed, "{:?}", hub.log());
}

#[test]
fn files_of_a_wrong_length_are_not_kept() {
    let mut repository = repository();
    repository
        .serve
        .insert("model.safetensors".into(), Serve::WrongLength);
    let length = repository.files["model.safetensors"].len();
    let hub = Hub::start([("org/tiny", repository)]);
    let program = program(&hub);
    program.fails(
        1,
        &failure(
            &format!(
                "can't download model.safetensors of org/tiny: {length} bytes arrived, and the hub had announced {}",
                length + 7
            ),
            &["try again: the broken file has been removed"],
        ),
    );
    hub.change("org/tiny", |repository| repository.serve.clear());
    assert_eq!(program.succeeds(), "3\n");
}

#[test]
fn a_hub_in_trouble() {
    let mut repository = repository();
    repository
        .serve
        .insert("config.json".into(), Serve::Status(503));
    let hub = Hub::start([("org/tiny", repository)]);
    program(&hub).fails(
        1,
        &failure(
            "can't download config.json of org/tiny: the hub answered with status 503",
            &["try again later"],
        ),
    );
}

/// Ctrl-C ends a stalled download.
#[cfg(unix)]
#[test]
fn a_download_can_be_interrupted() {
    let mut repository = repository();
    repository
        .serve
        .insert("model.safetensors".into(), Serve::Stall);
    let hub = Hub::start([("org/tiny", repository)]);
    let program = program(&hub);
    let child = program
        .command()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let asked = |line: &String| line.ends_with("model.safetensors bytes=0-");
    while !hub.log().iter().any(asked) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .unwrap();
    let started = std::time::Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(started.elapsed().as_secs() < 10);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "interrupted\n");
    assert_eq!(output.status.code(), Some(130));
}

#[test]
fn a_folder_is_a_model() {
    let path = tiny_folder();
    let script = format!("print(load_model({:?}).n_layers);", path.to_str().unwrap());
    assert_eq!(Program::script(&script).succeeds(), "3\n");
    assert!(Path::new(&path).is_dir());
}

/// No requests: the environment's hub does not answer.
#[test]
fn invalid_revisions() {
    let at_call = |id: &str, options: &str, message: &str, hint: &str| {
        let script = format!("load_model(\"{id}\"{options});");
        Program::script(&script)
            .file("m/config.json", "{}")
            .fails(
                1,
                &format!("error: {message}\n --> script.rhai:1:1\n  |\n1 | {script}\n  | ^^^^^^^^^^\n  = help: {hint}"),
            );
    };
    let v2 = ", #{ revision: \"v2\" }";
    at_call(
        "demo",
        v2,
        "`demo` has no revision \"v2\": it is part of the program, and only models on the hub have revisions",
        "leave out `revision`",
    );
    for folder in ["./m", "m"] {
        at_call(
            folder,
            v2,
            &format!(
                "`{folder}` has no revision \"v2\": it is a folder, and only models on the hub have revisions"
            ),
            "leave out `revision`",
        );
    }
    at_call(
        "demo@v2",
        "",
        "`demo@v2` names a revision, and `demo` has none: it is part of the program",
        "write \"demo\"",
    );
    at_call(
        "gpt2@",
        "",
        "`gpt2@` names no revision after its @",
        "write \"gpt2\", or a branch, tag or commit: \"gpt2@main\"",
    );
    at_call(
        "org/name@v1",
        v2,
        "`org/name@v1` names revision v1, and the options name v2",
        "name the revision once",
    );
    Program::script("load_model(\"gpt2\", #{ revision: \"\" });").fails(
        1,
        r#"
error: `revision` must be a branch, a tag or a commit, but it is ""
 --> script.rhai:1:33
  |
1 | load_model("gpt2", #{ revision: "" });
  |                                 ^^
  = help: leave it out for the newest state
"#,
    );
}

/// Optional files that change a model's tokens are downloaded too.
#[test]
fn side_files_are_downloaded_with_the_model() {
    let mut repository = repository();
    repository
        .files
        .insert("tokenizer_config.json".into(), b"{}".to_vec());
    let hub = Hub::start([("org/tiny", repository)]);
    let program = program(&hub);
    assert_eq!(program.succeeds(), "3\n");
    let snapshot = format!("snapshots/{}/tokenizer_config.json", hub::COMMIT);
    assert!(cached(&program, &snapshot));
}

/// A cache made by Python, in each of its possible places.
#[test]
fn the_cache_is_found_where_python_puts_it() {
    for (what, folder, reference, variables) in [
        ("HF_HOME", "hf/hub", hub::COMMIT.to_owned(), vec![]),
        ("a newline", "hf/hub", format!("{}\n", hub::COMMIT), vec![]),
        (
            "HF_HUB_CACHE",
            "other",
            hub::COMMIT.to_owned(),
            vec![
                ("HF_HUB_CACHE", "~/other"),
                ("HUGGINGFACE_HUB_CACHE", "/no"),
            ],
        ),
        (
            "HUGGINGFACE_HUB_CACHE",
            "other",
            hub::COMMIT.to_owned(),
            vec![("HUGGINGFACE_HUB_CACHE", "$HOME/other")],
        ),
        (
            "XDG_CACHE_HOME",
            "x/huggingface/hub",
            hub::COMMIT.to_owned(),
            vec![("HF_HOME", ""), ("XDG_CACHE_HOME", "${HOME}/x")],
        ),
    ] {
        let repository = format!("{folder}/models--org--tiny");
        let mut program = Program::script(SCRIPT)
            .arg("--offline")
            .file(&format!("{repository}/refs/main"), reference);
        for name in ["config.json", "tokenizer.json", "model.safetensors"] {
            let path = format!("{repository}/snapshots/{}/{name}", hub::COMMIT);
            program = program.file(&path, std::fs::read(tiny_folder().join(name)).unwrap());
        }
        for (name, value) in variables {
            program = program.env(name, value);
        }
        assert_eq!(program.succeeds(), "3\n", "{what}");
        // A commit needs no reference.
        let refs = program.folder.path().join(&repository).join("refs");
        std::fs::remove_dir_all(refs).unwrap();
        let program = program
            .arg("-p")
            .arg(&format!("model=org/tiny@{}", hub::COMMIT));
        assert_eq!(program.succeeds(), "3\n", "{what}");
    }
}

/// The token is in the file that HF_TOKEN_PATH names.
#[test]
fn the_token_s_file_may_be_elsewhere() {
    let mut repository = repository();
    repository.token = Some("secret".into());
    let hub = Hub::start([("org/tiny", repository)]);
    let program = program(&hub)
        .file("tokens/mine", "secret\n")
        .file("hf/token", "another")
        .env("HF_TOKEN_PATH", "~/tokens/mine");
    assert_eq!(program.succeeds(), "3\n");
}

/// A revision named by a script is neither a path nor more than its own part of a URL.
#[test]
fn revisions_are_no_paths() {
    let hub = Hub::start([("org/tiny", repository())]);
    for revision in [
        "/dev/zero",
        "../../../../../../etc/passwd",
        "main/../../x",
        "..",
        "/etc/passwd",
        "a b",
        "a?b",
        "a#b",
        "%2e%2e",
        ".hidden",
        "x\n",
    ] {
        for offline in ["--offline", "--color=never"] {
            let script = format!("load_model(\"org/tiny\", #{{ revision: {revision:?} }});");
            let program = Program::script(&script)
                .env("HF_ENDPOINT", &hub.endpoint())
                .arg(offline);
            let ran = program.run();
            let first = ran.stderr.lines().next().unwrap();
            assert_eq!(
                first,
                format!(
                    "error: `revision` must be a branch, a tag or a commit, but it is {revision:?}"
                )
            );
            assert_eq!(strays(program.folder.path()), [""; 0]);
        }
    }
    assert_eq!(hub.log(), [""; 0]);
    Program::script("load_model(\"a/b@/dev/zero\");").fails(
        1,
        r#"
error: `revision` must be a branch, a tag or a commit, but it is "/dev/zero"
 --> script.rhai:1:1
  |
1 | load_model("a/b@/dev/zero");
  | ^^^^^^^^^^
  = help: such as "main", "v1.0" or 40 hex digits
"#,
    );
}
