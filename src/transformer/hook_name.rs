//! The names of the places in a model where an activation can be read or changed.

use std::fmt;
use std::str::FromStr;

use super::config::Config;
use crate::error::{Error, ErrorKind, Result};

/// One hook point: a site, and the block it is in unless the site is outside the blocks.
///
/// Prints as TransformerLens' full name; parses from that name or from its shorthand
/// (`get_act_name`): "pre6", "k6", "scale4ln1", "resid_pre6", "attn5".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HookName {
    pub layer: Option<usize>,
    pub site: Site,
}

/// A kind of hook point. Declared in the order in which a pass reaches them within a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Site {
    Embed,
    PosEmbed,
    ResidPre,
    Ln1Scale,
    Ln1Normalized,
    Q,
    K,
    V,
    AttnScores,
    Pattern,
    Z,
    /// The part of each head in the attention's output. Costs much memory, so it is computed only
    /// when it is named, never for "all".
    Result,
    AttnOut,
    ResidMid,
    Ln2Scale,
    Ln2Normalized,
    MlpPre,
    MlpPost,
    MlpOut,
    ResidPost,
    LnFinalScale,
    LnFinalNormalized,
}

/// What an axis of an activation counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    Batch,
    Pos,
    DModel,
    Head,
    DHead,
    DMlp,
    Query,
    Key,
    One,
}

/// The sites of one block, in the order of the pass.
pub const BLOCK_SITES: [Site; 18] = [
    Site::ResidPre,
    Site::Ln1Scale,
    Site::Ln1Normalized,
    Site::Q,
    Site::K,
    Site::V,
    Site::AttnScores,
    Site::Pattern,
    Site::Z,
    Site::Result,
    Site::AttnOut,
    Site::ResidMid,
    Site::Ln2Scale,
    Site::Ln2Normalized,
    Site::MlpPre,
    Site::MlpPost,
    Site::MlpOut,
    Site::ResidPost,
];

impl Site {
    /// The name within the block, or the whole name outside of blocks.
    fn suffix(self) -> &'static str {
        match self {
            Self::Embed => "hook_embed",
            Self::PosEmbed => "hook_pos_embed",
            Self::ResidPre => "hook_resid_pre",
            Self::Ln1Scale => "ln1.hook_scale",
            Self::Ln1Normalized => "ln1.hook_normalized",
            Self::Q => "attn.hook_q",
            Self::K => "attn.hook_k",
            Self::V => "attn.hook_v",
            Self::AttnScores => "attn.hook_attn_scores",
            Self::Pattern => "attn.hook_pattern",
            Self::Z => "attn.hook_z",
            Self::Result => "attn.hook_result",
            Self::AttnOut => "hook_attn_out",
            Self::ResidMid => "hook_resid_mid",
            Self::Ln2Scale => "ln2.hook_scale",
            Self::Ln2Normalized => "ln2.hook_normalized",
            Self::MlpPre => "mlp.hook_pre",
            Self::MlpPost => "mlp.hook_post",
            Self::MlpOut => "hook_mlp_out",
            Self::ResidPost => "hook_resid_post",
            Self::LnFinalScale => "ln_final.hook_scale",
            Self::LnFinalNormalized => "ln_final.hook_normalized",
        }
    }

    pub fn in_block(self) -> bool {
        BLOCK_SITES.contains(&self)
    }

    /// What each axis of the activation counts.
    pub fn axes(self) -> &'static [Axis] {
        use Axis::{Batch, DHead, DMlp, DModel, Head, Key, One, Pos, Query};
        match self {
            Self::Ln1Scale | Self::Ln2Scale | Self::LnFinalScale => &[Batch, Pos, One],
            Self::Q | Self::K | Self::V | Self::Z => &[Batch, Pos, Head, DHead],
            Self::AttnScores | Self::Pattern => &[Batch, Head, Query, Key],
            Self::Result => &[Batch, Pos, Head, DModel],
            Self::MlpPre | Self::MlpPost => &[Batch, Pos, DMlp],
            _ => &[Batch, Pos, DModel],
        }
    }

    /// Whether an activation is `[batch, pos, d_model]`, which is what steering adds to.
    pub fn is_residual_width(self) -> bool {
        self.axes() == [Axis::Batch, Axis::Pos, Axis::DModel]
    }
}

