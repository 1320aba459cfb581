//! The whole model compared with a second one in plain candle operations, without packed weights,
//! fused attention or a cache.

#[path = "support/random.rs"]
mod random;

use std::collections::HashMap;
use std::path::Path;

use avec::RunContext;
use avec::model::{Hooks, LoadOptions, Processing};
use candle_core::{D, DType, Device, Tensor};
use random::Shape;

/// The checkpoint's tensors, and W_U, which is the token embedding.
struct Plain {
    tensors: HashMap<String, Tensor>,
    unembed: Tensor, // [vocab, width]
    shape: Shape,
}

impl Plain {
    fn load(folder: &Path, shape: Shape) -> Self {
        let path = folder.join("model.safetensors");
        let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
        Self {
            unembed: tensors["wte.weight"].clone(),
            tensors,
            shape,
        }
    }

    /// Rounds the linear maps to bf16, like that option.
    fn rounded(mut self) -> Self {
        let round = |tensor: &Tensor| {
            let rounded = tensor.to_dtype(DType::BF16).unwrap();
            rounded.to_dtype(DType::F32).unwrap()
        };
        for (name, tensor) in &mut self.tensors {
            if tensor.rank() == 2 && name.starts_with("h.") {
                *tensor = round(tensor);
            }
        }
        self.unembed = round(&self.unembed);
        self
    }

    fn norm(&self, x: &Tensor, name: &str) -> Tensor {
        let mean = x.mean_keepdim(D::Minus1).unwrap();
        let centered = x.broadcast_sub(&mean).unwrap();
        let variance = centered.sqr().unwrap().mean_keepdim(D::Minus1).unwrap();
        let scale = (variance + 1e-5).unwrap().sqrt().unwrap();
        let normalized = centered.broadcast_div(&scale).unwrap();
        let gained = normalized.broadcast_mul(&self.tensors[&format!("{name}.weight")]);
        let biased = gained
            .unwrap()
            .broadcast_add(&self.tensors[&format!("{name}.bias")]);
        biased.unwrap()
    }

    fn linear(&self, x: &Tensor, name: &str) -> Tensor {
        let y = x.matmul(&self.tensors[&format!("{name}.weight")]).unwrap();
        y.broadcast_add(&self.tensors[&format!("{name}.bias")])
            .unwrap()
    }

    /// Logits `[pos, vocab]`.
    fn logits(&self, tokens: &[u32]) -> Tensor {
        let Shape {
            layers,
            width,
            heads,
            ..
        } = self.shape;
        let (pos, d_head) = (tokens.len(), width / heads);
        let wte = &self.tensors["wte.weight"];
        let ids = Tensor::new(tokens, &Device::Cpu).unwrap();
        let places = self.tensors["wpe.weight"].narrow(0, 0, pos).unwrap();
        let mut x = (wte.index_select(&ids, 0).unwrap() + places).unwrap(); // [pos, width]
        let future: Vec<f32> = (0..pos)
            .flat_map(|q| (0..pos).map(move |k| if k > q { f32::NEG_INFINITY } else { 0.0 }))
            .collect();
        let future = Tensor::from_vec(future, (1, pos, pos), &Device::Cpu).unwrap();
        for layer in 0..layers {
            let name = |part: &str| format!("h.{layer}.{part}");
            let qkv = self.linear(&self.norm(&x, &name("ln_1")), &name("attn.c_attn"));
            let part = |i: usize| {
                let part = qkv.narrow(1, i * width, width).unwrap();
                let part = part.reshape((pos, heads, d_head)).unwrap();
                part.transpose(0, 1).unwrap().contiguous().unwrap() // [head, pos, d_head]
            };
            let scores = part(0)
                .matmul(&part(1).t().unwrap().contiguous().unwrap())
                .unwrap();
            let scores = (scores / (d_head as f64).sqrt()).unwrap();
            let masked = scores.broadcast_add(&future).unwrap();
            let pattern = candle_nn::ops::softmax(&masked, D::Minus1).unwrap();
            let z = pattern.matmul(&part(2)).unwrap().transpose(0, 1).unwrap();
            let z = z.reshape((pos, width)).unwrap();
            x = (x + self.linear(&z, &name("attn.c_proj"))).unwrap();
            let hidden = self.linear(&self.norm(&x, &name("ln_2")), &name("mlp.c_fc"));
            x = (x + self.linear(&hidden.gelu().unwrap(), &name("mlp.c_proj"))).unwrap();
        }
        self.norm(&x, "ln_f")
            .matmul(&self.unembed.t().unwrap())
            .unwrap()
    }
}

