//! A model in a folder, laid out as on the hub.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result, not_json};
use crate::model::{ModelFiles, TokenizerFiles};
use crate::weights::Source;

pub const CONFIG: &str = "config.json";
pub const TOKENIZER: &str = "tokenizer.json";
pub const VOCAB: &str = "vocab.json";
pub const MERGES: &str = "merges.txt";
pub const WEIGHTS: &str = "model.safetensors";
pub const INDEX: &str = "model.safetensors.index.json";

pub fn files(id: &str) -> Result<ModelFiles> {
    let folder = expand_home(id);
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
    from_files(id, &format!("the folder {}", folder.display()), |name| {
        let path = folder.join(name);
        present(&path, std::fs::metadata(&path).map(|m| m.is_dir()))
    })
}

/// Whether nothing is there, as opposed to something that can't be accessed.
fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

/// A file's path if it exists; an error if it is a folder or can't be accessed.
fn present(path: &Path, is_folder: std::io::Result<bool>) -> Result<Option<PathBuf>> {
    match is_folder {
        Ok(false) => Ok(Some(path.to_owned())),
        Ok(true) => Err(Error::other(format!(
            "{} is a folder, and it must be a file",
            path.display()
        ))
        .hint("a model folder has config.json, tokenizer.json and model.safetensors as files")),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(Error::io("read", path, &error)),
    }
}

/// Assembles a model from the files that `find` finds; `place` is for messages.
pub fn from_files(
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
    })
}

/// The shards that an index lists, each once.
pub fn shards(index: &Path) -> Result<Vec<String>> {
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
    let text = std::fs::read(index).map_err(|error| Error::io("read", index, &error))?;
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
        let mut parts = Path::new(shard).components();
        if !matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        ) {
            return Err(bad(format!("{shard:?} is not a file of this folder")));
        }
    }
    if shards.is_empty() {
        return Err(bad("it lists none".into()));
    }
    Ok(shards)
}

fn expand_home(id: &str) -> PathBuf {
    match (id.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn inaccessible_files_are_not_called_missing() {
        let path = Path::new("m/config.json");
        let refused = |kind: io::ErrorKind| present(path, Err(kind.into()));
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
        assert_eq!(present(path, Ok(false)).unwrap(), Some(path.to_owned()));
        assert_eq!(
            present(path, Ok(true)).unwrap_err().message(),
            "m/config.json is a folder, and it must be a file"
        );
    }
}
