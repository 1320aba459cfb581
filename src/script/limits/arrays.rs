//! Functions of arrays that go through all items many times: sorting, and removing repetitions.

use std::any::TypeId;
use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rhai::plugin::*;
use rhai::{Array, Dynamic, EvalAltResult, FnPtr, INT, ImmutableString, Position};

use super::work::Work;
use crate::script::script_error::ScriptResult;

/// Sorts by a comparison that may fail, or be stopped. A sort can't be left, but it keeps all items
/// when its comparison unwinds.
fn sort_polled(
    ctx: &NativeCallContext,
    array: &mut Array,
    mut compare: impl FnMut(&Dynamic, &Dynamic) -> ScriptResult<Ordering>,
) -> ScriptResult<()> {
    let mut work = Work::of(ctx)?;
    let mut failed = None;
    let sorted = catch_unwind(AssertUnwindSafe(|| {
        array.sort_by(|a, b| {
            let order = work.item().and_then(|()| compare(a, b));
            order.unwrap_or_else(|error| {
                failed = Some(error);
                // Unlike a panic, this is no mistake, and none is reported.
                resume_unwind(Box::new(()))
            })
        });
    }));
    match (failed, sorted) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(()),
        // The comparison contradicts itself.
        (None, Err(_)) => Err(EvalAltResult::ErrorRuntime(
            "error in comparer for sorting".into(),
            Position::NONE,
        )
        .into()),
    }
}

/// A comparison by a script's function: a number, or whether the first goes before the second.
fn by_script(
    ctx: &NativeCallContext,
    comparer: &FnPtr,
    a: &Dynamic,
    b: &Dynamic,
) -> ScriptResult<Ordering> {
    let answer = match comparer.call_raw(ctx, None, [a.clone(), b.clone()]) {
        Ok(answer) => answer,
        Err(error) if !error.is_catchable() => return Err(error),
        Err(_) => Dynamic::UNIT,
    };
    let number = answer.as_int().ok().or_else(|| {
        let before = answer.as_bool().ok()?;
        Some(if before { -1 } else { 1 })
    });
    Ok(match number {
        Some(number) => number.cmp(&0),
        None => a.type_id().cmp(&b.type_id()),
    })
}

fn sort_naturally(ctx: &NativeCallContext, array: &mut Array, turned: bool) -> ScriptResult<()> {
    let Some(first) = array.first() else {
        return Ok(());
    };
    let (type_id, type_name) = (first.type_id(), first.type_name());
    let wrong = |what: String| {
        let error = EvalAltResult::ErrorFunctionNotFound(what, Position::NONE);
        Err(error.into())
    };
    if array.len() == 1 {
        return Ok(());
    }
    if array.iter().any(|item| item.type_id() != type_id) {
        return wrong("elements of different types cannot be sorted".into());
    }
    let known = [
        TypeId::of::<INT>(),
        TypeId::of::<char>(),
        TypeId::of::<f64>(),
        TypeId::of::<ImmutableString>(),
        TypeId::of::<bool>(),
        TypeId::of::<()>(),
    ];
    if !known.contains(&type_id) {
        return wrong(format!("elements of {type_name} cannot be sorted"));
    }
    sort_polled(ctx, array, |a, b| {
        let order = natural_order(a, b);
        Ok(if turned { order.reverse() } else { order })
    })
}

/// The order of two values of one type.
fn natural_order(a: &Dynamic, b: &Dynamic) -> Ordering {
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
        return a.cmp(&b);
    }
    if let (Ok(a), Ok(b)) = (a.as_float(), b.as_float()) {
        return a.partial_cmp(&b).unwrap_or(Ordering::Equal);
    }
    if let (Ok(a), Ok(b)) = (a.as_char(), b.as_char()) {
        return a.cmp(&b);
    }
    if let (Ok(a), Ok(b)) = (a.as_bool(), b.as_bool()) {
        return a.cmp(&b);
    }
    let texts = (
        a.read_lock::<ImmutableString>(),
        b.read_lock::<ImmutableString>(),
    );
    match texts {
        (Some(a), Some(b)) => a.as_str().cmp(b.as_str()),
        _ => Ordering::Equal,
    }
}

