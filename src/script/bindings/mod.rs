//! The functions that scripts call, one file a topic. Each decodes its arguments, calls one thing
//! of the library, and wraps the result.

mod completions;
mod general;
mod magnitudes;
mod model;
mod steering;
mod tensor;

use rhai::{Engine, exported_module};

use super::options::Field;

pub use completions::{completion_maps, drawn};

/// Which functions take which options.
pub const OPTION_TABLES: &[(&[&str], &[Field])] = &[
    (&["load_model"], model::LoadModel::FIELDS),
    (&["to_tokens"], model::ToTokens::FIELDS),
    (&["generate"], model::Generate::FIELDS),
    (&["ActivationAddition"], steering::Addition::FIELDS),
    (
        &["x_vector", "get_x_vector"],
        steering::XVectorOptions::FIELDS,
    ),
    (
        &["forward_with_activation_additions"],
        steering::Forward::FIELDS,
    ),
    (
        &["gen_using_activation_additions", "gen_using_model"],
        completions::GenUsing::FIELDS,
    ),
    (
        &["n_comparisons", "print_n_comparisons"],
        completions::NComparisons::FIELDS,
    ),
];

pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<crate::model::HookedTransformer>("Model")
        .register_type_with_name::<crate::model::ActivationCache>("Cache")
        .register_type_with_name::<candle_core::Tensor>("Tensor")
        .register_type_with_name::<crate::steering::ActivationAddition>("ActivationAddition")
        .register_type_with_name::<crate::analysis::Completions>("Completions")
        .register_type_with_name::<super::fault::Fault>("Error")
        .register_global_module(exported_module!(general::functions).into())
        .register_global_module(exported_module!(model::functions).into())
        .register_global_module(exported_module!(tensor::functions).into())
        .register_global_module(exported_module!(tensor::with_integers).into())
        .register_global_module(exported_module!(tensor::with_floats).into())
        .register_global_module(exported_module!(steering::functions).into())
        .register_global_module(exported_module!(completions::functions).into())
        .register_global_module(exported_module!(magnitudes::functions).into());
}
