//! A hub that lies, stalls and breaks off: a table of its behaviours, and how runs end.

mod support;

#[path = "support/hub.rs"]
mod hub;
#[path = "support/hub_runs.rs"]
mod hub_runs;

use hub::{Hub, List, Repository, Serve};
use hub_runs::{program, repository, strays};

/// A hub's behaviour for every file of the model or for its list, and how the run ends: with the
/// right value, or with an error that begins like this.
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

/// `config.json` is the first file to be requested.
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
        Case {
            what: "a file of another commit",
            hostile: Box::new(|repository| {
                let other = Serve::Commit("f".repeat(40));
                repository.serve.insert("tokenizer.json".into(), other);
            }),
            ends: Error(
                "can't download tokenizer.json of org/tiny: the hub has it of another commit",
            ),
        },
        range("a negative length", "bytes 0-0/-5"),
        range("an unknown length", "bytes 0-0/*"),
        range("no length", "nothing"),
        every_file(
            "a huge length",
            Serve::Range(format!("bytes 0-0/{}", 1_u64 << 63)),
            Error("can't download config.json of org/tiny: it has 9223372.0 TB, and at most 4.2 MB are read of such a file"),
        ),
        Case {
            what: "more than the disk has room for",
            hostile: Box::new(|repository| {
                let range = Serve::Range(format!("bytes 0-0/{}", 1_u64 << 63));
                repository.serve.insert("model.safetensors".into(), range);
            }),
            ends: Error("the disk of "),
        },
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

/// Whatever a hub does, a run ends within seconds with the right value or an error, writes nothing
/// outside the cache, and leaves nothing in it that an honest hub couldn't repair.
#[test]
fn a_hostile_hub_does_no_harm() {
    let cases = cases();
    let tried = |case: &Case| {
        let mut repository = repository();
        (case.hostile)(&mut repository);
        let hub = Hub::start([("org/tiny", repository)]);
        // Those that end by a timeout should do so soon.
        let timeout = match case.ends {
            Ends::Well => "10",
            Ends::Error(_) => "1",
        };
        let program = program(&hub)
            .env("HF_HUB_DOWNLOAD_TIMEOUT", timeout)
            .env("HF_HUB_ETAG_TIMEOUT", timeout)
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
        // Now the hub is honest.
        hub.change("org/tiny", |repository| {
            repository.serve.clear();
            repository.list = List::Whole;
        });
        let program = program
            .env("HF_HUB_DOWNLOAD_TIMEOUT", "10")
            .env("HF_HUB_ETAG_TIMEOUT", "10");
        assert_eq!(program.succeeds(), "3\n", "{what}: afterwards");
    };
    // A few at a time, since most of them wait for a timeout.
    std::thread::scope(|scope| {
        for some in cases.chunks(cases.len().div_ceil(8)) {
            scope.spawn(move || some.iter().for_each(tried));
        }
    });
}