fn without_repetitions(
    ctx: &NativeCallContext,
    array: &mut Array,
    mut equal: impl FnMut(&mut Dynamic, &mut Dynamic) -> ScriptResult<Dynamic>,
) -> ScriptResult<()> {
    let mut work = Work::of(ctx)?;
    let mut failed = None;
    array.dedup_by(|x, y| {
        if failed.is_some() {
            return false;
        }
        match work.item().and_then(|()| equal(y, x)) {
            Ok(answer) => answer.as_bool().unwrap_or(false),
            Err(error) => {
                if !error.is_catchable() {
                    failed = Some(error);
                }
                false
            }
        }
    });
    failed.map_or(Ok(()), Err)
}

#[allow(unreachable_pub, reason = "rhai registers public functions only")]
#[export_module]
pub mod functions {
    /// As in rhai.
    #[rhai_fn(name = "sort", name = "sort_by", return_raw)]
    pub fn sort_by(ctx: NativeCallContext, array: &mut Array, comparer: FnPtr) -> ScriptResult<()> {
        sort_polled(&ctx, array, |a, b| by_script(&ctx, &comparer, a, b))
    }

    /// As in rhai.
    #[rhai_fn(name = "sort", return_raw)]
    pub fn sort(ctx: NativeCallContext, array: &mut Array) -> ScriptResult<()> {
        sort_naturally(&ctx, array, false)
    }

    /// As in rhai.
    #[rhai_fn(name = "sort_desc", return_raw)]
    pub fn sort_desc(ctx: NativeCallContext, array: &mut Array) -> ScriptResult<()> {
        sort_naturally(&ctx, array, true)
    }

    /// As in rhai.
    #[rhai_fn(name = "order_by", name = "order", return_raw)]
    pub fn order_by(
        ctx: NativeCallContext,
        array: &mut Array,
        comparer: FnPtr,
    ) -> ScriptResult<Array> {
        let mut sorted = array.clone();
        sort_polled(&ctx, &mut sorted, |a, b| by_script(&ctx, &comparer, a, b))?;
        Ok(sorted)
    }

    /// As in rhai.
    #[rhai_fn(name = "order", return_raw)]
    pub fn order(ctx: NativeCallContext, array: &mut Array) -> ScriptResult<Array> {
        let mut sorted = array.clone();
        sort_naturally(&ctx, &mut sorted, false)?;
        Ok(sorted)
    }

    /// As in rhai.
    #[rhai_fn(name = "order_desc", return_raw)]
    pub fn order_desc(ctx: NativeCallContext, array: &mut Array) -> ScriptResult<Array> {
        let mut sorted = array.clone();
        sort_naturally(&ctx, &mut sorted, true)?;
        Ok(sorted)
    }

    /// As in rhai.
    #[rhai_fn(name = "dedup", return_raw)]
    pub fn dedup(ctx: NativeCallContext, array: &mut Array) -> ScriptResult<()> {
        // `==` is no function that a pointer can name.
        without_repetitions(&ctx, array, |x, y| {
            ctx.call_native_fn_raw("==", true, &mut [x, &mut y.clone()])
        })
    }

    /// As in rhai.
    #[rhai_fn(name = "dedup", return_raw)]
    pub fn dedup_by(
        ctx: NativeCallContext,
        array: &mut Array,
        comparer: FnPtr,
    ) -> ScriptResult<()> {
        without_repetitions(&ctx, array, |x, y| {
            comparer.call_raw(&ctx, None, [x.clone(), y.clone()])
        })
    }

    /// As in rhai.
    #[rhai_fn(name = "+", return_raw)]
    pub fn concat(ctx: NativeCallContext, array1: Array, array2: Array) -> ScriptResult<Array> {
        let items = array1.len() + array2.len();
        Work::of(&ctx)?.array(items, (items * size_of::<Dynamic>()) as u64)?;
        let mut both = array1;
        both.extend(array2);
        Ok(both)
    }
}
