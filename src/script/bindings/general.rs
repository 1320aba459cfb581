//! Parameters, JSON, errors as values, and waiting.

use std::time::{Duration, Instant};

use rhai::plugin::*;
use rhai::{Dynamic, ImmutableString, Map};

use crate::script::json;
use crate::script::script_error::{IntoScript, ScriptError, ScriptResult};
use crate::script::session::Session;

#[allow(unreachable_pub, reason = "rhai registers public functions only")]
#[export_module]
pub mod functions {
    /// A parameter that the command line can set with `-p name=value`, or its default.
    ///
    /// The value is read as the default's type: a number, a string or a bool.
    ///
    /// ```rhai
    /// let coeff = param("coeff", 5);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn param(ctx: NativeCallContext, name: &str, default: Dynamic) -> ScriptResult<Dynamic> {
        Session::of(&ctx)?.params.get(name, default).script()
    }

    /// A value as JSON on one line, with all digits. Numbers that are not finite become null,
    /// tables arrays of rows, ranges arrays of their numbers. What is not data, such as a cache or
    /// a function, is an error.
    ///
    /// ```rhai
    /// print(to_json(#{ a: [1, 2.5], b: "text" }));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn to_json(ctx: NativeCallContext, value: Dynamic) -> ScriptResult<ImmutableString> {
        json::to_json(&ctx, &value)
    }

    // In place of rhai's own, which writes what is not data by the name of its type.
    #[rhai_fn(name = "to_json", return_raw)]
    pub fn map_to_json(ctx: NativeCallContext, value: Map) -> ScriptResult<ImmutableString> {
        json::to_json(&ctx, &Dynamic::from(value))
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn fault_text(fault: &mut ScriptError) -> String {
        fault.to_string()
    }

    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_float(ctx: NativeCallContext, seconds: f64) -> ScriptResult<()> {
        if seconds.is_nan() || seconds <= 0.0 {
            return Ok(());
        }
        // In small steps, so that it can be stopped.
        let session = Session::of(&ctx)?;
        let end = Duration::try_from_secs_f64(seconds)
            .ok()
            .and_then(|duration| Instant::now().checked_add(duration));
        while end.is_none_or(|end| Instant::now() < end) {
            session.run.cancel.check().script()?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_int(ctx: NativeCallContext, seconds: i64) -> ScriptResult<()> {
        sleep_float(ctx, seconds as f64)
    }
}