impl HookName {
    pub const fn block(site: Site, layer: usize) -> Self {
        Self {
            layer: Some(layer),
            site,
        }
    }

    pub const fn outside(site: Site) -> Self {
        Self { layer: None, site }
    }

    /// `blocks.{layer}.hook_resid_pre`, which an integer `act_name` stands for.
    pub const fn resid_pre(layer: usize) -> Self {
        Self::block(Site::ResidPre, layer)
    }

    /// All hook points of a model, in the order of the pass.
    pub fn all(config: &Config) -> Vec<Self> {
        let mut names = vec![Self::outside(Site::Embed), Self::outside(Site::PosEmbed)];
        for layer in 0..config.n_layers {
            names.extend(BLOCK_SITES.map(|site| Self::block(site, layer)));
        }
        names.push(Self::outside(Site::LnFinalScale));
        names.push(Self::outside(Site::LnFinalNormalized));
        names
    }

    /// Fails unless the model has this layer.
    pub fn check(self, config: &Config) -> Result<Self> {
        match self.layer {
            Some(layer) if layer >= config.n_layers => Err(ErrorKind::LayerOutOfRange {
                layer,
                n_layers: config.n_layers,
            }
            .into()),
            _ => Ok(self),
        }
    }

    /// Fails unless the model has this layer and the activation is `[batch, pos, d_model]`. `refusal`
    /// reads "an addition can't be made", `need` "steering needs", and `act` "steer".
    pub fn check_residual_width(
        self,
        config: &Config,
        refusal: &str,
        need: &str,
        act: &str,
    ) -> Result<Self> {
        let name = self.check(config)?;
        if name.site.is_residual_width() {
            return Ok(name);
        }
        Err(Error::other(format!(
            "{refusal} at {name}: {need} an activation of shape [batch, pos, d_model]"
        ))
        .hint(format!(
            "{act} at hook_resid_pre, hook_resid_mid, hook_resid_post, hook_attn_out, hook_mlp_out, hook_embed or hook_pos_embed"
        )))
    }

    /// `get_act_name(name, layer)` of TransformerLens, e.g. `("resid_pre", 6)`.
    pub fn with_layer(name: &str, layer: usize) -> Result<Self> {
        shorthand(name, Some(layer), "").ok_or_else(|| unknown(name))
    }
}

impl fmt::Display for HookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(layer) = self.layer {
            write!(f, "blocks.{layer}.")?;
        }
        f.write_str(self.site.suffix())
    }
}

impl FromStr for HookName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        full_name(text)
            .or_else(|| {
                let start = text.find(|c: char| c.is_ascii_digit())?;
                let end = text[start..]
                    .find(|c: char| !c.is_ascii_digit())
                    .map_or(text.len(), |length| start + length);
                let layer = text[start..end].parse().ok()?;
                let name = text[..start].trim_end_matches('_');
                shorthand(name, Some(layer), &text[end..])
            })
            .or_else(|| shorthand(text, None, ""))
            .ok_or_else(|| unknown(text))
    }
}

fn full_name(text: &str) -> Option<HookName> {
    if let Some(rest) = text.strip_prefix("blocks.") {
        let (layer, suffix) = rest.split_once('.')?;
        let site = BLOCK_SITES
            .into_iter()
            .find(|site| site.suffix() == suffix)?;
        return Some(HookName::block(site, layer.parse().ok()?));
    }
    [
        Site::Embed,
        Site::PosEmbed,
        Site::LnFinalScale,
        Site::LnFinalNormalized,
    ]
    .into_iter()
    .find(|site| site.suffix() == text)
    .map(HookName::outside)
}