const SHAPES: [Shape; 2] = [
    Shape {
        layers: 3,
        width: 192,
        heads: 3,
        vocab: 1009,
    },
    // Large enough to use every block size and several threads.
    Shape {
        layers: 2,
        width: 768,
        heads: 12,
        vocab: 3001,
    },
];

fn tokens(shape: Shape, n: usize) -> Vec<u32> {
    (0..n as u32)
        .map(|i| (i * 37 + 11) % shape.vocab as u32)
        .collect()
}

/// The largest difference, and the largest logit.
fn difference(ours: &Tensor, plain: &Tensor) -> (f32, f32) {
    let ours = ours.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let plain = plain.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(ours.len(), plain.len());
    let largest = plain.iter().fold(0.0f32, |max, x| max.max(x.abs()));
    let apart = ours.iter().zip(&plain).map(|(a, b)| (a - b).abs());
    (apart.fold(0.0, f32::max), largest)
}

#[test]
fn logits_match_plain_operations() {
    for shape in SHAPES {
        let folder = tempfile::tempdir().unwrap();
        random::write(folder.path(), shape);
        let plain = Plain::load(folder.path(), shape);
        for processing in [Processing::None, Processing::Default] {
            let options = LoadOptions {
                processing,
                ..LoadOptions::default()
            };
            let model = random::load(folder.path(), &options);
            for n in [1, 7, 130] {
                let tokens = tokens(shape, n);
                let ours = model
                    .logits(&RunContext::default(), &tokens, Hooks::none())
                    .unwrap();
                let mut expected = plain.logits(&tokens);
                if processing == Processing::Default {
                    // center_unembed: the logits of every position have mean 0.
                    let mean = expected.mean_keepdim(D::Minus1).unwrap();
                    expected = expected.broadcast_sub(&mean).unwrap();
                }
                let (apart, largest) = difference(&ours, &expected);
                assert!(
                    apart <= 1e-4 * largest,
                    "{shape:?} {processing:?} {n}: {apart} of {largest}"
                );
            }
        }
    }
}

/// With bf16 weights, logits are as exact as arithmetic over the rounded weights, and as close to
/// the unrounded ones as 8 bits of precision can be.
#[test]
fn bf16_weights_only_lose_precision() {
    let shape = SHAPES[1];
    let folder = tempfile::tempdir().unwrap();
    random::write(folder.path(), shape);
    let model = random::load(
        folder.path(),
        &LoadOptions {
            processing: Processing::None,
            dtype: DType::BF16,
            ..LoadOptions::default()
        },
    );
    let tokens = tokens(shape, 40);
    let ours = model
        .logits(&RunContext::default(), &tokens, Hooks::none())
        .unwrap();
    let exact = Plain::load(folder.path(), shape).logits(&tokens);
    let (apart, largest) = difference(&ours, &exact);
    assert!(apart <= 2e-2 * largest, "{apart} of {largest}");
    assert!(apart > 0.0, "nothing was rounded");
    let rounded = Plain::load(folder.path(), shape).rounded().logits(&tokens);
    let (apart, largest) = difference(&ours, &rounded);
    assert!(apart <= 1e-4 * largest, "{apart} of {largest}");
}
