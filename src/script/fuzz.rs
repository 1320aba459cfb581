//! A plain function for fuzzers: a script's text through the whole host, with a small model.

use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::host::{Host, Stopped};
use super::output::Output;
use super::session::Session;
use crate::kernels::STACK_SIZE;
use crate::model::{HookedTransformer, LoadOptions};
use crate::report::Painter;
use crate::run::watch_stack;
use crate::script::ModelKey;

/// A script that goes on for longer is stopped.
const PATIENCE: Duration = Duration::from_secs(2);
/// A script that goes on for this long although it was asked to stop is a finding.
const TOO_LONG: Duration = Duration::from_secs(20);
const MEMORY: u64 = 400 << 20;
const OPERATIONS: u64 = 100_000;

/// Runs a script, which has the demo model as `m` and may use no network. However it ends, it ends
/// in time, and an error has a message and places that are in the text.
///
/// # Panics
///
/// If it doesn't.
pub fn script(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    std::thread::scope(|scope| {
        let run = std::thread::Builder::new().stack_size(STACK_SIZE);
        let run = run.spawn_scoped(scope, || {
            watch_stack();
            run_script(text);
        });
        let ended = run.expect("a thread starts").join();
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
}

fn run_script(text: &str) {
    let output = Output::new(Box::new(std::io::sink()), 80, Painter::plain());
    let mut session = Session::new(output);
    session.run.memory = Some(MEMORY);
    session.run.permissions.offline = true;
    let cancel = session.run.cancel.clone();
    let mut host = Host::new(session);
    host.engine.set_max_operations(OPERATIONS);
    host.set("m", demo());
    let (ended, end) = mpsc::channel::<()>();
    let clock = std::thread::spawn(move || {
        if end
            .recv_timeout(PATIENCE)
            .is_err_and(|e| e == mpsc::RecvTimeoutError::Timeout)
        {
            cancel.raise();
        }
    });
    let start = Instant::now();
    let result = host.run_text("fuzz", text);
    assert!(start.elapsed() < TOO_LONG, "not stopped in time");
    drop(ended);
    clock.join().expect("the clock does not fail");
    if let Err(Stopped::Failed(diagnostic)) = result {
        assert!(
            !diagnostic.message.trim().is_empty(),
            "an error without words"
        );
        let lines = text.lines().count().max(1);
        for label in &diagnostic.labels {
            assert!((1..=lines + 1).contains(&label.line), "{label:?}");
        }
        assert!(!diagnostic.render(Painter::plain()).is_empty());
    }
}

/// The demo model, loaded once.
fn demo() -> HookedTransformer {
    static DEMO: OnceLock<HookedTransformer> = OnceLock::new();
    let load = || {
        let output = Output::new(Box::new(std::io::sink()), 80, Painter::plain());
        let key = ModelKey {
            id: "demo".into(),
            options: Vec::new(),
        };
        let model = Session::new(output).model(key, None, &LoadOptions::default());
        model.expect("the demo model is part of the program")
    };
    DEMO.get_or_init(load).clone()
}
