//! The documentation is true: the README's commands and blocks, the scripts, and every function's
//! example run, and print what the documents show.

mod support;

use avec::report::Painter;
use avec::script::{Host, Output, Session, Stopped};
use support::{Program, repository};

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap()
}

/// The blocks of a markdown text in one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(&format!("```{language}\n")) {
        let start = &rest[at + 4 + language.len()..];
        let end = start.find("```").unwrap();
        blocks.push(start[..end].to_owned());
        rest = &start[end + 3..];
    }
    blocks
}

fn host() -> Host {
    let output = Output::new(Box::new(std::io::sink()), 80, Painter::plain());
    Host::new(Session::new(output))
}

#[track_caller]
fn runs(host: &mut Host, name: &str, script: &str) {
    match host.run_text(name, script) {
        Ok(()) => {}
        Err(Stopped::Failed(diagnostic)) => {
            panic!("{name}:\n{script}\n{}", diagnostic.render(Painter::plain()))
        }
        Err(other) => panic!("{name}: {other:?}"),
    }
}

#[test]
fn every_function_has_an_example_that_runs() {
    let mut host = host();
    let catalog = host.catalog();
    assert!(catalog.functions().len() > 40);
    for function in catalog.functions() {
        let examples = blocks(&function.doc, "rhai");
        assert!(
            !examples.is_empty() || function.is_property(),
            "{} has no example",
            function.name
        );
        for example in examples {
            runs(&mut host, &function.name, &example);
        }
    }
}

#[test]
fn the_readme_s_blocks_run() {
    let mut host = host();
    let blocks = blocks(&read("README.md"), "rhai");
    assert!(!blocks.is_empty());
    for block in blocks {
        runs(&mut host, "README.md", &block);
    }
}

/// The table in the README is its command's output.
#[test]
fn the_readme_s_table_is_its_command_s_output() {
    let readme = read("README.md");
    assert!(readme.contains("cargo run --release -- scripts/basic_functionality.rhai\n"));
    assert!(
        readme
            .contains("cargo run --release -- scripts/basic_functionality.rhai -p model=gpt2-xl\n")
    );
    let script = repository().join("scripts/basic_functionality.rhai");
    let printed = Program::new(["-q", script.to_str().unwrap()]).succeeds();
    let shown = blocks(&readme, "text");
    assert!(
        shown.contains(&printed),
        "the README should show:\n{printed}"
    );
}

/// Every script in the repository runs on the demo model and names its source.
#[test]
fn the_scripts_run() {
    let folder = repository().join("scripts");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "rhai") {
            continue;
        }
        let header = host().header(&path).unwrap();
        assert!(header.text.contains("Source:"), "{}", path.display());
        assert!(
            header.params.iter().any(|p| p.name == "model"),
            "{}",
            path.display()
        );
        let name = path.to_str().unwrap();
        let first = Program::new(["-q", name]).succeeds();
        assert!(first.lines().count() > 5, "{name} printed\n{first}");
        // The same text every time, also on one thread.
        let again = Program::new(["-q", "--threads", "1", name]).succeeds();
        assert_eq!(first, again, "{name}");
        count += 1;
    }
    assert!(count >= 5);
}

/// The script whose errors the README shows.
const MISTAKEN: &str = r#"let love_minus_hate = x_vector(#{
    prompt1: "Love", promt2: "Hate",
    coeff: 5, act_nmae: 1,
});
"#;

#[test]
fn the_readme_s_error_is_printed() {
    let ran = Program::new(["love.rhai"])
        .file("love.rhai", MISTAKEN)
        .run();
    assert_eq!(ran.status, Some(1));
    let shown = blocks(&read("README.md"), "console");
    let printed = format!("$ avec love.rhai\n{}", ran.stderr);
    assert!(
        shown.contains(&printed),
        "the README should show:\n{printed}"
    );
}

/// Set this to write the documents that are made from the functions themselves: `just reference`.
const WRITE: &str = "AVEC_WRITE_DOCS";

#[test]
fn reference_and_definitions_are_fresh() {
    let catalog = host().catalog();
    for (path, text) in [
        ("docs/reference.md", catalog.markdown()),
        ("docs/avec.d.rhai", catalog.definitions()),
    ] {
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(repository().join(path), &text).unwrap();
        }
        assert!(
            read(path) == text,
            "the functions have changed, and {path} has not: just reference"
        );
    }
}

/// No placeholders or dead links are left.
#[test]
fn documents_are_finished() {
    for path in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "docs/performance.md",
        "docs/security.md",
    ] {
        let text = read(path);
        assert!(!text.contains("{{") && !text.contains("TODO"), "{path}");
        for link in text.split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            if target.starts_with("http") || target.starts_with('#') {
                continue;
            }
            let folder = repository().join(path).parent().unwrap().to_owned();
            assert!(folder.join(target).exists(), "{path} links to {target}");
        }
    }
}
