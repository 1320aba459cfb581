//! Shared by several test files.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file is its own crate and uses a part of this"
)]

pub mod golden;

use std::path::{Path, PathBuf};

use avec::model::{
    HookedTransformer, LoadOptions, ModelFiles, Processing, SideFiles, TokenizerFiles,
};
use avec::{KernelChoice, RunContext, Source};

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
        side: SideFiles::default(),
    }
}

pub fn tiny_folder() -> PathBuf {
    repository().join("tests/golden/tiny")
}

/// A run without limits.
pub fn run() -> RunContext {
    RunContext::default()
}

/// The tiny random model of the reference fixtures.
pub fn tiny(processing: Processing) -> HookedTransformer {
    tiny_of("tiny", processing, KernelChoice::Fast)
}

/// One of the tiny random models of the reference fixtures.
pub fn tiny_of(folder: &str, processing: Processing, kernels: KernelChoice) -> HookedTransformer {
    let options = LoadOptions {
        processing,
        kernels,
        ..LoadOptions::default()
    };
    let folder = repository().join("tests/golden").join(folder);
    HookedTransformer::load(&run(), &folder_files(&folder), &options).unwrap()
}

/// A run of the real program, in a folder of its own.
pub struct Program {
    pub folder: tempfile::TempDir,
    args: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Option<String>,
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    pub fn new<'a>(args: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            args: args.into_iter().map(str::to_owned).collect(),
            env: Vec::new(),
            stdin: None,
        }
    }

    /// A run of a script named `script.rhai`, without notes.
    pub fn script(text: &str) -> Self {
        Self::new(["-q", "script.rhai"]).file("script.rhai", text)
    }

    pub fn file(self, name: &str, contents: impl AsRef<[u8]>) -> Self {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
        self
    }

    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    /// The command, in an environment that inherits nothing from the machine.
    pub fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_avec"));
        command
            .args(&self.args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("HF_HOME", self.folder.path().join("hf"))
            .env("HF_ENDPOINT", "http://127.0.0.1:9")
            .envs(self.env.iter().map(|(k, v)| (k, v)));
        command
    }

    pub fn run(&self) -> Ran {
        use std::io::Write;
        use std::process::Stdio;
        let mut child = self
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = self.stdin.clone().unwrap_or_default();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        Ran {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs, and expects failure with this status and exactly this text on stderr.
    #[track_caller]
    pub fn fails(&self, status: i32, stderr: &str) {
        let ran = self.run();
        assert_eq!(ran.stderr.trim_end(), stderr.trim_matches('\n').trim_end());
        assert_eq!(ran.status, Some(status));
    }

    /// Runs, expects success, and returns what was printed.
    #[track_caller]
    pub fn succeeds(&self) -> String {
        let ran = self.run();
        assert_eq!(ran.status, Some(0), "{}", ran.stderr);
        ran.stdout
    }
}
