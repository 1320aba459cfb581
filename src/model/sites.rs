//! The table of hook points: TransformerLens' name, the axes of the activation, and the models that
//! have it.

use super::arch::{Arch, MlpKind, Positions};

/// The meaning of an activation's axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Rows of the batch.
    Batch,
    /// Positions of the text.
    Pos,
    /// Dimensions of the residual stream.
    DModel,
    /// Query heads.
    Head,
    /// Heads of keys and values: as many as query heads unless attention is grouped.
    KvHead,
    /// Dimensions of a head.
    DHead,
    /// Neurons of the MLP.
    DMlp,
    /// Positions that attend.
    Query,
    /// Positions attended to.
    Key,
    /// An axis of length 1.
    One,
}

/// A site's place in a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Once, before the blocks.
    BeforeBlocks,
    /// In every block.
    Block,
    /// Once, after the blocks.
    AfterBlocks,
}

/// One row of the table.
#[derive(Debug)]
pub struct SiteInfo {
    /// The name within its block, or the whole name outside the blocks.
    pub name: &'static str,
    /// Its place in a pass.
    pub place: Place,
    /// The activation's axes.
    pub axes: &'static [Axis],
    /// Whether a model has it.
    pub exists_in: fn(&Arch) -> bool,
    /// Computed only when named, because it takes memory or work that an ordinary pass doesn't
    /// need.
    pub on_request: bool,
}

macro_rules! sites {
    ($($(#[$doc:meta])* $site:ident $name:literal $place:ident $axes:ident $exists_in:ident $($request:ident)?;)*) => {
        /// A kind of hook point, listed in the order of a pass.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the names are TransformerLens' own")]
        pub enum Site {
            $($(#[$doc])* $site,)*
        }

        impl Site {
            /// All sites, in the order of the pass.
            pub const ALL: &[Self] = &[$(Self::$site),*];
        }

        static TABLE: &[SiteInfo] = &[$(SiteInfo {
            name: $name,
            place: Place::$place,
            axes: $axes,
            exists_in: $exists_in,
            on_request: sites!(@request $($request)?),
        }),*];
    };
    (@request on_request) => { true };
    (@request) => { false };
}

sites! {
    Embed           "hook_embed"            BeforeBlocks RESID     always;
    PosEmbed        "hook_pos_embed"        BeforeBlocks RESID     learned_positions;
    ResidPre        "hook_resid_pre"        Block        RESID     always;
    /// A copy of the residual stream for each head, before ln1.
    AttnIn          "hook_attn_in"          Block        BY_HEAD   always on_request;
    QInput          "hook_q_input"          Block        BY_HEAD   always on_request;
    KInput          "hook_k_input"          Block        BY_KV_HEAD always on_request;
    VInput          "hook_v_input"          Block        BY_KV_HEAD always on_request;
    Ln1Scale        "ln1.hook_scale"        Block        SCALE     always;
    Ln1Normalized   "ln1.hook_normalized"   Block        RESID     always;
    Q               "attn.hook_q"           Block        HEADS     always;
    K               "attn.hook_k"           Block        KV_HEADS  always;
    V               "attn.hook_v"           Block        KV_HEADS  always;
    RotQ            "attn.hook_rot_q"       Block        HEADS     rotary_positions;
    RotK            "attn.hook_rot_k"       Block        KV_HEADS  rotary_positions;
    AttnScores      "attn.hook_attn_scores" Block        PATTERN   always;
    Pattern         "attn.hook_pattern"     Block        PATTERN   always;
    Z               "attn.hook_z"           Block        HEADS     always;
    /// Each head's share of the attention output, without b_O.
    Result          "attn.hook_result"      Block        BY_HEAD   always on_request;
    AttnOut         "hook_attn_out"         Block        RESID     always;
    ResidMid        "hook_resid_mid"        Block        RESID     sequential;
    /// A copy of the MLP's input, before ln2.
    MlpIn           "hook_mlp_in"           Block        RESID     always on_request;
    Ln2Scale        "ln2.hook_scale"        Block        SCALE     always;
    Ln2Normalized   "ln2.hook_normalized"   Block        RESID     always;
    MlpPre          "mlp.hook_pre"          Block        MLP       always;
    MlpPreLinear    "mlp.hook_pre_linear"   Block        MLP       gated_mlp;
    MlpPost         "mlp.hook_post"         Block        MLP       always;
    MlpOut          "hook_mlp_out"          Block        RESID     always;
    ResidPost       "hook_resid_post"       Block        RESID     always;
    LnFinalScale    "ln_final.hook_scale"   AfterBlocks  SCALE     always;
    LnFinalNormalized "ln_final.hook_normalized" AfterBlocks RESID always;
}

const RESID: &[Axis] = &[Axis::Batch, Axis::Pos, Axis::DModel];
const SCALE: &[Axis] = &[Axis::Batch, Axis::Pos, Axis::One];
const HEADS: &[Axis] = &[Axis::Batch, Axis::Pos, Axis::Head, Axis::DHead];
const KV_HEADS: &[Axis] = &[Axis::Batch, Axis::Pos, Axis::KvHead, Axis::DHead];
const BY_HEAD: &[Axis] = &[Axis::Batch, Axis::Pos, Axis::Head, Axis::DModel];
const BY_KV_HEAD: &[Axis] = &[Axis::Batch, Axis::Pos, Axis::KvHead, Axis::DModel];
const PATTERN: &[Axis] = &[Axis::Batch, Axis::Head, Axis::Query, Axis::Key];
const MLP: &[Axis] = &[Axis::Batch, Axis::Pos, Axis::DMlp];

fn always(_: &Arch) -> bool {
    true
}

fn learned_positions(arch: &Arch) -> bool {
    arch.positions == Positions::Learned
}

fn rotary_positions(arch: &Arch) -> bool {
    matches!(arch.positions, Positions::Rotary { .. })
}

fn sequential(arch: &Arch) -> bool {
    !arch.parallel
}

fn gated_mlp(arch: &Arch) -> bool {
    arch.mlp == MlpKind::Gated
}

impl Site {
    /// This site's row of the table.
    pub fn info(self) -> &'static SiteInfo {
        &TABLE[self as usize]
    }

    /// The activation's axes.
    pub fn axes(self) -> &'static [Axis] {
        self.info().axes
    }

    /// Whether the site is in every block.
    pub fn in_block(self) -> bool {
        self.info().place == Place::Block
    }

    /// Whether the site is computed only when named.
    pub fn on_request(self) -> bool {
        self.info().on_request
    }

    /// Whether the activation is `[batch, pos, d_model]`, the shape that steering adds to.
    pub fn is_residual_width(self) -> bool {
        self.axes() == RESID
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_a_pass() {
        let places: Vec<Place> = TABLE.iter().map(|row| row.place).collect();
        let blocks = places.iter().position(|place| *place == Place::Block);
        let after = places.iter().position(|place| *place == Place::AfterBlocks);
        let expected = |i: usize| match i {
            i if Some(i) < blocks => Place::BeforeBlocks,
            i if Some(i) < after => Place::Block,
            _ => Place::AfterBlocks,
        };
        for (i, place) in places.iter().enumerate() {
            assert_eq!(*place, expected(i));
        }
        for site in Site::ALL {
            let same = TABLE.iter().filter(|row| row.name == site.info().name);
            assert_eq!(same.count(), 1, "{site:?}");
        }
    }
}
