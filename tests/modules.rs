//! `import`: where modules are looked for, in scripts.

mod support;

use support::Program;

const MAIN: &str = "import \"lib/a\" as a;\nprint(a::name());";

/// A library finds its parts beside itself, whatever folder the script is in.
#[test]
fn a_module_finds_its_neighbours() {
    let program = Program::script(MAIN)
        .file(
            "lib/a.rhai",
            "import \"x\" as x;\nimport \"deep/y\" as y;\nfn name() { x::name() + y::name() }",
        )
        .file("lib/x.rhai", "fn name() { \"beside\" }")
        .file(
            "lib/deep/y.rhai",
            "import \"z\" as z;\nfn name() { \", \" + z::name() }",
        )
        .file("lib/deep/z.rhai", "fn name() { \"and deeper\" }");
    assert_eq!(program.succeeds(), "beside, and deeper\n");
}

/// Nothing that lies beside a script takes the place of what a library was written with.
#[test]
fn a_neighbour_comes_before_the_script_s_folder() {
    let program = Program::script(MAIN)
        .file(
            "lib/a.rhai",
            "import \"x\" as x;\nfn name() { import \"x\" as again; x::name() + again::name() }",
        )
        .file("lib/x.rhai", "print(\"read\");\nfn name() { \"beside \" }")
        .file("x.rhai", "fn name() { \"the script's \" }");
    assert_eq!(program.succeeds(), "read\nbeside beside \n");
}

#[test]
fn without_a_neighbour_the_script_s_folder_is_searched() {
    let program = Program::script(MAIN)
        .file(
            "lib/a.rhai",
            "import \"lib/x\" as x;\nimport \"y\" as y;\nfn name() { x::name() + y::name() }",
        )
        .file("lib/x.rhai", "fn name() { \"from the folder\" }")
        .file("y.rhai", "fn name() { \" of the script\" }");
    assert_eq!(program.succeeds(), "from the folder of the script\n");
}

#[test]
fn a_module_that_is_nowhere_was_looked_for_in_both_places() {
    Program::script(MAIN)
        .file("lib/a.rhai", "import \"x\" as x;")
        .fails(
            1,
            r#"
error: there is no module "x": no file ./lib/x.rhai and no file ./x.rhai
 --> lib/a.rhai:1:8
  |
1 | import "x" as x;
  |        ^^^
 --> script.rhai:1:8
  |
1 | import "lib/a" as a;
  |        ^^^^^^^ imported here
"#,
        );
}

/// The script's folder is the boundary for what its modules import, too.
#[test]
fn modules_stay_in_the_script_s_folder() {
    Program::script(MAIN)
        .file("lib/a.rhai", "import \"../x\" as x;")
        .file("x.rhai", "")
        .fails(
            1,
            r#"
error: the module "../x" is outside of the script's folder
 --> lib/a.rhai:1:8
  |
1 | import "../x" as x;
  |        ^^^^^^
 --> script.rhai:1:8
  |
1 | import "lib/a" as a;
  |        ^^^^^^^ imported here
  = help: scripts import only from their own folder: import "lib/x" as x
"#,
        );
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_script_s_folder_is_refused() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("x.rhai"), "fn name() { 1 }").unwrap();
    let program = Program::script(MAIN)
        .file("lib/a.rhai", "import \"x\" as x;")
        // It is no way out that the script's folder has one of that name.
        .file("x.rhai", "fn name() { 2 }");
    let link = program.folder.path().join("lib/x.rhai");
    std::os::unix::fs::symlink(outside.path().join("x.rhai"), link).unwrap();
    program.fails(
        1,
        r#"
error: the module "x" is a link that leads out of the script's folder
 --> lib/a.rhai:1:8
  |
1 | import "x" as x;
  |        ^^^
 --> script.rhai:1:8
  |
1 | import "lib/a" as a;
  |        ^^^^^^^ imported here
"#,
    );
}

