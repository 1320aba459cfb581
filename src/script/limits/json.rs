//! Reading JSON.

use std::sync::mpsc;
use std::time::Duration;

use rhai::plugin::*;
use rhai::{Dynamic, EvalAltResult};

use super::work::Work;
use crate::error::Error;
use crate::script::script_error::ScriptResult;

/// A text of fewer bytes is read at once.
const SHORT: usize = 256 << 10;
/// The most bytes that a value takes for a byte of its text: `[1,1,1`.
const FOR_A_BYTE: u64 = 40;

fn read(json: &str) -> ScriptResult<Dynamic> {
    let value = serde_json::from_str(json);
    value.map_err(|error| Box::<EvalAltResult>::from(error.to_string()))
}

/// A long text is read on a thread of its own, which is left to itself once the run should end.
fn read_beside(ctx: &NativeCallContext, json: &str) -> ScriptResult<Dynamic> {
    let work = Work::of(ctx)?;
    work.reserve("this JSON", json.len() as u64 * FOR_A_BYTE)?;
    let (done, result) = mpsc::channel();
    let json = json.to_owned();
    std::thread::Builder::new()
        .spawn(move || done.send(read(&json)))
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

#[allow(unreachable_pub, reason = "rhai registers public functions only")]
#[export_module]
pub mod functions {
    /// As in rhai.
    #[rhai_fn(name = "parse_json", return_raw)]
    pub fn parse_json(ctx: NativeCallContext, json: &str) -> ScriptResult<Dynamic> {
        match json.len() < SHORT {
            true => read(json),
            false => read_beside(&ctx, json),
        }
    }
}
