//! Runs that use the test hub: the tiny model as a repository, a script that loads it, and its error
//! messages.
#![allow(
    dead_code,
    reason = "each test file is its own crate and uses a part of this"
)]

use std::path::Path;

use crate::hub::{Hub, Repository};
use crate::support::{Program, tiny_folder};

/// The tiny model as a repository with `tokenizer.json` and one weights file.
pub(crate) fn repository() -> Repository {
    let files = ["config.json", "tokenizer.json", "model.safetensors"]
        .into_iter()
        .map(|name| {
            let contents = std::fs::read(tiny_folder().join(name)).unwrap();
            (name.to_owned(), contents)
        });
    Repository {
        files: files
            .chain([("README.md".to_owned(), b"not needed".to_vec())])
            .collect(),
        ..Repository::default()
    }
}

pub(crate) const SCRIPT: &str = "print(load_model(param(\"model\", \"org/tiny\")).n_layers);";

/// A run that uses this hub.
pub(crate) fn program(hub: &Hub) -> Program {
    Program::script(SCRIPT).env("HF_ENDPOINT", &hub.endpoint())
}

pub(crate) fn failure(message: &str, hints: &[&str]) -> String {
    let mut text =
        format!("error: {message}\n --> script.rhai:1:7\n  |\n1 | {SCRIPT}\n  |       ^^^^^^^^^^");
    for hint in hints {
        text.push_str(&format!("\n  = help: {hint}"));
    }
    text
}

pub(crate) fn cached(program: &Program, path: &str) -> bool {
    let folder = program.folder.path().join("hf/hub/models--org--tiny");
    folder.join(path).exists()
}

/// Every file below a folder except those of the cache and the script.
pub(crate) fn strays(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if name != "script.rhai" && !name.starts_with("hf/hub/") {
                found.push(name);
            }
        }
    }
    found
}
