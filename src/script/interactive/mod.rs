//! A session that is typed in piece by piece: variables, functions and imports stay, values show
//! themselves, and what worked can be saved as a script.

mod inspect;
mod run;
mod saved;
mod shown;
mod state;
#[cfg(test)]
mod tests;
mod transcript;
mod underscore;
mod unfinished;

pub use inspect::Variable;
pub use state::Interactive;
