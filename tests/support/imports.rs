//! Which files of a crate import which: `mod` declarations make the tree of modules, and every path
//! that starts at `crate`, `self`, `super` or a child module is followed to the file that defines
//! what it names, through re-exports too.
#![allow(unreachable_pub, reason = "a part of each test file that uses it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

type ModulePath = Vec<String>;

/// The modules of a crate, and what their files import.
pub struct Crate {
    modules: BTreeMap<ModulePath, Module>,
}

/// A module in a file or within one.
#[derive(Default)]
struct Module {
    file: PathBuf,
    /// What `use` makes known here: the name, and the path it stands for.
    names: BTreeMap<String, ModulePath>,
    /// `use path::*`
    globs: Vec<ModulePath>,
    /// All paths that are written here, with their lines.
    paths: Vec<(ModulePath, usize)>,
}

/// One file imports another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub from: PathBuf,
    pub to: PathBuf,
    pub line: usize,
}

impl Crate {
    /// The crate whose root is this file. `read` gives a file's text.
    pub fn read(root: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Self {
        let mut found = Self {
            modules: BTreeMap::new(),
        };
        found.add_file(Vec::new(), root, root.parent().unwrap(), read);
        found
    }

    /// `children` is the folder that the module's own modules are in.
    fn add_file(
        &mut self,
        path: ModulePath,
        file: &Path,
        children: &Path,
        read: &dyn Fn(&Path) -> Option<String>,
    ) {
        let text = read(file).unwrap_or_else(|| panic!("there is no {}", file.display()));
        let tokens = tokens(&text);
        let mut parser = Parser {
            tokens: &tokens,
            at: 0,
            file,
            declared: Vec::new(),
            modules: &mut self.modules,
        };
        parser.module(path);
        for (path, folder, given) in parser.declared {
            let name = path.last().unwrap();
            let children = folder
                .iter()
                .fold(children.to_owned(), |path, name| path.join(name));
            let (file, own) = match given {
                // As rustc does, from the folder of the declaring file.
                Some(given) => {
                    let file = file.parent().unwrap().join(given);
                    let own = file.parent().unwrap().to_owned();
                    (file, own)
                }
                None => {
                    let own = children.join(name);
                    let flat = children.join(format!("{name}.rs"));
                    let file = if read(&flat).is_some() {
                        flat
                    } else {
                        own.join("mod.rs")
                    };
                    (file, own)
                }
            };
            self.add_file(path, &file, &own, read);
        }
    }

    pub fn files(&self) -> BTreeSet<&Path> {
        self.modules.values().map(|m| m.file.as_path()).collect()
    }

    /// All imports between files.
    pub fn imports(&self) -> BTreeSet<Import> {
        let mut imports = BTreeSet::new();
        for (at, module) in &self.modules {
            for (path, line) in &module.paths {
                let Some(to) = self.definer(at, path, &mut BTreeSet::new()) else {
                    continue;
                };
                if to != module.file {
                    imports.insert(Import {
                        from: module.file.clone(),
                        to,
                        line: *line,
                    });
                }
            }
        }
        imports
    }

    /// The file that defines what a path names, written in module `at`. None if the path leads out
    /// of the crate.
    fn definer(
        &self,
        at: &ModulePath,
        path: &ModulePath,
        seen: &mut BTreeSet<(ModulePath, ModulePath)>,
    ) -> Option<PathBuf> {
        if !seen.insert((at.clone(), path.clone())) {
            return None;
        }
        let mut here = at.clone();
        let mut rest = path.iter().peekable();
        match path.first()?.as_str() {
            "crate" => {
                here.clear();
                rest.next();
            }
            "self" => {
                rest.next();
            }
            "super" => {
                while rest.peek().is_some_and(|segment| *segment == "super") {
                    here.pop()?;
                    rest.next();
                }
            }
            first => {
                let child = [at.clone(), vec![first.to_owned()]].concat();
                let module = &self.modules[at];
                let is_own = self.modules.contains_key(&child) || module.names.contains_key(first);
                if !is_own {
                    return None;
                }
            }
        }
        loop {
            let module = &self.modules[&here];
            let Some(name) = rest.next() else {
                return Some(module.file.clone());
            };
            let child = [here.clone(), vec![name.clone()]].concat();
            if self.modules.contains_key(&child) {
                here = child;
                continue;
            }
            let onward = |target: &ModulePath| -> ModulePath {
                target
                    .iter()
                    .cloned()
                    .chain(rest.clone().cloned())
                    .collect()
            };
            if let Some(target) = module.names.get(name) {
                // An import of something that is not the crate's leads out of it.
                return self.definer(&here, &onward(target), seen);
            }
            for glob in &module.globs {
                let mut target = glob.clone();
                target.push(name.clone());
                if self.declares(&here, glob, name)
                    && let Some(file) = self.definer(&here, &onward(&target), seen)
                {
                    return Some(file);
                }
            }
            return Some(module.file.clone());
        }
    }

    /// Whether the module that a glob names has a module or re-export of this name.
    fn declares(&self, at: &ModulePath, glob: &ModulePath, name: &str) -> bool {
        let mut here = at.clone();
        for segment in glob {
            match segment.as_str() {
                "crate" => here.clear(),
                "self" => {}
                "super" => {
                    here.pop();
                }
                name => here.push(name.to_owned()),
            }
        }
        let child = [here.clone(), vec![name.to_owned()]].concat();
        self.modules.contains_key(&child)
            || self
                .modules
                .get(&here)
                .is_some_and(|module| module.names.contains_key(name))
    }
}

/// The groups of files that import each other in a circle.
pub fn circles(imports: &BTreeSet<Import>) -> Vec<BTreeSet<PathBuf>> {
    let mut reached: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for import in imports {
        let to = reached.entry(&import.from).or_default();
        to.insert(&import.to);
    }
    // Whatever can be reached, until nothing is added.
    loop {
        let mut grew = false;
        for file in reached.keys().copied().collect::<Vec<_>>() {
            let further: BTreeSet<&Path> = reached[file]
                .iter()
                .filter_map(|next| reached.get(next))
                .flatten()
                .copied()
                .collect();
            let own = reached.get_mut(file).unwrap();
            let before = own.len();
            own.extend(further);
            grew |= own.len() > before;
        }
        if !grew {
            break;
        }
    }
    let mut found: Vec<BTreeSet<PathBuf>> = Vec::new();
    for (file, to) in &reached {
        if !to.contains(file) {
            continue;
        }
        let back = |other: &&&Path| reached.get(**other).is_some_and(|to| to.contains(file));
        let group: BTreeSet<PathBuf> = to.iter().filter(back).map(|p| p.to_path_buf()).collect();
        if !found.contains(&group) {
            found.push(group);
        }
    }
    found
}

/// Reads the modules of one file.
struct Parser<'a> {
    tokens: &'a [(String, usize)],
    at: usize,
    file: &'a Path,
    /// `mod name;`: its path, the inline modules that it is declared in, and its `#[path]`.
    declared: Vec<(ModulePath, Vec<String>, Option<String>)>,
    modules: &'a mut BTreeMap<ModulePath, Module>,
}

