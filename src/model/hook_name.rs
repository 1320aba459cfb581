//! Hook names: the points in a model where an activation can be read or changed.

use std::fmt;
use std::str::FromStr;

use super::arch::Arch;
use super::sites::{Place, Site};
use crate::error::{Error, ErrorKind, ResidualUse, Result};

/// A hook point: a site and, for sites in blocks, the layer.
///
/// Displays as TransformerLens' full name. Parses from that name or its shorthand (`get_act_name`):
/// "pre6", "k6", "scale4ln1", "resid_pre6", "attn5".
///
/// ```
/// use avec::model::HookName;
///
/// let name: HookName = "resid_pre6".parse()?;
/// assert_eq!(name, HookName::resid_pre(6));
/// assert_eq!(name.to_string(), "blocks.6.hook_resid_pre");
/// # Ok::<(), avec::error::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HookName {
    /// The layer, for sites in blocks.
    pub layer: Option<usize>,
    /// Which activation.
    pub site: Site,
}

impl HookName {
    /// A site in a block.
    pub const fn block(site: Site, layer: usize) -> Self {
        Self {
            layer: Some(layer),
            site,
        }
    }

    /// A site outside the blocks.
    pub const fn outside(site: Site) -> Self {
        Self { layer: None, site }
    }

    /// `blocks.{layer}.hook_resid_pre`: the hook point that an integer `act_name` means.
    pub const fn resid_pre(layer: usize) -> Self {
        Self::block(Site::ResidPre, layer)
    }

    /// The hook points that fire in an ordinary pass, in its order.
    pub fn all(arch: &Arch) -> Vec<Self> {
        let mut names = Self::all_named(arch);
        names.retain(|name| !name.site.on_request());
        names
    }

    /// All hook points of a model, in the order of the pass, including those computed only on
    /// request.
    pub fn all_named(arch: &Arch) -> Vec<Self> {
        let sites = |place| {
            let all = Site::ALL.iter().copied();
            all.filter(move |site| site.info().place == place && (site.info().exists_in)(arch))
        };
        let mut names: Vec<Self> = sites(Place::BeforeBlocks).map(Self::outside).collect();
        for layer in 0..arch.n_layers {
            names.extend(sites(Place::Block).map(|site| Self::block(site, layer)));
        }
        names.extend(sites(Place::AfterBlocks).map(Self::outside));
        names
    }

    /// The hook point of a model that a full name or shorthand means.
    ///
    /// # Errors
    /// If the name is unknown, or the model has no such hook point.
    pub fn of_model(text: &str, arch: &Arch) -> Result<Self> {
        let name = parsed(text).ok_or_else(|| {
            let layer = layer_in(text).min(arch.n_layers.saturating_sub(1));
            unknown(text, layer, |site| (site.info().exists_in)(arch))
        })?;
        name.check(arch)
    }

    /// Returns the hook point if the model has it.
    ///
    /// # Errors
    /// If the model has no such layer, or its family no such site.
    pub fn check(self, arch: &Arch) -> Result<Self> {
        match self.layer {
            Some(layer) if layer >= arch.n_layers => Err(ErrorKind::LayerOutOfRange {
                layer,
                n_layers: arch.n_layers,
            }
            .into()),
            _ if !(self.site.info().exists_in)(arch) => Err(ErrorKind::NoSuchHook {
                name: self.to_string(),
                family: arch.family,
            }
            .into()),
            _ => Ok(self),
        }
    }

    /// Returns the hook point if the model has it and its activation is `[batch, pos, d_model]`.
    /// `purpose` says what it is for, in the error.
    ///
    /// # Errors
    /// If the model has no such hook point, or the activation has another shape.
    pub fn check_residual_width(self, arch: &Arch, purpose: ResidualUse) -> Result<Self> {
        let name = self.check(arch)?;
        if name.site.is_residual_width() {
            return Ok(name);
        }
        Err(ErrorKind::NotResidualWidth {
            name: name.to_string(),
            purpose,
            sites: Self::of_residual_width(arch),
        }
        .into())
    }

