//! Memory: loading takes little more than the model's size, and what can't fit is refused before
//! anything is allocated.
#![cfg(target_os = "linux")]

mod support;

use std::io::Write;
use std::path::Path;

use avec::transformer::{HookedTransformer, LoadOptions};
use support::{Program, folder_files, tiny_folder};

const LAYERS: usize = 6;
const WIDTH: usize = 512;
const VOCAB: usize = 20_000;

/// Writes a checkpoint with these tensors; every value is the same small number, or, if `sparse`,
/// a hole in the file.
fn write_checkpoint(path: &Path, tensors: &[(String, Vec<usize>)], sparse: bool) -> u64 {
    let mut header = serde_json::Map::new();
    let mut at = 0u64;
    for (name, shape) in tensors {
        let size = 4 * shape.iter().map(|n| *n as u64).product::<u64>();
        header.insert(
            name.clone(),
            serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}),
        );
        at += size;
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes())
        .unwrap();
    file.write_all(&header).unwrap();
    if sparse {
        file.set_len(8 + header.len() as u64 + at).unwrap();
    } else {
        let chunk: Vec<u8> = std::iter::repeat_n(0.01f32.to_le_bytes(), 1 << 14)
            .flatten()
            .collect();
        let mut left = at as usize;
        while left > 0 {
            let n = left.min(chunk.len());
            file.write_all(&chunk[..n]).unwrap();
            left -= n;
        }
    }
    at
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

/// The most memory that this process ever had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    1024 * line
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
}

#[test]
fn loading_peaks_at_little_more_than_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = std::fs::read(tiny_folder().join("tokenizer.json")).unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer).unwrap();
    std::fs::write(
        folder.path().join("config.json"),
        config(LAYERS, WIDTH, VOCAB),
    )
    .unwrap();
    let tensors = gpt2_tensors(LAYERS, WIDTH, VOCAB, 64);
    let path = folder.path().join("model.safetensors");
    let size = write_checkpoint(&path, &tensors, false);
    let before = peak();
    let model = HookedTransformer::load(&folder_files(folder.path()), &LoadOptions::default());
    let model = model.unwrap();
    let ratio = (peak() - before) as f64 / size as f64;
    assert!(ratio > 0.8, "the model is not in memory? {ratio}");
    assert!(ratio <= 1.2, "loading peaked at {ratio} times the weights");
    assert_eq!(model.config().n_layers, LAYERS);
}

#[test]
fn a_model_that_can_not_fit_is_refused() {
    // A terabyte, as a hole in a file.
    let (layers, width, vocab) = (1, 1 << 10, 1 << 28);
    let program = Program::script("load_model(\"./m\");")
        .file("m/config.json", config(layers, width, vocab))
        .file(
            "m/tokenizer.json",
            std::fs::read(tiny_folder().join("tokenizer.json")).unwrap(),
        );
    let path = program.folder.path().join("m/model.safetensors");
    write_checkpoint(&path, &gpt2_tensors(layers, width, vocab, 64), true);
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
