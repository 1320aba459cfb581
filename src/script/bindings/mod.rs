//! The functions that scripts call, one file a topic. Each decodes its arguments, calls one thing
//! of the library, and wraps the result.

mod arrays;
mod completions;
mod general;
mod groups;
mod magnitudes;
mod model;
mod steering;
mod tensor;

use rhai::{Engine, exported_module};

use super::catalog::{Catalog, OptionTable, register_types};
use super::options::CallOptions;

/// The options of all functions that take some.
fn option_tables() -> Vec<OptionTable> {
    vec![
        model::LoadModel::table(),
        model::ToTokens::table(),
        model::Generate::table(),
        steering::Addition::table(),
        steering::XVectorOptions::table(),
        steering::Forward::table(),
        completions::GenUsing::table(),
        completions::NComparisons::table(),
    ]
}

/// All that scripts can call in an engine.
pub(crate) fn catalog(engine: &Engine) -> Catalog {
    Catalog::of(engine, &option_tables())
}

pub(crate) fn register(engine: &mut Engine) {
    register_types(engine);
    engine
        .register_global_module(exported_module!(general::functions).into())
        .register_global_module(exported_module!(arrays::functions).into())
        .register_global_module(exported_module!(model::functions).into())
        .register_global_module(exported_module!(tensor::functions).into())
        .register_global_module(exported_module!(tensor::with_integers).into())
        .register_global_module(exported_module!(tensor::with_floats).into())
        .register_global_module(exported_module!(steering::functions).into())
        .register_global_module(exported_module!(completions::functions).into())
        .register_global_module(exported_module!(magnitudes::functions).into());
}
