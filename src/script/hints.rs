//! What a script's writer can do about an error of the library, which knows nothing of scripts.

use crate::error::{Error, ErrorKind, Subject};

/// What to do, one line each: what the kind of error calls for, then what its makers added.
pub(super) fn hints(error: &Error) -> Vec<String> {
    let mut hints = error.hints();
    let own = match error.kind() {
        ErrorKind::UnknownHookPoint { .. } => {
            "m.hook_names() lists them all; an integer n stands for blocks.n.hook_resid_pre"
        }
        ErrorKind::PromptXorTokens { .. } => {
            "write ActivationAddition(#{ prompt: \"Love\", coeff: 5, act_name: 6 })"
        }
        ErrorKind::TokenOutOfRange { .. } => "m.to_tokens(\"..\") gives the ids of a text",
        ErrorKind::EmptyPromptBatch => "give at least one prompt: prompt_batch: [\"I think\"]",
        ErrorKind::NoAdditions => "make some with x_vector(#{ .. }) or ActivationAddition(#{ .. })",
        ErrorKind::NoBosToken => {
            "or do without: give token ids, as m.to_tokens(\"..\", #{ prepend_bos: false }) makes them"
        }
        ErrorKind::NoPadToken => "name one: custom_pad_id: 0",
        ErrorKind::PaddingNeedsModel => "add `model: model`, or leave out pad_method",
        ErrorKind::DTypeOnCpu { .. } => "f16 needs device: \"cuda\" or \"metal\"",
        ErrorKind::NotInCache {
            name,
            held,
            on_request,
        } => {
            hints.push(match held.len() {
                0 => "it is empty: no name was asked for".into(),
                1..=6 => format!("it holds {}", held.join(", ")),
                n => format!("it holds {n} others: cache.names() lists them"),
            });
            if *on_request {
                hints.push(format!(
                    "it is computed only when it is named: run_with_cache(text, \"{name}\")"
                ));
                return hints;
            } else {
                "name it in run_with_cache(text, names), or give no names to keep everything"
            }
        }
        ErrorKind::DeviceNotBuilt { feature, .. } => {
            hints.push(format!(
                "build with `cargo build --release --features {feature}`, or use device: \"cpu\""
            ));
            return hints;
        }
        ErrorKind::TooLarge { .. } => match error.subject() {
            Some((Subject::Weights { can_halve: true }, _)) => {
                "take a smaller model, or dtype: \"bf16\", which halves it"
            }
            Some((Subject::Weights { can_halve: false }, _)) => {
                "take a smaller model, or end other programs"
            }
            _ => return hints,
        },
        _ => return hints,
    };
    hints.push(own.into());
    hints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_do_not_fit_say_what_does() {
        let advice = |can_halve| {
            let error = Error::new(ErrorKind::TooLarge {
                what: "the weights of gpt2".into(),
                needed: 2,
                available: 1,
            });
            hints(&error.about(Subject::Weights { can_halve }))
        };
        assert_eq!(
            advice(true),
            ["take a smaller model, or dtype: \"bf16\", which halves it"]
        );
        assert_eq!(
            advice(false),
            ["take a smaller model, or end other programs"]
        );
    }
}
