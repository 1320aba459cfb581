//! A script's text as tokens, brackets and statements, also when it is half written: for colours,
//! for completion, to know whether more must follow, and to save a session. rhai's own parser
//! decides what a script means.

mod brackets;
mod edit;
mod lexer;
mod position;
mod statements;
mod token;

pub use brackets::{Brackets, open_brackets};
pub use edit::edited;
pub use lexer::lex;
pub use position::{line_and_column, offset};
pub use statements::{Signature, Statement, statements};
pub use token::{Bracket, Ending, Token, TokenKind, is_word, significant};
