//! Loading: reads, processes and packs a checkpoint, tensor by tensor.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use rayon::prelude::*;

use super::arch::{Arch, MlpKind, Positions};
use super::config_json::ConfigJson;
use super::family::{self, Family, MapPart, NormPart, StoredMap};
use super::files::ModelFiles;
use super::hook_name::HookName;
use super::hooked::{HookedTransformer, Parts};
use super::layers::{Attention, Block, Embedding, Mlp, NormLayer, Rotary, Unembedding};
use super::processing::{Affine, Map, Processing, center_rows};
use super::tokenizer::Tokenizer;
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::kernels::{
    self, Backend, DeviceChoice, KernelChoice, Linear, NormKind, Order, WeightMatrix,
};
use crate::profile::Stage;
use crate::progress::Unit;
use crate::run::{RunContext, check_memory};
use crate::weights::Checkpoint;

/// How to load a model.
///
/// ```
/// use avec::prelude::*;
///
/// // Half the memory: weights in bf16, activations in f32.
/// let options = LoadOptions { dtype: DType::BF16, ..LoadOptions::default() };
/// assert_eq!(options.processing, Processing::Default);
/// ```
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// How the weights are rewritten.
    pub processing: Processing,
    /// The number type of the weights. On CUDA and Metal f32, f16 or bf16, and activations have it
    /// too. On the CPU f32, or bf16: half the memory and faster, with sums and activations still in
    /// f32.
    pub dtype: DType,
    /// The device to compute on.
    pub device: DeviceChoice,
    /// The implementation of the kernels.
    pub kernels: KernelChoice,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            processing: Processing::Default,
            dtype: DType::F32,
            device: DeviceChoice::Cpu,
            kernels: KernelChoice::Fast,
        }
    }
}

impl HookedTransformer {
    /// Loads a model from its files. Weights may be f32, f16 or bf16; they are mapped into memory
    /// and packed one by one, so that loading takes little more memory than the model itself.
    ///
    /// # Errors
    /// If a file can't be read or understood, if the model's family is unknown, if its weights would
    /// not fit into memory, or if the run is cancelled.
    pub fn load(run: &RunContext, files: &ModelFiles, options: &LoadOptions) -> Result<Self> {
        load(run, files, options).map_err(|error| {
            if error.is_cancelled() {
                error
            } else {
                error.context(format!("loading {}", files.name))
            }
        })
    }
}

fn load(run: &RunContext, files: &ModelFiles, options: &LoadOptions) -> Result<HookedTransformer> {
    let _time = run.profile.stage(Stage::Load);
    let backend = kernels::open(options.device, options.dtype, options.kernels)?;
    let config = ConfigJson::parse(&files.config.read()?, &files.config.to_string())?;
    let (family, arch) = family::identify(&config)?;
    let checkpoint = Arc::new(Checkpoint::open(&files.weights, family.prefixes())?);
    check_layers(family, &arch, config.path(), &checkpoint)?;
    let what = format!("the weights of {}", files.name);
    let size = (checkpoint.size_in_f32() / 4).saturating_mul(options.dtype.size_in_bytes() as u64);
    check_memory(&what, size, backend.device())
        .and_then(|()| match backend.device().is_cpu() {
            true => run.reserve_weights(&what, size),
            false => Ok(()),
        })
        .map_err(|error| {
            error.about(Subject::Weights {
                can_halve: options.dtype == DType::F32,
            })
        })?;
    let tokenizer = Tokenizer::load(files, &config, arch.d_vocab)?;
    let loader = Loader {
        family,
        arch: &arch,
        checkpoint: &checkpoint,
        processing: options.processing,
        backend: &*backend,
    };
    loader.check_tensors()?;
    let (embedding, blocks, unembedding) = kernels::run_pass(|| loader.layers(run, &files.name))?;
    Ok(HookedTransformer::from_parts(Parts {
        name: files.name.clone(),
        arch,
        processing: options.processing,
        dtype: options.dtype,
        backend,
        tokenizer,
        embedding,
        blocks,
        unembedding,
    }))
}

