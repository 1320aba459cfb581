//! A small server on the loopback that serves repositories the way the Hugging Face hub does, or
//! in every way that it shouldn't.
#![allow(
    dead_code,
    reason = "each test file is its own crate and uses a part of this"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the hub does when a file is asked for. A request for the first byte alone, which asks for
/// the size, is the *probe*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serve {
    Whole,
    /// Breaks the connection after this number of bytes, the first time.
    Cut(usize),
    /// Announces one length and sends another, and closes the connection as if all were well.
    WrongLength,
    /// Takes its time: one byte, then nothing for long. The probe is answered.
    Stall,
    /// Sends the client to this path of another server.
    Redirect(u16),
    Status(u16),
    /// Answers the probe, and then with this status.
    StatusOfBody(u16),
    /// A redirect with this `Location`, or with none.
    Location(Option<String>),
    /// This `ETag`, quoted, instead of the hash.
    Etag(String),
    /// No `ETag`.
    NoEtag,
    /// This commit instead of the repository's.
    Commit(String),
    /// This `Content-Range` in the answer to the probe.
    Range(String),
    /// No answer to the probe.
    NoAnswer,
    /// A probe's head, and then a body that never comes.
    NoBody,
    /// Other contents of the same length.
    Garbage,
    /// A body without end.
    Endless,
    /// A body of a byte now and then.
    Drip,
    /// All of it, whatever part is asked for.
    IgnoreRange,
    /// More bytes than were announced.
    Longer,
    /// Half of it, and then the connection closes, every time.
    Half,
}

/// What the hub does when a repository's description is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum List {
    #[default]
    Whole,
    /// As above, without the commit and without hashes.
    NamesOnly,
    Status(u16),
    Body(Vec<u8>),
    NoAnswer,
    /// Announces a body and sends one byte of it.
    Stall,
    Drip,
    Endless,
    /// Headers without end.
    EndlessHead,
    /// A redirect with this `Location`.
    Location(String),
}

#[derive(Default)]
pub struct Repository {
    pub files: BTreeMap<String, Vec<u8>>,
    /// How single files are served; whole by default.
    pub serve: BTreeMap<String, Serve>,
    pub list: List,
    /// Only for this token.
    pub token: Option<String>,
    pub revisions: Vec<String>,
}

#[derive(Default)]
struct State {
    repositories: BTreeMap<String, Repository>,
    /// Every request: its path, then range and authorization where there are any.
    log: Vec<String>,
}

pub struct Hub {
    state: Arc<Mutex<State>>,
    pub port: u16,
}

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl Hub {
    pub fn start(repositories: impl IntoIterator<Item = (&'static str, Repository)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            repositories: repositories
                .into_iter()
                .map(|(name, repository)| (name.to_owned(), repository))
                .collect(),
            log: Vec::new(),
        }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || answer(stream, &state));
            }
        });
        Self { state, port }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn log(&self) -> Vec<String> {
        self.state.lock().unwrap().log.clone()
    }

    pub fn change(&self, repository: &str, change: impl FnOnce(&mut Repository)) {
        let mut state = self.state.lock().unwrap();
        change(state.repositories.get_mut(repository).unwrap());
    }
}

