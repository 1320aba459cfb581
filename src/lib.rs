//! avec: a scripting host for activation-steering experiments.
