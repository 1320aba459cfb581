//! A long text in the making.

use rhai::{ImmutableString, NativeCallContext};

use super::work::Work;
use crate::script::script_error::ScriptResult;

/// A text that grows no larger than a script's texts may be, and whose making can be stopped.
pub(crate) struct Text {
    out: String,
    work: Work,
    checked: usize,
}

/// The size of a text is checked again when it has grown by this much.
const STEP: usize = 1 << 20;

impl Text {
    pub(crate) fn of(ctx: &NativeCallContext) -> ScriptResult<Self> {
        Ok(Self {
            out: String::new(),
            work: Work::of(ctx)?,
            checked: 0,
        })
    }

    pub(crate) fn push(&mut self, text: &str) -> ScriptResult<()> {
        self.out.push_str(text);
        if self.out.len() - self.checked > STEP {
            self.checked = self.out.len();
            self.work.text(self.checked as u64)?;
        }
        Ok(())
    }

    /// One more part of the value is done.
    pub(crate) fn item(&mut self) -> ScriptResult<()> {
        self.work.item()
    }

    pub(crate) fn into_string(self) -> ScriptResult<ImmutableString> {
        self.work.text(self.out.len() as u64)?;
        Ok(self.out.into())
    }
}
