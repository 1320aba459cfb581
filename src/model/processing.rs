//! Rewrites weights at load time as TransformerLens does by default, as they are packed, so that
//! there is never a second copy of a model.

use super::arch::Arch;
use crate::kernels::{NormKind, WeightMatrix};
use crate::words::words;

words! {
    /// How weights are rewritten at load time.
    pub enum Processing: "processing", default Default {
        /// As TransformerLens does it: fold_ln, center_writing_weights, center_unembed,
        /// fold_value_biases. Probabilities are unchanged; norms and hook values are not.
        Default = "default",
        /// Not at all: the checkpoint's own values.
        None = "none",
    }
}

impl Processing {
    /// Whether the gains and biases of norms move into the maps that read them.
    pub(super) fn folds_norms(self) -> bool {
        self == Self::Default
    }

    /// Whether the mean of what is written to the residual stream is subtracted. An RMSNorm does
    /// not subtract the mean, so there it would change the model.
    pub(super) fn centers_writing(self, arch: &Arch) -> bool {
        self == Self::Default && arch.norm.kind == NormKind::LayerNorm
    }
}

/// The gain and bias of a norm, `[d_model]` each; an RMSNorm has no bias.
pub(super) struct Affine {
    pub(super) gain: Vec<f32>,
    pub(super) bias: Option<Vec<f32>>,
}

/// A linear map between the checkpoint and its packed form.
pub(super) struct Map<'a> {
    pub(super) matrix: WeightMatrix<'a>, // [in, out]
    pub(super) bias: Option<Vec<f32>>,   // [out]
}

impl Map<'_> {
    /// fold_ln: a norm's bias moves through the map into the map's bias, its gain into the weight.
    pub(super) fn fold_norm(&mut self, norm: &Affine) {
        if let Some(shift) = &norm.bias {
            self.add_to_bias(shift);
        }
        self.matrix.scale.clone_from(&norm.gain);
    }

    /// center_writing_weights: subtracts the mean of what the map writes.
    pub(super) fn center(&mut self) {
        self.matrix.shift = self.matrix.means();
        if let Some(bias) = &mut self.bias {
            let width = bias.len();
            center_rows(bias, width);
        }
    }

    /// fold_value_biases: attention weights sum to one, so the value bias reaches the output
    /// unchanged and can become part of b_O. The map is W_O; value_bias is `[n_key_value_heads *
    /// d_head]` and may be shared by several query heads.
    pub(super) fn fold_value_bias(&mut self, value_bias: &[f32], arch: &Arch) {
        let sharing = arch.n_heads / arch.n_key_value_heads;
        let per_head: Vec<f32> = value_bias
            .chunks(arch.d_head)
            .flat_map(|head| std::iter::repeat_n(head, sharing).flatten().copied())
            .collect();
        self.add_to_bias(&per_head);
    }

    /// center_unembed: subtracts the mean of the logits over the vocabulary.
    pub(super) fn center_unembed(&mut self) {
        self.center();
    }

    /// `b + v·W`; v `[in]`
    fn add_to_bias(&mut self, v: &[f32]) {
        let (_, outputs) = self.matrix.sizes();
        let zeros = vec![0.0; outputs];
        let start = self.bias.as_deref().unwrap_or(&zeros);
        self.bias = Some(self.matrix.times(v, start));
    }
}

/// Subtracts the mean from each row of `width` values.
pub(super) fn center_rows(values: &mut [f32], width: usize) {
    for row in values.chunks_mut(width.max(1)) {
        let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / width as f64;
        for x in row {
            *x -= mean as f32;
        }
    }
}