fn answer(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        head.iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let path = head[0].split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let (range, auth) = (header("range"), header("authorization"));
    let mut entry = path.clone();
    for extra in [&range, &auth].into_iter().flatten() {
        entry.push(' ');
        entry.push_str(extra);
    }
    let mut state = state.lock().unwrap();
    state.log.push(entry);
    // Files that another server redirects here.
    if let Some(file) = path.strip_prefix("/storage/") {
        let (repository, file) = file.split_once("//").unwrap();
        let contents = state.repositories[repository].files[file].clone();
        drop(state);
        send(&mut stream, &contents, range.as_deref(), &Serve::Whole);
        return;
    }
    let (name, rest) = match path.strip_prefix("/api/models/") {
        Some(rest) => match rest.split_once("/revision/") {
            Some((name, revision)) => (name.to_owned(), (revision.to_owned(), None)),
            None => (rest.to_owned(), ("main".to_owned(), None)),
        },
        None => match path.trim_start_matches('/').split_once("/resolve/") {
            Some((name, rest)) => {
                let (revision, file) = rest.split_once('/').unwrap();
                (
                    name.to_owned(),
                    (revision.to_owned(), Some(file.to_owned())),
                )
            }
            None => return plain(&mut stream, 404, "", b"no such page"),
        },
    };
    let (revision, file) = rest;
    let Some(repository) = state.repositories.get_mut(&name) else {
        // The hub does not tell strangers whether a private repository exists.
        let status = if auth.is_some() { 404 } else { 401 };
        return plain(&mut stream, status, "RepoNotFound", b"not found");
    };
    if let Some(token) = &repository.token
        && auth.as_deref() != Some(&format!("Bearer {token}"))
    {
        let status = if auth.is_some() { 403 } else { 401 };
        return plain(&mut stream, status, "GatedRepo", b"no access");
    }
    if revision != "main" && revision != COMMIT && !repository.revisions.contains(&revision) {
        return plain(&mut stream, 404, "RevisionNotFound", b"no such revision");
    }
    let Some(file) = file else {
        let list = repository.list.clone();
        let info = describe(repository, &list);
        drop(state);
        return listed(&mut stream, list, &info);
    };
    let Some(contents) = repository.files.get(&file).cloned() else {
        return plain(&mut stream, 404, "EntryNotFound", b"no such file");
    };
    let probing = range.as_deref() == Some("bytes=0-0");
    let serve = repository.serve.get(&file).cloned().unwrap_or(Serve::Whole);
    if matches!(serve, Serve::Cut(_)) && !probing {
        repository.serve.remove(&file);
    }
    drop(state);
    match serve {
        Serve::Status(status) => plain(&mut stream, status, "", b"an error"),
        Serve::StatusOfBody(status) if !probing => plain(&mut stream, status, "", b"an error"),
        Serve::Redirect(port) => {
            let location = format!("http://127.0.0.1:{port}/storage/{name}//{file}");
            redirect(&mut stream, &contents, Some(&location));
        }
        Serve::Location(location) => redirect(&mut stream, &contents, location.as_deref()),
        Serve::NoAnswer if probing => pause(),
        serve => send(&mut stream, &contents, range.as_deref(), &serve),
    }
}

/// The description of a repository.
fn describe(repository: &Repository, list: &List) -> String {
    let siblings: Vec<serde_json::Value> = repository
        .files
        .iter()
        .map(|(name, contents)| match list {
            List::NamesOnly => serde_json::json!({"rfilename": name}),
            _ => serde_json::json!({
                "rfilename": name,
                "blobId": git_hash(contents),
                "size": contents.len(),
            }),
        })
        .collect();
    match list {
        List::NamesOnly => serde_json::json!({"siblings": siblings}),
        _ => serde_json::json!({"sha": COMMIT, "siblings": siblings}),
    }
    .to_string()
}

fn listed(stream: &mut TcpStream, list: List, info: &str) {
    match list {
        List::Whole | List::NamesOnly => plain(stream, 200, "", info.as_bytes()),
        List::Status(status) => plain(stream, status, "", b"\x1b[31man error"),
        List::Body(body) => plain(stream, 200, "", &body),
        List::NoAnswer => pause(),
        List::Stall => {
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n{");
            pause();
        }
        List::Drip => {
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 100000000\r\n\r\n");
            drip(stream);
        }
        List::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\n\r\n");
            while stream.write_all(&[b' '; 65536]).is_ok() {}
        }
        List::EndlessHead => {
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\n");
            while stream.write_all(b"X-More: and more and more\r\n").is_ok() {}
        }
        List::Location(location) => redirect(stream, b"", Some(&location)),
    }
}

/// Longer than any test runs.
fn pause() {
    std::thread::sleep(Duration::from_secs(60));
}