    /// The plain names of a model's sites whose activation is `[batch, pos, d_model]`: those of the
    /// residual stream and of what is added to it.
    fn of_residual_width(arch: &Arch) -> Vec<&'static str> {
        let sites = Site::ALL.iter().map(|site| site.info());
        let plain = sites.filter(|info| info.axes == Site::ResidPre.axes());
        plain
            .filter(|info| (info.exists_in)(arch) && !info.on_request && !info.name.contains('.'))
            .map(|info| info.name)
            .collect()
    }

    /// TransformerLens' `get_act_name(name, layer)`, such as `("resid_pre", 6)`.
    ///
    /// # Errors
    /// If no site has this name.
    pub fn with_layer(name: &str, layer: usize) -> Result<Self> {
        shorthand(name, Some(layer), "").ok_or_else(|| unknown(name, layer, |_| true))
    }
}

impl fmt::Display for HookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(layer) = self.layer {
            write!(f, "blocks.{layer}.")?;
        }
        f.write_str(self.site.info().name)
    }
}

impl FromStr for HookName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parsed(text).ok_or_else(|| unknown(text, layer_in(text), |_| true))
    }
}

/// A full name or shorthand.
fn parsed(text: &str) -> Option<HookName> {
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
}

fn full_name(text: &str) -> Option<HookName> {
    let site = |name: &str, in_block: bool| {
        let mut sites = Site::ALL.iter().copied();
        sites.find(|site| site.in_block() == in_block && site.info().name == name)
    };
    match text.strip_prefix("blocks.") {
        Some(rest) => {
            let (layer, name) = rest.split_once('.')?;
            Some(HookName::block(site(name, true)?, layer.parse().ok()?))
        }
        None => site(text, false).map(HookName::outside),
    }
}

/// The rules of TransformerLens' `get_act_name`: aliases first, then the part of the block that the
/// name implies, then the part written after the layer.
fn shorthand(name: &str, layer: Option<usize>, part: &str) -> Option<HookName> {
    let name = match name {
        "attn" => "pattern",
        "attn_logits" => "attn_scores",
        "key" => "k",
        "query" => "q",
        "value" => "v",
        "mlp_pre" => "pre",
        // TransformerLens' `mid` exists only in models with a LayerNorm inside the MLP. In the
        // others, the middle of the MLP is the output of the activation function.
        "mlp_mid" | "mid" | "mlp_post" => "post",
        other => other,
    };
    let part = match (name, part) {
        (
            "k" | "v" | "q" | "z" | "rot_k" | "rot_q" | "result" | "pattern" | "attn_scores",
            "" | "a" | "attn" | "attention",
        ) => "attn.",
        ("pre" | "post" | "pre_linear", "" | "m" | "mlp") => "mlp.",
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

/// The layer that a name is probably meant for.
fn layer_in(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_digit())
        .find_map(|digits| digits.parse().ok())
        .unwrap_or(0)
}

/// An unknown name's error suggests the nearest full name in a layer, of the sites that `exists`
/// tells.
fn unknown(text: &str, layer: usize, exists: impl Fn(Site) -> bool) -> Error {
    let known = Site::ALL
        .iter()
        .filter(|site| exists(**site))
        .map(|site| match site.in_block() {
            true => HookName::block(*site, layer).to_string(),
            false => HookName::outside(*site).to_string(),
        })
        .collect();
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
        assert_eq!(full("rot_q2"), "blocks.2.attn.hook_rot_q");
        assert_eq!(full("pre_linear2"), "blocks.2.mlp.hook_pre_linear");
        assert_eq!(full("q_input1"), "blocks.1.hook_q_input");
        assert_eq!(full("mlp_in1"), "blocks.1.hook_mlp_in");
        assert_eq!(
            HookName::with_layer("resid_pre", 6).unwrap().to_string(),
            "blocks.6.hook_resid_pre"
        );
    }

    #[test]
    fn full_names_round_trip() {
        for layer in [0, 47] {
            for site in Site::ALL.iter().filter(|site| site.in_block()) {
                let name = HookName::block(*site, layer);
                assert_eq!(name.to_string().parse::<HookName>().unwrap(), name);
            }
        }
    }

    #[test]
    fn unknown_names_get_the_nearest_as_a_hint() {
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
