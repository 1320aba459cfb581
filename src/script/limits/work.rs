//! Long work in native code, which asks now and then whether it may go on.

use std::sync::Arc;

use rhai::{EvalAltResult, NativeCallContext, Position};

use crate::script::script_error::{IntoScript, ScriptResult};
use crate::script::session::Session;

/// One call of a function that may take long.
pub(crate) struct Work {
    session: Arc<Session>,
    done: usize,
    most_text: usize,
    most_items: usize,
}

/// It is asked again after this many items: a few hundred microseconds at most.
const OFTEN: usize = 4096;

impl Work {
    pub(crate) fn of(ctx: &NativeCallContext) -> ScriptResult<Self> {
        Ok(Self {
            session: Session::of(ctx)?,
            done: 0,
            most_text: ctx.engine().max_string_size(),
            most_items: ctx.engine().max_array_size(),
        })
    }

    /// One more item is done.
    pub(crate) fn item(&mut self) -> ScriptResult<()> {
        self.done += 1;
        match self.done % OFTEN {
            0 => self.check(),
            _ => Ok(()),
        }
    }

    pub(crate) fn check(&self) -> ScriptResult<()> {
        self.session.run.check().script()
    }

    pub(crate) fn reserve(&self, what: &str, bytes: u64) -> ScriptResult<()> {
        self.session.run.reserve(what, bytes).script()
    }

    /// Before a text of this many bytes is made. The limit of texts is rhai's own error.
    pub(crate) fn text(&self, bytes: u64) -> ScriptResult<()> {
        self.reserve("this text", bytes)?;
        if bytes > self.most_text as u64 {
            return Err(too_large("Length of string"));
        }
        Ok(())
    }

    /// Before an array of this many items is made, which take `bytes` in all.
    pub(crate) fn array(&self, items: usize, bytes: u64) -> ScriptResult<()> {
        self.reserve("this array", bytes)?;
        if items > self.most_items {
            return Err(too_large("Size of array/BLOB"));
        }
        Ok(())
    }
}

fn too_large(what: &str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge(what.to_owned(), Position::NONE).into()
}
