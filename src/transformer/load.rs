//! From a checkpoint's files to a model: reading, processing and packing, tensor by tensor.
//!
//! The weights are processed as TransformerLens does by default, on the way into the packed form,
//! so that no second copy of the model ever exists.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use super::attention::Attention;
use super::block::{Block, Mlp};
use super::checkpoint::Checkpoint;
use super::config::Config;
use super::device::DeviceChoice;
use super::embed::{Embedding, Unembedding, WTE, center_rows};
use super::files::ModelFiles;
use super::hook_name::{HookName, Site};
use super::linear::{Linear, Order, Weights};
use super::memory;
use super::model::{HookedTransformer, activation_dtype};
use super::norm::LayerNorm;
use super::tokenizer::Tokenizer;
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::profile::{Profile, Stage};
use crate::progress::{Progress, Unit, silent};
use crate::words::words;

words! {
    /// How the weights are rewritten at load time.
    pub enum Processing: "processing", default Default {
        /// As TransformerLens does it: fold_ln, center_writing_weights, center_unembed,
        /// fold_value_biases. Probabilities are unchanged; norms and hook values are not.
        Default = "default",
        /// Not at all: the checkpoint's own values.
        None = "none",
    }
}

/// How to load a model.
#[derive(Clone)]
pub struct LoadOptions {
    pub processing: Processing,
    /// The number type of the weights. On CUDA and Metal f32, f16 or bf16, and activations have it
    /// too. On the CPU f32, or bf16: half the memory and faster, while sums and activations stay
    /// f32.
    pub dtype: DType,
    pub device: DeviceChoice,
    pub progress: Arc<dyn Progress>,
    /// Stops loading, and later every pass of the model.
    pub cancel: Cancel,
    /// Counts where time goes, in loading and in every pass of the model.
    pub profile: Profile,
    /// How many bytes generation may use at once; half of what is free if nobody says.
    pub memory: Option<u64>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            processing: Processing::Default,
            dtype: DType::F32,
            device: DeviceChoice::Cpu,
            progress: silent(),
            cancel: Cancel::new(),
            profile: Profile::default(),
            memory: None,
        }
    }
}

impl HookedTransformer {
    /// Loads a model from its files. Weights may be f32, f16 or bf16; they are mapped into memory
    /// and packed one by one, so that loading takes little more memory than the model itself.
    pub fn load(files: &ModelFiles, options: &LoadOptions) -> Result<Self> {
        load(files, options).map_err(|error| {
            if error.is_cancelled() {
                error
            } else {
                error.context(format!("loading {}", files.name))
            }
        })
    }
}

fn load(files: &ModelFiles, options: &LoadOptions) -> Result<HookedTransformer> {
    let _time = options.profile.stage(Stage::Load);
    let device = options.device.open()?;
    if device.is_cpu() && !matches!(options.dtype, DType::F32 | DType::BF16) {
        return Err(Error::new(ErrorKind::DTypeOnCpu {
            dtype: options.dtype.as_str(),
        })
        .about(Subject::NumberType));
    }
    let config = Config::from_json(&files.config.read()?, &files.config.to_string())?;
    let checkpoint = Arc::new(Checkpoint::open(&files.weights)?);
    check_layers(&config, &files.config.to_string(), &checkpoint)?;
    memory::check(
        &format!("the weights of {}", files.name),
        checkpoint.size_in_f32() / 4 * options.dtype.size_in_bytes() as u64,
        &device,
    )
    .map_err(|error| {
        error.about(Subject::Weights {
            can_halve: options.dtype == DType::F32,
        })
    })?;
    let tokenizer = Tokenizer::load(&files.tokenizer, &config)?;
    let loader = Loader {
        config: &config,
        checkpoint: &checkpoint,
        processing: options.processing,
        device: &device,
        dtype: options.dtype,
    };
    let task = options.progress.start(
        &format!("loading {}", files.name),
        config.n_layers as u64 + 1,
        Unit::Tensors,
    );
    // The unembedding is the largest tensor, so it goes first, while little is in memory.
    let unembedding = loader.unembedding()?;
    task.advance(1);
    // What of the file is being read counts as memory too: some layers at a time, however many
    // threads there are.
    let layers: Vec<usize> = (0..config.n_layers).collect();
    let mut blocks = Vec::with_capacity(config.n_layers);
    for layers in layers.chunks((config.n_layers / 4).max(1)) {
        let loaded = layers.par_iter().map(|layer| {
            options.cancel.check()?;
            let block = loader.block(*layer)?;
            task.advance(1);
            Ok(block)
        });
        blocks.extend(loaded.collect::<Result<Vec<_>>>()?);
    }
    let positions = checkpoint.read("wpe.weight", &[config.n_ctx, config.d_model])?;
    let embedding = Embedding::new(
        checkpoint.clone(),
        (config.d_vocab, config.d_model),
        loader.processes(),
        positions,
        &device,
        activation_dtype(&device, options.dtype),
    )?;
    drop(task);
    Ok(HookedTransformer::new(
        files.name.clone(),
        config,
        options,
        device,
        tokenizer,
        embedding,
        blocks,
        unembedding,
    ))
}

