//! Reads the reference fixtures and compares values with them.

#![allow(dead_code, reason = "each test file uses a part of this")]

use std::collections::HashMap;

use avec::Tensor;
use avec::analysis::CompletionOptions;
use avec::model::HookName;
use avec::sampling::{GenerateOptions, Rng, Sampling};
use avec::steering::{ActivationAddition, Injection, ResidSlice};
use candle_core::Device;
use serde_json::Value;

use super::repository;

/// Values may differ by this share of the larger of themselves and the tensor's own scale.
pub const TOLERANCE: f32 = 1e-4;

/// The original's results: tensors by name, and the cases with their inputs.
pub struct Golden {
    pub tensors: HashMap<String, Tensor>,
    pub cases: Value,
}

impl Golden {
    /// Reads two files of `tests/golden`.
    pub fn read(cases: &str, tensors: &str) -> Self {
        let folder = repository().join("tests/golden");
        let cases = std::fs::read_to_string(folder.join(cases)).unwrap();
        Self {
            tensors: candle_core::safetensors::load(folder.join(tensors), &Device::Cpu).unwrap(),
            cases: serde_json::from_str(&cases).unwrap(),
        }
    }

    /// The cases of one kind.
    pub fn list(&self, kind: &str) -> &[Value] {
        let list = self.cases[kind].as_array();
        let list = list.unwrap_or_else(|| panic!("the fixtures have no {kind}"));
        assert!(!list.is_empty());
        list
    }

    /// One of the original's tensors.
    pub fn tensor(&self, name: &str) -> &Tensor {
        let tensor = self.tensors.get(name);
        tensor.unwrap_or_else(|| panic!("the original has no {name}"))
    }
}

pub fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
pub fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    let finite = expected.iter().filter(|x| x.is_finite());
    let size = (finite.clone().map(|x| x * x).sum::<f32>() / finite.count().max(1) as f32).sqrt();
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let near = (found - expected).abs() <= TOLERANCE * expected.abs().max(size);
        assert!(
            near || found == expected,
            "{what}: value {i} is {found}, the original has {expected}"
        );
    }
}

#[track_caller]
pub fn assert_tensor(what: &str, found: &Tensor, expected: &Tensor) {
    assert_eq!(found.dims(), expected.dims(), "{what}: shape");
    assert_close(what, &values(found), &values(expected));
}

pub fn additions(case: &Value) -> Vec<ActivationAddition> {
    case["additions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|addition| {
            let act_name = match &addition["act_name"] {
                Value::String(name) => name.parse().unwrap(),
                layer => HookName::resid_pre(layer.as_u64().unwrap() as usize),
            };
            let tokens = addition["tokens"]
                .as_array()
                .map(|tokens| tokens.iter().map(|t| t.as_u64().unwrap() as u32).collect());
            ActivationAddition::new(
                addition["prompt"].as_str().map(str::to_owned),
                tokens,
                addition["coeff"].as_f64().unwrap(),
                act_name,
            )
            .unwrap()
        })
        .collect()
}

pub fn injection(case: &Value) -> Injection {
    Injection {
        location: case["location"]
            .as_str()
            .unwrap_or("front")
            .parse()
            .unwrap(),
        slice: case["res_stream_slice"].as_array().map(|slice| ResidSlice {
            start: slice[0].as_u64().unwrap() as usize,
            stop: slice[1].as_u64().unwrap() as usize,
        }),
    }
}

pub fn options(case: &Value) -> CompletionOptions {
    CompletionOptions {
        generate: GenerateOptions {
            max_new_tokens: case["new"].as_u64().unwrap() as usize,
            sampling: Sampling {
                temperature: case["temperature"].as_f64().unwrap_or(1.0),
                top_k: case["top_k"].as_u64().map(|k| k as usize),
                top_p: case["top_p"].as_f64(),
                freq_penalty: case["freq_penalty"].as_f64().unwrap_or(0.0),
            },
            seed: case["seed"].as_u64().unwrap(),
            rng: Rng::Torch,
            stop_at_eos: case["stop_at_eos"].as_bool().unwrap_or(false),
            losses: true,
        },
        injection: injection(case),
    }
}

/// The original's rows, in which finished ones are padded with end-of-text.
pub fn theirs(case: &Value) -> Vec<Vec<u32>> {
    let row = |row: &Value| {
        let tokens = row.as_array().unwrap().iter();
        tokens.map(|t| t.as_u64().unwrap() as u32).collect()
    };
    case["tokens"].as_array().unwrap().iter().map(row).collect()
}
