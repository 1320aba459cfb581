//! Memory: loading takes little more than the model's size, and a model that can't fit is refused
//! before anything is allocated.
#![cfg(target_os = "linux")]

mod support;

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use support::{Program, tiny_folder};

const LAYERS: usize = 6;
const WIDTH: usize = 512;
const VOCAB: usize = 20_000;

/// The values of a checkpoint.
#[derive(Clone, Copy, PartialEq)]
enum Values {
    /// All the same small number.
    F32,
    F16,
    /// f32, as a hole in the file.
    Sparse,
}

/// Writes a checkpoint with these tensors and returns its size in f32.
fn write_checkpoint(path: &Path, tensors: &[(String, Vec<usize>)], values: Values) -> u64 {
    let (dtype, number) = match values {
        Values::F16 => ("F16", half::f16::from_f32(0.01).to_le_bytes().to_vec()),
        _ => ("F32", 0.01f32.to_le_bytes().to_vec()),
    };
    let mut header = serde_json::Map::new();
    let mut at = 0u64;
    for (name, shape) in tensors {
        let elements = shape.iter().map(|n| *n as u64).product::<u64>();
        let size = number.len() as u64 * elements;
        header.insert(
            name.clone(),
            serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}),
        );
        at += size;
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes())
        .unwrap();
    file.write_all(&header).unwrap();
    if values == Values::Sparse {
        file.set_len(8 + header.len() as u64 + at).unwrap();
    } else {
        let chunk = number.repeat(1 << 14);
        let mut left = at as usize;
        while left > 0 {
            let n = left.min(chunk.len());
            file.write_all(&chunk[..n]).unwrap();
            left -= n;
        }
    }
    at / number.len() as u64 * 4
}

fn gpt2_tensors(
    layers: usize,
    width: usize,
    vocab: usize,
    n_ctx: usize,
) -> Vec<(String, Vec<usize>)> {
    let mut tensors = vec![
        ("wte.weight".to_owned(), vec![vocab, width]),
        ("wpe.weight".to_owned(), vec![n_ctx, width]),
        ("ln_f.weight".to_owned(), vec![width]),
        ("ln_f.bias".to_owned(), vec![width]),
    ];
    for layer in 0..layers {
        let mut add = |name: &str, shape: Vec<usize>| {
            tensors.push((format!("h.{layer}.{name}"), shape));
        };
        for norm in ["ln_1", "ln_2"] {
            add(&format!("{norm}.weight"), vec![width]);
            add(&format!("{norm}.bias"), vec![width]);
        }
        for (map, from, to) in [
            ("attn.c_attn", width, 3 * width),
            ("attn.c_proj", width, width),
            ("mlp.c_fc", width, 4 * width),
            ("mlp.c_proj", 4 * width, width),
        ] {
            add(&format!("{map}.weight"), vec![from, to]);
            add(&format!("{map}.bias"), vec![to]);
        }
    }
    tensors
}

fn config(layers: usize, width: usize, vocab: usize) -> String {
    serde_json::json!({
        "model_type": "gpt2", "n_layer": layers, "n_embd": width, "n_head": 8, "n_positions": 64,
        "vocab_size": vocab, "bos_token_id": vocab - 1, "eos_token_id": vocab - 1,
    })
    .to_string()
}

/// The program's peak memory while it runs a script, in bytes.
#[allow(clippy::zombie_processes, reason = "wait4 waits for it")]
#[expect(unsafe_code, reason = "peak memory is asked of the system")]
fn peak(program: Program, threads: usize) -> u64 {
    let mut command = program.command();
    command.args(["--threads", &threads.to_string()]);
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut status = 0;
    // SAFETY: all numbers of rusage may be zero, and both pointers outlive the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let pid = child.id().cast_signed();
        assert_eq!(libc::wait4(pid, &raw mut status, 0, &raw mut usage), pid);
        usage
    };
    assert_eq!(status, 0);
    1024 * usage.ru_maxrss.cast_unsigned()
}

/// Whatever the types of stored and packed weights, and the number of threads.
#[test]
fn loading_peaks_at_little_more_than_the_weights() {
    let tokenizer = std::fs::read(tiny_folder().join("tokenizer.json")).unwrap();
    let idle = peak(Program::script("print(1);"), 2);
    for values in [Values::F32, Values::F16] {
        for (dtype, threads) in [("f32", 2), ("f32", 16), ("bf16", 2), ("bf16", 16)] {
            let script = format!("print(load_model(\"./m\", #{{ dtype: \"{dtype}\" }}).n_layers);");
            let program = Program::script(&script)
                .file("m/config.json", config(LAYERS, WIDTH, VOCAB))
                .file("m/tokenizer.json", &tokenizer);
            let path = program.folder.path().join("m/model.safetensors");
            let tensors = gpt2_tensors(LAYERS, WIDTH, VOCAB, 64);
            let size = write_checkpoint(&path, &tensors, values);
            let size = if dtype == "bf16" { size / 2 } else { size };
            let ratio = (peak(program, threads) - idle) as f64 / size as f64;
            let case = format!("{dtype} on {threads} threads");
            assert!(ratio > 0.8, "{case}: the model is not in memory? {ratio}");
            assert!(
                ratio <= 1.2,
                "{case}: loading peaked at {ratio} times the weights"
            );
            println!("{case}: {ratio:.2}");
        }
    }
}

#[test]
fn a_model_that_cannot_fit_is_refused() {
    // A terabyte, as a hole in a file.
    let (layers, width, vocab) = (1, 1 << 10, 1 << 28);
    let program = Program::script("load_model(\"./m\");")
        .file("m/config.json", config(layers, width, vocab))
        .file(
            "m/tokenizer.json",
            std::fs::read(tiny_folder().join("tokenizer.json")).unwrap(),
        );
    let path = program.folder.path().join("m/model.safetensors");
    write_checkpoint(
        &path,
        &gpt2_tensors(layers, width, vocab, 64),
        Values::Sparse,
    );
    let ran = program.run();
    assert_eq!(ran.status, Some(1));
    let first = ran.stderr.lines().next().unwrap();
    assert!(
        first.starts_with(
            "error: loading ./m: the weights of ./m would need 1.1 TB of memory, and "
        ),
        "{first}"
    );
}
