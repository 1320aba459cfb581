//! GPT-2: learned positions, LayerNorm, one map for queries, keys and values, and weights stored as
//! `[in, out]` (Conv1D).

use super::layout::{Family, MapPart, NormPart, StoredMap, check_heads};
use crate::error::Result;
use crate::kernels::{Activation, Norm, NormKind, Order};
use crate::model::arch::{Arch, MlpKind, Positions};
use crate::model::config_json::ConfigJson;

pub(super) struct Gpt2;

impl Family for Gpt2 {
    fn name(&self) -> &'static str {
        "GPT-2"
    }

    fn has_type(&self, model_type: &str) -> bool {
        model_type == "gpt2" || model_type.starts_with("GPT2")
    }

    fn arch(&self, config: &ConfigJson) -> Result<Arch> {
        let n_layers = config.required_size(&[self.layers_field()])?;
        let d_model = config.required_size(&["n_embd"])?;
        let n_heads = config.required_count("n_head")?;
        let n_ctx = config.required_size(&["n_positions", "n_ctx"])?;
        let d_vocab = config.required_size(&["vocab_size"])?;
        let d_head = check_heads(config, ("n_embd", d_model), n_heads)?;
        let activation = match config.text("activation_function")?.as_deref() {
            None | Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_fast") => Activation::GeluNew,
            Some(other) => {
                return Err(config.unfit(format!(
                    "activation_function is {other:?}, and avec knows gelu_new"
                )));
            }
        };
        if config.flag("scale_attn_weights")? == Some(false)
            || config.flag("add_cross_attention")? == Some(true)
        {
            return Err(config.unfit("it asks for an attention that differs from GPT-2's (scale_attn_weights or add_cross_attention)"));
        }
        Ok(Arch {
            family: self.name(),
            n_layers,
            d_model,
            n_heads,
            n_key_value_heads: n_heads,
            d_head,
            d_mlp: match config.size("n_inner")? {
                Some(_) => config.required_size(&["n_inner"])?,
                None => 4 * d_model,
            },
            n_ctx,
            d_vocab,
            norm: Norm {
                kind: NormKind::LayerNorm,
                eps: config.positive("layer_norm_epsilon", 1e-5)?,
            },
            positions: Positions::Learned,
            mlp: MlpKind::Plain,
            activation,
            parallel: false,
            scores_by_inverse_layer: config
                .flag("scale_attn_by_inverse_layer_idx")?
                .unwrap_or(false),
            tied: config.flag("tie_word_embeddings")?.unwrap_or(true),
        })
    }

    fn examples(&self) -> &'static str {
        "gpt2, gpt2-medium, gpt2-large, gpt2-xl, distilgpt2"
    }

    fn layers_field(&self) -> &'static str {
        "n_layer"
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &["transformer."]
    }

    fn layer_prefix(&self) -> &'static str {
        "h."
    }

    fn token_embedding(&self) -> &'static str {
        "wte.weight"
    }

    fn position_embedding(&self) -> Option<&'static str> {
        Some("wpe.weight")
    }

    fn unembedding(&self) -> &'static str {
        "lm_head.weight"
    }

    fn norm(&self, norm: NormPart) -> String {
        match norm {
            NormPart::Ln1(layer) => format!("h.{layer}.ln_1"),
            NormPart::Ln2(layer) => format!("h.{layer}.ln_2"),
            NormPart::Final => "ln_f".into(),
        }
    }

    fn map(&self, arch: &Arch, map: MapPart, layer: usize) -> Option<StoredMap> {
        let (_, outputs) = map.sizes(arch);
        let whole =
            |name: &str| StoredMap::whole(format!("h.{layer}.{name}"), Order::InOut, outputs);
        let third = |i: usize| StoredMap {
            stored: 3 * outputs,
            outputs: std::iter::once(i * outputs..(i + 1) * outputs).collect(),
            ..whole("attn.c_attn")
        };
        Some(match map {
            MapPart::Query => third(0),
            MapPart::Key => third(1),
            MapPart::Value => third(2),
            MapPart::AttnOut => whole("attn.c_proj"),
            MapPart::MlpGate => return None,
            MapPart::MlpIn => whole("mlp.c_fc"),
            MapPart::MlpOut => whole("mlp.c_proj"),
        })
    }
}
