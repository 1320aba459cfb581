//! Every function that can take long stops soon after it is asked to.

use std::time::{Duration, Instant};

use avec::STACK_SIZE;
use avec::report::Painter;
use avec::script::{Host, Output, Session, Stopped};

#[global_allocator]
static ALLOCATOR: avec::run::CountingAllocator = avec::run::CountingAllocator;

/// How long a script goes on once it is asked to stop; the best of three, since others use the
/// machine too.
fn deafness(before: &str, script: &str) -> Duration {
    let once = || {
        let output = Output::new(Box::new(std::io::sink()), 80, Painter::plain());
        let mut session = Session::new(output);
        session.run.permissions.offline = true;
        let cancel = session.run.cancel.clone();
        let mut host = Host::new(session);
        let (started, start) = std::sync::mpsc::channel();
        host.register("started", [], "", move || {
            let _ = started.send(());
        });
        let raising = std::thread::spawn(move || {
            start.recv().unwrap();
            std::thread::sleep(Duration::from_millis(150));
            cancel.raise();
            Instant::now()
        });
        let result = host.run_text(
            "stopped",
            &format!("{before} started(); loop {{ {script} }}"),
        );
        let end = Instant::now();
        assert!(
            matches!(result, Err(Stopped::Cancelled)),
            "{script}: {result:?}"
        );
        end.saturating_duration_since(raising.join().unwrap())
    };
    let enough = Duration::from_millis(400);
    let mut best = once();
    for _ in 0..2 {
        if best > enough {
            best = best.min(once());
        }
    }
    best
}

#[test]
fn every_function_stops_soon() {
    let many = "let a = []; a.pad(3000000, 0); ";
    let text = "let s = \"\"; s.pad(20000000, \"some words. \"); let m = load_model(\"demo\"); ";
    let cases = [
        ("", "sleep(100)"),
        (text, "m.to_tokens(s)"),
        (text, "m.to_str_tokens(s)"),
        (text, "try { m.loss(s) } catch { }"),
        (text, "try { m.generate(s) } catch { }"),
        (text, "s.split(\" \")"),
        (text, "s.to_upper()"),
        (text, "let t = s; t.replace(\"o\", \"u\")"),
        (text, "let t = \"\"; t.pad(30000000, \"é\")"),
        (
            "let s = \"\"; s.pad(8000000, \"a\"); let m = load_model(\"demo\");",
            "m.to_tokens(s)",
        ),
        (
            "let m = load_model(\"demo\"); let a = []; a.pad(3000000, 11);",
            "m.to_string(a)",
        ),
        (many, "to_json(a)"),
        (many, "a.to_string()"),
        (many, "a.sort()"),
        (many, "a.sort(|x, y| y - x)"),
        (many, "a.map(|x| x)"),
        (many, "a.contains(1)"),
        (many, "a.dedup()"),
        (
            "let a = []; for i in 0..20 { a.push(0..9000000); }",
            "to_json(a)",
        ),
        (
            "let j = \"1\"; for i in 0..22 { j = j + \",\" + j; } j = \"{\\\"a\\\": [\" + j + \"]}\";",
            "parse_json(j)",
        ),
        (
            "let m = load_model(\"demo\");",
            "let t = m.logits(\"I think I love you\"); t.softmax().to_array()",
        ),
    ];
    std::thread::Builder::new()
        .stack_size(STACK_SIZE)
        .spawn(move || {
            for (before, script) in cases {
                let time = deafness(before, script);
                println!("{script}: {time:?}");
                assert!(time < Duration::from_millis(900), "{script}: {time:?}");
            }
        })
        .unwrap()
        .join()
        .unwrap();
}
