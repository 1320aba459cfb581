//! A model in a folder, laid out as on the hub.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};
use crate::transformer::{ModelFiles, Source, TokenizerFiles};

pub const CONFIG: &str = "config.json";
pub const TOKENIZER: &str = "tokenizer.json";
pub const VOCAB: &str = "vocab.json";
pub const MERGES: &str = "merges.txt";
pub const WEIGHTS: &str = "model.safetensors";
pub const INDEX: &str = "model.safetensors.index.json";

pub fn files(id: &str) -> Result<ModelFiles> {
    let folder = expand_home(id);
    if !folder.exists() {
        return Err(Error::other(format!("there is no folder {}", folder.display())).hint(
            "a model is `demo`, an alias such as `gpt2-xl`, a hub id such as `org/name`, or a folder such as `./my-gpt2`",
        ));
    }
    if !folder.is_dir() {
        return Err(Error::other(format!(
            "{} is a file, and a model is a folder",
            folder.display()
        ))
        .hint("name the folder that holds config.json"));
    }
    let find = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
    from_files(id, &format!("the folder {}", folder.display()), find)
}

/// Puts a model together from whatever `find` finds; `place` is for messages.
pub fn from_files(
    name: &str,
    place: &str,
    find: impl Fn(&str) -> Option<PathBuf>,
) -> Result<ModelFiles> {
    let missing = |file: &str, hint: &str| {
        Error::new(ErrorKind::MissingFile {
            place: place.to_owned(),
            file: file.to_owned(),
        })
        .hint(hint)
    };
    let config = find(CONFIG).ok_or_else(|| {
        missing(
            CONFIG,
            "a model folder has config.json, tokenizer.json and model.safetensors",
        )
    })?;
    let tokenizer = match (find(TOKENIZER), find(VOCAB), find(MERGES)) {
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
    let weights = match (find(WEIGHTS), find(INDEX)) {
        (Some(weights), _) => vec![weights],
        (None, Some(index)) => shards(&index)?
            .into_iter()
            .map(|shard| {
                find(&shard).ok_or_else(|| {
                    missing(&shard, "model.safetensors.index.json lists it as a shard")
                })
            })
            .collect::<Result<_>>()?,
        (None, None) if find("pytorch_model.bin").is_some() => {
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
    };
    let text = std::fs::read_to_string(index).map_err(|error| bad(error.to_string()))?;
    let parsed: Index = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let mut shards: Vec<String> = parsed.weight_map.into_values().collect();
    shards.sort();
    shards.dedup();
    for shard in &shards {
        // A shard is a plain name: nothing outside of the folder may be named.
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
