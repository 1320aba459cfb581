//! GPT-2 for training, in plain candle operations, all of which have a backward pass.
//!
//! The library's own model runs only forward, over packed weights. This one writes checkpoints in
//! the layout that the library reads.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use candle_core::{D, DType, Device, Tensor, Var};
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The number of blocks that learn to attend only to the last few positions and the first, so that
/// a header's meaning is computed where it stands and read by later blocks. Otherwise a mood that
/// is a single token's identity is read in block 0 already, and steering any later layer has no
/// effect.
pub(crate) const LOCAL_BLOCKS: usize = 1;
const NEAR: usize = 2;

pub(crate) struct Sizes {
    pub layers: usize,
    pub d_model: usize,
    pub heads: usize,
    pub n_ctx: usize,
    pub d_vocab: usize,
}

pub(crate) struct Gpt2 {
    sizes: Sizes,
    vars: HashMap<String, Var>,
    /// In order of creation, so that training is repeatable.
    names: Vec<String>,
}

impl Gpt2 {
    /// GPT-2's initialisation: N(0, 0.02), with maps that write to the residual stream scaled down
    /// with depth, zero biases and gains of one.
    pub(crate) fn new(sizes: Sizes, seed: u64) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (d, v) = (sizes.d_model, sizes.d_vocab);
        let mut model = Self {
            vars: HashMap::new(),
            names: Vec::new(),
            sizes,
        };
        let writing = 0.02 / (2.0 * model.sizes.layers as f64).sqrt();
        model.normal("wte.weight", (v, d), 0.02, &mut rng)?;
        model.normal("wpe.weight", (model.sizes.n_ctx, d), 0.01, &mut rng)?;
        for layer in 0..model.sizes.layers {
            let name = |part: &str| format!("h.{layer}.{part}");
            model.norm(&name("ln_1"), d)?;
            model.map(&name("attn.c_attn"), (d, 3 * d), 0.02, &mut rng)?;
            model.map(&name("attn.c_proj"), (d, d), writing, &mut rng)?;
            model.norm(&name("ln_2"), d)?;
            model.map(&name("mlp.c_fc"), (d, 4 * d), 0.02, &mut rng)?;
            model.map(&name("mlp.c_proj"), (4 * d, d), writing, &mut rng)?;
        }
        model.norm("ln_f", d)?;
        Ok(model)
    }

    fn add(&mut self, name: &str, tensor: Tensor) -> Result<()> {
        self.vars
            .insert(name.to_owned(), Var::from_tensor(&tensor)?);
        self.names.push(name.to_owned());
        Ok(())
    }

    fn normal(
        &mut self,
        name: &str,
        shape: (usize, usize),
        deviation: f64,
        rng: &mut ChaCha8Rng,
    ) -> Result<()> {
        let values: Vec<f32> = (0..shape.0 * shape.1)
            .map(|_| {
                // Box-Muller, using one number of the pair.
                let (u, w): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
                ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * w).cos() * deviation) as f32
            })
            .collect();
        self.add(name, Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    fn map(
        &mut self,
        name: &str,
        shape: (usize, usize),
        deviation: f64,
        rng: &mut ChaCha8Rng,
    ) -> Result<()> {
        self.normal(&format!("{name}.weight"), shape, deviation, rng)?;
        let bias = Tensor::zeros(shape.1, DType::F32, &Device::Cpu)?;
        self.add(&format!("{name}.bias"), bias)
    }

    fn norm(&mut self, name: &str, width: usize) -> Result<()> {
        let ones = Tensor::ones(width, DType::F32, &Device::Cpu)?;
        self.add(&format!("{name}.weight"), ones)?;
        let zeros = Tensor::zeros(width, DType::F32, &Device::Cpu)?;
        self.add(&format!("{name}.bias"), zeros)
    }

    /// The weights with decay (matrices) and those without.
    pub(crate) fn split_vars(&self) -> (Vec<Var>, Vec<Var>) {
        self.names
            .iter()
            .map(|name| self.vars[name].clone())
            .partition(|var| var.rank() == 2)
    }

    pub(crate) fn parameters(&self) -> usize {
        self.vars.values().map(|var| var.elem_count()).sum()
    }

    /// tokens `[batch, pos]` -> logits `[batch, pos, d_vocab]`, and the attention of the first
    /// blocks to distant tokens (see [`LOCAL_BLOCKS`]), 0 to 1.
    pub(crate) fn forward(&self, tokens: &Tensor) -> Result<(Tensor, Tensor)> {
        let (batch, pos) = tokens.dims2()?;
        let (d, heads) = (self.sizes.d_model, self.sizes.heads);
        let d_head = d / heads;
        let wte = &self.vars["wte.weight"];
        let mut x = wte
            .index_select(&tokens.flatten_all()?, 0)?
            .reshape((batch, pos, d))?
            .broadcast_add(&self.vars["wpe.weight"].narrow(0, 0, pos)?)?;
        let hidden: Vec<f32> = (0..pos)
            .flat_map(|q| (0..pos).map(move |k| if k > q { -1e9 } else { 0.0 }))
            .collect();
        let hidden = Tensor::from_vec(hidden, (1, 1, pos, pos), &Device::Cpu)?;
        let far: Vec<f32> = (0..pos)
            .flat_map(|q| (0..pos).map(move |k| if k > 0 && q > k + NEAR { 1.0 } else { 0.0 }))
            .collect();
        let far = Tensor::from_vec(far, (1, 1, pos, pos), &Device::Cpu)?;
        let mut far_attention = Tensor::zeros((), DType::F32, &Device::Cpu)?;
        for layer in 0..self.sizes.layers {
            let name = |part: &str| format!("h.{layer}.{part}");
            let normalized = self.layer_norm(&x, &name("ln_1"))?;
            let qkv = self.linear(&normalized, &name("attn.c_attn"))?;
            let part = |i: usize| -> Result<Tensor> {
                Ok(qkv
                    .narrow(2, i * d, d)?
                    .reshape((batch, pos, heads, d_head))?
                    .transpose(1, 2)?
                    .contiguous()?)
            };
            let (q, k, v) = (part(0)?, part(1)?, part(2)?);
            let scores = (q.matmul(&k.t()?.contiguous()?)? * (1.0 / (d_head as f64).sqrt()))?;
            let pattern = candle_nn::ops::softmax(&scores.broadcast_add(&hidden)?, D::Minus1)?;
            if layer < LOCAL_BLOCKS {
                let mass = pattern.broadcast_mul(&far)?.sum_all()?;
                let queries = (batch * heads * pos * LOCAL_BLOCKS) as f64;
                far_attention = (far_attention + (mass / queries)?)?;
            }
            let z = pattern
                .matmul(&v)?
                .transpose(1, 2)?
                .reshape((batch, pos, d))?;
            x = (x + self.linear(&z, &name("attn.c_proj"))?)?;
            let normalized = self.layer_norm(&x, &name("ln_2"))?;
            let post = self.linear(&normalized, &name("mlp.c_fc"))?.gelu()?;
            x = (x + self.linear(&post, &name("mlp.c_proj"))?)?;
        }
        let x = self.layer_norm(&x, "ln_f")?.reshape((batch * pos, d))?;
        let logits = x
            .matmul(&wte.t()?)?
            .reshape((batch, pos, self.sizes.d_vocab))?;
        Ok((logits, far_attention))
    }

    fn linear(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let (batch, pos, width) = x.dims3()?;
        let weight = &self.vars[&format!("{name}.weight")];
        let y = x
            .reshape((batch * pos, width))?
            .matmul(weight.as_tensor())?
            .broadcast_add(self.vars[&format!("{name}.bias")].as_tensor())?;
        Ok(y.reshape((batch, pos, ()))?)
    }

    fn layer_norm(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let scale = (centered.sqr()?.mean_keepdim(D::Minus1)? + 1e-5)?.sqrt()?;
        Ok(centered
            .broadcast_div(&scale)?
            .broadcast_mul(self.vars[&format!("{name}.weight")].as_tensor())?
            .broadcast_add(self.vars[&format!("{name}.bias")].as_tensor())?)
    }

    /// Writes `config.json` and `model.safetensors` (f16) in the Hugging Face hub's layout.
    pub(crate) fn save(&self, folder: &Path, end_of_text: u32) -> Result<()> {
        let Sizes {
            layers,
            d_model,
            heads,
            n_ctx,
            d_vocab,
        } = self.sizes;
        let config = serde_json::json!({
            "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2",
            "n_layer": layers, "n_embd": d_model, "n_head": heads,
            "n_positions": n_ctx, "n_ctx": n_ctx, "vocab_size": d_vocab,
            "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
            "bos_token_id": end_of_text, "eos_token_id": end_of_text,
            "tie_word_embeddings": true, "torch_dtype": "float16",
        });
        let text = serde_json::to_string_pretty(&config)? + "\n";
        std::fs::write(folder.join("config.json"), text)?;
        let tensors: HashMap<String, Tensor> = self
            .vars
            .iter()
            .map(|(name, var)| Ok((name.clone(), var.to_dtype(DType::F16)?)))
            .collect::<Result<_>>()?;
        candle_core::safetensors::save(&tensors, folder.join("model.safetensors"))?;
        Ok(())
    }
}
