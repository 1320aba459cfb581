//! Analysis: side-by-side completions, losses and magnitudes. It returns data; `report` draws it.

mod attribution;
mod completions;
mod forward;
mod magnitudes;

pub use attribution::{
    ResidualStack, accumulated_resid, apply_ln_to_stack, decompose_resid, logit_attrs,
    stack_head_results,
};
pub use completions::{
    Comparison, CompletionOptions, CompletionRow, Completions, Known,
    gen_using_activation_additions, n_comparisons, n_comparisons_knowing,
};
pub use forward::{InjectionMode, forward_with_activation_additions};
pub use magnitudes::{
    prompt_magnitudes, steering_magnitudes_relative_to_prompt, steering_vec_magnitudes,
};
