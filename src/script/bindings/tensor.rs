//! Tensors: shape, values, arithmetic, and the few functions that experiments need.

use rhai::plugin::*;
use rhai::{Array, Dynamic};

use crate::error::{Error, ErrorKind};
use crate::report::tensor_text;
use crate::script::limits::Work;
use crate::script::script_error::{IntoScript, ScriptResult};
use crate::script::session::Session;
use candle_core::{D, DType, Tensor};

/// More values than this would be an unreasonable array.
const MOST_VALUES: usize = 10_000_000;

/// Before a function makes `copies` tensors as large as this one.
fn room(ctx: &NativeCallContext, tensor: &Tensor, copies: usize) -> ScriptResult<()> {
    let bytes = tensor.elem_count() * copies * tensor.dtype().size_in_bytes().max(4);
    let what = || format!("a tensor of shape {:?}", tensor.dims());
    let run = &Session::of(ctx)?.run;
    match bytes < LARGE {
        true => run.check().script(),
        false => run.reserve(&what(), bytes as u64).script(),
    }
}

/// Fewer bytes than this are not announced.
const LARGE: usize = 1 << 20;

fn values(ctx: &NativeCallContext, tensor: &Tensor) -> ScriptResult<Vec<f32>> {
    room(ctx, tensor, 1)?;
    tensor
        .to_dtype(DType::F32)
        .and_then(|t| t.flatten_all())
        .and_then(|t| t.to_vec1())
        .script()
}

/// The values of a tensor of this shape as arrays in arrays.
fn nested(work: &mut Work, shape: &[usize], values: &[f32]) -> ScriptResult<Dynamic> {
    Ok(match shape {
        [] => values
            .first()
            .map_or(Dynamic::UNIT, |x| Dynamic::from(f64::from(*x))),
        [_] => {
            work.check()?;
            let row: Array = values
                .iter()
                .map(|x| Dynamic::from(f64::from(*x)))
                .collect();
            Dynamic::from(row)
        }
        [n, rest @ ..] => {
            let step = rest.iter().product::<usize>();
            let rows: ScriptResult<Array> = (0..*n)
                .map(|i| nested(work, rest, &values[i * step..(i + 1) * step]))
                .collect();
            Dynamic::from(rows?)
        }
    })
}

/// Tensor with tensor; shapes must be equal or stretch to each other.
fn pair(
    ctx: &NativeCallContext,
    a: &Tensor,
    b: &Tensor,
    what: &str,
    operation: fn(&Tensor, &Tensor) -> candle_core::Result<Tensor>,
) -> ScriptResult<Tensor> {
    let Ok(shape) = a.shape().broadcast_shape_binary_op(b.shape(), "") else {
        return Err(Error::new(ErrorKind::Shape {
            message: format!(
                "tensors of shape {:?} and {:?} can't be {what}",
                a.dims(),
                b.dims()
            ),
        })
        .hint("axes must be equally long, or 1 in one of them")
        .into());
    };
    // What stretches can be far larger than both.
    let elements = shape
        .dims()
        .iter()
        .fold(1u64, |product, n| product.saturating_mul(*n as u64));
    let bytes = elements.saturating_mul(a.dtype().size_in_bytes() as u64);
    let run = &Session::of(ctx)?.run;
    run.check().script()?;
    if bytes >= LARGE as u64 && a.device().is_cpu() {
        let what = format!("a tensor of shape {:?}", shape.dims());
        run.reserve(&what, bytes).script()?;
    }
    operation(a, b).script()
}

fn index(tensor: &Tensor, i: i64) -> ScriptResult<Tensor> {
    let n = match tensor.dims() {
        [] => {
            return Err(Error::other("a tensor without axes can't be indexed")
                .hint("it is one number: t.to_array()")
                .into());
        }
        [n, ..] => *n as i64,
    };
    let at = if i < 0 { i + n } else { i };
    if !(0..n).contains(&at) {
        return Err(Error::other(format!(
            "there is no index {i}: the first axis of shape {:?} has length {n}",
            tensor.dims()
        ))
        .hint("t[0] is the first and t[-1] the last; t[0][1] goes on to the next axis")
        .into());
    }
    tensor.get(at as usize).script()
}

