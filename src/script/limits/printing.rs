//! Arrays and object maps as text, in rhai's form.

use rhai::plugin::*;
use rhai::{Array, Dynamic, ImmutableString, Map};

use super::text::Text;
use crate::script::script_error::ScriptResult;

fn write_array(text: &mut Text, ctx: &NativeCallContext, array: &mut Array) -> ScriptResult<()> {
    text.push("[")?;
    for (i, item) in array.iter_mut().enumerate() {
        if i > 0 {
            text.push(", ")?;
        }
        write_value(text, ctx, item)?;
    }
    text.push("]")
}

fn write_map(text: &mut Text, ctx: &NativeCallContext, map: &mut Map) -> ScriptResult<()> {
    text.push("#{")?;
    for (i, (key, item)) in map.iter_mut().enumerate() {
        if i > 0 {
            text.push(", ")?;
        }
        text.push(&format!("{key:?}: "))?;
        write_value(text, ctx, item)?;
    }
    text.push("}")
}

fn write_value(text: &mut Text, ctx: &NativeCallContext, value: &mut Dynamic) -> ScriptResult<()> {
    text.item()?;
    if let Some(mut array) = value.write_lock::<Array>() {
        return write_array(text, ctx, &mut array);
    }
    if let Some(mut map) = value.write_lock::<Map>() {
        return write_map(text, ctx, &mut map);
    }
    let shown = match ctx.call_native_fn_raw("to_debug", true, &mut [value]) {
        Ok(shown) if shown.is_string() => shown.into_immutable_string().unwrap_or_default(),
        Ok(shown) => ctx.engine().map_type_name(shown.type_name()).into(),
        Err(error) if !error.is_catchable() => return Err(error),
        Err(_) => ctx.engine().map_type_name(&format!("{value:?}")).into(),
    };
    text.push(&shown)
}

#[allow(unreachable_pub, reason = "rhai registers public functions only")]
#[export_module]
pub mod functions {
    /// As in rhai.
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
        write_array(&mut text, &ctx, array)?;
        text.into_string()
    }

    /// As in rhai.
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
        write_map(&mut text, &ctx, map)?;
        text.into_string()
    }
}
