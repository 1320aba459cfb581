//! `exit(3)` ends a script, and the program with status 3.

use rhai::plugin::*;
use rhai::{Dynamic, EvalAltResult, Position};

use crate::error::Error;
use crate::script::script_error::ScriptResult;
use crate::script::session::Session;

#[allow(unreachable_pub, reason = "rhai registers public functions only")]
#[export_module]
pub mod functions {
    /// As in rhai.
    #[rhai_fn(name = "exit", volatile, return_raw)]
    pub fn exit_with(ctx: NativeCallContext, value: Dynamic) -> ScriptResult<Dynamic> {
        if let Ok(number) = value.as_int() {
            let status = u8::try_from(number).map_err(|_| {
                Error::invalid("status", number.to_string(), "must be 0 to 255")
                    .hint("0 says that all went well, and 1 to 255 are what a shell's $? can be")
            })?;
            Session::of(&ctx)?.exit.put(Some(status));
        }
        Err(EvalAltResult::Exit(value, Position::NONE).into())
    }
}
