//! Options that several functions share. One that is added to a group is an option of all of them,
//! in help, in the reference, in completion and in what an interactive session repeats and saves.

use crate::error::Error;
use crate::sampling::{GenerateOptions, Rng, Sampling};
use crate::script::options::{Additions, CallOptions, blame, options};
use crate::script::script_error::ScriptError;
use crate::steering::{ActivationAddition, Injection, Location, ResidSlice};

options! {
    pub group Sampling {
        /// 0 takes the most likely token every time; more makes texts more surprising.
        temperature: f64, where Sampling::TEMPERATURE;
        /// Keep only the k most likely tokens. Goes before top_p.
        top_k: Option<usize>, where Sampling::TOP_K;
        /// Keep the most likely tokens that have this probability together.
        top_p: Option<f64>, where Sampling::TOP_P;
        /// Taken from a token's logit for every time it stands in the text already.
        freq_penalty: f64, where Sampling::FREQ_PENALTY;
    }
}

options! {
    pub group GenerateOptions {
        /// The same seed gives the same texts.
        seed: u64;
        /// Where the chance in sampling comes from.
        rng: Rng;
        /// End a text at the end-of-text token.
        stop_at_eos: bool;
        ..sampling: Sampling;
    }
}

options! {
    pub group Injection {
        /// Which end of the prompt is steered.
        location as addition_location: Location;
        /// Steer only these dimensions of the residual stream.
        slice as res_stream_slice: Option<ResidSlice>;
    }
}

/// What steers a generation, and where.
#[derive(Debug, Clone, Default)]
pub(super) struct Steering {
    pub activation_additions: Option<Additions>,
    pub injection: Injection,
}

options! {
    pub group Steering {
        /// What steers: one addition, an x-vector, or an array of such.
        activation_additions: Option<Additions>, about Addition;
        ..injection: Injection;
    }
}

impl Steering {
    pub(super) fn additions(&self) -> &[ActivationAddition] {
        let additions = self.activation_additions.as_ref();
        additions.map_or(&[], |additions| &additions.list)
    }

    /// An error of the library as an error of a call with these additions.
    pub(super) fn blame<O: CallOptions>(&self, error: Error) -> ScriptError {
        blame::<O>(match &self.activation_additions {
            Some(additions) => additions.as_written(error),
            None => error,
        })
    }
}
