//! Finding models: folders, and a hub on the loopback with everything that can go wrong there.

mod support;

#[path = "support/hub.rs"]
mod hub;

use std::collections::BTreeMap;
use std::path::Path;

use hub::{Hub, List, Repository, Serve};
use support::{Program, tiny_folder};

/// The tiny model as a repository with `tokenizer.json` and one weights file.
fn repository() -> Repository {
    let files = ["config.json", "tokenizer.json", "model.safetensors"]
        .into_iter()
        .map(|name| {
            let contents = std::fs::read(tiny_folder().join(name)).unwrap();
            (name.to_owned(), contents)
        });
    Repository {
        files: files
            .chain([("README.md".to_owned(), b"not needed".to_vec())])
            .collect(),
        ..Repository::default()
    }
}

const SCRIPT: &str = "print(load_model(param(\"model\", \"org/tiny\")).n_layers);";

/// A run that uses this hub.
fn program(hub: &Hub) -> Program {
    Program::script(SCRIPT).env("HF_ENDPOINT", &hub.endpoint())
}

fn failure(message: &str, hints: &[&str]) -> String {
    let mut text =
        format!("error: {message}\n --> script.rhai:1:7\n  |\n1 | {SCRIPT}\n  |       ^^^^^^^^^^");
    for hint in hints {
        text.push_str(&format!("\n  = help: {hint}"));
    }
    text
}

fn cached(program: &Program, path: &str) -> bool {
    let folder = program.folder.path().join("hf/hub/models--org--tiny");
    folder.join(path).exists()
}

#[test]
fn a_model_is_downloaded_once_and_only_what_it_needs() {
    let hub = Hub::start([("org/tiny", repository())]);
    let program = program(&hub);
    assert_eq!(program.succeeds(), "3\n");
    let snapshot = "snapshots/0123456789abcdef0123456789abcdef01234567";
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        assert!(cached(&program, &format!("{snapshot}/{name}")), "{name}");
    }
    assert!(!cached(&program, &format!("{snapshot}/README.md")));
    assert!(cached(&program, "refs/main"));
    // The second time nobody is asked.
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
        // With the prefix that some checkpoints carry, half the tensors each.
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
    // The same numbers as from the one file.
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
    // The token of the file that the hub's own login writes.
    let by_file = program(&hub).file("hf/token", "secret\n");
    assert_eq!(by_file.succeeds(), "3\n");
}

