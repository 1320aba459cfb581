//! The demo model, embedded in the program.

use super::names::DEMO;
use crate::model::{ModelFiles, SideFiles, TokenizerFiles};
use crate::weights::Source;

pub(super) fn files() -> ModelFiles {
    ModelFiles {
        name: DEMO.to_owned(),
        config: Source::Embedded {
            name: "config.json",
            bytes: include_bytes!("../../assets/demo/config.json"),
        },
        tokenizer: TokenizerFiles::Json(Source::Embedded {
            name: "tokenizer.json",
            bytes: include_bytes!("../../assets/demo/tokenizer.json"),
        }),
        weights: vec![Source::Embedded {
            name: "model.safetensors",
            bytes: include_bytes!("../../assets/demo/model.safetensors"),
        }],
        side: SideFiles::default(),
    }
}
