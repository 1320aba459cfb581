//! A script's text as tokens, brackets and statements, also when it is half written: for colours,
//! for completion, to know whether more must follow, and to save a session. rhai's own parser
//! decides what a script means.

mod brackets;
mod edit;
mod lexer;
mod position;
mod statements;
mod token;

pub(crate) use brackets::{Brackets, open_brackets};
pub(crate) use edit::edited;
pub(crate) use lexer::lex;
pub(crate) use position::{line_and_column, offset};
pub(crate) use statements::{Statement, statements};
pub(crate) use token::{Bracket, Ending, Token, TokenKind, is_word, significant};