#[test]
fn files_that_lie_on_another_server() {
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
    // Port 9 is what every test's environment names: nothing listens there.
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
fn a_wrong_length_is_noticed_and_not_kept() {
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

/// Ctrl-C ends a download that stands still.
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

/// Nothing is asked of the network: the environment's hub does not answer.
#[test]
fn revisions_that_make_no_sense() {
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

/// What a hub does to every file of the model, or to its list, and how the run ends: with the right
/// value, or with an error that begins like this.
struct Case {
    what: &'static str,
    hostile: Box<dyn Fn(&mut Repository) + Send + Sync>,
    ends: Ends,
}

#[derive(Clone, Copy)]
enum Ends {
    Well,
    Error(&'static str),
}

fn every_file(what: &'static str, serve: Serve, ends: Ends) -> Case {
    Case {
        what,
        hostile: Box::new(move |repository| {
            repository.list = List::NamesOnly;
            for name in ["config.json", "tokenizer.json", "model.safetensors"] {
                repository.serve.insert(name.into(), serve.clone());
            }
        }),
        ends,
    }
}

fn list(what: &'static str, list: List, ends: Ends) -> Case {
    Case {
        what,
        hostile: Box::new(move |repository| repository.list = list.clone()),
        ends,
    }
}

/// `config.json` is the first file that is asked for.
fn cases() -> Vec<Case> {
    use Ends::{Error, Well};
    const CONFIG: &str = "can't download config.json of org/tiny: ";
    let etag = |what, etag: &str| every_file(what, Serve::Etag(etag.into()), Well);
    let commit = |what, commit: &str| {
        let message = "can't download config.json of org/tiny: the hub names a commit that is none";
        every_file(what, Serve::Commit(commit.into()), Error(message))
    };
    let range = |what, range: &str| {
        let message = "can't download config.json of org/tiny: the hub doesn't say how long it is";
        every_file(what, Serve::Range(range.into()), Error(message))
    };
    let location = |what, location: &str| {
        let message =
            "can't download config.json of org/tiny: a redirect leads to no address of the web";
        every_file(what, Serve::Location(Some(location.into())), Error(message))
    };
    vec![
        // --- the description of the repository ---
        list("names only", List::NamesOnly, Well),
        list(
            "a list that is not answered",
            List::NoAnswer,
            Error("can't download org/tiny: "),
        ),
        list(
            "a list that stands still",
            List::Stall,
            Error("can't download org/tiny: it broke off: 1 B arrived in 1 s"),
        ),
        list(
            "a list that drips",
            List::Drip,
            Error("can't download org/tiny: it broke off: "),
        ),
        list(
            "a list without end",
            List::Endless,
            Error("can't download org/tiny: it broke off: the answer is too long"),
        ),
        list(
            "headers without end",
            List::EndlessHead,
            Error("can't download org/tiny: "),
        ),
        list(
            "a list that is no JSON",
            List::Body(b"\xff\xfe\x1b[31m<html>".to_vec()),
            Error("can't download org/tiny: http://HUB can't be used: its answer makes no sense: it isn't valid JSON at line 1, column 1"),
        ),
        list(
            "a list that is deep",
            List::Body([b"{\"siblings\":".to_vec(), vec![b'['; 100_000]].concat()),
            Error("can't download org/tiny: http://HUB can't be used: its answer makes no sense"),
        ),
        list(
            "a commit that leads elsewhere",
            List::Body(b"{\"sha\": \"../../../x\", \"siblings\": []}".to_vec()),
            Error("can't download org/tiny: http://HUB can't be used: its answer makes no sense: it names a commit that is none"),
        ),
        list(
            "names that lead elsewhere",
            List::Body(br#"{"siblings": [{"rfilename": "../../config.json"}, {"rfilename": "/etc/passwd"}]}"#.to_vec()),
            Error("`org/tiny` on the hub has no config.json"),
        ),
        list(
            "an error in colours",
            List::Status(500),
            Error("can't download org/tiny: the hub answered with status 500"),
        ),
        list(
            "not modified",
            List::Status(304),
            Error("can't download org/tiny: the hub answered with status 304"),
        ),
        list(
            "redirects in a circle",
            List::Location("/api/models/org/tiny/revision/main".into()),
            Error("can't download org/tiny: its redirects don't come to an end"),
        ),
        list(
            "a redirect to a file",
            List::Location("file:///etc/passwd".into()),
            Error("can't download org/tiny: a redirect leads to no address of the web"),
        ),
        // --- headers of a file ---
        etag("a hash that leads out", "../../../../../../pwned"),
        etag("a hash that is a path", "/tmp/pwned"),
        etag("a hash below a folder", "./w/pwned"),
        etag("a hash that is a folder", ".."),
        etag("an empty hash", ""),
        etag("one hash for all files", "same"),
        etag("a long hash", Box::leak("e".repeat(3000).into_boxed_str())),
        every_file(
            "a hash with control characters",
            Serve::Etag("\u{1b}[31m\u{7}".into()),
            Error("can't download org/tiny: http://HUB can't be used: its answer is not proper HTTP"),
        ),
        every_file("no hash", Serve::NoEtag, Well),
        commit("a commit that leads out", "../../../../../../pwned"),
        commit("a short commit", "abc"),
        every_file(
            "no commit",
            Serve::Commit(String::new()),
            Error("can't download config.json of org/tiny: the hub doesn't say its commit"),
        ),
        range("a negative length", "bytes 0-0/-5"),
        range("an unknown length", "bytes 0-0/*"),
        range("no length", "nothing"),
        every_file(
            "a huge length",
            Serve::Range(format!("bytes 0-0/{}", 1_u64 << 63)),
            Error("the disk of "),
        ),
        every_file(
            "an announced length that is too small",
            Serve::Range("bytes 0-0/5".into()),
            Error(CONFIG),
        ),
        // --- redirects ---
        every_file(
            "a redirect to nowhere",
            Serve::Location(None),
            Error("can't download config.json of org/tiny: a redirect leads nowhere"),
        ),
        location("an empty redirect", ""),
        location("a redirect to a query", "?x"),
        location("a redirect to *", "*"),
        every_file(
            "a redirect with control characters",
            Serve::Location(Some("http://a\u{1b}[31m/".into())),
            Error("can't download org/tiny: http://HUB can't be used: its answer is not proper HTTP"),
        ),
        every_file(
            "a file's redirects in a circle",
            Serve::Location(Some("/org/tiny/resolve/main/config.json".into())),
            Error("can't download config.json of org/tiny: its redirects don't come to an end"),
        ),
        // --- statuses ---
        every_file(
            "a file that is not modified",
            Serve::Status(304),
            Error("can't download config.json of org/tiny: the hub answered with status 304"),
        ),
        every_file(
            "a body that is not modified",
            Serve::StatusOfBody(304),
            Error("can't download config.json of org/tiny: the hub answered with status 304"),
        ),
        every_file(
            "a range that is not there",
            Serve::StatusOfBody(416),
            Error("can't download config.json of org/tiny: the hub answered with status 416"),
        ),
        // --- bodies ---
        every_file("all of it, whatever is asked for", Serve::IgnoreRange, Well),
        every_file("more than was announced", Serve::Longer, Error(CONFIG)),
        every_file("garbage", Serve::Garbage, Error(CONFIG)),
        every_file("a body without end", Serve::Endless, Error(CONFIG)),
        every_file(
            "half of it",
            Serve::Half,
            Error("can't download config.json of org/tiny: it broke off: "),
        ),
        every_file(
            "one byte and silence",
            Serve::Stall,
            Error("can't download config.json of org/tiny: it broke off: 1 B arrived in 1 s"),
        ),
        every_file("a body that drips", Serve::Drip, Error(CONFIG)),
        every_file(
            "no answer",
            Serve::NoAnswer,
            Error("can't download org/tiny: "),
        ),
        every_file("a head without a body", Serve::NoBody, Well),
    ]
}

/// Every file below a folder, without those of the cache and the script's.
fn strays(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if name != "script.rhai" && !name.starts_with("hf/hub/") {
                found.push(name);
            }
        }
    }
    found
}

/// Whatever a hub does, a run ends within seconds, with the right value or an error, writes nothing
/// outside of the cache, and leaves nothing there that an honest hub couldn't make good.
#[test]
fn a_hostile_hub_does_no_harm() {
    let cases = cases();
    let tried = |case: &Case| {
        let mut repository = repository();
        (case.hostile)(&mut repository);
        let hub = Hub::start([("org/tiny", repository)]);
        let program = program(&hub)
            .env("HF_HUB_DOWNLOAD_TIMEOUT", "1")
            .env("HF_HUB_ETAG_TIMEOUT", "1")
            .env("HF_TOKEN", "secret");
        let started = std::time::Instant::now();
        let ran = program.run();
        let what = case.what;
        assert!(started.elapsed().as_secs() < 20, "{what}: too long");
        let first = ran.stderr.lines().next().unwrap_or_default().to_owned();
        match case.ends {
            Ends::Well => assert_eq!(
                (ran.stdout.as_str(), ran.status),
                ("3\n", Some(0)),
                "{what}: {first}"
            ),
            Ends::Error(message) => {
                let message = message.replace("HUB", &format!("127.0.0.1:{}", hub.port));
                assert!(
                    first.starts_with(&format!("error: {message}")),
                    "{what}: {first}"
                );
                assert_eq!(ran.status, Some(1), "{what}");
            }
        }
        assert!(
            !ran.stderr.contains(['\u{1b}', '\u{7}']),
            "{what}: {:?}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("secret"), "{what}");
        assert_eq!(strays(program.folder.path()), [""; 0], "{what}");
        // The hub becomes an honest one.
        hub.change("org/tiny", |repository| {
            repository.serve.clear();
            repository.list = List::Whole;
        });
        assert_eq!(program.succeeds(), "3\n", "{what}: afterwards");
    };
    // A few at a time: most of them wait for a timeout.
    std::thread::scope(|scope| {
        for some in cases.chunks(cases.len().div_ceil(8)) {
            scope.spawn(move || some.iter().for_each(tried));
        }
    });
}

/// Where a download grows, and the whole contents of the file.
fn part(program: &Program, hub_file: &str) -> (std::path::PathBuf, Vec<u8>) {
    let contents = std::fs::read(tiny_folder().join(hub_file)).unwrap();
    let blobs = program.folder.path().join("hf/hub/models--org--tiny/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let name = format!("{}.incomplete", hub::git_hash(&contents));
    (blobs.join(name), contents)
}

#[test]
fn what_an_earlier_download_left_is_used_or_replaced() {
    for (what, left, asked) in [
        ("all of it", (|whole| whole) as fn(Vec<u8>) -> Vec<u8>, None),
        (
            "garbage of its length",
            |whole| vec![7; whole.len()],
            Some(0),
        ),
        ("the start of something else", |_| vec![7; 1000], Some(0)),
        ("too much", |whole| [whole, vec![7]].concat(), Some(0)),
        (
            "the first half",
            |mut whole| {
                whole.truncate(100_000);
                whole
            },
            Some(100_000),
        ),
    ] {
        let hub = Hub::start([("org/tiny", repository())]);
        let program = program(&hub);
        let (path, contents) = part(&program, "model.safetensors");
        std::fs::write(&path, left(contents)).unwrap();
        assert_eq!(program.succeeds(), "3\n", "{what}");
        assert!(!path.exists(), "{what}");
        let last = hub
            .log()
            .iter()
            .filter_map(|line| {
                line.split_once("model.safetensors bytes=")?
                    .1
                    .strip_suffix('-')?
                    .parse()
                    .ok()
            })
            .next_back();
        assert_eq!(last, asked, "{what}: {:?}", hub.log());
    }
}

#[test]
fn garbage_is_known_by_its_hash() {
    let mut repository = repository();
    repository
        .serve
        .insert("model.safetensors".into(), Serve::Garbage);
    let hub = Hub::start([("org/tiny", repository)]);
    let program = program(&hub);
    let expected = failure(
        "can't download model.safetensors of org/tiny: its hash is not the one that the hub announced",
        &["try again: the broken file has been removed"],
    );
    program.fails(1, &expected);
    hub.change("org/tiny", |repository| repository.serve.clear());
    assert_eq!(program.succeeds(), "3\n");
}

/// git-lfs files have their SHA-256 as hash.
#[test]
fn both_kinds_of_hashes_are_checked() {
    let mut repository = repository();
    repository.list = List::NamesOnly;
    let weights = repository.files["model.safetensors"].clone();
    let right = hub::sha256(&weights);
    repository
        .serve
        .insert("model.safetensors".into(), Serve::Etag(right.clone()));
    let hub = Hub::start([("org/tiny", repository)]);
    let program = program(&hub);
    assert_eq!(program.succeeds(), "3\n");
    assert!(cached(&program, &format!("blobs/{right}")));

    hub.change("org/tiny", |repository| {
        let wrong = "0".repeat(64);
        repository
            .serve
            .insert("model.safetensors".into(), Serve::Etag(wrong));
    });
    let ran = self::program(&hub).run();
    assert!(
        ran.stderr
            .contains("its hash is not the one that the hub announced"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_token_is_for_the_hub_alone() {
    let storage = Hub::start([("org/tiny", repository())]);
    let mut repository = repository();
    repository.token = Some("secret".into());
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        repository
            .serve
            .insert(name.into(), Serve::Redirect(storage.port));
    }
    let hub = Hub::start([("org/tiny", repository)]);
    assert_eq!(program(&hub).env("HF_TOKEN", "secret").succeeds(), "3\n");
    assert!(hub.log().iter().all(|line| line.ends_with("Bearer secret")));
    let asked = storage.log();
    assert!(asked.len() >= 6, "{asked:?}");
    assert!(
        asked.iter().all(|line| !line.contains("secret")),
        "{asked:?}"
    );
}

#[test]
fn two_at_once_download_once() {
    let hub = Hub::start([("org/tiny", repository())]);
    let program = program(&hub);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(program.succeeds(), "3\n"));
        }
    });
    let log = hub.log();
    let bodies = log
        .iter()
        .filter(|line| line.ends_with("model.safetensors bytes=0-"));
    assert_eq!(bodies.count(), 1, "{log:?}");
}

/// Starts a run and waits until the hub was asked for something that ends like this.
#[cfg(unix)]
fn running(program: &Program, hub: &Hub, asked: &str) -> std::process::Child {
    let child = program
        .command()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while !hub.log().iter().any(|line| line.ends_with(asked)) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(100));
    child
}

#[cfg(unix)]
fn signal(child: &std::process::Child, signal: &str) {
    std::process::Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
}

/// Ends a run by Ctrl-C, and checks that it obeys at once. What is promised is 0.2 s; a machine that
/// runs other tests as well gets more.
#[cfg(unix)]
#[track_caller]
fn interrupted_at_once(what: &str, child: std::process::Child) {
    signal(&child, "-INT");
    let started = std::time::Instant::now();
    let output = child.wait_with_output().unwrap();
    let took = started.elapsed().as_secs_f64();
    assert!(took < 1.0, "{what}: {took} s");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "interrupted\n",
        "{what}"
    );
    assert_eq!(output.status.code(), Some(130), "{what}");
}

#[cfg(unix)]
#[test]
fn every_phase_can_be_interrupted() {
    const LIST: &str = "/revision/main";
    const PROBE: &str = "config.json bytes=0-0";
    const BODY: &str = "config.json bytes=0-";
    type Hostile = fn(&mut Repository);
    let phases: [(&str, &str, Hostile); 9] = [
        ("no answer", LIST, |r| r.list = List::NoAnswer),
        ("a list that stands still", LIST, |r| r.list = List::Stall),
        ("a list that drips", LIST, |r| r.list = List::Drip),
        ("headers without end", LIST, |r| r.list = List::EndlessHead),
        ("a list without end", LIST, |r| r.list = List::Endless),
        ("no answer for a file", PROBE, |r| {
            r.serve.insert("config.json".into(), Serve::NoAnswer);
        }),
        ("a body that stands still", BODY, |r| {
            r.serve.insert("config.json".into(), Serve::Stall);
        }),
        ("a body that drips", BODY, |r| {
            r.serve.insert("config.json".into(), Serve::Drip);
        }),
        ("a server behind a redirect", PROBE, |r| {
            let to_nobody = silent_port().to_string();
            let location = format!("http://127.0.0.1:{to_nobody}/x");
            r.serve
                .insert("config.json".into(), Serve::Location(Some(location)));
        }),
    ];
    for (what, asked, hostile) in phases {
        let mut repository = repository();
        hostile(&mut repository);
        let hub = Hub::start([("org/tiny", repository)]);
        let program = program(&hub);
        let child = running(&program, &hub, asked);
        // Some of these end by themselves soon.
        if matches!(what, "headers without end" | "a list without end") {
            signal(&child, "-INT");
            let started = std::time::Instant::now();
            let output = child.wait_with_output().unwrap();
            assert!(started.elapsed().as_secs_f64() < 1.0, "{what}");
            assert!(matches!(output.status.code(), Some(130 | 1)), "{what}");
            continue;
        }
        interrupted_at_once(what, child);
    }
}

/// A port that takes connections and says nothing.
fn silent_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let _streams: Vec<_> = listener.incoming().collect();
    });
    port
}

