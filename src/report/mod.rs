//! What is drawn for reading: comparisons, tensors, progress. Knows nothing of models or scripts;
//! gives back text, and prints none but the progress bar.

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