#[test]
fn a_circle_of_neighbours_is_refused() {
    Program::script(MAIN)
        .file("lib/a.rhai", "import \"b\" as b;")
        .file("lib/b.rhai", "import \"a\" as a;")
        .fails(
            1,
            r#"
error: the module "a" imports itself
 --> lib/b.rhai:1:8
  |
1 | import "a" as a;
  |        ^^^
 --> lib/a.rhai:1:8
  |
1 | import "b" as b;
  |        ^^^ imported here
 --> script.rhai:1:8
  |
1 | import "lib/a" as a;
  |        ^^^^^^^ imported here
"#,
        );
}

/// What a module sees is its own.
#[test]
fn a_module_does_not_see_the_imports_of_its_script() {
    let output = Program::script("import \"x\" as x;\nimport \"lib/a\" as a;")
        .file("x.rhai", "fn name() { 1 }")
        .file("lib/a.rhai", "print(x::name());")
        .run();
    assert_eq!(output.status, Some(1), "{output:?}");
    assert!(
        output.stderr.contains("there is no module `x`"),
        "{output:?}"
    );
}

/// Marks that editors and shells put in front of a file are no part of a module either.
#[test]
fn a_module_is_read_like_a_script() {
    let program = Program::script(MAIN).file("lib/a.rhai", "\u{feff}fn name() { \"marked\" }");
    assert_eq!(program.succeeds(), "marked\n");
    let output = Program::script(MAIN)
        .file("lib/a.rhai", "fn name() { 1 }\n/* never closed")
        .run();
    assert!(
        output
            .stderr
            .contains("error: lib/a.rhai:2:1: this comment is never closed"),
        "{output:?}"
    );
}

/// A file that asks for its own name means the script's.
#[test]
fn a_file_is_not_its_own_neighbour() {
    let program = Program::script("import \"lib/own\" as o;\nprint(o::name());")
        .file(
            "lib/own.rhai",
            "import \"own\" as root;\nfn name() { \"beside \" + root::name() }",
        )
        .file("own.rhai", "fn name() { \"the script's\" }");
    assert_eq!(program.succeeds(), "beside the script's\n");
    let output = Program::script("import \"lib/own\" as o;")
        .file("lib/own.rhai", "import \"own\" as own;")
        .run();
    assert!(
        output
            .stderr
            .contains("error: the module \"own\" imports itself"),
        "{output:?}"
    );
}

/// Two folders whose names look the same as text are still two.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_s_name_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;

    use avec::report::Painter;
    use avec::script::{Host, Output, Session, Stopped};

    let folder = tempfile::tempdir().unwrap();
    let place = |name: &[u8]| folder.path().join(std::ffi::OsStr::from_bytes(name));
    let folders = [&b"f\xff"[..], b"f\xfe", "f\u{fffd}".as_bytes()].map(place);
    for (number, folder) in folders.iter().enumerate() {
        std::fs::create_dir_all(folder.join("lib")).unwrap();
        let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
        write(
            "main.rhai",
            "import \"lib/a\" as a;\nlet x = a::number();\n".into(),
        );
        write("wrong.rhai", "import \"lib/b\" as b;\n".into());
        write(
            "lib/a.rhai",
            "import \"c\" as c;\nfn number() { c::number() }".into(),
        );
        write("lib/b.rhai", format!("/* {number} */ nowhere{number} + 1"));
        write("lib/c.rhai", format!("fn number() {{ {number} }}"));
    }
    let output = Output::new(Box::new(std::io::sink()), 80, Painter::plain());
    let mut host = Host::new(Session::new(output));
    for (number, folder) in folders.iter().enumerate() {
        assert!(host.run_file(&folder.join("main.rhai")).is_ok());
        assert_eq!(host.get::<i64>("x"), Some(number as i64));
        let Err(Stopped::Failed(error)) = host.run_file(&folder.join("wrong.rhai")) else {
            panic!("it has an error");
        };
        let source = format!("/* {number} */ nowhere{number} + 1");
        assert_eq!(error.labels[0].source.as_deref(), Some(source.as_str()));
    }
}