fn drip(stream: &mut TcpStream) {
    while stream.write_all(b" ").is_ok() {
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn plain(stream: &mut TcpStream, status: u16, code: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} X\r\nX-Error-Code: {code}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body);
}

fn redirect(stream: &mut TcpStream, contents: &[u8], location: Option<&str>) {
    let location = location.map_or_else(String::new, |to| format!("Location: {to}\r\n"));
    let head = format!(
        "HTTP/1.1 302 Found\r\n{location}ETag: \"{}\"\r\nX-Repo-Commit: {COMMIT}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        git_hash(contents)
    );
    let _ = stream.write_all(head.as_bytes());
}

/// The hash that git has for contents, and the hub for files without git-lfs.
pub fn git_hash(contents: &[u8]) -> String {
    hash(
        &ring::digest::SHA1_FOR_LEGACY_USE_ONLY,
        &[format!("blob {}\0", contents.len()).as_bytes(), contents],
    )
}

/// The hash that git-lfs has.
pub fn sha256(contents: &[u8]) -> String {
    hash(&ring::digest::SHA256, &[contents])
}

fn hash(algorithm: &'static ring::digest::Algorithm, parts: &[&[u8]]) -> String {
    let digest = ring::digest::digest(algorithm, &parts.concat());
    digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn send(stream: &mut TcpStream, contents: &[u8], range: Option<&str>, serve: &Serve) {
    let probing = range == Some("bytes=0-0");
    let (start, end) = range
        .filter(|_| *serve != Serve::IgnoreRange)
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
        .map_or((0, contents.len()), |(start, end)| {
            let end = end.parse::<usize>().map_or(contents.len(), |end| end + 1);
            (start.parse().unwrap_or(0), end.min(contents.len()))
        });
    let total = match serve {
        Serve::WrongLength => contents.len() + 7,
        _ => contents.len(),
    };
    if start >= contents.len() {
        let head = format!(
            "HTTP/1.1 416 X\r\nContent-Range: bytes */{total}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let _ = stream.write_all(head.as_bytes());
        return;
    }
    let mut part = contents[start.min(end)..end].to_vec();
    match serve {
        Serve::Garbage if !probing => part.iter_mut().for_each(|byte| *byte ^= 0x95),
        Serve::Longer if !probing => part.extend_from_slice(b"more"),
        _ => {}
    }
    let status = if *serve == Serve::IgnoreRange {
        200
    } else {
        206
    };
    let content_range = match serve {
        Serve::Range(range) if probing => range.clone(),
        _ => format!("bytes {start}-{}/{total}", end.saturating_sub(1)),
    };
    let etag = match serve {
        Serve::Etag(etag) => format!("ETag: \"{etag}\"\r\n"),
        Serve::NoEtag => String::new(),
        _ => format!("ETag: \"{}\"\r\n", git_hash(contents)),
    };
    let commit = match serve {
        Serve::Commit(commit) => commit,
        _ => COMMIT,
    };
    let length = match serve {
        Serve::Endless if !probing => String::new(),
        _ => format!("Content-Length: {}\r\n", part.len()),
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\n{length}Content-Range: {content_range}\r\n{etag}X-Repo-Commit: {commit}\r\nConnection: close\r\n\r\n",
    );
    let _ = stream.write_all(head.as_bytes());
    match serve {
        Serve::NoBody if probing => pause(),
        _ if probing => {
            let _ = stream.write_all(&part);
        }
        Serve::Cut(n) => {
            let _ = stream.write_all(&part[..(*n).min(part.len())]);
        }
        Serve::Half => {
            let _ = stream.write_all(&part[..part.len() / 2]);
        }
        Serve::Stall => {
            let _ = stream.write_all(&part[..1]);
            pause();
        }
        Serve::Drip => drip(stream),
        Serve::Endless => while stream.write_all(&[b' '; 65536]).is_ok() {},
        _ => {
            let _ = stream.write_all(&part);
        }
    }
}
