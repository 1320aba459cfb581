//! What several test files share.
#![allow(
    dead_code,
    reason = "each test file is its own crate and uses a part of this"
)]

use std::path::{Path, PathBuf};

use avec::transformer::{
    HookedTransformer, LoadOptions, ModelFiles, Processing, Source, TokenizerFiles,
};

pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A checkpoint folder with `tokenizer.json` and one weights file.
pub fn folder_files(folder: &Path) -> ModelFiles {
    let file = |name: &str| Source::Path(folder.join(name));
    ModelFiles {
        name: folder.display().to_string(),
        config: file("config.json"),
        tokenizer: TokenizerFiles::Json(file("tokenizer.json")),
        weights: vec![file("model.safetensors")],
    }
}

pub fn tiny_folder() -> PathBuf {
    repository().join("tests/golden/tiny")
}

/// The tiny random model of the reference fixtures.
pub fn tiny(processing: Processing) -> HookedTransformer {
    let options = LoadOptions {
        processing,
        ..LoadOptions::default()
    };
    HookedTransformer::load(&folder_files(&tiny_folder()), &options).unwrap()
}
