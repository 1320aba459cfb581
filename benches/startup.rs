//! The whole program, from start to exit.

use std::path::Path;
use std::process::{Command, Stdio};

use criterion::{Criterion, criterion_group, criterion_main};

fn run(arguments: &[&str]) {
    let status = Command::new(env!("CARGO_BIN_EXE_avec"))
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.expect("avec starts").success(), "{arguments:?}");
}

fn startup(c: &mut Criterion) {
    let mut group = c.benchmark_group("startup");
    group.sample_size(20);
    group.bench_function("avec --version", |b| b.iter(|| run(&["--version"])));
    // Its input is empty, so it exits at its first prompt.
    group.bench_function("avec repl, to its first prompt", |b| {
        b.iter(|| run(&["repl"]))
    });
    group.bench_function("avec scripts/basic_functionality.rhai", |b| {
        b.iter(|| run(&["scripts/basic_functionality.rhai"]));
    });
    group.finish();
}

criterion_group!(benches, startup);
criterion_main!(benches);
