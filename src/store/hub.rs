//! Models on the Hugging Face hub, kept in its standard cache.
//!
//! A model in the cache is used without any request, so that a script starts at once and runs the same
//! next year. To get another state of a repository, name a revision.

use std::path::{Path, PathBuf};

use super::address::Address;
use super::answer::{Listing, Metadata};
use super::cache::CachedRepository;
use super::download::{Download, Failed, is_intact};
use super::environment::Environment;
use super::folder::{CONFIG, INDEX, MERGES, TOKENIZER, VOCAB, WEIGHTS, from_files, shards};
use super::names::aliases;
use super::rule::{Commit, Digest, FileName, Repository, Revision};
use super::transport::{Client, Trouble};
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result, bytes};
use crate::model::{ModelFiles, SideFiles, TokenizerFiles};
use crate::progress::Unit;
use crate::run::RunContext;
use crate::weights::Source;

/// The longest description of a repository: 100,000 files take about 30 MB.
const LISTING: u64 = 64 << 20;

/// The length that it gets time for: some 1000 files.
const USUAL_LISTING: u64 = 256 << 10;

pub(super) fn files(
    id: &str,
    repository: Repository,
    revision: Revision,
    run: &RunContext,
) -> Result<ModelFiles> {
    let environment = Environment::of_process();
    let cached = CachedRepository::new(&environment.cache(), &repository);
    if let Some(commit) = cached.commit(&revision)
        && is_complete(&cached, &commit)
    {
        return from_cache(id, &cached, &commit);
    }
    if run.permissions.offline || environment.is_offline() {
        return Err(ErrorKind::Offline { id: id.to_owned() }.into());
    }
    let hub = Hub {
        id: id.to_owned(),
        client: client(&environment, run)?,
        cached,
        repository,
        revision,
        run,
    };
    let commit = hub.fetch()?;
    from_cache(id, &hub.cached, &commit)
}

/// The cache of models from the hub.
pub fn cache_folder() -> PathBuf {
    Environment::of_process().cache()
}

/// Removes those of a model's files from the hub's cache whose contents don't match their hash, and
/// returns their names. For a model that can't be read: the next run downloads them again.
///
/// # Errors
/// If the run is cancelled.
pub fn remove_broken(files: &ModelFiles, cancel: &Cancel) -> Result<Vec<String>> {
    let Ok(cache) = cache_folder().canonicalize() else {
        return Ok(Vec::new());
    };
    let tokenizer = match &files.tokenizer {
        TokenizerFiles::Json(json) => vec![json],
        TokenizerFiles::VocabAndMerges { vocab, merges } => vec![vocab, merges],
    };
    let sources = std::iter::once(&files.config)
        .chain(tokenizer)
        .chain(&files.weights)
        .chain(files.side.iter());
    let mut removed = Vec::new();
    for source in sources {
        let Source::Path(path) = source else {
            continue;
        };
        let Some(blob) = path
            .canonicalize()
            .ok()
            .filter(|blob| blob.starts_with(&cache))
        else {
            continue;
        };
        let digest = blob
            .file_name()
            .and_then(|name| Digest::parse(name.to_str()?));
        if let Some(digest) = digest
            && !is_intact(&blob, &digest, cancel)?
        {
            let gone = std::fs::remove_file(&blob).and_then(|()| std::fs::remove_file(path));
            if gone.is_ok() {
                removed.push(path.display().to_string());
            }
        }
    }
    Ok(removed)
}

fn client(environment: &Environment, run: &RunContext) -> Result<Client> {
    let endpoint = environment.endpoint();
    let address = Address::parse(&endpoint)
        .filter(|address| !address.as_str().contains(['?', '#']))
        .ok_or_else(|| {
            // It may hold a password, so it is not shown.
            Error::other("HF_ENDPOINT is no address of a hub")
                .hint("it reads like https://huggingface.co, without a user, a query or spaces")
        })?;
    Ok(Client::new(
        address,
        environment.token()?,
        run.cancel.clone(),
        environment.answer_timeout(),
        environment.stall_timeout(),
    ))
}

fn from_cache(id: &str, cached: &CachedRepository, commit: &Commit) -> Result<ModelFiles> {
    from_files(id, id, |name| {
        Ok(FileName::parse(name).and_then(|name| cached.file(commit, &name)))
    })
}

