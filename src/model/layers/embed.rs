//! From tokens to the residual stream.

use candle_core::Tensor;

use crate::error::Result;
use crate::model::hook_name::HookName;
use crate::model::pass::Pass;
use crate::model::processing::center_rows;
use crate::model::sites::Site;
use crate::weights::TensorHandle;

/// The token embedding W_E and, if positions are learned, W_pos.
///
/// W_E stays in the checkpoint's mapped file, and single rows are read from it: a copy in memory
/// would take a third of gpt2's size to serve a handful of rows per pass. Processing is applied to
/// the rows as they are read.
pub(crate) struct Embedding {
    pub(crate) tokens: TensorHandle, // [d_vocab, d_model]
    /// `center_writing_weights`: whether to subtract each row's mean.
    pub(crate) centered: bool,
    pub(crate) positions: Option<Tensor>, // [n_ctx, d_model]
    pub(crate) d_model: usize,
}

impl Embedding {
    /// The residual stream before the first block, `[batch, pos, d_model]`.
    ///
    /// `tokens` holds the rows of the batch, concatenated, all of one length.
    pub(crate) fn forward(&self, batch: usize, tokens: &[u32], pass: &mut Pass) -> Result<Tensor> {
        let shape = (batch, tokens.len() / batch.max(1), self.d_model);
        let mut rows = self.tokens.rows(tokens)?;
        if self.centered {
            center_rows(&mut rows, self.d_model);
        }
        let (device, dtype) = (pass.backend.device(), pass.backend.activation_dtype());
        let embed = Tensor::from_vec(rows, shape, device)?.to_dtype(dtype)?;
        let embed = pass.hook(HookName::outside(Site::Embed), embed)?;
        let Some(positions) = &self.positions else {
            return Ok(embed);
        };
        let at = Tensor::from_slice(&pass.positions, pass.positions.len(), device)?;
        let pos_embed = positions.index_select(&at, 0)?.reshape(shape)?;
        let pos_embed = pass.hook(HookName::outside(Site::PosEmbed), pos_embed)?;
        Ok((embed + pos_embed)?)
    }
}
