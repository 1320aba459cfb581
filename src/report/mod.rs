//! Comparisons, tensors and progress, drawn for reading. Knows nothing about models or scripts;
//! returns text, and prints only the progress bar.

mod comparison;
mod live;
mod progress_bar;
mod style;
mod tensor;
mod width;

pub use comparison::{ComparisonTable, Passage, Side};
pub use live::LiveArea;
pub use progress_bar::TerminalProgress;
pub use style::{ColorChoice, Painter};
pub use tensor::tensor_text;
pub use width::{display_width, filled, printable, visible};