impl Parser<'_> {
    fn is(&self, ahead: usize, text: &str) -> bool {
        self.tokens
            .get(self.at + ahead)
            .is_some_and(|(token, _)| token == text)
    }

    fn word(&self, ahead: usize) -> Option<&str> {
        let (token, _) = self.tokens.get(self.at + ahead)?;
        token
            .starts_with(|c: char| c.is_alphabetic() || c == '_')
            .then_some(token.as_str())
    }

    /// A module from its first token to the end of the file.
    fn module(&mut self, path: ModulePath) {
        self.body(path, Vec::new());
    }

    /// A module's body, to its `}` or the end of the file. `inline` are the modules of this file
    /// that it is in.
    fn body(&mut self, path: ModulePath, inline: Vec<String>) {
        let mut module = Module {
            file: self.file.to_owned(),
            ..Module::default()
        };
        let mut depth = 0;
        let mut given = None;
        while self.at < self.tokens.len() {
            let line = self.tokens[self.at].1;
            let after_path =
                self.at > 0 && matches!(self.tokens[self.at - 1].0.as_str(), "::" | ".");
            if self.is(0, "path") && self.is(1, "=") {
                given = self.tokens[self.at + 2]
                    .0
                    .strip_prefix('"')
                    .map(|name| name.trim_end_matches('"').to_owned());
                self.at += 3;
            } else if self.is(0, "mod")
                && let Some(name) = self.word(1).map(str::to_owned)
            {
                let own = [path.clone(), vec![name.clone()]].concat();
                if self.is(2, ";") {
                    self.declared.push((own, inline.clone(), given.take()));
                    self.at += 3;
                } else if self.is(2, "{") {
                    self.at += 3;
                    let inline = [inline.clone(), vec![name]].concat();
                    self.body(own, inline);
                } else {
                    self.at += 1;
                }
            } else if self.is(0, "use") && !after_path {
                self.at += 1;
                self.tree(Vec::new(), &mut module);
            } else if self.is(0, "{") {
                depth += 1;
                self.at += 1;
            } else if self.is(0, "}") {
                self.at += 1;
                if depth == 0 {
                    break;
                }
                depth -= 1;
            } else if self.word(0).is_some() && self.is(1, "::") && !after_path {
                let mut segments = Vec::new();
                while let Some(segment) = self.word(0).map(str::to_owned) {
                    segments.push(segment);
                    self.at += 1;
                    if !self.is(0, "::")
                        || !self.tokens.get(self.at + 1).is_some_and(|(token, _)| {
                            token.starts_with(|c: char| c.is_alphabetic() || c == '_')
                        })
                    {
                        break;
                    }
                    self.at += 1;
                }
                module.paths.push((segments, line));
            } else {
                self.at += 1;
            }
        }
        self.modules.insert(path, module);
    }

    /// What stands behind `use`, or within its braces.
    fn tree(&mut self, prefix: ModulePath, module: &mut Module) {
        let mut path = prefix;
        let line = self.tokens.get(self.at).map_or(0, |(_, line)| *line);
        loop {
            if self.is(0, "{") {
                self.at += 1;
                while self.at < self.tokens.len() && !self.is(0, "}") {
                    self.tree(path.clone(), module);
                    if self.is(0, ",") {
                        self.at += 1;
                    }
                }
                self.at += 1;
                return;
            }
            if self.is(0, "*") {
                self.at += 1;
                module.globs.push(path.clone());
                module.paths.push((path, line));
                return;
            }
            let Some(segment) = self.word(0).map(str::to_owned) else {
                self.at += 1;
                return;
            };
            self.at += 1;
            // `a::{self}` is `a`.
            if segment != "self" || path.is_empty() {
                path.push(segment);
            }
            if self.is(0, "::") {
                self.at += 1;
                continue;
            }
            let mut name = path.last().cloned().unwrap_or_default();
            if self.is(0, "as") {
                name = self.word(1).unwrap_or("_").to_owned();
                self.at += 2;
            }
            module.paths.push((path.clone(), line));
            // `use a::b;` says nothing about what `b` is where `a` is `b`'s own name.
            if path != [name.clone()] {
                module.names.insert(name, path);
            }
            return;
        }
    }
}

/// The tokens of Rust text that matter here, with their lines: words, `::`, strings, and single
/// characters; no comments.
fn tokens(text: &str) -> Vec<(String, usize)> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let raw = ["r", "br", "cr"].iter().find_map(|start| {
            let hashes = rest.strip_prefix(start)?;
            let count = hashes.find(|c| c != '#')?;
            hashes[count..]
                .starts_with('"')
                .then_some((start.len(), count))
        });
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some((start, hashes)) = raw {
            let inside = start + hashes + 1;
            let end = format!("\"{}", "#".repeat(hashes));
            let length = rest[inside..].find(&end).unwrap_or(rest.len() - inside);
            (inside + length + end.len()).min(rest.len())
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' {
            // A character, or a lifetime.
            let mut chars = rest.chars().skip(1);
            let escaped = chars.next() == Some('\\');
            if escaped || chars.next() == Some('\'') {
                quoted(rest, '\'')
            } else {
                1
            }
        } else if word > 0 {
            word
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let token = &rest[..length];
        let is_comment = token.starts_with("//") || token.starts_with("/*");
        if !is_comment && !first.is_whitespace() {
            tokens.push((token.to_owned(), line));
        }
        line += token.matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}