/// Weights with more layers than the configuration would silently run as another, shorter model.
fn check_layers(
    family: &dyn Family,
    arch: &Arch,
    path: &str,
    checkpoint: &Checkpoint,
) -> Result<()> {
    match checkpoint.layers(family.layer_prefix()) {
        // No layers at all: these are the weights of something else, and the first missing tensor
        // says so.
        0 => Ok(()),
        found if found == arch.n_layers => Ok(()),
        found => Err(ErrorKind::LayersDiffer {
            field: family.layers_field(),
            n_layers: arch.n_layers,
            config: path.to_owned(),
            found,
            weights: checkpoint.path(),
        }
        .into()),
    }
}

struct Loader<'a> {
    family: &'static dyn Family,
    arch: &'a Arch,
    checkpoint: &'a Arc<Checkpoint>,
    processing: Processing,
    backend: &'a dyn Backend,
}

impl Loader<'_> {
    /// Fails at the first tensor that is missing or of another shape, before anything is allocated
    /// by the sizes that the configuration claims.
    fn check_tensors(&self) -> Result<()> {
        let arch = self.arch;
        let (v, d) = (arch.d_vocab, arch.d_model);
        let norm = |part| -> Result<()> {
            let name = self.family.norm(part);
            self.checkpoint.view(&format!("{name}.weight"), &[d])?;
            if arch.norm.kind == NormKind::LayerNorm {
                self.checkpoint.view(&format!("{name}.bias"), &[d])?;
            }
            Ok(())
        };
        norm(NormPart::Final)?;
        self.checkpoint.view(self.unembedding_name()?, &[v, d])?;
        let mut maps = vec![
            MapPart::Query,
            MapPart::Key,
            MapPart::Value,
            MapPart::AttnOut,
        ];
        maps.extend((arch.mlp == MlpKind::Gated).then_some(MapPart::MlpGate));
        maps.extend([MapPart::MlpIn, MapPart::MlpOut]);
        for layer in 0..arch.n_layers {
            norm(NormPart::Ln1(layer))?;
            norm(NormPart::Ln2(layer))?;
            for part in &maps {
                let stored = self.stored(*part, layer)?;
                let shape = stored.shape(part.sizes(arch).0);
                self.checkpoint
                    .view(&format!("{}.weight", stored.name), &shape)?;
                if stored.bias {
                    self.checkpoint
                        .view(&format!("{}.bias", stored.name), &[stored.stored])?;
                }
            }
        }
        self.checkpoint
            .view(self.family.token_embedding(), &[v, d])?;
        if let (Positions::Learned, Some(name)) = (arch.positions, self.family.position_embedding())
        {
            self.checkpoint.view(name, &[arch.n_ctx, d])?;
        }
        Ok(())
    }

    /// The tensor that unembeds: a checkpoint's own counts even if it says that it is tied.
    fn unembedding_name(&self) -> Result<&'static str> {
        let own = self.family.unembedding();
        if self.checkpoint.has(own) {
            return Ok(own);
        }
        if self.arch.tied {
            return Ok(self.family.token_embedding());
        }
        Err(Error::new(ErrorKind::MissingTensor {
            name: own.to_owned(),
            path: self.checkpoint.path(),
        })
        .hint("by config.json (tie_word_embeddings) the token embedding doesn't stand in for it"))
    }

    fn layers(&self, run: &RunContext, name: &str) -> Result<(Embedding, Vec<Block>, Unembedding)> {
        let n_layers = self.arch.n_layers;
        let task = run.progress.start(
            &format!("loading {name}"),
            n_layers as u64 + 1,
            Unit::Tensors,
        );
        // The unembedding is the largest tensor, so pack it first, while little else is in memory.
        let unembedding = self.unembedding()?;
        task.advance(1);
        let rotary = self.rotary()?;
        // Mapped pages count as memory too, so read a quarter of the layers at a time, however many
        // threads there are.
        let layers: Vec<usize> = (0..n_layers).collect();
        let mut blocks = Vec::new();
        for layers in layers.chunks((n_layers / 4).max(1)) {
            let loaded = layers.par_iter().map(|layer| {
                run.cancel.check()?;
                let block = self.block(*layer, rotary.clone())?;
                task.advance(1);
                Ok(block)
            });
            blocks.extend(loaded.collect::<Result<Vec<_>>>()?);
        }
        Ok((self.embedding()?, blocks, unembedding))
    }

    fn embedding(&self) -> Result<Embedding> {
        let (v, d) = (self.arch.d_vocab, self.arch.d_model);
        let centered = self.processing.centers_writing(self.arch);
        let positions = match (self.arch.positions, self.family.position_embedding()) {
            (Positions::Learned, Some(name)) => {
                let shape = [self.arch.n_ctx, d];
                let mut values = self.checkpoint.read(name, &shape)?;
                if centered {
                    center_rows(&mut values, d);
                }
                Some(self.tensor(values, &shape)?)
            }
            _ => None,
        };
        Ok(Embedding {
            tokens: self
                .checkpoint
                .handle(self.family.token_embedding(), &[v, d])?,
            centered,
            positions,
            d_model: d,
        })
    }

    fn rotary(&self) -> Result<Option<Arc<Rotary>>> {
        let Positions::Rotary { dims, base } = self.arch.positions else {
            return Ok(None);
        };
        let rotary = Rotary::new(
            (dims, base),
            self.arch.n_ctx,
            self.backend.device(),
            self.backend.activation_dtype(),
        )?;
        Ok(Some(Arc::new(rotary)))
    }

    fn block(&self, layer: usize, rotary: Option<Arc<Rotary>>) -> Result<Block> {
        let arch = self.arch;
        let ln1 = self.affine(NormPart::Ln1(layer))?;
        let ln2 = self.affine(NormPart::Ln2(layer))?;
        // One weight at a time: pack it and return its pages before reading the next.
        let mut value_bias = None;
        let reading = [MapPart::Query, MapPart::Key, MapPart::Value];
        let qkv = self.map(&reading, layer, |map| {
            self.fold(map, &ln1);
            if self.processing.folds_norms() {
                value_bias = take_value_bias(map, arch);
            }
        })?;
        let output = self.map(&[MapPart::AttnOut], layer, |map| {
            self.center(map);
            if let Some(bias) = &value_bias {
                map.fold_value_bias(bias, arch);
            }
        })?;
        let gate = match arch.mlp {
            MlpKind::Plain => None,
            MlpKind::Gated => {
                Some(self.map(&[MapPart::MlpGate], layer, |map| self.fold(map, &ln2))?)
            }
        };
        let w_in = self.map(&[MapPart::MlpIn], layer, |map| self.fold(map, &ln2))?;
        let w_out = self.map(&[MapPart::MlpOut], layer, |map| self.center(map))?;
        Ok(Block {
            layer,
            parallel: arch.parallel,
            ln1: self.norm(ln1, NormLayer::ln1(layer))?,
            attention: Attention {
                layer,
                n_heads: arch.n_heads,
                n_key_value_heads: arch.n_key_value_heads,
                d_head: arch.d_head,
                score_scale: arch.score_scale(layer),
                rotary,
                qkv,
                output,
            },
            ln2: self.norm(ln2, NormLayer::ln2(layer))?,
            mlp: Mlp {
                layer,
                activation: arch.activation,
                gate,
                input: w_in,
                output: w_out,
            },
        })
    }

    /// The last norm and the unembedding, which is tied to the token embedding unless the
    /// checkpoint has its own.
    fn unembedding(&self) -> Result<Unembedding> {
        let (v, d) = (self.arch.d_vocab, self.arch.d_model);
        let name = self.unembedding_name()?;
        let norm = self.affine(NormPart::Final)?;
        let mut map = Map {
            matrix: WeightMatrix::new(self.checkpoint.view(name, &[v, d])?, Order::OutIn),
            bias: None,
        };
        if self.processing.folds_norms() {
            map.fold_norm(&norm);
            map.center_unembed();
        }
        let linear = self.backend.linear(&map.matrix, map.bias)?;
        self.checkpoint.release(name);
        Ok(Unembedding {
            norm: self.norm(norm, NormLayer::ln_final())?,
            map: linear,
        })
    }

    /// Reads maps that run as one, then processes and packs them.
    fn map(
        &self,
        parts: &[MapPart],
        layer: usize,
        process: impl FnOnce(&mut Map),
    ) -> Result<Box<dyn Linear>> {
        let mut views = Vec::with_capacity(parts.len());
        let mut biases = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for part in parts {
            let (inputs, _) = part.sizes(self.arch);
            let stored = self.stored(*part, layer)?;
            let name = format!("{}.weight", stored.name);
            let view = self.checkpoint.view(&name, &stored.shape(inputs))?;
            if stored.bias {
                let bias = format!("{}.bias", stored.name);
                let bias = self.checkpoint.read(&bias, &[stored.stored])?;
                let own = stored.outputs.iter().flat_map(|run| &bias[run.clone()]);
                biases.extend(own.copied());
            }
            views.push((view, stored.order, stored.outputs));
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        let matrix = WeightMatrix::of_parts(views);
        let mut map = Map {
            bias: (!biases.is_empty()).then_some(biases),
            matrix,
        };
        process(&mut map);
        let linear = self.backend.linear(&map.matrix, map.bias)?;
        for name in names {
            self.checkpoint.release(&name);
        }
        Ok(linear)
    }

    /// Where a map lies in the checkpoint.
    fn stored(&self, part: MapPart, layer: usize) -> Result<StoredMap> {
        let stored = self.family.map(self.arch, part, layer);
        // The architecture asks only for maps of its own kind of MLP.
        stored.ok_or_else(|| Error::other(format!("{} models have no {part:?}", self.arch.family)))
    }

    fn fold(&self, map: &mut Map, norm: &Affine) {
        if self.processing.folds_norms() {
            map.fold_norm(norm);
        }
    }

    fn center(&self, map: &mut Map) {
        if self.processing.centers_writing(self.arch) {
            map.center();
        }
    }

    /// Gain and bias of a norm.
    fn affine(&self, norm: NormPart) -> Result<Affine> {
        let (name, width) = (self.family.norm(norm), [self.arch.d_model]);
        Ok(Affine {
            gain: self.checkpoint.read(&format!("{name}.weight"), &width)?,
            bias: match self.arch.norm.kind {
                NormKind::LayerNorm => Some(self.checkpoint.read(&format!("{name}.bias"), &width)?),
                NormKind::RmsNorm => None,
            },
        })
    }

    /// The norm layer, plain if its gain and bias have been folded away.
    fn norm(&self, affine: Affine, names: [HookName; 2]) -> Result<NormLayer> {
        let [scale_name, normalized_name] = names;
        let kept = (!self.processing.folds_norms()).then_some(affine);
        let width = [self.arch.d_model];
        let (gain, bias) = match kept {
            Some(Affine { gain, bias }) => (
                Some(self.tensor(gain, &width)?),
                bias.map(|bias| self.tensor(bias, &width)).transpose()?,
            ),
            None => (None, None),
        };
        Ok(NormLayer {
            norm: self.arch.norm,
            gain,
            bias,
            scale_name,
            normalized_name,
        })
    }

    fn tensor(&self, values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
        let tensor = Tensor::from_vec(values, shape, self.backend.device())?;
        Ok(tensor.to_dtype(self.backend.activation_dtype())?)
    }
}

/// Takes the value bias out of the map of queries, keys and values.
fn take_value_bias(map: &mut Map, arch: &Arch) -> Option<Vec<f32>> {
    let bias = map.bias.as_mut()?;
    let first = bias.len() - arch.n_key_value_heads * arch.d_head;
    let values = bias[first..].to_vec();
    bias[first..].fill(0.0);
    Some(values)
}