/// Whether everything that a model needs is in the cache.
fn is_complete(cached: &CachedRepository, commit: &Commit) -> bool {
    let find = |name: &str| cached.file(commit, &FileName::parse(name)?);
    let has = |name: &str| find(name).is_some();
    let weights = has(WEIGHTS)
        || find(INDEX)
            .and_then(|index| shards(&index).ok())
            .is_some_and(|shards| shards.iter().all(|shard| has(shard)));
    has(CONFIG) && (has(TOKENIZER) || (has(VOCAB) && has(MERGES))) && weights
}

/// A repository whose files are being downloaded.
struct Hub<'r> {
    id: String,
    client: Client,
    repository: Repository,
    revision: Revision,
    cached: CachedRepository,
    run: &'r RunContext,
}

impl Hub<'_> {
    /// Downloads the files that are needed and not in the cache, and returns their commit.
    fn fetch(&self) -> Result<Commit> {
        let listing = self.list()?;
        let has = |name: &str| listing.has(name);
        let mut wanted = vec![CONFIG];
        if has(TOKENIZER) {
            wanted.push(TOKENIZER);
        } else {
            wanted.extend([VOCAB, MERGES]);
        }
        // What changes tokens, if it is there.
        wanted.extend(SideFiles::NAMES.into_iter().filter(|name| has(name)));
        if has(WEIGHTS) || !has(INDEX) {
            wanted.push(WEIGHTS);
        } else {
            wanted.push(INDEX);
        }
        // Report all missing files before fetching gigabytes.
        if !has(INDEX) {
            let available = |name: &str| Ok(has(name).then(|| PathBuf::from(name)));
            from_files(&self.id, &format!("`{}` on the hub", self.id), available)?;
        }
        let asked = Commit::parse(self.revision.as_str());
        let mut commit = match (asked, listing.commit.clone()) {
            (Some(asked), Some(listed)) if asked != listed => {
                return Err(self.failed(&self.id, "the hub answered for another commit".into()));
            }
            (asked, listed) => asked.or(listed),
        };
        for name in wanted {
            let path = self.file(name, &listing, &mut commit)?;
            if name == INDEX {
                for shard in shards(&path)? {
                    self.file(&shard, &listing, &mut commit)?;
                }
            }
        }
        let commit = commit.ok_or_else(|| self.failed(&self.id, "it has no commit".into()))?;
        // Last, so that an earlier state stays in use until this one is complete.
        self.cached.remember(&self.revision, &commit)?;
        Ok(commit)
    }

    /// The hub's description of the repository.
    fn list(&self) -> Result<Listing> {
        let path = self.repository.info_path(&self.revision);
        let mut answer = self
            .client
            .get(&path, None, USUAL_LISTING)
            .map_err(|trouble| self.troubled(&self.id, trouble))?;
        let code = answer
            .head
            .get("x-error-code")
            .unwrap_or_default()
            .to_owned();
        match answer.head.status {
            200..=299 => {}
            status => return Err(self.refused(status, &code)),
        }
        let body = answer
            .body(LISTING)
            .map_err(|trouble| self.troubled(&self.id, trouble))?;
        Listing::parse(&body)
            .map_err(|reason| self.senseless(&format!("its answer makes no sense: {reason}")))
    }

    /// A file, from the cache or downloaded. If a mirror doesn't report the commit, that of its
    /// first file applies to all.
    fn file(&self, name: &str, listing: &Listing, commit: &mut Option<Commit>) -> Result<PathBuf> {
        let what = format!("{name} of {}", self.id);
        let name = FileName::parse(name)
            .ok_or_else(|| self.failed(&what, "the hub has no files of such names".into()))?;
        if let Some(commit) = commit
            && let Some(path) = self.cached.file(commit, &name)
        {
            return Ok(path);
        }
        let revision = commit
            .as_ref()
            .map_or_else(|| self.revision.clone(), Revision::from);
        let path = self.repository.file_path(&revision, &name);
        let listed = listing.find(name.as_str());
        let size = listed.and_then(|file| file.size);
        let metadata = self.metadata(&what, &path, size)?;
        let most = crate::files::limit(Path::new(name.as_str()));
        if metadata.size > most && !name.as_str().ends_with(".safetensors") {
            return Err(self.failed(
                &what,
                format!(
                    "it has {}, and at most {} are read of such a file",
                    bytes(metadata.size),
                    bytes(most)
                ),
            ));
        }
        let agreed = match (commit.clone(), metadata.commit.clone()) {
            (Some(one), Some(other)) if one != other => {
                return Err(self
                    .failed(&what, "the hub has it of another commit".into())
                    .hint("try again: the repository may just have changed"));
            }
            (one, other) => one
                .or(other)
                .ok_or_else(|| self.failed(&what, "the hub doesn't say its commit".into()))?,
        };
        let digest: Option<&Digest> = listed
            .and_then(|file| file.digest.as_ref())
            .or(metadata.digest.as_ref());
        let task = self.run.progress.start(&what, metadata.size, Unit::Bytes);
        let download = Download {
            client: &self.client,
            cached: &self.cached,
            cancel: &self.run.cancel,
            commit: &agreed,
            name: &name,
            path,
            metadata: &metadata,
            digest,
            task: task.as_ref(),
        };
        let found = download.run().map_err(|failed| match failed {
            Failed::Trouble(trouble) => self.troubled(&what, trouble),
            Failed::Status(status @ (401 | 403 | 404)) => self.refused(status, ""),
            Failed::Status(status) => self.status(&what, status),
            Failed::Wrong(reason) => self
                .failed(&what, reason)
                .hint("try again: the broken file has been removed"),
            Failed::Other(error) => error,
        })?;
        *commit = Some(agreed);
        Ok(found)
    }

    /// What the headers say of a file, without its contents. `listed` is its size in the list.
    fn metadata(&self, what: &str, path: &str, listed: Option<u64>) -> Result<Metadata> {
        let answer = self
            .client
            .get(path, Some("bytes=0-0"), 1)
            .map_err(|trouble| self.troubled(what, trouble))?;
        match answer.head.status {
            200 | 206 => {}
            // An empty file has no first byte.
            416 if answer.head.get("content-range") == Some("bytes */0") => {}
            status @ (401 | 403 | 404) => return Err(self.refused(status, "")),
            status => return Err(self.status(what, status)),
        }
        Metadata::of(&answer.hops, listed).map_err(|reason| self.failed(what, reason))
    }

    /// The error for a hub's refusal.
    fn refused(&self, status: u16, code: &str) -> Error {
        let id = self.id.clone();
        let has_token = self.client.has_token();
        match (status, code) {
            (_, "RevisionNotFound") => {
                Error::other(format!("`{id}` is on the hub, but not in this revision"))
                    .hint("a revision is a branch, a tag or a commit")
            }
            (_, "GatedRepo") | (403, _) => ErrorKind::NoAccess { id, has_token }.into(),
            // Without a token, the hub answers "not authorised" for what doesn't exist.
            (401 | 404, _) => Error::new(ErrorKind::ModelNotFound {
                id,
                known: aliases(),
            })
            .hint(if has_token {
                "the hub knows no model of this name that this token may see"
            } else {
                "the hub shows no public model of this name; a private one needs HF_TOKEN"
            }),
            (status, _) => self.status(&id, status),
        }
    }

    fn status(&self, what: &str, status: u16) -> Error {
        self.failed(what, format!("the hub answered with status {status}"))
            .hint("try again later")
    }

    fn troubled(&self, what: &str, trouble: Trouble) -> Error {
        match trouble {
            Trouble::Cancelled => ErrorKind::Cancelled.into(),
            Trouble::Unreachable { server, reason } => {
                self.unreachable(&format!("{server} can't be reached: {reason}"))
            }
            Trouble::Senseless { server } => self.unreachable(&format!(
                "{server} can't be used: its answer is not proper HTTP"
            )),
            Trouble::Redirect(reason) => self
                .failed(what, reason)
                .hint("check HF_ENDPOINT, or try again later"),
            Trouble::BrokeOff(reason) => self
                .failed(what, format!("it broke off: {reason}"))
                .hint("run it again: the download goes on where it stopped"),
        }
    }

    /// The error for an answer that can't be understood: it may come from another server
    /// altogether.
    fn senseless(&self, reason: &str) -> Error {
        let endpoint = self.client.endpoint().as_str();
        self.unreachable(&format!("{endpoint} can't be used: {reason}"))
    }

    fn unreachable(&self, reason: &str) -> Error {
        self.failed(&self.id, reason.to_owned())
            .hint("check the network and HF_ENDPOINT; `demo` and models in folders need no network")
    }

    fn failed(&self, what: &str, reason: String) -> Error {
        Error::new(ErrorKind::Download {
            what: what.to_owned(),
            reason,
        })
    }
}
