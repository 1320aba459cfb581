//! `import "lib/x"`: the modules of a script or a session. Each file is evaluated once and then
//! kept, whatever becomes of it.
//!
//! A module is looked for beside the file that imports it, and then from the script's folder, so
//! that a library finds its parts wherever a script is: what lies beside it comes first, and nothing
//! in a script's folder can take its place. The script's folder is the boundary, also for links.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

use super::source::read_script;
use crate::error::Error;
use crate::permissions::Permissions;

/// Finds and loads modules. All clones share what is loaded.
#[derive(Clone, Default)]
pub(super) struct ModuleLoader(Arc<Mutex<Loaded>>);

#[derive(Default)]
struct Loaded {
    modules: HashMap<PathBuf, Shared<Module>>,
    /// Where each module is, by the name that rhai knows it by.
    places: HashMap<String, Place>,
    /// The first line of each text that was run, and where its imports are looked for.
    texts: Vec<(usize, Origin)>,
    /// Modules that are being evaluated.
    loading: Vec<PathBuf>,
    /// What the last text has imported, with the places of the paths.
    imported: Vec<(Position, Shared<Module>)>,
}

/// A module's file, and where its own imports are looked for.
struct Place {
    file: PathBuf,
    origin: Origin,
}

/// Where a text's imports are looked for.
#[derive(Clone)]
struct Origin {
    /// The folder of the script, which nothing is imported from outside of.
    root: PathBuf,
    /// The module that the text is, from the script's folder and without ending; none for the script.
    module: Option<PathBuf>,
}

/// The file of a module, as errors show it.
pub(super) struct Source {
    pub name: String,
    /// Empty if it can't be read any more.
    pub text: String,
}

/// A module that something imports, as it is visited.
pub(super) struct Visited<'a> {
    pub text: &'a str,
    /// Whether it lies beside what imports it.
    pub is_neighbour: bool,
}

impl ModuleLoader {
    /// From this line on of what is run, imports start from this folder.
    pub(super) fn begin(&self, first_line: usize, folder: &Path) {
        let origin = Origin::of_script(folder);
        let mut loaded = self.loaded();
        loaded.imported.clear();
        loaded.loading.clear();
        loaded.texts.push((first_line, origin));
    }

    /// What the last text has imported, with the places of the paths.
    pub(super) fn imported(&self) -> Vec<(Position, Shared<Module>)> {
        std::mem::take(&mut self.loaded().imported)
    }

    /// The file of the module that rhai knows by this name.
    pub(super) fn source(&self, name: &str) -> Option<Source> {
        let file = self.loaded().places.get(name)?.file.clone();
        Some(Source {
            name: file.display().to_string(),
            text: std::fs::read_to_string(&file).unwrap_or_default(),
        })
    }

    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        // Nothing is half done in there when a thread panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(
        &self,
        engine: &Engine,
        origin: Option<&Origin>,
        path: &str,
    ) -> Result<Shared<Module>, Failed> {
        let origin = origin.ok_or_else(|| {
            Error::other("there is nothing to import from: this script is not in a folder")
        })?;
        // One file has one name, however the script's was written.
        let key = |place: &Path| plain(&origin.root.join(place));
        // The file of a module that is loaded may be gone.
        let known = |place: &Path| self.loaded().modules.get(&key(place)).cloned();
        let found = origin.find(path, |place| known(place).is_some())?;
        if let Some(module) = known(&found) {
            return Ok(module);
        }
        let key = key(&found);
        let file = with_ending(&origin.root.join(&found));
        let name;
        {
            let mut loaded = self.loaded();
            if loaded.loading.contains(&key) {
                let circular = format!("the module {path:?} imports itself");
                return Err(Error::other(circular).into());
            }
            loaded.loading.push(key.clone());
            name = loaded.name(&origin.root.join(&found), &file);
            let origin = origin.of_module(&found);
            let place = Place {
                file: file.clone(),
                origin,
            };
            loaded.places.insert(name.clone(), place);
        }
        let module = evaluated(engine, &name, &file);
        let mut loaded = self.loaded();
        loaded.loading.pop();
        let module = module?;
        loaded.modules.insert(key, module.clone());
        Ok(module)
    }
}

impl Loaded {
    /// A name for rhai, which knows modules by a text. Two files whose paths are no text may look the
    /// same, and still have two names.
    fn name(&self, module: &Path, file: &Path) -> String {
        let mut name = module.display().to_string();
        while self
            .places
            .get(&name)
            .is_some_and(|known| known.file != file)
        {
            name.push('\'');
        }
        name
    }
}

impl Origin {
    fn of_script(folder: &Path) -> Self {
        let root = if folder == Path::new(".") {
            PathBuf::new()
        } else {
            folder.to_owned()
        };
        Self { root, module: None }
    }

    fn of_module(&self, module: &Path) -> Self {
        Self {
            root: self.root.clone(),
            module: Some(plain(module)),
        }
    }

    /// The folder of the text, from the script's; empty for the script's own.
    fn beside(&self) -> &Path {
        let module = self.module.as_deref();
        module.and_then(Path::parent).unwrap_or(Path::new(""))
    }

    /// Whether an import that found this module found it from the text's own folder. One that found
    /// it from the script's folder needs that folder, wherever the module lies.
    fn is_neighbour(&self, module: &Path, path: &str) -> bool {
        module == self.beside().join(path)
    }

