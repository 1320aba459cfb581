//! `import "lib/x"`: modules come from the script's own folder and the folders in it, and from
//! nowhere else.

use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rhai::module_resolvers::FileModuleResolver;
use rhai::{Engine, EvalAltResult, ModuleResolver, Position, Shared};

use crate::error::Error;
use crate::permissions::Permissions;

pub struct FolderResolver {
    root: Option<PathBuf>,
    files: FileModuleResolver,
    /// Modules that are being evaluated.
    loading: Mutex<Vec<PathBuf>>,
}

impl FolderResolver {
    /// Modules below `root`; none at all without one.
    pub fn new(root: Option<&Path>) -> Self {
        let root = root.map(Path::to_owned);
        Self {
            files: FileModuleResolver::new_with_path(root.clone().unwrap_or_default()),
            root,
            loading: Mutex::default(),
        }
    }
}

/// Fails if a module may not be imported by a script of this folder, or is being evaluated already:
/// one that imports itself would never come to an end. `place` is the import's.
pub fn check(
    root: Option<&Path>,
    path: &str,
    is_loading: bool,
    place: Position,
) -> Result<(), Box<EvalAltResult>> {
    let circular = || Error::other(format!("the module {path:?} imports itself"));
    match refusal(root, path).or_else(|| is_loading.then(circular)) {
        Some(error) => {
            let mut error: Box<EvalAltResult> = error.into();
            error.set_position(place);
            Err(error)
        }
        None => Ok(()),
    }
}

/// Why a module may not be imported by a script of this folder, if so.
fn refusal(root: Option<&Path>, path: &str) -> Option<Error> {
    let Some(root) = root else {
        return Some(Error::other(
            "there is nothing to import from: this script is not in a folder",
        ));
    };
    let plain = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !plain || path.is_empty() {
        return Some(
            Error::other(format!(
                "the module {path:?} is outside of the script's folder"
            ))
            .hint("scripts import only from their own folder: import \"lib/x\" as x"),
        );
    }
    let file = root.join(format!("{path}.rhai"));
    // A link must not lead outside either, and what is there is not told.
    let permissions = Permissions {
        own: Some(root.to_owned()),
        ..Permissions::default()
    };
    if !permissions.is_own(&file) {
        return Some(Error::other(format!(
            "the module {path:?} is a link that leads out of the script's folder"
        )));
    }
    if !file.is_file() {
        return Some(Error::other(format!(
            "there is no module {path:?}: no file {}",
            file.display()
        )));
    }
    None
}

impl ModuleResolver for FolderResolver {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        pos: Position,
    ) -> Result<Shared<rhai::Module>, Box<EvalAltResult>> {
        let module = PathBuf::from(path);
        let loading = || self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let is_loading = loading().contains(&module);
        check(self.root.as_deref(), path, is_loading, pos)?;
        loading().push(module);
        let resolved = self.files.resolve(engine, source, path, pos);
        loading().pop();
        resolved
    }
}
