//! The families of models. Each has one file, which knows what its `config.json` and tensor names
//! mean.
//!
//! To add a family, add its file and a line in [`FAMILIES`].

mod gpt2;
mod gpt_neox;
mod layout;
#[cfg(test)]
mod tests;

pub(crate) use layout::{Family, MapPart, NormPart, StoredMap};

use super::arch::Arch;
use super::config_json::ConfigJson;
use crate::error::{Error, ErrorKind, Result};

const FAMILIES: &[&dyn Family] = &[&gpt2::Gpt2, &gpt_neox::GptNeoX];

/// The family of a configuration, and its architecture.
///
/// # Errors
/// If no family knows the model's type, or the configuration can't be used.
pub(crate) fn identify(config: &ConfigJson) -> Result<(&'static dyn Family, Arch)> {
    let model_type = config.model_type()?;
    let known = model_type.as_deref().and_then(|model_type| {
        let mut families = FAMILIES.iter();
        families.find(|family| family.has_type(model_type))
    });
    match known {
        Some(family) => Ok((*family, family.arch(config)?)),
        None => {
            let names = FAMILIES.iter().map(|family| family.name().to_owned());
            let runs = FAMILIES
                .iter()
                .map(|family| format!("{} models ({})", family.name(), family.examples()));
            let runs: Vec<String> = runs.collect();
            Err(Error::new(ErrorKind::UnsupportedArchitecture {
                found: model_type.unwrap_or_else(|| "unknown".into()),
                known: names.collect(),
                path: config.path().to_owned(),
            })
            .hint(format!(
                "avec runs {}, and checkpoints like them",
                runs.join(" and ")
            )))
        }
    }
}