/// A port where connecting itself takes for ever: its queue is full.
#[cfg(target_os = "linux")]
#[test]
fn connecting_can_be_interrupted() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let wait = std::time::Duration::from_millis(300);
    let mut queued = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, wait) {
        queued.push(stream);
        assert!(queued.len() < 10_000, "the queue has no end");
    }
    let endpoint = format!("http://{address}");
    let program = Program::script(SCRIPT).env("HF_ENDPOINT", &endpoint);
    let child = program
        .command()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    interrupted_at_once("connecting", child);
    // Nobody interrupts: it ends by itself.
    let ran = program.env("HF_HUB_ETAG_TIMEOUT", "1").run();
    let first = ran.stderr.lines().next().unwrap();
    assert!(
        first.starts_with(&format!(
            "error: can't download org/tiny: {endpoint} can't be reached: no answer"
        )),
        "{first}"
    );
}

/// Another process downloads the same file.
#[cfg(unix)]
#[test]
fn waiting_for_another_download_can_be_interrupted() {
    let hub = Hub::start([("org/tiny", repository())]);
    let program = program(&hub);
    let contents = std::fs::read(tiny_folder().join("config.json")).unwrap();
    let locks = program
        .folder
        .path()
        .join("hf/hub/.locks/models--org--tiny");
    std::fs::create_dir_all(&locks).unwrap();
    let name = format!("{}.lock", hub::git_hash(&contents));
    let held = std::fs::File::create(locks.join(name)).unwrap();
    held.lock().unwrap();
    let child = running(&program, &hub, "config.json bytes=0-0");
    interrupted_at_once("waiting", child);
    held.unlock().unwrap();
    assert_eq!(program.succeeds(), "3\n");
}

