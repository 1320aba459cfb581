//! The store: from a model's name to its files, which are the embedded demo, in a folder, or on the
//! Hugging Face hub and in its cache. It knows where files are, not what is in them.
//!
//! External names pass one rule (`rule`) before they touch a path or a URL; `docs/security.md`
//! lists the other guarantees.

mod address;
mod answer;
mod cache;
mod demo;
mod digest;
mod download;
mod environment;
mod folder;
#[doc(hidden)]
pub mod fuzz;
mod hub;
mod names;
mod plausible;
mod rule;
mod transport;

pub use hub::{cache_folder, remove_broken};
pub use names::{DEMO, aliases};
use rule::{Kind, Repository, Revision};

use crate::error::{Error, ErrorKind, Result};
use crate::model::ModelFiles;
use crate::run::RunContext;

/// No path is longer.
const LONGEST: usize = 4096;

/// Finds a model's files, downloading them if necessary.
///
/// - `demo` is part of the program.
/// - `./folder`, `../folder` and `/folder` are folders, and so is the name of any existing model
///   folder that is not an alias. `~/folder` is one only if the user named it
///   ([`is_named`](crate::permissions::Permissions::is_named)).
/// - Everything else is an alias (`gpt2-xl`) or a hub id (`org/name`, `org/name@revision`).
///
/// # Errors
/// If there is no such model, if it can't be downloaded, or if a revision is given for the demo or
/// a folder.
///
/// ```
/// use avec::{RunContext, store};
///
/// let files = store::find(&RunContext::default(), "demo", None)?;
/// assert_eq!(files.name, "demo");
/// # Ok::<(), avec::error::Error>(())
/// ```
pub fn find(run: &RunContext, id: &str, revision: Option<&str>) -> Result<ModelFiles> {
    if id.len() > LONGEST {
        return Err(Error::other(format!(
            "a model's name has at most {LONGEST} bytes, and this one has {}",
            id.len()
        ))
        .hint("a model is `demo`, an alias such as `gpt2-xl`, a hub id such as `org/name`, or a folder such as `./my-gpt2`"));
    }
    let no_revision = |what: &str| match revision {
        Some(revision) => Err(Error::other(format!(
            "`{id}` has no revision {revision:?}: {what}, and only models on the hub have revisions"
        ))
        .hint("leave out `revision`")),
        None => Ok(()),
    };
    if id == DEMO {
        no_revision("it is part of the program")?;
        return Ok(demo::files());
    }
    let looks_like_path = id.starts_with(['.', '/', '~']) || id.contains('\\');
    let store = cache_folder();
    let is_here = || folder::is_here(id, &run.permissions, &store);
    if looks_like_path || (names::repository(id).is_none() && is_here()) {
        no_revision("it is a folder")?;
        return folder::files(id, &run.permissions, &store);
    }
    let (name, in_id) = match id.split_once('@') {
        Some((name, revision)) => (name, Some(revision.to_owned())),
        None => (id, None),
    };
    if name == DEMO {
        return Err(Error::other(format!(
            "`{id}` names a revision, and `{DEMO}` has none: it is part of the program"
        ))
        .hint(format!("write \"{DEMO}\"")));
    }
    if in_id.as_deref() == Some("") {
        return Err(
            Error::other(format!("`{id}` names no revision after its @")).hint(format!(
                "write \"{name}\", or a branch, tag or commit: \"{name}@main\""
            )),
        );
    }
    if revision == Some("") {
        return Err(
            Error::invalid("revision", "\"\"", "must be a branch, a tag or a commit")
                .hint("leave it out for the newest state"),
        );
    }
    let revision = match (in_id, revision.map(str::to_owned)) {
        (Some(one), Some(other)) if one != other => {
            return Err(Error::other(format!(
                "`{id}` names revision {one}, and the options name {other}"
            ))
            .hint("name the revision once"));
        }
        (one, other) => one.or(other),
    };
    let repository = Repository::parse(Kind::Model, names::repository(name).unwrap_or(name))
        .ok_or_else(|| ErrorKind::ModelNotFound {
            id: id.to_owned(),
            known: aliases(),
        })?;
    let revision = revision.unwrap_or_else(|| "main".into());
    let revision = Revision::parse(&revision).ok_or_else(|| {
        Error::invalid(
            "revision",
            format!("{revision:?}"),
            "must be a branch, a tag or a commit",
        )
        .hint("such as \"main\", \"v1.0\" or 40 hex digits")
    })?;
    hub::files(id, repository, revision, run)
}
