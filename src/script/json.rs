//! Values as JSON, on one line, with all digits.

use std::ops::{Range, RangeInclusive};

use rhai::{Blob, Dynamic, FnPtr, INT, ImmutableString, Map};
use serde_json::{Number, Value};

use super::fault::{Fault, IntoScript, ScriptResult};
use super::literal::{self, kind_of};
use super::table::completion_maps;
use crate::analysis::Completions;
use crate::error::Error;
use crate::model::{ActivationCache, HookedTransformer};
use crate::run::RunContext;
use crate::steering::ActivationAddition;

/// A value as JSON. Numbers that are not finite become null, tables arrays of rows, ranges arrays of
/// their numbers. What is not data, such as a model's cache or a function, has no JSON form.
pub fn to_json(run: &RunContext, value: &Dynamic) -> ScriptResult<String> {
    let json = convert(run, value, 0)?;
    serde_json::to_string(&json)
        .map_err(|error| Error::other(format!("can't write this as JSON: {error}")))
        .script()
}

fn convert(run: &RunContext, value: &Dynamic, depth: usize) -> ScriptResult<Value> {
    if depth > 100 {
        return Err(Error::other("this value is nested too deeply for JSON").into());
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(n) = value.as_int() {
        return Ok(Value::from(n));
    }
    if let Ok(x) = value.as_float() {
        return Ok(float(x));
    }
    if let Ok(b) = value.as_bool() {
        return Ok(Value::from(b));
    }
    if let Ok(c) = value.as_char() {
        return Ok(Value::from(c.to_string()));
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(Value::from(text.as_str()));
    }
    if value.is_array() {
        let array = value.clone().into_array().unwrap_or_default();
        return array
            .iter()
            .map(|item| convert(run, item, depth + 1))
            .collect();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map
            .iter()
            .map(|(key, item)| Ok((key.to_string(), convert(run, item, depth + 1)?)))
            .collect::<ScriptResult<serde_json::Map<_, _>>>()
            .map(Value::Object);
    }
    if let Some(table) = value.clone().try_cast::<Completions>() {
        let rows = completion_maps(run, &table)?;
        return convert(run, &Dynamic::from(rows), depth + 1);
    }
    if let Some(tensor) = value.clone().try_cast::<candle_core::Tensor>() {
        return tensor_json(&tensor);
    }
    if let Some(addition) = value.clone().try_cast::<ActivationAddition>() {
        return Ok(Value::from(literal::addition(&addition)));
    }
    if let Some(model) = value.clone().try_cast::<HookedTransformer>() {
        return Ok(Value::from(model.name()));
    }
    if let Some(fault) = value.clone().try_cast::<Fault>() {
        return Ok(Value::from(fault.to_string()));
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        return Ok(bytes.iter().copied().map(Value::from).collect());
    }
    if let Some(range) = value.clone().try_cast::<Range<INT>>() {
        return range_json(range, value);
    }
    if let Some(range) = value.clone().try_cast::<RangeInclusive<INT>>() {
        let end = range.end().saturating_add(1);
        return range_json(*range.start()..end, value);
    }
    Err(no_form(value).into())
}

/// More numbers than this would be an unreasonable array.
const LONGEST_RANGE: INT = 10_000_000;

/// The numbers of a range, from its start up to its end.
fn range_json(range: Range<INT>, value: &Dynamic) -> ScriptResult<Value> {
    let length = range.end.saturating_sub(range.start);
    if length > LONGEST_RANGE {
        return Err(no_form(value).hint("write its ends: [start, end]").into());
    }
    Ok(range.map(Value::from).collect())
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

fn tensor_json(tensor: &candle_core::Tensor) -> ScriptResult<Value> {
    if tensor.rank() == 0 {
        let value = tensor.to_scalar::<f32>().script()?;
        return Ok(float(f64::from(value)));
    }
    (0..tensor.dims()[0])
        .map(|i| tensor_json(&tensor.get(i).script()?))
        .collect()
}

fn float(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}
