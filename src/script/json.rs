//! Values as JSON, on one line, with all digits.

use std::ops::{Range, RangeInclusive};

use rhai::{Array, Blob, Dynamic, FnPtr, INT, ImmutableString, Map, NativeCallContext};
use serde_json::Number;

use super::limits::Text;
use super::literal::{self, kind_of};
use super::script_error::{IntoScript, ScriptError, ScriptResult};
use super::session::Session;
use super::table::completion_maps;
use crate::analysis::Completions;
use crate::error::Error;
use crate::model::{ActivationCache, HookedTransformer};
use crate::steering::ActivationAddition;

/// A value as JSON. Numbers that are not finite become null, tables arrays of rows, ranges arrays of
/// their numbers. What is not data, such as a model's cache or a function, has no JSON form.
pub(super) fn to_json(ctx: &NativeCallContext, value: &Dynamic) -> ScriptResult<ImmutableString> {
    let mut out = Text::of(ctx)?;
    write(ctx, &mut out, value, 0)?;
    out.into_string()
}

fn write(
    ctx: &NativeCallContext,
    out: &mut Text,
    value: &Dynamic,
    depth: usize,
) -> ScriptResult<()> {
    if depth > 100 {
        return Err(Error::other("this value is nested too deeply for JSON").into());
    }
    out.item()?;
    if value.is_unit() {
        return out.push("null");
    }
    if let Ok(n) = value.as_int() {
        return out.push(&n.to_string());
    }
    if let Ok(x) = value.as_float() {
        return out.push(&float(x));
    }
    if let Ok(b) = value.as_bool() {
        return out.push(if b { "true" } else { "false" });
    }
    if let Ok(c) = value.as_char() {
        return quoted(out, &c.to_string());
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return quoted(out, &text);
    }
    if let Some(array) = value.read_lock::<Array>() {
        return list(out, array.iter(), |out, item| {
            write(ctx, out, item, depth + 1)
        });
    }
    if let Some(map) = value.read_lock::<Map>() {
        out.push("{")?;
        for (i, (key, item)) in map.iter().enumerate() {
            if i > 0 {
                out.push(",")?;
            }
            quoted(out, key)?;
            out.push(":")?;
            write(ctx, out, item, depth + 1)?;
        }
        return out.push("}");
    }
    if let Some(table) = value.clone().try_cast::<Completions>() {
        let rows = completion_maps(&Session::of(ctx)?.run, &table)?;
        return write(ctx, out, &Dynamic::from(rows), depth + 1);
    }
    if let Some(tensor) = value.clone().try_cast::<candle_core::Tensor>() {
        return write_tensor(out, &tensor);
    }
    if let Some(addition) = value.clone().try_cast::<ActivationAddition>() {
        return quoted(out, &literal::addition(&addition));
    }
    if let Some(model) = value.clone().try_cast::<HookedTransformer>() {
        return quoted(out, model.name());
    }
    if let Some(fault) = value.clone().try_cast::<ScriptError>() {
        return quoted(out, &fault.to_string());
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        return list(out, bytes.iter(), |out, byte| out.push(&byte.to_string()));
    }
    if let Some(range) = value.clone().try_cast::<Range<INT>>() {
        return write_range(out, range, value);
    }
    if let Some(range) = value.clone().try_cast::<RangeInclusive<INT>>() {
        let end = range.end().saturating_add(1);
        return write_range(out, *range.start()..end, value);
    }
    Err(no_form(value).into())
}

fn quoted(out: &mut Text, text: &str) -> ScriptResult<()> {
    let json = serde_json::to_string(text)
        .map_err(|error| Error::other(format!("can't write this as JSON: {error}")))
        .script()?;
    out.push(&json)
}

fn list<T>(
    out: &mut Text,
    items: impl Iterator<Item = T>,
    mut one: impl FnMut(&mut Text, T) -> ScriptResult<()>,
) -> ScriptResult<()> {
    out.push("[")?;
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(",")?;
        }
        out.item()?;
        one(out, item)?;
    }
    out.push("]")
}

/// More numbers than this would be an unreasonable array.
const LONGEST_RANGE: INT = 10_000_000;

/// The numbers of a range, from its start up to its end.
fn write_range(out: &mut Text, range: Range<INT>, value: &Dynamic) -> ScriptResult<()> {
    let length = range.end.saturating_sub(range.start);
    if length > LONGEST_RANGE {
        return Err(no_form(value).hint("write its ends: [start, end]").into());
    }
    list(out, range, |out, number| out.push(&number.to_string()))
}

/// The error for what is not data, with the data that may be meant.
fn no_form(value: &Dynamic) -> Error {
    let error = Error::other(format!("{} has no JSON form", kind_of(value)));
    if value.is::<ActivationCache>() {
        return error.hint("take an activation out of it: cache[\"resid_pre1\"].to_array()");
    }
    if value.is::<FnPtr>() {
        return error.hint("call it and take its result");
    }
    if value.is::<rhai::Instant>() {
        return error.hint("take the seconds since then: t.elapsed");
    }
    error
}

fn write_tensor(out: &mut Text, tensor: &candle_core::Tensor) -> ScriptResult<()> {
    if tensor.rank() == 0 {
        let value = tensor.to_scalar::<f32>().script()?;
        return out.push(&float(f64::from(value)));
    }
    list(out, 0..tensor.dims()[0], |out, i| {
        write_tensor(out, &tensor.get(i).script()?)
    })
}

fn float(value: f64) -> String {
    Number::from_f64(value).map_or_else(|| "null".to_owned(), |number| number.to_string())
}
