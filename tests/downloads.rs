//! Downloads that are cut off, wrong, concurrent, killed or interrupted.

mod support;

#[path = "support/hub.rs"]
mod hub;
#[path = "support/hub_runs.rs"]
mod hub_runs;

use hub::{Hub, List, Repository, Serve};
use hub_runs::{SCRIPT, cached, failure, program, repository};
use support::{Program, tiny_folder};

/// The path of a partial download, and the complete contents of the file.
fn part(program: &Program, hub_file: &str) -> (std::path::PathBuf, Vec<u8>) {
    let contents = std::fs::read(tiny_folder().join(hub_file)).unwrap();
    let blobs = program.folder.path().join("hf/hub/models--org--tiny/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let name = format!("{}.incomplete", hub::git_hash(&contents));
    (blobs.join(name), contents)
}

#[test]
fn a_partial_download_is_resumed_or_replaced() {
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
fn garbage_is_recognised_by_its_hash() {
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

/// The hash of git-lfs files is their SHA-256.
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
fn the_token_is_only_sent_to_the_hub() {
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

/// Starts a run and waits until a request with this ending arrives.
#[cfg(unix)]
fn running(program: &Program, hub: &Hub, asked: &str) -> std::process::Child {
    let child = program
        .command()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let started = std::time::Instant::now();
    while !hub.log().iter().any(|line| line.ends_with(asked)) {
        assert!(started.elapsed().as_secs() < 60, "{asked} is not asked for");
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

/// Interrupts a run with Ctrl-C and checks that it ends at once. The documented limit is 0.2 s; a
/// machine that runs other tests too gets more.
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
        // Some of these soon end by themselves.
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

/// A port that accepts connections and never answers.
fn silent_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let _streams: Vec<_> = listener.incoming().collect();
    });
    port
}

/// A port where even connecting takes forever, because its queue is full.
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
    // Without an interrupt, it ends by itself.
    let ran = program.env("HF_HUB_ETAG_TIMEOUT", "1").run();
    let first = ran.stderr.lines().next().unwrap();
    assert!(
        first.starts_with(&format!(
            "error: can't download org/tiny: {endpoint} can't be reached: no answer"
        )),
        "{first}"
    );
}

/// Another process is downloading the same file.
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

/// A killed process leaves the previous state.
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

/// An earlier program, or a disk, left other contents under a valid name.
#[test]
fn a_broken_file_in_the_cache_is_not_kept() {
    let hub = Hub::start([("org/tiny", repository())]);
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let program = program(&hub);
        assert_eq!(program.succeeds(), "3\n");
        let path = program.folder.path().join(format!(
            "hf/hub/models--org--tiny/snapshots/{}/{name}",
            hub::COMMIT
        ));
        let length = std::fs::metadata(&path).unwrap().len() as usize;
        std::fs::write(&path, vec![0x95; length]).unwrap();
        let ran = program.run();
        assert_eq!(ran.status, Some(1), "{name}");
        assert!(
            ran.stderr.trim_end().ends_with(&format!(
                "{name} was broken and has been removed: run it again to download it"
            )),
            "{}",
            ran.stderr
        );
        assert_eq!(program.succeeds(), "3\n", "{name}");
        // Another revision has the same contents, and the blob of this name has others.
        let blob = std::fs::canonicalize(&path).unwrap();
        std::fs::write(blob, vec![0x95; length]).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(program.succeeds(), "3\n", "{name}");
    }
}