/// A process that is killed leaves what was there before.
#[cfg(unix)]
#[test]
fn a_killed_download_leaves_no_half_file() {
    let mut repository = repository();
    repository
        .serve
        .insert("model.safetensors".into(), Serve::Stall);
    let hub = Hub::start([("org/tiny", repository)]);
    let program = program(&hub);
    let mut child = running(&program, &hub, "model.safetensors bytes=0-");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!cached(&program, "refs/main"));
    assert!(!cached(
        &program,
        &format!("snapshots/{}/model.safetensors", hub::COMMIT)
    ));
    hub.change("org/tiny", |repository| repository.serve.clear());
    assert_eq!(program.succeeds(), "3\n");
}

/// Files beside the weights that change a model's tokens come with it.
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

/// A cache as Python makes it, in each of the places that it is looked for.
#[test]
fn the_cache_is_found_where_python_has_it() {
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
fn the_token_s_file_can_be_elsewhere() {
    let mut repository = repository();
    repository.token = Some("secret".into());
    let hub = Hub::start([("org/tiny", repository)]);
    let program = program(&hub)
        .file("tokens/mine", "secret\n")
        .file("hf/token", "another")
        .env("HF_TOKEN_PATH", "~/tokens/mine");
    assert_eq!(program.succeeds(), "3\n");
}

/// A script names a revision: it is no path, and no part of a URL but its own.
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

/// A model folder with the tiny model's files, some of them replaced.
#[cfg(unix)]
fn model_folder(program: Program, without: &str) -> Program {
    ["config.json", "tokenizer.json", "model.safetensors"]
        .into_iter()
        .filter(|name| *name != without)
        .fold(program, |program, name| {
            let contents = std::fs::read(tiny_folder().join(name)).unwrap();
            program.file(&format!("m/{name}"), contents)
        })
}

/// What is no file of the folder's own is not read, and not waited for.
#[cfg(unix)]
#[test]
fn only_a_folder_s_own_regular_files_are_read() {
    const LINK: &str = "is a link that leads out of its folder, or nowhere";
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let program = || model_folder(Program::script("load_model(\"./m\");"), name);
        let fails = |program: &Program, message: &str| {
            let started = std::time::Instant::now();
            let ran = program.run();
            assert_eq!(
                ran.stderr.lines().next().unwrap(),
                format!("error: {message}")
            );
            assert!(started.elapsed().as_secs() < 5);
            assert!(!ran.stderr.contains("root:"), "{}", ran.stderr);
        };
        for target in [
            "/etc/passwd",
            "/dev/zero",
            "../script.rhai",
            "/no/such/file",
        ] {
            let program = program();
            std::os::unix::fs::symlink(target, program.folder.path().join("m").join(name)).unwrap();
            fails(&program, &format!("./m/{name} {LINK}"));
        }
        let program = program();
        let path = program.folder.path().join("m").join(name);
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
        fails(
            &program,
            &format!("can't read ./m/{name}: it is a pipe, a socket or a device"),
        );
    }
    // A link within the folder is as good as a file.
    let program = model_folder(
        Program::script("print(load_model(\"./m\").n_layers);"),
        "config.json",
    );
    let config = std::fs::read(tiny_folder().join("config.json")).unwrap();
    let program = program.file("m/real.json", config);
    std::os::unix::fs::symlink("real.json", program.folder.path().join("m/config.json")).unwrap();
    assert_eq!(program.succeeds(), "3\n");
}

