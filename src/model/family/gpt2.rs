//! GPT-2: learned positions, LayerNorm, one map for queries, keys and values, weights stored
//! `[in, out]` (Conv1D).

use super::{Family, MapPart, NormPart, StoredMap, check_heads};
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
        let n_layers = config.required_size(&["n_layer"])?;
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

    fn map(&self, arch: &Arch, map: MapPart, layer: usize) -> StoredMap {
        let (_, outputs) = map.sizes(arch);
        let whole =
            |name: &str| StoredMap::whole(format!("h.{layer}.{name}"), Order::InOut, outputs);
        let third = |i: usize| StoredMap {
            stored: 3 * outputs,
            outputs: std::iter::once(i * outputs..(i + 1) * outputs).collect(),
            ..whole("attn.c_attn")
        };
        match map {
            MapPart::Query => third(0),
            MapPart::Key => third(1),
            MapPart::Value => third(2),
            MapPart::AttnOut => whole("attn.c_proj"),
            MapPart::MlpGate | MapPart::MlpIn => whole("mlp.c_fc"),
            MapPart::MlpOut => whole("mlp.c_proj"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::identify;
    use super::*;

    const GPT2: &str = r#"{"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12,
        "n_positions": 1024, "vocab_size": 50257, "bos_token_id": 50256, "eos_token_id": 50256}"#;

    fn read(text: &str, path: &str) -> Result<Arch> {
        let config = ConfigJson::parse(text.as_bytes(), path)?;
        Ok(identify(&config)?.1)
    }

    #[test]
    fn gpt2_small_has_its_known_sizes() {
        let arch = read(GPT2, "config.json").unwrap();
        assert_eq!((arch.d_head, arch.d_mlp), (64, 3072));
        assert_eq!(arch.parameters(), 124_439_808);
    }

    #[test]
    fn other_families_are_refused_by_name() {
        let error = read(r#"{"model_type": "llama"}"#, "x/config.json").unwrap_err();
        assert_eq!(
            error.to_string(),
            "x/config.json describes a model of type `llama`, not GPT-2 or GPT-NeoX"
        );
    }

    #[test]
    fn token_ids_are_one_or_several() {
        let ids = |value: &str| {
            let text = GPT2.replace(
                "\"eos_token_id\": 50256",
                &format!("\"eos_token_id\": {value}"),
            );
            let config = ConfigJson::parse(text.as_bytes(), "c").unwrap();
            config.token_ids("eos_token_id").map_err(|e| e.message())
        };
        assert_eq!(ids("[386, 50256]"), Ok(vec![386, 50256]));
        assert_eq!(ids("386"), Ok(vec![386]));
        for none in ["[]", "null", "-1", "18446744073709551615", "[null]"] {
            assert_eq!(ids(none), Ok(vec![]), "{none}");
        }
        assert_eq!(
            ids("[1.5]").unwrap_err(),
            "can't read the configuration in c: eos_token_id must be a token id, but it is 1.5"
        );
    }

    #[test]
    fn scores_of_later_layers_may_be_smaller() {
        let text = GPT2.replace(
            "\"n_layer\": 12",
            "\"n_layer\": 12, \"scale_attn_by_inverse_layer_idx\": true, \"reorder_and_upcast_attn\": true",
        );
        let arch = read(&text, "c").unwrap();
        assert_eq!(arch.score_scale(0), 0.125);
        assert_eq!(arch.score_scale(3), 0.03125);
    }

    #[test]
    fn sizes_can_t_overflow() {
        for size in [u64::MAX, 1 << 63, 1 << 40] {
            for name in ["n_layer", "n_embd", "n_head", "n_positions", "vocab_size"] {
                let at = GPT2.find(&format!("\"{name}\": ")).unwrap() + name.len() + 4;
                let end = at + GPT2[at..].find([',', '}']).unwrap();
                let text = format!("{}{size}{}", &GPT2[..at], &GPT2[end..]);
                let message = read(&text, "c").unwrap_err().message();
                assert!(
                    message.contains(&format!("{name} is {size}, and at most")),
                    "{message}"
                );
            }
        }
        let text = GPT2.replace("\"n_layer\": 12", "\"n_layer\": 12, \"n_inner\": 0");
        let message = read(&text, "c").unwrap_err().message();
        assert!(message.ends_with("n_inner is 0"), "{message}");
        let mut arch = read(GPT2, "c").unwrap();
        arch.n_layers = usize::MAX;
        arch.d_model = usize::MAX;
        assert_eq!(arch.parameters(), u64::MAX);
    }

    #[test]
    fn odd_files_are_told_in_plain_words() {
        let told = |text: &str| {
            let error = read(text, "c").unwrap_err();
            assert_eq!(
                error.hints(),
                ["use the config.json that the model was published with"],
                "{text}"
            );
            let message = error.message();
            let reason = message.strip_prefix("can't read the configuration in c: ");
            reason.unwrap_or(&message).to_owned()
        };
        let with = |from: &str, to: &str| {
            assert!(GPT2.contains(from));
            GPT2.replace(from, to)
        };
        for (text, expected) in [
            (
                "".to_owned(),
                "it isn't whole: the JSON ends in the middle of something",
            ),
            ("{,}".into(), "it isn't valid JSON at line 1, column 2"),
            ("[]".into(), "it holds a list, not a JSON object"),
            ("\"gpt2\"".into(), "it holds a text, not a JSON object"),
            (
                with("\"n_layer\": 12", "\"n_layer\": \"12\""),
                "n_layer must be a whole number, but it is \"12\"",
            ),
            (
                with("\"n_layer\": 12", "\"n_layer\": -1"),
                "n_layer must be a whole number, but it is -1",
            ),
            (with("\"n_layer\": 12, ", ""), "it has no n_layer"),
            (with("\"n_head\": 12", "\"n_head\": 0"), "n_head is 0"),
        ] {
            assert_eq!(told(&text), expected);
        }
    }

    #[test]
    fn heads_must_share_the_model_equally() {
        let text = GPT2.replace("\"n_head\": 12", "\"n_head\": 7");
        assert_eq!(
            read(&text, "config.json").unwrap_err().to_string(),
            "can't read the configuration in config.json: n_embd is 768, which 7 heads can't share equally"
        );
    }
}
