//! A model in a folder, laid out like on the hub.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::environment::expand_home;
use super::rule::FileName;
use crate::error::{Error, ErrorKind, Result, not_json};
use crate::model::{ModelFiles, SideFiles, TokenizerFiles};
use crate::permissions::Permissions;
use crate::weights::Source;

pub(super) const CONFIG: &str = "config.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const VOCAB: &str = "vocab.json";
pub(super) const MERGES: &str = "merges.txt";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// The model in the folder that `id` names. `store` is the folder of the hub's models.
pub(super) fn files(id: &str, permissions: &Permissions, store: &Path) -> Result<ModelFiles> {
    let folder = path_of(id, permissions)?;
    let may_tell = permissions.is_named(id) || permissions.check_read(&folder, store).is_ok();
    if !may_tell && !permissions.may_load_from(id, &folder) {
        return Err(ErrorKind::NotPermitted {
            action: format!("load a model from {}", folder.display()),
            how: format!("name it on the command line, as in -p model={id}"),
        }
        .into());
    }
    // Outside its own places, a script must not learn what exists.
    if !may_tell && !is_model(&folder) {
        return Err(
            Error::other(format!("there is no model in {}", folder.display()))
                .hint("a model folder has config.json, tokenizer.json and model.safetensors"),
        );
    }
    match std::fs::metadata(&folder) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            return Err(Error::other(format!(
                "{} is a file, and a model is a folder",
                folder.display()
            ))
            .hint("name the folder that holds config.json"));
        }
        Err(error) if is_absent(&error) => {
            return Err(Error::other(format!("there is no folder {}", folder.display())).hint(
                "a model is `demo`, an alias such as `gpt2-xl`, a hub id such as `org/name`, or a folder such as `./my-gpt2`",
            ));
        }
        Err(error) => return Err(Error::io("read", folder, &error)),
    }
    let real = folder
        .canonicalize()
        .map_err(|error| Error::io("read", &folder, &error))?;
    from_files(id, &format!("the folder {}", folder.display()), |name| {
        let path = folder.join(name);
        let found = std::fs::symlink_metadata(&path);
        present(&real, &path, found.map(|_| ()))
    })
}

/// Whether a name without a leading dot or slash is that of a model's folder that may be used.
pub(super) fn is_here(id: &str, permissions: &Permissions, store: &Path) -> bool {
    let folder = Path::new(id);
    if permissions.check_read(folder, store).is_ok() {
        return folder.is_dir();
    }
    permissions.may_load_from(id, folder) && is_model(folder)
}

fn is_model(folder: &Path) -> bool {
    folder.join(CONFIG).symlink_metadata().is_ok()
}

/// The folder that a name stands for. `~` is the home folder for users, but not for scripts.
fn path_of(id: &str, permissions: &Permissions) -> Result<PathBuf> {
    if !id.starts_with('~') {
        return Ok(PathBuf::from(id));
    }
    if permissions.is_named(id) {
        return Ok(expand_home(id, std::env::home_dir().as_deref()));
    }
    Err(
        Error::other(format!("`~` in {id:?} stands for no folder in a script")).hint(format!(
            "write the folder's whole path, or name it on the command line, as in -p model={id}"
        )),
    )
}

/// Whether nothing is there, as opposed to something that can't be accessed.
fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

/// The path of a file in the folder `real` if it exists; an error if it is not a file, can't be
/// accessed, or is a link that leads out of the folder.
fn present(real: &Path, path: &Path, found: std::io::Result<()>) -> Result<Option<PathBuf>> {
    match found {
        Ok(()) => {}
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(Error::io("read", path, &error)),
    }
    // One message, whether or not the link's target exists.
    let target = path
        .canonicalize()
        .ok()
        .filter(|target| is_inside(real, target));
    let Some(metadata) = target.and_then(|target| target.metadata().ok()) else {
        return Err(Error::other(format!(
            "{} is a link that leads out of its folder, or nowhere",
            path.display()
        ))
        .hint("put the file itself there: a model's files are in its own folder"));
    };
    crate::files::regular(path, &metadata)?;
    Ok(Some(path.to_owned()))
}

/// Whether a file belongs to a folder. In the hub's cache, the files of a snapshot are links to the
/// blobs beside it.
fn is_inside(folder: &Path, file: &Path) -> bool {
    let blobs = || {
        let snapshots = folder.parent()?;
        let is_cache = snapshots.file_name()? == "snapshots";
        Some(snapshots.parent()?.join("blobs")).filter(|_| is_cache)
    };
    file.starts_with(folder) || blobs().is_some_and(|blobs| file.starts_with(blobs))
}

