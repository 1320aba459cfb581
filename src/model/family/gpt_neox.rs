//! GPT-NeoX, the family of Pythia: rotary positions on part of each head, attention and MLP in
//! parallel, weights stored as `[out, in]`, with queries, keys and values interleaved head by head.

use super::layout::{Family, MapPart, NormPart, StoredMap, check_heads};
use crate::error::{Result, bytes};
use crate::kernels::{Activation, Norm, NormKind, Order};
use crate::model::arch::{Arch, MlpKind, Positions};
use crate::model::config_json::ConfigJson;

/// Cosines and sines of all positions: 1 GiB.
const MOST_ANGLES: usize = 1 << 28;

pub(super) struct GptNeoX;

impl Family for GptNeoX {
    fn name(&self) -> &'static str {
        "GPT-NeoX"
    }

    fn has_type(&self, model_type: &str) -> bool {
        model_type == "gpt_neox" || model_type.starts_with("GPTNeoX")
    }

    fn arch(&self, config: &ConfigJson) -> Result<Arch> {
        let n_layers = config.required_size(&[self.layers_field()])?;
        let d_model = config.required_size(&["hidden_size"])?;
        let n_heads = config.required_count("num_attention_heads")?;
        let d_vocab = config.required_size(&["vocab_size"])?;
        let d_head = check_heads(config, ("hidden_size", d_model), n_heads)?;
        let activation = match config.text("hidden_act")?.as_deref() {
            None | Some("gelu") => Activation::Gelu,
            Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_fast") => Activation::GeluNew,
            Some(other) => {
                return Err(config.unfit(format!(
                    "hidden_act is {other:?}, and avec knows gelu and gelu_new"
                )));
            }
        };
        if config.flag("attention_bias")? == Some(false) {
            return Err(config.unfit("attention_bias is false"));
        }
        if let Some(kind) = config.rope_scaling()? {
            return Err(config.unfit(format!("it scales its rotary positions ({kind})")));
        }
        let fraction = config
            .rope_number("rotary_pct", "partial_rotary_factor")?
            .unwrap_or(0.25);
        if !(fraction > 0.0 && fraction <= 1.0) {
            return Err(config.bad(format!(
                "rotary_pct is {fraction}, and must be above 0 and at most 1"
            )));
        }
        // torch's arithmetic: the fraction of a head, rounded down.
        let dims = (fraction * d_head as f64) as usize;
        let in_pairs = dims > 0 && dims.is_multiple_of(2);
        if !in_pairs {
            return Err(config.bad(format!(
                "rotary_pct is {fraction}: {dims} of the {d_head} dimensions of a head can't be rotated in pairs"
            )));
        }
        let n_ctx = config.required_size(&["max_position_embeddings"])?;
        // No tensor holds that many rows, so this alone bounds the table of rotary positions.
        if n_ctx.saturating_mul(dims) > MOST_ANGLES {
            return Err(config.bad(format!(
                "max_position_embeddings is {n_ctx}, and its rotary positions would need {} of memory",
                bytes(4 * (n_ctx as u64).saturating_mul(dims as u64))
            )));
        }
        let base = config
            .rope_number("rotary_emb_base", "rope_theta")?
            .unwrap_or(10000.0);
        if !(base.is_finite() && base > 0.0) {
            return Err(config.bad(format!("rotary_emb_base is {base}")));
        }
        Ok(Arch {
            family: self.name(),
            n_layers,
            d_model,
            n_heads,
            n_key_value_heads: n_heads,
            d_head,
            d_mlp: config.required_size(&["intermediate_size"])?,
            n_ctx,
            d_vocab,
            norm: Norm {
                kind: NormKind::LayerNorm,
                eps: config.positive("layer_norm_eps", 1e-5)?,
            },
            positions: Positions::Rotary { dims, base },
            mlp: MlpKind::Plain,
            activation,
            // Absent means true, and null what Python takes it for.
            parallel: config
                .flag("use_parallel_residual")?
                .unwrap_or(!config.has("use_parallel_residual")),
            scores_by_inverse_layer: false,
            tied: config.flag("tie_word_embeddings")?.unwrap_or(false),
        })
    }

    fn examples(&self) -> &'static str {
        "Pythia"
    }

    fn layers_field(&self) -> &'static str {
        "num_hidden_layers"
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &["gpt_neox."]
    }

    fn layer_prefix(&self) -> &'static str {
        "layers."
    }

    fn token_embedding(&self) -> &'static str {
        "embed_in.weight"
    }

    fn position_embedding(&self) -> Option<&'static str> {
        None
    }

    fn unembedding(&self) -> &'static str {
        "embed_out.weight"
    }

    fn norm(&self, norm: NormPart) -> String {
        match norm {
            NormPart::Ln1(layer) => format!("layers.{layer}.input_layernorm"),
            NormPart::Ln2(layer) => format!("layers.{layer}.post_attention_layernorm"),
            NormPart::Final => "final_layer_norm".into(),
        }
    }

    fn map(&self, arch: &Arch, map: MapPart, layer: usize) -> Option<StoredMap> {
        let (_, outputs) = map.sizes(arch);
        let whole =
            |name: &str| StoredMap::whole(format!("layers.{layer}.{name}"), Order::OutIn, outputs);
        // Rows in the order (head, query or key or value, dimension).
        let third = |i: usize| StoredMap {
            stored: 3 * outputs,
            outputs: (0..arch.n_heads)
                .map(|head| (3 * head + i) * arch.d_head)
                .map(|first| first..first + arch.d_head)
                .collect(),
            ..whole("attention.query_key_value")
        };
        Some(match map {
            MapPart::Query => third(0),
            MapPart::Key => third(1),
            MapPart::Value => third(2),
            MapPart::AttnOut => whole("attention.dense"),
            MapPart::MlpGate => return None,
            MapPart::MlpIn => whole("mlp.dense_h_to_4h"),
            MapPart::MlpOut => whole("mlp.dense_4h_to_h"),
        })
    }
}
