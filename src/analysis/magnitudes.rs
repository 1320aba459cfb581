//! Magnitudes of steering vectors, position by position, alone and relative to a prompt.

use candle_core::{DType, Tensor};

use crate::error::{Error, ErrorKind, ResidualUse, Result};
use crate::model::{HookName, HookedTransformer};
use crate::run::RunContext;
use crate::steering::{ActivationAddition, SteeringVector};

/// The L2 norm of the sum of additions at each position. Shorter vectors count as zero after their
/// end.
///
/// # Errors
/// If there are no additions, or if they are at different hook points.
pub fn steering_vec_magnitudes(
    run: &RunContext,
    additions: &[ActivationAddition],
    model: &HookedTransformer,
) -> Result<Vec<f32>> {
    let vectors = SteeringVector::compute(run, model, additions)?;
    let Some(first) = vectors.first() else {
        return Err(ErrorKind::NoAdditions.into());
    };
    if let Some(other) = vectors.iter().find(|v| v.act_name != first.act_name) {
        return Err(Error::other(format!(
            "magnitudes need additions at one hook point, and these are at {} and {}",
            first.act_name, other.act_name
        ))
        .hint("take the magnitudes of each hook point by itself"));
    }
    let length = vectors.iter().map(SteeringVector::len).max().unwrap_or(0);
    let mut sum = Tensor::zeros_like(&first.values)?.pad_with_zeros(1, 0, length - first.len())?;
    for vector in &vectors {
        sum = (sum + vector.values.pad_with_zeros(1, 0, length - vector.len())?)?;
    }
    norms(&sum)
}

/// The L2 norm of a prompt's own activations at each position, BOS included.
///
/// # Errors
/// If the model lacks the hook point, or its activation is not `[batch, pos, d_model]`.
pub fn prompt_magnitudes(
    run: &RunContext,
    prompt: &str,
    model: &HookedTransformer,
    act_name: HookName,
) -> Result<Vec<f32>> {
    let act_name = act_name.check_residual_width(model.arch(), ResidualUse::Magnitudes)?;
    let tokens = model.to_tokens_of_run(run, prompt, true)?;
    let activations = model.activations(run, &[&tokens], &[act_name])?;
    norms(&activations[&act_name])
}

/// The magnitudes of additions divided by the prompt's at the same hook point, up to the end of the
/// shorter.
///
/// # Errors
/// As for [`steering_vec_magnitudes`] and [`prompt_magnitudes`].
pub fn steering_magnitudes_relative_to_prompt(
    run: &RunContext,
    prompt: &str,
    additions: &[ActivationAddition],
    model: &HookedTransformer,
) -> Result<Vec<f32>> {
    let steering = steering_vec_magnitudes(run, additions, model)?;
    let prompt = prompt_magnitudes(run, prompt, model, additions[0].act_name)?;
    Ok(steering
        .iter()
        .zip(prompt)
        .map(|(steering, prompt)| steering / prompt)
        .collect())
}

/// The norm of each position: `[1, pos, d_model]` -> `[pos]`
fn norms(x: &Tensor) -> Result<Vec<f32>> {
    let rows: Vec<Vec<f32>> = x.to_dtype(DType::F32)?.squeeze(0)?.to_vec2()?;
    let norm = |row: &Vec<f32>| {
        row.iter()
            .map(|x| f64::from(*x).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    Ok(rows.iter().map(|row| norm(row) as f32).collect())
}