/// Weights of more layers than the configuration names would run as another, shorter model.
fn check_layers(config: &Config, path: &str, checkpoint: &Checkpoint) -> Result<()> {
    match checkpoint.layers() {
        // No layers at all: these are no GPT-2 weights, which the first missing tensor tells.
        0 => Ok(()),
        found if found == config.n_layers => Ok(()),
        found => Err(ErrorKind::LayersDiffer {
            n_layer: config.n_layers,
            config: path.to_owned(),
            found,
            weights: checkpoint.path(),
        }
        .into()),
    }
}

/// One linear map on its way from the checkpoint to its packed form.
struct Map<'a> {
    weight_name: String,
    weights: Weights<'a>, // [in, out]
    bias: Vec<f32>,       // [out]
}

struct Loader<'a> {
    config: &'a Config,
    checkpoint: &'a Checkpoint,
    processing: Processing,
    device: &'a Device,
    dtype: DType,
}

impl Loader<'_> {
    fn processes(&self) -> bool {
        self.processing == Processing::Default
    }

    fn vector(&self, name: &str, width: usize) -> Result<Vec<f32>> {
        self.checkpoint.read(name, &[width])
    }

    /// Gain and bias of a norm.
    fn norm(&self, name: &str) -> Result<(Vec<f32>, Vec<f32>)> {
        let d = self.config.d_model;
        Ok((
            self.vector(&format!("{name}.weight"), d)?,
            self.vector(&format!("{name}.bias"), d)?,
        ))
    }

    /// The norm as it runs: plain where its gain and bias have been folded away.
    fn layer_norm(&self, affine: (Vec<f32>, Vec<f32>), names: [HookName; 2]) -> Result<LayerNorm> {
        let d = self.config.d_model;
        let tensor = |values| {
            let dtype = activation_dtype(self.device, self.dtype);
            Tensor::from_vec(values, d, self.device)?.to_dtype(dtype)
        };
        let affine = match self.processing {
            Processing::Default => None,
            Processing::None => Some((tensor(affine.0)?, tensor(affine.1)?)),
        };
        Ok(LayerNorm::new(affine, self.config.eps, names))
    }

    fn block(&self, layer: usize) -> Result<Block> {
        let Config {
            d_model: d,
            d_mlp: m,
            ..
        } = *self.config;
        let name = |part: &str| format!("h.{layer}.{part}");
        let point = |site| HookName::block(site, layer);

        let ln1 = self.norm(&name("ln_1"))?;
        let ln2 = self.norm(&name("ln_2"))?;
        // One weight at a time: each is packed and dropped before the next is read.
        let (qkv, value_bias) = {
            let mut map = self.map(&name("attn.c_attn"), d, 3 * d)?;
            if self.processes() {
                map.fold_norm(&ln1);
            }
            let value_bias = map.bias[2 * d..].to_vec();
            if self.processes() {
                map.bias[2 * d..].fill(0.0);
            }
            (self.pack(map)?, value_bias)
        };
        let out = {
            let mut map = self.map(&name("attn.c_proj"), d, d)?;
            if self.processes() {
                map.center();
                map.fold_value_bias(&value_bias);
            }
            self.pack(map)?
        };
        let attention = Attention::new(self.config, layer, qkv, out);
        let w_in = {
            let mut map = self.map(&name("mlp.c_fc"), d, m)?;
            if self.processes() {
                map.fold_norm(&ln2);
            }
            self.pack(map)?
        };
        let w_out = {
            let mut map = self.map(&name("mlp.c_proj"), m, d)?;
            if self.processes() {
                map.center();
            }
            self.pack(map)?
        };
        let mlp = Mlp::new(layer, w_in, w_out);
        Ok(Block::new(
            layer,
            self.layer_norm(ln1, [point(Site::Ln1Scale), point(Site::Ln1Normalized)])?,
            attention,
            self.layer_norm(ln2, [point(Site::Ln2Scale), point(Site::Ln2Normalized)])?,
            mlp,
        ))
    }

    /// A Conv1D's weight `[in, out]` and bias `[out]`.
    fn map(&self, name: &str, from: usize, to: usize) -> Result<Map<'_>> {
        let weight_name = format!("{name}.weight");
        let weight = self.checkpoint.read_weight(&weight_name, &[from, to])?;
        Ok(Map {
            weights: Weights::new(weight, Order::InOut, (from, to)),
            weight_name,
            bias: self.vector(&format!("{name}.bias"), to)?,
        })
    }

    fn pack(&self, map: Map) -> Result<Linear> {
        let linear = Linear::new(&map.weights, Some(map.bias), self.device, self.dtype)?;
        self.checkpoint.release(&map.weight_name);
        Ok(linear)
    }

    /// The last norm and the unembedding, tied to the token embedding unless the checkpoint has
    /// its own.
    fn unembedding(&self) -> Result<Unembedding> {
        let (v, d) = (self.config.d_vocab, self.config.d_model);
        let name = if self.checkpoint.has("lm_head.weight") {
            "lm_head.weight"
        } else {
            WTE
        };
        let norm = self.norm("ln_f")?;
        let weight = self.checkpoint.read_weight(name, &[v, d])?; // [d_vocab, d_model]
        let mut weights = Weights::new(weight, Order::OutIn, (d, v));
        let bias = self
            .processes()
            .then(|| fold_and_center_unembedding(&mut weights, &norm));
        let map = Linear::new(&weights, bias, self.device, self.dtype)?;
        drop(weights);
        self.checkpoint.release(name);
        Ok(Unembedding::new(
            self.layer_norm(norm, LayerNorm::FINAL)?,
            map,
        ))
    }
}