/// Assembles a model from the files that `find` finds; `place` is for messages.
pub(super) fn from_files(
    name: &str,
    place: &str,
    find: impl Fn(&str) -> Result<Option<PathBuf>>,
) -> Result<ModelFiles> {
    let missing = |file: &str, hint: &str| {
        Error::new(ErrorKind::MissingFile {
            place: place.to_owned(),
            file: file.to_owned(),
        })
        .hint(hint)
    };
    let config = find(CONFIG)?.ok_or_else(|| {
        missing(
            CONFIG,
            "a model folder has config.json, tokenizer.json and model.safetensors",
        )
    })?;
    let tokenizer = match (find(TOKENIZER)?, find(VOCAB)?, find(MERGES)?) {
        (Some(json), ..) => TokenizerFiles::Json(Source::Path(json)),
        (None, Some(vocab), Some(merges)) => TokenizerFiles::VocabAndMerges {
            vocab: Source::Path(vocab),
            merges: Source::Path(merges),
        },
        _ => {
            return Err(missing(
                "tokenizer",
                "put tokenizer.json there, or vocab.json and merges.txt",
            ));
        }
    };
    let weights = match (find(WEIGHTS)?, find(INDEX)?) {
        (Some(weights), _) => vec![weights],
        (None, Some(index)) => shards(&index)?
            .into_iter()
            .map(|shard| {
                find(&shard)?.ok_or_else(|| {
                    missing(
                        &shard,
                        "model.safetensors.index.json lists it as a shard: copy or download it too",
                    )
                })
            })
            .collect::<Result<_>>()?,
        (None, None) if find("pytorch_model.bin")?.is_some() => {
            return Err(missing(
                WEIGHTS,
                "avec doesn't read pytorch_model.bin: convert it with `model.save_pretrained(folder, safe_serialization=True)`",
            ));
        }
        (None, None) => {
            return Err(missing(
                WEIGHTS,
                "put model.safetensors there, or its shards with model.safetensors.index.json",
            ));
        }
    };
    Ok(ModelFiles {
        name: name.to_owned(),
        config: Source::Path(config),
        tokenizer,
        weights: weights.into_iter().map(Source::Path).collect(),
        side: SideFiles::find(|name| Ok::<_, Error>(find(name)?.map(Source::Path)))?,
    })
}

/// The shards that an index lists, each once.
pub(super) fn shards(index: &Path) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let bad = |reason: String| {
        Error::new(ErrorKind::BadFile {
            what: "list of shards",
            path: index.display().to_string(),
            reason,
        })
        .hint("copy or download it again, with the shards that it lists")
    };
    let text = crate::files::read(index)?;
    let parsed: Index = serde_json::from_slice(&text).map_err(|error| {
        bad(if error.is_data() {
            "it has no weight_map that names a file for each tensor".into()
        } else {
            not_json(&error)
        })
    })?;
    let mut shards: Vec<String> = parsed.weight_map.into_values().collect();
    shards.sort();
    shards.dedup();
    for shard in &shards {
        // A shard is a plain file name: an index must not lead outside the folder.
        if FileName::parse_plain(shard).is_none() {
            let shard: String = shard.chars().take(80).collect();
            return Err(bad(format!("{shard:?} is not a file of this folder")));
        }
    }
    if shards.is_empty() {
        return Err(bad("it lists none".into()));
    }
    Ok(shards)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn inaccessible_files_are_not_called_missing() {
        let (folder, path) = (Path::new("m"), Path::new("m/config.json"));
        let refused = |kind: io::ErrorKind| present(folder, path, Err(kind.into()));
        assert_eq!(refused(io::ErrorKind::NotFound).unwrap(), None);
        assert_eq!(refused(io::ErrorKind::NotADirectory).unwrap(), None);
        let error = refused(io::ErrorKind::PermissionDenied).unwrap_err();
        assert_eq!(
            error.message(),
            "can't read m/config.json: permission denied"
        );
        assert_eq!(
            error.hints(),
            ["check the permissions of the file and of its folders"]
        );
    }

    #[test]
    fn files_must_be_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let found = |name: &str| {
            let path = real.join(name);
            present(&real, &path, path.symlink_metadata().map(|_| ()))
        };
        std::fs::write(real.join("config.json"), "{}").unwrap();
        std::fs::create_dir(real.join("vocab.json")).unwrap();
        assert_eq!(
            found("config.json").unwrap(),
            Some(real.join("config.json"))
        );
        assert_eq!(found("merges.txt").unwrap(), None);
        assert!(
            found("vocab.json")
                .unwrap_err()
                .message()
                .ends_with("vocab.json is a folder, and it must be a file")
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_in_the_folder() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let snapshot = root.join("models--a--b/snapshots/c");
        let blobs = root.join("models--a--b/blobs");
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::create_dir_all(&blobs).unwrap();
        std::fs::write(blobs.join("1"), "{}").unwrap();
        std::fs::write(root.join("secret"), "x").unwrap();
        let found = |target: &str| {
            let path = snapshot.join("x");
            let _ = std::fs::remove_file(&path);
            symlink(target, &path).unwrap();
            present(&snapshot, &path, path.symlink_metadata().map(|_| ()))
        };
        assert!(found("../../blobs/1").unwrap().is_some());
        let secret = found("../../../secret").unwrap_err();
        let nothing = found("../../../nothing").unwrap_err();
        assert_eq!(secret.message(), nothing.message());
        assert!(
            secret
                .message()
                .ends_with("x is a link that leads out of its folder, or nowhere")
        );
        // Blobs that are themselves elsewhere.
        std::fs::rename(&blobs, root.join("elsewhere")).unwrap();
        symlink(root.join("elsewhere"), &blobs).unwrap();
        assert!(found("../../blobs/1").is_err());
    }
}
