//! The modules of an interactive session: each is evaluated once and then kept, whatever becomes of
//! its file, and each text imports from the folder that it came from.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::{
    Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, Position, Scope, Shared,
};

use super::transcript::TRANSCRIPT;
use crate::script::resolver::check;

/// What is imported. All clones share it.
#[derive(Clone, Default)]
pub struct KeptModules(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    modules: HashMap<PathBuf, Shared<Module>>,
    /// The folder that a module's own imports start from, by the module's name.
    roots: HashMap<String, PathBuf>,
    /// The first line of each text in the transcript, and its folder.
    texts: Vec<(usize, PathBuf)>,
    /// Modules that are being evaluated.
    loading: Vec<PathBuf>,
    /// What the transcript has imported since it was last asked, with the places of the paths.
    imported: Vec<(Position, Shared<Module>)>,
}

impl KeptModules {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing is half done in there when a thread panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From this line of the transcript on, imports start from this folder.
    pub fn begin(&self, first_line: usize, folder: &Path) {
        let mut kept = self.kept();
        kept.imported.clear();
        kept.loading.clear();
        kept.texts.push((first_line, plain(folder)));
    }

    /// What the last text has imported, with the places of the paths.
    pub fn imported(&self) -> Vec<(Position, Shared<Module>)> {
        std::mem::take(&mut self.kept().imported)
    }

    pub fn forget(&self) {
        let mut kept = self.kept();
        kept.modules.clear();
        kept.roots.clear();
    }

    fn root(&self, source: Option<&str>, place: Position) -> PathBuf {
        let kept = self.kept();
        let line = place.line().unwrap_or(usize::MAX);
        let text = || {
            let text = kept.texts.iter().rfind(|(first, _)| *first <= line);
            text.map(|(_, folder)| folder)
        };
        let folder = match source {
            Some(module) if module != TRANSCRIPT => kept.roots.get(module),
            _ => text(),
        };
        folder.cloned().unwrap_or_default()
    }

    fn find(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        path: &str,
        place: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let root = self.root(global.source(), place);
        let name = root.join(path);
        let known = self.kept().modules.get(&name).cloned();
        if let Some(module) = known {
            return Ok(module);
        }
        let folder = if root.as_os_str().is_empty() {
            Path::new(".")
        } else {
            root.as_path()
        };
        let is_loading = self.kept().loading.contains(&name);
        check(Some(folder), path, is_loading, place)?;
        let source = name.display().to_string();
        {
            let mut kept = self.kept();
            kept.loading.push(name.clone());
            kept.roots.insert(source.clone(), root.clone());
        }
        let module = evaluated(engine, global, &source);
        let mut kept = self.kept();
        kept.loading.pop();
        let module =
            module.map_err(|error| Box::new(EvalAltResult::ErrorInModule(source, error, place)))?;
        kept.modules.insert(name, module.clone());
        Ok(module)
    }
}

/// A folder without `.`, so that one folder has one name.
fn plain(folder: &Path) -> PathBuf {
    let parts = folder.components();
    parts.filter(|part| *part != Component::CurDir).collect()
}

fn evaluated(
    engine: &Engine,
    global: &mut GlobalRuntimeState,
    source: &str,
) -> Result<Shared<Module>, Box<EvalAltResult>> {
    let mut ast = engine.compile_file(format!("{source}.rhai").into())?;
    ast.set_source(source);
    // What the importing text has imported is none of the module's.
    let imports = global.num_imports();
    let module = Module::eval_ast_as_new_raw(engine, &mut Scope::new(), global, &ast);
    global.truncate_imports(imports);
    let mut module = module?;
    module.build_index();
    Ok(module.into())
}

impl ModuleResolver for KeptModules {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        place: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let mut global = engine.new_global_runtime_state();
        global.source = source.map(Into::into);
        self.resolve_raw(engine, &mut global, &mut Scope::new(), path, place)
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        _: &mut Scope,
        path: &str,
        place: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let module = self.find(engine, global, path, place)?;
        if global.source() == Some(TRANSCRIPT) {
            self.kept().imported.push((place, module.clone()));
        }
        Ok(module)
    }
}
