//! Models on the Hugging Face hub, kept in its standard cache.
//!
//! What is in the cache is used without asking the network, so that a script runs the same next
//! year and starts at once; a revision can be named to get another state of a repository.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use serde::Deserialize;

use super::StoreOptions;
use super::folder::{CONFIG, INDEX, MERGES, TOKENIZER, VOCAB, WEIGHTS, from_files, shards};
use super::names::aliases;
use crate::error::{Error, ErrorKind, Result};
use crate::model::ModelFiles;
use crate::progress::{Task, Unit};

pub fn files(
    id: &str,
    repository: &str,
    revision: Option<String>,
    options: &StoreOptions,
) -> Result<ModelFiles> {
    let repo = Repo::with_revision(
        repository.to_owned(),
        RepoType::Model,
        revision.unwrap_or_else(|| "main".into()),
    );
    let cached = Cache::from_env().repo(repo.clone());
    if complete(&cached) {
        return from_files(id, id, |name| Ok(cached.get(name)));
    }
    if options.permissions.offline || is_set("HF_HUB_OFFLINE") {
        return Err(ErrorKind::Offline { id: id.to_owned() }.into());
    }
    Hub::new(id, repo, options)?.fetch()?;
    from_files(id, id, |name| Ok(cached.get(name)))
}

/// Whether everything that a model needs is in the cache.
fn complete(cached: &CacheRepo) -> bool {
    let has = |name: &str| cached.get(name).is_some();
    let weights = has(WEIGHTS)
        || cached
            .get(INDEX)
            .and_then(|index| shards(&index).ok())
            .is_some_and(|shards| shards.iter().all(|shard| has(shard)));
    has(CONFIG) && (has(TOKENIZER) || (has(VOCAB) && has(MERGES))) && weights
}

fn is_set(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| {
        matches!(
            value.to_ascii_lowercase().as_str(),
            "1" | "true" | "yes" | "on"
        )
    })
}

/// One repository while its files are fetched.
struct Hub<'o> {
    id: String,
    endpoint: String,
    has_token: bool,
    api: Api,
    repository: Repo,
    repo: ApiRepo,
    cached: CacheRepo,
    options: &'o StoreOptions,
}

/// The hub's description of a repository.
#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

impl<'o> Hub<'o> {
    fn new(id: &str, repo: Repo, options: &'o StoreOptions) -> Result<Self> {
        let cache = Cache::from_env();
        let token = std::env::var("HF_TOKEN")
            .ok()
            .map(|token| token.trim().to_owned())
            .filter(|token| !token.is_empty())
            .or_else(|| cache.token());
        let endpoint = std::env::var("HF_ENDPOINT")
            .ok()
            .filter(|endpoint| !endpoint.is_empty())
            .unwrap_or_else(|| "https://huggingface.co".into())
            .trim_end_matches('/')
            .to_owned();
        let api = ApiBuilder::from_cache(cache.clone())
            .with_endpoint(endpoint.clone())
            .with_progress(false)
            .with_token(token.clone())
            .build()
            .map_err(|error| Error::other(format!("can't set up the hub's client: {error}")))?;
        Ok(Self {
            id: id.to_owned(),
            endpoint,
            has_token: token.is_some(),
            repo: api.repo(repo.clone()),
            cached: cache.repo(repo.clone()),
            repository: repo,
            api,
            options,
        })
    }

    /// Downloads what is needed and not in the cache yet.
    fn fetch(&self) -> Result<()> {
        let listed: Vec<String> = self.list()?;
        let has = |name: &str| listed.iter().any(|file| file == name);
        let mut wanted = vec![CONFIG.to_owned()];
        if has(TOKENIZER) {
            wanted.push(TOKENIZER.into());
        } else {
            wanted.extend([VOCAB.to_owned(), MERGES.to_owned()]);
        }
        if has(WEIGHTS) || !has(INDEX) {
            wanted.push(WEIGHTS.into());
        } else {
            let index = self.file(INDEX)?;
            wanted.extend(shards(&index)?);
        }
        // Report all missing files before fetching gigabytes.
        let available = |name: &str| Ok(has(name).then(|| PathBuf::from(name)));
        if !has(INDEX) {
            from_files(&self.id, &format!("`{}` on the hub", self.id), available)?;
        }
        for name in wanted {
            self.file(&name)?;
        }
        Ok(())
    }