#[allow(unreachable_pub, reason = "rhai registers public functions only")]
#[export_module]
pub mod functions {
    /// The length of each axis of a tensor.
    ///
    /// ```rhai
    /// print(load_model("demo").logits("I think").shape);
    /// ```
    #[rhai_fn(get = "shape", pure)]
    pub fn shape(tensor: &mut Tensor) -> Array {
        tensor
            .dims()
            .iter()
            .map(|n| Dynamic::from(*n as i64))
            .collect()
    }

    #[rhai_fn(name = "to_array", return_raw, pure)]
    pub fn to_array(ctx: NativeCallContext, tensor: &mut Tensor) -> ScriptResult<Dynamic> {
        if tensor.elem_count() > MOST_VALUES {
            return Err(Error::other(format!(
                "a tensor of {} values is too large for an array",
                tensor.elem_count()
            ))
            .hint("take a part of it first: t[0][-1]")
            .into());
        }
        let values = values(&ctx, tensor)?;
        let mut work = Work::of(&ctx)?;
        work.array(values.len(), (values.len() * size_of::<Dynamic>()) as u64)?;
        nested(&mut work, tensor.dims(), &values)
    }

    #[rhai_fn(name = "len", get = "len", pure)]
    pub fn len(tensor: &mut Tensor) -> i64 {
        tensor.dims().first().map_or(1, |n| *n as i64)
    }

    /// The L2 norm of all values.
    ///
    /// ```rhai
    /// print(load_model("demo").run_with_cache("I think", "resid_pre1")["resid_pre1"].norm());
    /// ```
    #[rhai_fn(name = "norm", return_raw, pure)]
    pub fn norm(ctx: NativeCallContext, tensor: &mut Tensor) -> ScriptResult<f64> {
        let square: f64 = values(&ctx, tensor)?
            .iter()
            .map(|x| f64::from(*x).powi(2))
            .sum();
        Ok(square.sqrt())
    }

    /// The sum of all values.
    ///
    /// ```rhai
    /// print(load_model("demo").logits("I think")[0][-1].softmax().sum());
    /// ```
    #[rhai_fn(name = "sum", return_raw, pure)]
    pub fn sum(ctx: NativeCallContext, tensor: &mut Tensor) -> ScriptResult<f64> {
        Ok(values(&ctx, tensor)?.iter().map(|x| f64::from(*x)).sum())
    }

    /// The values as one axis.
    ///
    /// ```rhai
    /// print(load_model("demo").logits("I think").flatten().len());
    /// ```
    #[rhai_fn(name = "flatten", return_raw, pure)]
    pub fn flatten(ctx: NativeCallContext, tensor: &mut Tensor) -> ScriptResult<Tensor> {
        room(&ctx, tensor, 1)?;
        tensor.flatten_all().script()
    }

    /// Probabilities over the last axis.
    ///
    /// ```rhai
    /// print(load_model("demo").logits("I think").softmax().shape);
    /// ```
    #[rhai_fn(name = "softmax", return_raw, pure)]
    pub fn softmax(ctx: NativeCallContext, tensor: &mut Tensor) -> ScriptResult<Tensor> {
        room(&ctx, tensor, 2)?;
        axes(tensor, "softmax")?;
        candle_nn::ops::softmax(tensor, D::Minus1).script()
    }

    /// Logarithms of the probabilities over the last axis.
    ///
    /// ```rhai
    /// print(load_model("demo").logits("I think").log_softmax().shape);
    /// ```
    #[rhai_fn(name = "log_softmax", return_raw, pure)]
    pub fn log_softmax(ctx: NativeCallContext, tensor: &mut Tensor) -> ScriptResult<Tensor> {
        room(&ctx, tensor, 2)?;
        axes(tensor, "log_softmax")?;
        candle_nn::ops::log_softmax(tensor, D::Minus1).script()
    }

    #[rhai_fn(index_get, return_raw, pure)]
    pub fn at(ctx: NativeCallContext, tensor: &mut Tensor, i: i64) -> ScriptResult<Dynamic> {
        let part = index(tensor, i)?;
        if part.rank() == 0 {
            return Ok(Dynamic::from(f64::from(values(&ctx, &part)?[0])));
        }
        Ok(Dynamic::from(part))
    }

    #[rhai_fn(name = "+", return_raw)]
    pub fn add(ctx: NativeCallContext, a: Tensor, b: Tensor) -> ScriptResult<Tensor> {
        pair(&ctx, &a, &b, "added", Tensor::broadcast_add)
    }

