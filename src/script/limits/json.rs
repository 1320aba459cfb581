//! Reading JSON.

use std::sync::mpsc;
use std::time::Duration;

use rhai::plugin::*;
use rhai::{Dynamic, Engine, Map};

use super::work::Work;
use crate::error::Error;
use crate::kernels::STACK_SIZE;
use crate::script::fault::ScriptResult;

/// A text of fewer bytes is read at once.
const SHORT: usize = 256 << 10;
/// The most bytes that a value takes for a byte of its text: `[1,1,1`.
const FOR_A_BYTE: u64 = 40;

/// A long text is read on a thread of its own, which is left to itself once the run should end.
fn read_beside(ctx: &NativeCallContext, json: &str) -> ScriptResult<Map> {
    let work = Work::of(ctx)?;
    work.reserve("this JSON", json.len() as u64 * FOR_A_BYTE)?;
    let (done, result) = mpsc::channel();
    let json = json.to_owned();
    let mut engine = Engine::new_raw();
    engine
        .set_max_expr_depths(
            ctx.engine().max_expr_depth(),
            ctx.engine().max_function_expr_depth(),
        )
        .set_max_string_size(ctx.engine().max_string_size())
        .set_max_array_size(ctx.engine().max_array_size())
        .set_max_map_size(ctx.engine().max_map_size());
    std::thread::Builder::new()
        .stack_size(STACK_SIZE)
        .spawn(move || done.send(engine.parse_json(json, true)))
        .map_err(|error| Error::other(format!("can't start a thread: {error}")))?;
    loop {
        match result.recv_timeout(Duration::from_millis(20)) {
            Ok(result) => return result,
            Err(mpsc::RecvTimeoutError::Timeout) => work.check()?,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(Error::other("this JSON can't be read").into());
            }
        }
    }
}

#[export_module]
pub mod functions {
    #[rhai_fn(name = "parse_json", return_raw)]
    pub fn parse_json(ctx: NativeCallContext, json: &str) -> ScriptResult<Dynamic> {
        let map = match json.len() < SHORT {
            true => ctx.engine().parse_json(json, true),
            false => read_beside(&ctx, json),
        };
        map.map(Dynamic::from)
    }
}
