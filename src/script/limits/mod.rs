//! rhai's own functions that could run for long or take much memory, in forms that are held to the
//! run's budget and that can be stopped. Scripts see no difference: names, arguments and results are
//! rhai's.

mod arrays;
mod exit;
mod json;
mod printing;
mod strings;
mod text;
mod work;

use rhai::{Engine, exported_module};

pub(super) use text::Text;
pub(super) use work::Work;

/// Puts them in the place of rhai's.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_global_module(exported_module!(arrays::functions).into())
        .register_global_module(exported_module!(exit::functions).into())
        .register_global_module(exported_module!(json::functions).into())
        .register_global_module(exported_module!(printing::functions).into())
        .register_global_module(exported_module!(strings::functions).into());
}
