//! Arrays and object maps as text, in rhai's form.

use rhai::plugin::*;
use rhai::{Array, Dynamic, ImmutableString, Map};

use super::work::Work;
use crate::script::fault::ScriptResult;

/// A text that grows no larger than a script's texts may be.
struct Text {
    out: String,
    work: Work,
    checked: usize,
}

/// The size of a text is checked again when it has grown by this much.
const STEP: usize = 1 << 20;

impl Text {
    fn of(ctx: &NativeCallContext) -> ScriptResult<Self> {
        Ok(Self {
            out: String::new(),
            work: Work::of(ctx)?,
            checked: 0,
        })
    }

    fn push(&mut self, text: &str) -> ScriptResult<()> {
        self.out.push_str(text);
        if self.out.len() - self.checked > STEP {
            self.checked = self.out.len();
            self.work.text(self.checked as u64)?;
        }
        Ok(())
    }

    fn array(&mut self, ctx: &NativeCallContext, array: &mut Array) -> ScriptResult<()> {
        self.push("[")?;
        for (i, item) in array.iter_mut().enumerate() {
            if i > 0 {
                self.push(", ")?;
            }
            self.value(ctx, item)?;
        }
        self.push("]")
    }

    fn map(&mut self, ctx: &NativeCallContext, map: &mut Map) -> ScriptResult<()> {
        self.push("#{")?;
        for (i, (key, item)) in map.iter_mut().enumerate() {
            if i > 0 {
                self.push(", ")?;
            }
            self.push(&format!("{key:?}: "))?;
            self.value(ctx, item)?;
        }
        self.push("}")
    }

    fn value(&mut self, ctx: &NativeCallContext, value: &mut Dynamic) -> ScriptResult<()> {
        self.work.item()?;
        if let Some(mut array) = value.write_lock::<Array>() {
            return self.array(ctx, &mut array);
        }
        if let Some(mut map) = value.write_lock::<Map>() {
            return self.map(ctx, &mut map);
        }
        let text = match ctx.call_native_fn_raw("to_debug", true, &mut [value]) {
            Ok(text) if text.is_string() => text.into_immutable_string().unwrap_or_default(),
            Ok(text) => ctx.engine().map_type_name(text.type_name()).into(),
            Err(error) if !error.is_catchable() => return Err(error),
            Err(_) => ctx.engine().map_type_name(&format!("{value:?}")).into(),
        };
        self.push(&text)
    }
}

#[export_module]
pub mod functions {
    #[rhai_fn(
        name = "print",
        name = "to_string",
        name = "debug",
        name = "to_debug",
        return_raw,
        pure
    )]
    pub fn array_text(ctx: NativeCallContext, array: &mut Array) -> ScriptResult<ImmutableString> {
        let mut text = Text::of(&ctx)?;
        text.array(&ctx, array)?;
        Ok(text.out.into())
    }

    #[rhai_fn(
        name = "print",
        name = "to_string",
        name = "debug",
        name = "to_debug",
        return_raw,
        pure
    )]
    pub fn map_text(ctx: NativeCallContext, map: &mut Map) -> ScriptResult<ImmutableString> {
        let mut text = Text::of(&ctx)?;
        text.map(&ctx, map)?;
        Ok(text.out.into())
    }
}