impl Map<'_> {
    /// The weight's values for each input, `[out]` each.
    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.weights.values.chunks(self.bias.len())
    }

    /// fold_ln: a norm's bias moves through the map into the map's bias, its gain into the weight.
    /// norm (gain `[in]`, bias `[in]`).
    fn fold_norm(&mut self, norm: &(Vec<f32>, Vec<f32>)) {
        let mut sums: Vec<f64> = self.bias.iter().map(|b| f64::from(*b)).collect();
        for (row, shift) in self.rows().zip(&norm.1) {
            for (w, sum) in row.iter().zip(&mut sums) {
                *sum += f64::from(*w) * f64::from(*shift);
            }
        }
        self.set_bias(sums);
        self.weights.scale.clone_from(&norm.0);
    }

    /// center_writing_weights: what the map writes has no mean.
    fn center(&mut self) {
        let width = self.bias.len();
        let mean = |row: &[f32]| row.iter().map(|w| f64::from(*w)).sum::<f64>() / width as f64;
        self.weights.shift = self.rows().map(|row| mean(row) as f32).collect();
        center_rows(&mut self.bias, width);
    }

    /// fold_value_biases: attention weights sum to one, so a value's bias reaches the output as it
    /// is and can be part of b_O. The map is W_O, centered; value_bias `[d_model]`.
    fn fold_value_bias(&mut self, value_bias: &[f32]) {
        let mut sums: Vec<f64> = self.bias.iter().map(|b| f64::from(*b)).collect();
        for ((row, mean), value) in self.rows().zip(&self.weights.shift).zip(value_bias) {
            for (w, sum) in row.iter().zip(&mut sums) {
                *sum += f64::from(*w - *mean) * f64::from(*value);
            }
        }
        self.set_bias(sums);
    }

    fn set_bias(&mut self, sums: Vec<f64>) {
        self.bias = sums.into_iter().map(|sum| sum as f32).collect();
    }
}

/// fold_ln and center_unembed for W_U, which is stored as `[d_vocab, d_model]` -> b_U `[d_vocab]`
fn fold_and_center_unembedding(weights: &mut Weights, norm: &(Vec<f32>, Vec<f32>)) -> Vec<f32> {
    let d = norm.0.len();
    let rows = weights.values.len() / d;
    let mut bias: Vec<f32> = weights
        .values
        .par_chunks(d)
        .map(|row| {
            let products = row.iter().zip(&norm.1);
            let sum: f64 = products.map(|(w, b)| f64::from(*w) * f64::from(*b)).sum();
            sum as f32
        })
        .collect();
    center_rows(&mut bias, rows);
    // Parts of a fixed size, added up in order: the sums must not depend on the threads.
    let parts: Vec<Vec<f64>> = weights
        .values
        .par_chunks(d * 1024)
        .map(|rows| {
            let mut sums = vec![0.0f64; d];
            for row in rows.chunks(d) {
                for ((sum, w), gain) in sums.iter_mut().zip(row).zip(&norm.0) {
                    *sum += f64::from(*w * *gain);
                }
            }
            sums
        })
        .collect();
    let mut total = vec![0.0f64; d];
    for part in parts {
        for (total, sum) in total.iter_mut().zip(part) {
            *total += sum;
        }
    }
    weights.scale.clone_from(&norm.0);
    weights.shift = total.iter().map(|sum| (sum / rows as f64) as f32).collect();
    bias
}
