//! The interactive session: a line editor around [`crate::script::Interactive`], with completion,
//! colours and commands.

mod command;
mod complete;
mod editor;
pub mod fuzz;
mod highlight;
mod history;
mod pasted;
mod receiver;
mod shell;

pub use shell::run;
