//! The functions by which scripts read the catalogue. They stand apart from the other functions,
//! which the catalogue is made of.

use rhai::Engine;
use rhai::exported_module;
use rhai::plugin::*;

use super::bindings::catalog;
use super::script_error::ScriptResult;
use super::session::Session;
use crate::error::{Error, ErrorKind};

#[export_module]
mod functions {
    /// Prints the list of all functions.
    ///
    /// ```rhai
    /// help();
    /// ```
    #[rhai_fn(name = "help", return_raw)]
    pub(super) fn help(ctx: NativeCallContext) -> ScriptResult<()> {
        let output = &Session::of(&ctx)?.output;
        let text = catalog(ctx.engine()).overview_within(output.columns());
        Ok(output.line(&text)?)
    }

    /// Prints what a function does, its options and an example. Of a topic, such as "steering", or
    /// a type, such as "Tensor" or "strings", it prints what belongs to it; of the beginning of a
    /// name all that begin so.
    ///
    /// ```rhai
    /// help("x_vector");
    /// ```
    #[rhai_fn(name = "help", return_raw)]
    pub(super) fn help_on(ctx: NativeCallContext, name: &str) -> ScriptResult<()> {
        let catalog = catalog(ctx.engine());
        let output = &Session::of(&ctx)?.output;
        let Some(text) = catalog.about(name, output.columns()) else {
            return Err(Error::new(ErrorKind::UnknownName {
                what: "function",
                name: name.to_owned(),
                known: catalog.help_names(),
            })
            .hint("help() lists them all")
            .into());
        };
        Ok(output.line(&text)?)
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(functions).into());
}