/// A sparse file is as long as it says without taking any room.
#[cfg(unix)]
#[test]
fn huge_side_files_are_not_read() {
    for (name, size) in [("config.json", "1.0 TB"), ("tokenizer.json", "1.0 TB")] {
        let program = model_folder(Program::script("load_model(\"./m\");"), name);
        let file = std::fs::File::create(program.folder.path().join("m").join(name)).unwrap();
        file.set_len(1_000_000_000_000).unwrap();
        let ran = program.run();
        let start =
            format!("error: loading ./m: ./m/{name} is too large: it has {size}, and at most ");
        assert!(ran.stderr.starts_with(&start), "{}", ran.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_git_lfs_pointer_is_called_that() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 548105171\n";
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let script = "load_model(\"./m\");";
        let program =
            model_folder(Program::script(script), name).file(&format!("m/{name}"), pointer);
        program.fails(
            1,
            &format!("error: loading ./m: ./m/{name} is a git-lfs pointer: its 548.1 MB have not been fetched\n --> script.rhai:1:1\n  |\n1 | {script}\n  | ^^^^^^^^^^\n  = help: fetch it: git -C ./m lfs pull --include {name}"),
        );
    }
}

/// Outside of its own folder a script can't tell what exists: a folder that is no model's, a file,
/// what may not be seen, and nothing at all are one message.
#[test]
fn outside_of_its_folder_a_script_finds_models_and_nothing_else() {
    let outside = tempfile::tempdir().unwrap();
    let at = |name: &str| outside.path().join(name).display().to_string();
    std::fs::create_dir(at("folder")).unwrap();
    std::fs::write(at("file"), "x").unwrap();
    for name in ["folder", "file", "nothing", "file/below", "nothing/below"] {
        let path = at(name);
        let script = format!("load_model({path:?});");
        Program::script(&script).fails(
            1,
            &format!("error: there is no model in {path}\n --> script.rhai:1:1\n  |\n1 | {script}\n  | ^^^^^^^^^^\n  = help: a model folder has config.json, tokenizer.json and model.safetensors"),
        );
    }
    // Nor does a name without a slash in front.
    for name in ["a", "b"] {
        let ran = Program::script(&format!("load_model(\"../{name}\");")).run();
        assert!(
            ran.stderr
                .starts_with(&format!("error: there is no model in ../{name}\n"))
        );
    }
    // The person who runs it learns more.
    let ran = Program::script(SCRIPT)
        .arg("-p")
        .arg(&format!("model={}", at("folder")))
        .run();
    let message = format!("error: the folder {} has no config.json\n", at("folder"));
    assert!(ran.stderr.starts_with(&message), "{}", ran.stderr);
}

#[test]
fn the_home_folder_is_for_people() {
    let copy = |program: Program| {
        ["config.json", "tokenizer.json", "model.safetensors"]
            .into_iter()
            .fold(program, |program, name| {
                let contents = std::fs::read(tiny_folder().join(name)).unwrap();
                program.file(&format!("m/{name}"), contents)
            })
    };
    let script = "load_model(\"~/m\");";
    copy(Program::script(script)).fails(
        1,
        &format!("error: `~` in \"~/m\" stands for no folder in a script\n --> script.rhai:1:1\n  |\n1 | {script}\n  | ^^^^^^^^^^\n  = help: write the folder's whole path, or name it on the command line, as in -p model=~/m"),
    );
    let program = copy(Program::script(SCRIPT)).arg("-p").arg("model=~/m");
    assert_eq!(program.succeeds(), "3\n");
}
