//! Models of any shape with random weights, for comparisons and benchmarks.
#![allow(unreachable_pub, reason = "a part of each test file that uses it")]
#![allow(dead_code, reason = "each test file and bench uses its own part")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use avec::model::{HookedTransformer, LoadOptions, ModelFiles, SideFiles, TokenizerFiles};
use avec::{RunContext, Source};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

pub const D_VOCAB: usize = 50257;

/// Numbers between -1 and 1; the same seed gives the same ones.
pub fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// A model of gpt2's shape: 12 layers, d_model 768, 12 heads, 1024 positions, 50257 tokens.
pub fn gpt2() -> HookedTransformer {
    load(&gpt2_folder(), &LoadOptions::default())
}

pub fn load(folder: &Path, options: &LoadOptions) -> HookedTransformer {
    let file = |name: &str| Source::Path(folder.join(name));
    let files = ModelFiles {
        name: "random".into(),
        config: file("config.json"),
        tokenizer: TokenizerFiles::Json(file("tokenizer.json")),
        weights: vec![file("model.safetensors")],
        side: SideFiles::default(),
    };
    HookedTransformer::load(&RunContext::default(), &files, options)
        .expect("the random model loads")
}

/// The folder of that model's files (0.5 GB), made once in the target folder.
pub fn gpt2_folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("random-gpt2");
    if !folder.join("done").exists() {
        fs::create_dir_all(&folder).expect("the target folder can be written");
        let shape = Shape {
            layers: 12,
            width: 768,
            heads: 12,
            vocab: D_VOCAB,
        };
        write(&folder, shape);
        fs::write(folder.join("done"), "").expect("the target folder can be written");
    }
    folder
}

/// The sizes in a model's configuration.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub layers: usize,
    pub width: usize,
    pub heads: usize,
    pub vocab: usize,
}

/// Writes `config.json`, `tokenizer.json` and `model.safetensors`.
pub fn write(folder: &Path, shape: Shape) {
    let Shape {
        layers,
        width,
        heads,
        vocab,
    } = shape;
    let mut tensors: Vec<(String, Vec<usize>, f32)> = vec![
        ("wte.weight".into(), vec![vocab, width], 0.2),
        ("wpe.weight".into(), vec![1024, width], 0.04),
        ("ln_f.weight".into(), vec![width], 1.0),
        ("ln_f.bias".into(), vec![width], 0.1),
    ];
    for layer in 0..layers {
        let mut add = |name: &str, shape: &[usize], scale: f32| {
            tensors.push((format!("h.{layer}.{name}"), shape.to_vec(), scale));
        };
        for norm in ["ln_1", "ln_2"] {
            add(&format!("{norm}.weight"), &[width], 1.0);
            add(&format!("{norm}.bias"), &[width], 0.1);
        }
        for (map, from, to) in [
            ("attn.c_attn", width, 3 * width),
            ("attn.c_proj", width, width),
            ("mlp.c_fc", width, 4 * width),
            ("mlp.c_proj", 4 * width, width),
        ] {
            add(&format!("{map}.weight"), &[from, to], 0.1);
            add(&format!("{map}.bias"), &[to], 0.02);
        }
    }
    let values: Vec<Vec<u8>> = tensors
        .iter()
        .enumerate()
        .map(|(i, (_, shape, scale))| {
            random(shape.iter().product(), i as u64)
                .iter()
                .flat_map(|value| (value * scale).to_le_bytes())
                .collect()
        })
        .collect();
    let views: HashMap<&str, TensorView> = tensors
        .iter()
        .zip(&values)
        .map(|((name, shape, _), bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("sizes agree");
            (name.as_str(), view)
        })
        .collect();
    let path = folder.join("model.safetensors");
    safetensors::serialize_to_file(views, None, &path).expect("the target folder can be written");
    let config = serde_json::json!({
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": layers,
        "n_embd": width, "n_head": heads, "n_positions": 1024, "vocab_size": vocab,
        "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
        "bos_token_id": vocab - 1, "eos_token_id": vocab - 1,
    });
    fs::write(folder.join("config.json"), config.to_string()).expect("the folder can be written");
    // Every token is a word of its own: random weights have no language.
    let words: serde_json::Map<String, serde_json::Value> = (0..vocab)
        .map(|id| match id + 1 {
            n if n == vocab => ("<|endoftext|>".to_owned(), id.into()),
            _ => (format!("t{id}"), id.into()),
        })
        .collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null,
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "t0"},
    });
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string())
        .expect("the folder can be written");
}
