//! Folders of models: which may be named, and which of their files are read.

mod support;

use support::{Program, tiny_folder};

/// Loads the model named with `-p`.
const SCRIPT: &str = "print(load_model(param(\"model\", \"./m\")).n_layers);";

/// A model folder with the tiny model's files, some of them replaced.
#[cfg(unix)]
fn model_folder(program: Program, without: &str) -> Program {
    ["config.json", "tokenizer.json", "model.safetensors"]
        .into_iter()
        .filter(|name| *name != without)
        .fold(program, |program, name| {
            let contents = std::fs::read(tiny_folder().join(name)).unwrap();
            program.file(&format!("m/{name}"), contents)
        })
}

/// Anything but a regular file of the folder itself is neither read nor waited for.
#[cfg(unix)]
#[test]
fn only_a_folder_s_own_regular_files_are_read() {
    const LINK: &str = "is a link that leads out of its folder, or nowhere";
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let program = || model_folder(Program::script("load_model(\"./m\");"), name);
        let fails = |program: &Program, message: &str| {
            let started = std::time::Instant::now();
            let ran = program.run();
            assert_eq!(
                ran.stderr.lines().next().unwrap(),
                format!("error: {message}")
            );
            assert!(started.elapsed().as_secs() < 5);
            assert!(!ran.stderr.contains("root:"), "{}", ran.stderr);
        };
        for target in [
            "/etc/passwd",
            "/dev/zero",
            "../script.rhai",
            "/no/such/file",
        ] {
            let program = program();
            std::os::unix::fs::symlink(target, program.folder.path().join("m").join(name)).unwrap();
            fails(&program, &format!("./m/{name} {LINK}"));
        }
        let program = program();
        let path = program.folder.path().join("m").join(name);
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
        fails(
            &program,
            &format!("can't read ./m/{name}: it is a pipe, a socket or a device"),
        );
    }
    // A link within the folder is as good as a file.
    let program = model_folder(
        Program::script("print(load_model(\"./m\").n_layers);"),
        "config.json",
    );
    let config = std::fs::read(tiny_folder().join("config.json")).unwrap();
    let program = program.file("m/real.json", config);
    std::os::unix::fs::symlink("real.json", program.folder.path().join("m/config.json")).unwrap();
    assert_eq!(program.succeeds(), "3\n");
}

/// A sparse file has its length without taking any space.
#[cfg(unix)]
#[test]
fn huge_side_files_are_not_read() {
    for (name, size) in [("config.json", "1.0 TB"), ("tokenizer.json", "1.0 TB")] {
        let program = model_folder(Program::script("load_model(\"./m\");"), name);
        let file = std::fs::File::create(program.folder.path().join("m").join(name)).unwrap();
        file.set_len(1_000_000_000_000).unwrap();
        let ran = program.run();
        let start =
            format!("error: loading ./m: ./m/{name} is too large: it has {size}, and at most ");
        assert!(ran.stderr.starts_with(&start), "{}", ran.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_git_lfs_pointer_is_named() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 548105171\n";
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let script = "load_model(\"./m\");";
        let program =
            model_folder(Program::script(script), name).file(&format!("m/{name}"), pointer);
        program.fails(
            1,
            &format!("error: loading ./m: ./m/{name} is a git-lfs pointer: its 548.1 MB have not been fetched\n --> script.rhai:1:1\n  |\n1 | {script}\n  | ^^^^^^^^^^\n  = help: fetch it: git -C ./m lfs pull --include {name}"),
        );
    }
}

/// Outside its own folder a script can't tell what exists: a folder without a model, a file, a path
/// without access and a missing one give the same message.
#[test]
fn outside_its_folder_a_script_finds_only_models() {
    let outside = tempfile::tempdir().unwrap();
    let at = |name: &str| outside.path().join(name).display().to_string();
    std::fs::create_dir(at("folder")).unwrap();
    std::fs::write(at("file"), "x").unwrap();
    for name in ["folder", "file", "nothing", "file/below", "nothing/below"] {
        let path = at(name);
        let script = format!("load_model({path:?});");
        Program::script(&script).fails(
            1,
            &format!("error: there is no model in {path}\n --> script.rhai:1:1\n  |\n1 | {script}\n  | ^^^^^^^^^^\n  = help: a model folder has config.json, tokenizer.json and model.safetensors"),
        );
    }
    // The same goes for names without a leading slash.
    for name in ["a", "b"] {
        let ran = Program::script(&format!("load_model(\"../{name}\");")).run();
        assert!(
            ran.stderr
                .starts_with(&format!("error: there is no model in ../{name}\n"))
        );
    }
    // The user learns more.
    let ran = Program::script(SCRIPT)
        .arg("-p")
        .arg(&format!("model={}", at("folder")))
        .run();
    let message = format!("error: the folder {} has no config.json\n", at("folder"));
    assert!(ran.stderr.starts_with(&message), "{}", ran.stderr);
}

#[test]
fn the_home_folder_is_only_for_users() {
    let copy = |program: Program| {
        ["config.json", "tokenizer.json", "model.safetensors"]
            .into_iter()
            .fold(program, |program, name| {
                let contents = std::fs::read(tiny_folder().join(name)).unwrap();
                program.file(&format!("m/{name}"), contents)
            })
    };
    let script = "load_model(\"~/m\");";
    copy(Program::script(script)).fails(
        1,
        &format!("error: `~` in \"~/m\" stands for no folder in a script\n --> script.rhai:1:1\n  |\n1 | {script}\n  | ^^^^^^^^^^\n  = help: write the folder's whole path, or name it on the command line, as in -p model=~/m"),
    );
    let program = copy(Program::script(SCRIPT)).arg("-p").arg("model=~/m");
    assert_eq!(program.succeeds(), "3\n");
}

/// A link among a script's modules that leads out of its folder tells nothing of what is there.
#[cfg(unix)]
#[test]
fn modules_are_files_of_the_script_s_folder() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("x.rhai"), "export const A = 1;").unwrap();
    let at = |name: &str| outside.path().join(name);
    for (import, link, target) in [
        ("m", "m.rhai", at("x.rhai")),
        ("m", "m.rhai", at("nothing.rhai")),
        ("m", "m.rhai", "/dev/zero".into()),
        ("d/x", "d", at("")),
        ("d/nothing", "d", at("")),
    ] {
        let script = format!("import {import:?} as m;");
        let program = Program::script(&script);
        std::os::unix::fs::symlink(target, program.folder.path().join(link)).unwrap();
        let ran = program.run();
        assert_eq!(
            ran.stderr.lines().next().unwrap(),
            format!("error: the module {import:?} is a link that leads out of the script's folder")
        );
    }
}
