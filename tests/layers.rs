//! The order of the modules: each imports only from the ones before it, and files don't import each
//! other in circles.

#[path = "support/imports.rs"]
mod imports;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use imports::{Crate, Import, circles};

/// From the bottom up; modules on one line may not import each other either.
const LAYERS: &[&str] = &[
    "suggest",
    "error",
    "words",
    "rule",
    "cancel",
    "permissions",
    "files",
    "profile",
    "progress",
    "run",
    "report",
    "weights",
    "kernels",
    "model",
    "sampling",
    "store",
    "steering",
    "analysis",
    "script",
    "repl",
    "cli",
];

fn source() -> PathBuf {
    support::repository().join("src")
}

fn ours() -> Crate {
    Crate::read(&source().join("lib.rs"), &|file| {
        std::fs::read_to_string(file).ok()
    })
}

/// A file as it is named within `src`.
fn short(file: &Path) -> String {
    let root = source();
    let relative = file.strip_prefix(root).unwrap_or(file);
    relative.display().to_string().replace('\\', "/")
}

/// The module of the crate that a file belongs to.
fn top_module(file: &Path) -> String {
    let name = short(file);
    let top = name.split('/').next().unwrap_or_default();
    top.trim_end_matches(".rs").to_owned()
}

#[test]
fn modules_import_only_from_below() {
    let ours = ours();
    let mut on_disk = Vec::new();
    collect(&source(), &mut on_disk);
    assert_eq!(
        ours.files().len() + 1,
        on_disk.len(),
        "not every file but main.rs is a module"
    );
    let level = |name: &str| {
        LAYERS
            .iter()
            .position(|layer| *layer == name)
            .unwrap_or_else(|| panic!("{name} is in no layer"))
    };
    let imports = ours.imports();
    assert!(imports.len() > 150, "too few imports: {}", imports.len());
    for import in imports {
        let (from, to) = (top_module(&import.from), top_module(&import.to));
        if from == "lib" || from == to {
            continue;
        }
        assert!(
            to != "lib" && level(&to) < level(&from),
            "{}:{} imports {}, which is above it",
            short(&import.from),
            import.line,
            short(&import.to)
        );
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = ours().imports();
    let mut told = String::new();
    for circle in circles(&imports) {
        told.push_str("a circle:\n");
        for import in &imports {
            if circle.contains(&import.from) && circle.contains(&import.to) {
                told.push_str(&format!(
                    "  {}:{} imports {}\n",
                    short(&import.from),
                    import.line,
                    short(&import.to)
                ));
            }
        }
    }
    assert!(told.is_empty(), "{told}");
}

/// A crate of these files.
fn small(files: &[(&str, &str)]) -> BTreeSet<Import> {
    let files: BTreeMap<PathBuf, String> = files
        .iter()
        .map(|(name, text)| (PathBuf::from("src").join(name), (*text).to_owned()))
        .collect();
    let read = |file: &Path| files.get(file).cloned();
    Crate::read(Path::new("src/lib.rs"), &read).imports()
}

fn edges(imports: &BTreeSet<Import>) -> Vec<String> {
    let name = |file: &Path| {
        let name = file.strip_prefix("src").unwrap().display().to_string();
        name.trim_end_matches(".rs").to_owned()
    };
    let edges: BTreeSet<String> = imports
        .iter()
        .map(|import| format!("{} -> {}", name(&import.from), name(&import.to)))
        .collect();
    edges.into_iter().collect()
}

#[test]
fn imports_of_all_forms_are_seen() {
    let imports = small(&[
        ("lib.rs", "pub mod a;\nmod b;\nmod c;\nmod d;"),
        (
            "a/mod.rs",
            "mod x; pub(crate) mod y;\n#[cfg(test)]\n#[path = \"z_tests.rs\"]\nmod tests;\npub use x::{X, Other as Renamed};\npub use y::*;",
        ),
        (
            "a/x.rs",
            "use super::super::b::{self, B, c::{C}};\npub struct X; pub struct Other;",
        ),
        (
            "a/y.rs",
            "use super::Renamed;\nfn f() { crate::d::g(\"crate::c::f\"); /* crate::c::f */ }",
        ),
        ("a/z_tests.rs", "use super::*; use super::y::f;"),
        (
            "b.rs",
            "pub use crate::c; pub struct B;\nmod inner { use super::B; use super::super::d::g; }",
        ),
        (
            "c.rs",
            "use std::path::Path; pub struct C; impl C { fn c(p: &'static str) -> char { '\"' } }",
        ),
        (
            "d.rs",
            "pub fn g() { crate::a::X::new(); std::crate_like::f() }",
        ),
    ]);
    assert_eq!(
        edges(&imports),
        [
            "a/mod -> a/x",
            "a/mod -> a/y",
            "a/x -> b",
            "a/x -> c",
            "a/y -> a/x",
            "a/y -> d",
            "a/z_tests -> a/mod",
            "a/z_tests -> a/y",
            "b -> c",
            "b -> d",
            "d -> a/x",
        ]
    );
    assert!(circles(&imports).iter().any(|circle| {
        let names: Vec<String> = circle.iter().map(|f| f.display().to_string()).collect();
        names == ["src/a/x.rs", "src/b.rs", "src/d.rs"]
    }));
}

#[test]
fn circles_are_found_and_parents_with_children_are_none() {
    let circle = small(&[
        ("lib.rs", "mod a;"),
        (
            "a/mod.rs",
            "mod x; mod y; mod z; pub use x::X; pub use y::Y;",
        ),
        ("a/x.rs", "use super::Y; pub struct X;"),
        ("a/y.rs", "use super::z::Z; pub struct Y;"),
        ("a/z.rs", "pub struct Z(super::X);"),
    ]);
    let found = circles(&circle);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].len(), 3);
    let tree = small(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod x; mod y; pub use x::X; pub use y::Y;"),
        ("a/x.rs", "use super::Y; pub struct X;"),
        ("a/y.rs", "pub struct Y;"),
    ]);
    assert!(circles(&tree).is_empty(), "{tree:?}");
    // What a child takes from its parent's own file is a circle with what the parent re-exports.
    let own = small(&[
        ("lib.rs", "mod a;"),
        (
            "a/mod.rs",
            "mod x; pub use x::X; pub const SIZE: usize = 1;",
        ),
        ("a/x.rs", "use super::SIZE; pub struct X;"),
    ]);
    assert_eq!(circles(&own).len(), 1);
}

/// Every file opens with a doc comment.
#[test]
fn every_file_opens_with_a_doc_comment() {
    let mut files = Vec::new();
    for folder in ["src", "tests", "examples", "benches"] {
        collect(&support::repository().join(folder), &mut files);
    }
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{}", file.display());
    }
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}