    #[rhai_fn(name = "-", return_raw)]
    pub fn subtract(ctx: NativeCallContext, a: Tensor, b: Tensor) -> ScriptResult<Tensor> {
        pair(&ctx, &a, &b, "subtracted", Tensor::broadcast_sub)
    }

    #[rhai_fn(name = "*", return_raw)]
    pub fn multiply(ctx: NativeCallContext, a: Tensor, b: Tensor) -> ScriptResult<Tensor> {
        pair(&ctx, &a, &b, "multiplied", Tensor::broadcast_mul)
    }

    #[rhai_fn(name = "/", return_raw)]
    pub fn divide(ctx: NativeCallContext, a: Tensor, b: Tensor) -> ScriptResult<Tensor> {
        pair(&ctx, &a, &b, "divided", Tensor::broadcast_div)
    }

    #[rhai_fn(name = "-", return_raw)]
    pub fn negate(ctx: NativeCallContext, a: Tensor) -> ScriptResult<Tensor> {
        room(&ctx, &a, 1)?;
        a.neg().script()
    }

    #[rhai_fn(name = "to_string", name = "to_debug", return_raw, pure)]
    pub fn text(ctx: NativeCallContext, tensor: &mut Tensor) -> ScriptResult<String> {
        let all = values(&ctx, tensor)?;
        Ok(tensor_text(tensor.dims(), &all, tensor.dtype().as_str()))
    }
}

fn axes(tensor: &Tensor, what: &str) -> ScriptResult<()> {
    if tensor.rank() == 0 {
        return Err(Error::other(format!("{what} needs a tensor with an axis")).into());
    }
    Ok(())
}

/// Arithmetic with numbers on either side, integers and floats alike.
macro_rules! number_arithmetic {
    ($module:ident, $number:ty) => {
        #[export_module]
        pub(super) mod $module {
            #[rhai_fn(name = "+", return_raw)]
            pub(crate) fn add(
                ctx: NativeCallContext,
                a: Tensor,
                b: $number,
            ) -> ScriptResult<Tensor> {
                room(&ctx, &a, 1)?;
                (a + b as f64).script()
            }

            #[rhai_fn(name = "+", return_raw)]
            pub(crate) fn add_to(
                ctx: NativeCallContext,
                a: $number,
                b: Tensor,
            ) -> ScriptResult<Tensor> {
                room(&ctx, &b, 1)?;
                (b + a as f64).script()
            }

            #[rhai_fn(name = "-", return_raw)]
            pub(crate) fn subtract(
                ctx: NativeCallContext,
                a: Tensor,
                b: $number,
            ) -> ScriptResult<Tensor> {
                room(&ctx, &a, 1)?;
                (a - b as f64).script()
            }

            #[rhai_fn(name = "-", return_raw)]
            pub(crate) fn subtract_from(
                ctx: NativeCallContext,
                a: $number,
                b: Tensor,
            ) -> ScriptResult<Tensor> {
                room(&ctx, &b, 1)?;
                b.affine(-1.0, a as f64).script()
            }

            #[rhai_fn(name = "*", return_raw)]
            pub(crate) fn multiply(
                ctx: NativeCallContext,
                a: Tensor,
                b: $number,
            ) -> ScriptResult<Tensor> {
                room(&ctx, &a, 1)?;
                (a * b as f64).script()
            }

            #[rhai_fn(name = "*", return_raw)]
            pub(crate) fn multiply_to(
                ctx: NativeCallContext,
                a: $number,
                b: Tensor,
            ) -> ScriptResult<Tensor> {
                room(&ctx, &b, 1)?;
                (b * a as f64).script()
            }

            #[rhai_fn(name = "/", return_raw)]
            pub(crate) fn divide(
                ctx: NativeCallContext,
                a: Tensor,
                b: $number,
            ) -> ScriptResult<Tensor> {
                room(&ctx, &a, 1)?;
                (a / b as f64).script()
            }

            #[rhai_fn(name = "/", return_raw)]
            pub(crate) fn divide_from(
                ctx: NativeCallContext,
                a: $number,
                b: Tensor,
            ) -> ScriptResult<Tensor> {
                room(&ctx, &b, 2)?;
                (b.recip().and_then(|b| b * a as f64)).script()
            }
        }
    };
}

number_arithmetic!(with_integers, i64);
number_arithmetic!(with_floats, f64);
