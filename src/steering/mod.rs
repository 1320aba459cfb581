//! Activation additions: what is added to a model's activations, and where.
//!
//! An [`ActivationAddition`] describes an addition, [`x_vector`] makes the usual pair of them, and
//! [`Steering`] computes their vectors on the clean model and turns them into hooks for a prompt.

mod addition;
mod injection;
mod x_vector;

pub use addition::{ActivationAddition, SteeringSource, uncancelled_at_bos};
pub use injection::{Injection, Location, ResidSlice, Steering, SteeringVector, span};
pub use x_vector::{PadMethod, XVector, x_vector};