/// The rules of TransformerLens' `get_act_name`: aliases first, then the part of the block that
/// the name itself implies, then the one that is written after the layer.
fn shorthand(name: &str, layer: Option<usize>, part: &str) -> Option<HookName> {
    let name = match name {
        "attn" => "pattern",
        "attn_logits" => "attn_scores",
        "key" => "k",
        "query" => "q",
        "value" => "v",
        "mlp_pre" => "pre",
        // TransformerLens' `mid` exists only in models with a LayerNorm inside the MLP; in GPT-2
        // the middle of the MLP is what comes out of the activation function.
        "mlp_mid" | "mid" | "mlp_post" => "post",
        other => other,
    };
    let part = match (name, part) {
        (
            "k" | "v" | "q" | "z" | "result" | "pattern" | "attn_scores",
            "" | "a" | "attn" | "attention",
        ) => "attn.",
        ("pre" | "post", "" | "m" | "mlp") => "mlp.",
        ("scale" | "normalized", "ln1") => "ln1.",
        ("scale" | "normalized", "ln2") => "ln2.",
        (_, "" | "b" | "block" | "blocks") => "",
        _ => return None,
    };
    match layer {
        Some(layer) => full_name(&format!("blocks.{layer}.{part}hook_{name}")),
        None if matches!(name, "scale" | "normalized") => {
            full_name(&format!("ln_final.hook_{name}"))
        }
        None => full_name(&format!("{part}hook_{name}")),
    }
}

/// Unknown names are answered with the full name nearest to what was written, in its layer.
fn unknown(text: &str) -> Error {
    let layer = text
        .split(|c: char| !c.is_ascii_digit())
        .find_map(|digits| digits.parse().ok())
        .unwrap_or(0);
    let mut known: Vec<String> = BLOCK_SITES
        .map(|site| HookName::block(site, layer).to_string())
        .to_vec();
    known.extend(
        [
            Site::Embed,
            Site::PosEmbed,
            Site::LnFinalScale,
            Site::LnFinalNormalized,
        ]
        .map(|site| site.suffix().to_owned()),
    );
    Error::new(ErrorKind::UnknownHookPoint {
        name: text.to_owned(),
        known,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(text: &str) -> String {
        text.parse::<HookName>().unwrap().to_string()
    }

    #[test]
    fn shorthand_follows_transformer_lens() {
        assert_eq!(full("pre6"), "blocks.6.mlp.hook_pre");
        assert_eq!(full("k6"), "blocks.6.attn.hook_k");
        assert_eq!(full("scale4ln1"), "blocks.4.ln1.hook_scale");
        assert_eq!(full("normalized2ln2"), "blocks.2.ln2.hook_normalized");
        assert_eq!(full("attn5"), "blocks.5.attn.hook_pattern");
        assert_eq!(full("attn_logits5"), "blocks.5.attn.hook_attn_scores");
        assert_eq!(full("query11"), "blocks.11.attn.hook_q");
        assert_eq!(full("mlp_post3"), "blocks.3.mlp.hook_post");
        assert_eq!(full("resid_pre6"), "blocks.6.hook_resid_pre");
        assert_eq!(full("embed"), "hook_embed");
        assert_eq!(full("pos_embed"), "hook_pos_embed");
        assert_eq!(full("scale"), "ln_final.hook_scale");
        assert_eq!(full("normalized"), "ln_final.hook_normalized");
        assert_eq!(
            HookName::with_layer("resid_pre", 6).unwrap().to_string(),
            "blocks.6.hook_resid_pre"
        );
    }

    #[test]
    fn full_names_come_back_as_they_were() {
        for layer in [0, 47] {
            for site in BLOCK_SITES {
                let name = HookName::block(site, layer);
                assert_eq!(name.to_string().parse::<HookName>().unwrap(), name);
            }
        }
    }

    #[test]
    fn unknown_names_are_answered_with_the_nearest() {
        let error = "blocks.6.hook_resid_per".parse::<HookName>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no hook point named `blocks.6.hook_resid_per`"
        );
        assert_eq!(error.hints()[0], "did you mean `blocks.6.hook_resid_pre`?");
        for text in [
            "",
            "6",
            "blocks.x.hook_resid_pre",
            "blocks.99999999999999999999999.hook_resid_pre",
            "pre6foo",
            "é6",
        ] {
            assert!(text.parse::<HookName>().is_err(), "{text}");
        }
    }
}