    /// The names of the repository's files.
    fn list(&self) -> Result<Vec<String>> {
        let request = self
            .repo
            .info_request()
            .config()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            .build();
        let mut response = request
            .call()
            .map_err(|error| self.unreachable(&error.to_string()))?;
        let code = response
            .headers()
            .get("x-error-code")
            .and_then(|code| code.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        match response.status().as_u16() {
            200..=299 => {}
            status => return Err(self.refused(status, &code)),
        }
        let text = response
            .body_mut()
            .read_to_string()
            .map_err(|error| self.unreachable(&error.to_string()))?;
        let info: Info = serde_json::from_str(&text)
            .map_err(|error| self.unreachable(&format!("its answer makes no sense: {error}")))?;
        Ok(info
            .siblings
            .into_iter()
            .map(|file| file.rfilename)
            .collect())
    }

    /// One file, from the cache or downloaded. A cut download is kept and resumed by the next.
    fn file(&self, name: &str) -> Result<PathBuf> {
        if let Some(path) = self.cached.get(name) {
            return Ok(path);
        }
        let what = format!("{name} of {}", self.id);
        let failed = |reason: String| {
            Error::new(ErrorKind::Download {
                what: what.clone(),
                reason,
            })
        };
        let size = match self.api.metadata(&self.repo.url(name)) {
            Ok(metadata) => metadata.size() as u64,
            Err(error) => return Err(self.download_error(&what, error)),
        };
        let task: Arc<dyn Task> = Arc::from(self.options.progress.start(&what, size, Unit::Bytes));
        // The client can't be interrupted, so it works on a thread of its own: a cancelled
        // run continues at once, and the next one resumes the download.
        let (sender, receiver) = channel();
        let (repo, file, watcher) = (
            self.api.repo(self.repository.clone()),
            name.to_owned(),
            Watcher(task),
        );
        std::thread::spawn(move || {
            // After a cancel, nobody receives this.
            let _ = sender.send(repo.download_with_progress(&file, watcher));
        });
        let downloaded = loop {
            self.options.cancel.check()?;
            match receiver.recv_timeout(Duration::from_millis(50)) {
                Ok(result) => break result,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(failed("the download broke off".into()));
                }
            }
        };
        let path = downloaded.map_err(|error| self.download_error(&what, error))?;
        let length = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        if length != size {
            // A wrong file must not stay in the cache: neither its name nor its contents.
            if let Ok(blob) = std::fs::canonicalize(&path) {
                let _ = std::fs::remove_file(blob);
            }
            let _ = std::fs::remove_file(&path);
            return Err(failed(format!(
                "{length} bytes arrived, and the hub had announced {size}"
            ))
            .hint("try again: the broken file has been removed"));
        }
        Ok(path)
    }

    fn download_error(&self, what: &str, error: ApiError) -> Error {
        let failed = |reason: String| {
            Error::new(ErrorKind::Download {
                what: what.to_owned(),
                reason,
            })
        };
        match error {
            ApiError::RequestError(error) => match *error {
                ureq::Error::StatusCode(status @ (401 | 403 | 404)) => self.refused(status, ""),
                ureq::Error::StatusCode(status) => {
                    failed(format!("the hub answered with status {status}")).hint("try again later")
                }
                other => self.unreachable(&other.to_string()),
            },
            ApiError::TooManyRetries(inner) => self.download_error(what, *inner),
            ApiError::LockAcquisition(_) => {
                failed("another program is downloading it".into()).hint("wait until it is done")
            }
            ApiError::InvalidResume => {
                failed("what an earlier download left is not part of it".into())
                    .hint("remove the file ending in .part in the cache's blobs folder")
            }
            ApiError::IoError(error) => failed(format!("it broke off: {error}"))
                .hint("run it again: the download goes on where it stopped"),
            other => failed(other.to_string()),
        }
    }

    /// The hub has answered, and the answer is no.
    fn refused(&self, status: u16, code: &str) -> Error {
        let id = self.id.clone();
        match (status, code) {
            (_, "RevisionNotFound") => {
                Error::other(format!("`{id}` is on the hub, but not in this revision"))
                    .hint("a revision is a branch, a tag or a commit")
            }
            (_, "GatedRepo") | (403, _) => ErrorKind::NoAccess {
                id,
                has_token: self.has_token,
            }
            .into(),
            // The hub hides what doesn't exist behind "not authorised" from those without a token.
            (401 | 404, _) => Error::new(ErrorKind::ModelNotFound {
                id,
                known: aliases(),
            })
            .hint(if self.has_token {
                "the hub knows no model of this name that this token may see"
            } else {
                "the hub shows no public model of this name; a private one needs HF_TOKEN"
            }),
            (status, _) => Error::new(ErrorKind::Download {
                what: id,
                reason: format!("the hub answered with status {status}"),
            })
            .hint("try again later"),
        }
    }

    fn unreachable(&self, reason: &str) -> Error {
        // "io: Connection refused (os error 111)"
        let reason = reason.trim_start_matches("io: ");
        let reason = reason.split(" (os error").next().unwrap_or(reason);
        Error::new(ErrorKind::Download {
            what: self.id.clone(),
            reason: format!("{} can't be reached: {reason}", self.endpoint),
        })
        .hint("check the network and HF_ENDPOINT; `demo` and models in folders need no network")
    }
}

/// Passes the client's progress on.
struct Watcher(Arc<dyn Task>);

impl hf_hub::api::Progress for Watcher {
    fn init(&mut self, _: usize, _: &str) {}

    fn update(&mut self, size: usize) {
        self.0.advance(size as u64);
    }

    fn finish(&mut self) {}
}
