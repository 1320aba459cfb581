//! `exit(3)` ends a script, and the program with status 3.

use std::sync::Mutex;

use rhai::plugin::*;
use rhai::{Dynamic, EvalAltResult, Position};

use crate::error::Error;
use crate::script::fault::ScriptResult;
use crate::script::session::Session;

/// The status that a script asked for, if it did.
#[derive(Debug, Default)]
pub struct ExitStatus(Mutex<Option<u8>>);

impl ExitStatus {
    /// The status that the last script ended with by `exit`.
    pub fn get(&self) -> Option<u8> {
        self.0.lock().map_or(None, |status| *status)
    }

    pub(in crate::script) fn clear(&self) {
        self.put(None);
    }

    fn put(&self, status: Option<u8>) {
        if let Ok(mut place) = self.0.lock() {
            *place = status;
        }
    }
}

#[export_module]
pub mod functions {
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