    /// The module's file without its ending, from the script's folder. `known` tells whether one
    /// needs no file.
    fn find(&self, path: &str, known: impl Fn(&Path) -> bool) -> Result<PathBuf, Error> {
        let parts = Path::new(path).components();
        let plain = parts
            .into_iter()
            .all(|part| matches!(part, Component::Normal(_)));
        if !plain || path.is_empty() {
            return Err(Error::other(format!(
                "the module {path:?} is outside of the script's folder"
            ))
            .hint("scripts import only from their own folder: import \"lib/x\" as x"));
        }
        let mut places = vec![self.beside().join(path)];
        if !self.beside().as_os_str().is_empty() {
            places.push(path.into());
        }
        // A file is not its own neighbour.
        places.sort_by_key(|place| self.module.as_ref() == Some(&self::plain(place)));
        // A link must not lead outside either, nor reveal what is there.
        for place in places.iter().filter(|place| !known(place)) {
            self.check_link(place, path)?;
        }
        let found = places
            .iter()
            .find(|place| known(place) || self.file(place).is_file());
        found.cloned().ok_or_else(|| {
            let files: Vec<String> = places
                .iter()
                .map(|place| format!("no file {}", self.file(place).display()))
                .collect();
            Error::other(format!(
                "there is no module {path:?}: {}",
                files.join(" and ")
            ))
        })
    }

    fn folder(&self) -> &Path {
        if self.root.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.root
        }
    }

    fn file(&self, module: &Path) -> PathBuf {
        with_ending(&self.folder().join(module))
    }

    /// Refuses links that lead out of the script's folder, wherever they lead.
    fn check_link(&self, module: &Path, path: &str) -> Result<(), Error> {
        let permissions = Permissions {
            own: Some(self.folder().to_owned()),
            ..Permissions::default()
        };
        if permissions.is_own(&self.file(module)) {
            return Ok(());
        }
        Err(Error::other(format!(
            "the module {path:?} is a link that leads out of the script's folder"
        )))
    }
}

/// Visits the text of each module that a script in `folder` imports, and of those that these
/// import, without running any. `visit` gives the paths that a text imports, or nothing if they can't
/// all be known; the result is whether they were.
pub(super) fn visit_imported(
    folder: &Path,
    imports: Vec<String>,
    visit: &mut dyn FnMut(Visited) -> Option<Vec<String>>,
) -> bool {
    let origin = Origin::of_script(folder);
    let mut open: Vec<(Origin, String)> = imports
        .into_iter()
        .map(|path| (origin.clone(), path))
        .collect();
    let mut seen = Vec::new();
    while let Some((origin, path)) = open.pop() {
        let Ok(found) = origin.find(&path, |_| false) else {
            return false;
        };
        let is_neighbour = origin.is_neighbour(&found, &path);
        let visited = (origin.file(&found), is_neighbour);
        if seen.contains(&visited) {
            continue;
        }
        let text = origin
            .check_link(&found, &path)
            .and_then(|()| read_script(&visited.0));
        let imports = match &text {
            Ok(text) => visit(Visited { text, is_neighbour }),
            Err(_) => None,
        };
        let Some(imports) = imports else {
            return false;
        };
        seen.push(visited);
        let origin = origin.of_module(&found);
        open.extend(imports.into_iter().map(|path| (origin.clone(), path)));
    }
    true
}

/// A module's file. Its path need not be text.
fn with_ending(module: &Path) -> PathBuf {
    let mut file = module.as_os_str().to_owned();
    file.push(".rhai");
    file.into()
}

/// A path without `.`.
fn plain(path: &Path) -> PathBuf {
    let parts = path.components();
    parts.filter(|part| *part != Component::CurDir).collect()
}

/// Why there is no module: its import is wrong, or something in it.
enum Failed {
    Import(Box<EvalAltResult>),
    Within(String, Box<EvalAltResult>),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Import(error.into())
    }
}

impl Failed {
    /// With the import's place.
    fn at(self, place: Position) -> Box<EvalAltResult> {
        match self {
            Self::Import(mut error) => {
                error.set_position(place);
                error
            }
            Self::Within(name, error) => EvalAltResult::ErrorInModule(name, error, place).into(),
        }
    }
}

/// What a module sees is its own: neither variables nor imports of the text that imports it.
fn evaluated(engine: &Engine, name: &str, file: &Path) -> Result<Shared<Module>, Failed> {
    let text = read_script(file)?;
    let within = |error| Failed::Within(name.to_owned(), error);
    let mut ast = engine
        .compile(&text)
        .map_err(|error| within(error.into()))?;
    ast.set_source(name);
    let mut module = Module::eval_ast_as_new(Scope::new(), &ast, engine).map_err(within)?;
    module.build_index();
    Ok(module.into())
}

impl ModuleResolver for ModuleLoader {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        place: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let (origin, is_module) = {
            let loaded = self.loaded();
            let of_module = source.and_then(|source| loaded.places.get(source));
            let of_module = of_module.map(|place| &place.origin);
            let line = place.line().unwrap_or(usize::MAX);
            let of_text = || {
                let mut texts = loaded.texts.iter();
                texts
                    .rfind(|(first, _)| *first <= line)
                    .map(|(_, origin)| origin)
            };
            (of_module.or_else(of_text).cloned(), of_module.is_some())
        };
        let module = self.find(engine, origin.as_ref(), path);
        let module = module.map_err(|failed| failed.at(place))?;
        if !is_module {
            let mut loaded = self.loaded();
            // An import in a loop is one.
            if !loaded.imported.iter().any(|(known, _)| *known == place) {
                loaded.imported.push((place, module.clone()));
            }
        }
        Ok(module)
    }
}
