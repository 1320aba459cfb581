//! The one table of hook points: TransformerLens' name, what the activation's axes count, and which
//! models have it.

use super::arch::{Arch, MlpKind, Positions};

/// What an axis of an activation counts.
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
    /// Heads of keys and values; as many as query heads in models without grouped attention.
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

/// Where in a pass a site is.
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
    /// The name within its block, or the whole name outside of blocks.
    pub name: &'static str,
    /// Where in a pass it is.
    pub place: Place,
    /// What each axis of the activation counts.
    pub axes: &'static [Axis],
    /// Which models have it.
    pub exists_in: fn(&Arch) -> bool,
    /// Computed only when it is named: it costs memory or work that an ordinary pass does not need.
    pub on_request: bool,
}

macro_rules! sites {
    ($($(#[$doc:meta])* $site:ident $name:literal $place:ident $axes:ident $exists_in:ident $($request:ident)?;)*) => {
        /// A kind of hook point, in the order in which a pass reaches them.
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
    /// The part of each head in the attention's output, without b_O.
    Result          "attn.hook_result"      Block        BY_HEAD   always on_request;
    AttnOut         "hook_attn_out"         Block        RESID     always;
    ResidMid        "hook_resid_mid"        Block        RESID     sequential;
    /// A copy of what the MLP reads, before ln2.
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

    /// What each axis of the activation counts.
    pub fn axes(self) -> &'static [Axis] {
        self.info().axes
    }

    /// Whether the site is in every block.
    pub fn in_block(self) -> bool {
        self.info().place == Place::Block
    }

    /// Whether the site is computed only when it is named.
    pub fn on_request(self) -> bool {
        self.info().on_request
    }

    /// Whether an activation is `[batch, pos, d_model]`, which is what steering adds to.
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
