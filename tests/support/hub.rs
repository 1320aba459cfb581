//! A small server on the loopback that serves repositories the way the Hugging Face hub does.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the hub does when a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serve {
    Whole,
    /// Breaks the connection after this number of bytes, the first time.
    Cut(usize),
    /// Announces one length and sends another, and closes the connection as if all were well.
    WrongLength,
    /// Stalls: sends one byte, then nothing for a long time.
    Stall,
    /// Sends the client to this path of another server.
    Redirect(u16),
    Status(u16),
}

#[derive(Default)]
pub struct Repository {
    pub files: BTreeMap<String, Vec<u8>>,
    /// How single files are served; whole by default.
    pub serve: BTreeMap<String, Serve>,
    /// Only for this token.
    pub token: Option<String>,
    pub revisions: Vec<String>,
}

#[derive(Default)]
struct State {
    repositories: BTreeMap<String, Repository>,
    /// Every request: its line, then range and authorization where there are any.
    log: Vec<String>,
}

pub struct Hub {
    state: Arc<Mutex<State>>,
    pub port: u16,
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

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
    let path = head[0].split(' ').nth(1).unwrap_or_default().to_owned();
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
        send(&mut stream, &contents, range.as_deref(), Serve::Whole);
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
            None => return plain(&mut stream, 404, "", "no such page"),
        },
    };
    let (revision, file) = rest;
    let Some(repository) = state.repositories.get_mut(&name) else {
        // The hub hides from strangers whether a private repository exists.
        let status = if auth.is_some() { 404 } else { 401 };
        return plain(&mut stream, status, "RepoNotFound", "not found");
    };
    if let Some(token) = &repository.token
        && auth.as_deref() != Some(&format!("Bearer {token}"))
    {
        let status = if auth.is_some() { 403 } else { 401 };
        return plain(&mut stream, status, "GatedRepo", "no access");
    }
    if revision != "main" && !repository.revisions.contains(&revision) {
        return plain(&mut stream, 404, "RevisionNotFound", "no such revision");
    }
    let Some(file) = file else {
        let siblings: Vec<serde_json::Value> = repository
            .files
            .keys()
            .map(|name| serde_json::json!({"rfilename": name}))
            .collect();
        let info = serde_json::json!({"sha": COMMIT, "siblings": siblings}).to_string();
        return plain(&mut stream, 200, "", &info);
    };
    let Some(contents) = repository.files.get(&file).cloned() else {
        return plain(&mut stream, 404, "EntryNotFound", "no such file");
    };
    // The client first asks for one byte, to learn the size.
    let probing = range.as_deref() == Some("bytes=0-0");
    let serve = repository.serve.get(&file).copied().unwrap_or(Serve::Whole);
    if matches!(serve, Serve::Cut(_)) && !probing {
        repository.serve.remove(&file);
    }
    drop(state);
    match serve {
        Serve::Status(status) => plain(&mut stream, status, "", "an error"),
        Serve::Redirect(port) => {
            let head = format!(
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/storage/{name}//{file}\r\nETag: \"{}\"\r\nX-Repo-Commit: {COMMIT}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                etag(&contents)
            );
            let _ = stream.write_all(head.as_bytes());
        }
        serve => {
            let serve = if probing && serve != Serve::WrongLength {
                Serve::Whole
            } else {
                serve
            };
            send(&mut stream, &contents, range.as_deref(), serve);
        }
    }
}

fn plain(stream: &mut TcpStream, status: u16, code: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status} X\r\nX-Error-Code: {code}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body.as_bytes());
}

fn etag(contents: &[u8]) -> String {
    // Any text that differs between contents will do.
    let sum: u64 = contents
        .iter()
        .enumerate()
        .map(|(i, b)| (i as u64 + 1) * u64::from(*b))
        .sum();
    format!("{:x}-{sum:x}", contents.len())
}

fn send(stream: &mut TcpStream, contents: &[u8], range: Option<&str>, serve: Serve) {
    let (start, end) = range
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
        .map_or((0, contents.len()), |(start, end)| {
            let end = end.parse::<usize>().map_or(contents.len(), |end| end + 1);
            (start.parse().unwrap_or(0), end.min(contents.len()))
        });
    let part = &contents[start.min(end)..end];
    let total = match serve {
        Serve::WrongLength => contents.len() + 7,
        _ => contents.len(),
    };
    let head = format!(
        "HTTP/1.1 206 Partial\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{total}\r\nETag: \"{}\"\r\nX-Repo-Commit: {COMMIT}\r\nConnection: close\r\n\r\n",
        part.len(),
        end.saturating_sub(1),
        etag(contents),
    );
    let _ = stream.write_all(head.as_bytes());
    match serve {
        Serve::Cut(n) => {
            let _ = stream.write_all(&part[..n.min(part.len())]);
        }
        Serve::Stall => {
            let _ = stream.write_all(&part[..1]);
            std::thread::sleep(std::time::Duration::from_secs(30));
        }
        _ => {
            let _ = stream.write_all(part);
        }
    }
}
