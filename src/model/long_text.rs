//! Tokens of texts that may be long: in parts between words, so that it can be stopped and is held
//! against the run's budget.

use std::sync::mpsc;
use std::time::Duration;

use super::hooked::HookedTransformer;
use crate::error::{Error, Result};
use crate::run::RunContext;

/// A text of fewer bytes is not worth dividing.
const PART: usize = 64 << 10;
/// The most bytes that the tokenizer keeps for a byte of a text while it works on it.
const FOR_A_BYTE: u64 = 160;
/// How often a part that takes long is asked about.
const POLL: Duration = Duration::from_millis(20);

impl HookedTransformer {
    /// The tokens of a text, BOS first if `prepend_bos`, as [`Self::to_tokens`] gives them.
    ///
    /// # Errors
    ///
    /// Also [`ErrorKind::Cancelled`](crate::error::ErrorKind::Cancelled) and the like within
    /// fractions of a second, however long the text is.
    pub fn to_tokens_of_run(
        &self,
        run: &RunContext,
        text: &str,
        prepend_bos: bool,
    ) -> Result<Vec<u32>> {
        let mut tokens = Vec::new();
        if prepend_bos {
            tokens.push(self.tokenizer().required_bos()?);
        }
        if text.len() < 2 * PART {
            tokens.extend(self.tokenizer().encode(text)?);
            return Ok(tokens);
        }
        let mut rest = text;
        while !rest.is_empty() {
            let end = match self.tokenizer().splits_at_spaces() {
                true => part(rest),
                false => rest.len(),
            };
            let (now, later) = rest.split_at(end);
            run.reserve("tokenizing this text", now.len() as u64 * FOR_A_BYTE)?;
            tokens.extend(match now.len() < 4 * PART {
                true => self.tokenizer().encode(now)?,
                false => {
                    let text = now.to_owned();
                    self.beside(run, move |model| model.tokenizer().encode(&text))?
                }
            });
            run.check()?;
            rest = later;
        }
        Ok(tokens)
    }

    /// The text of tokens, as [`Self::to_string`] gives it.
    ///
    /// # Errors
    ///
    /// Those of [`Self::to_tokens_of_run`].
    pub fn to_string_of_run(&self, run: &RunContext, tokens: Vec<u32>) -> Result<String> {
        if tokens.len() < PART {
            return self.to_string(&tokens);
        }
        run.reserve("the text of these tokens", tokens.len() as u64 * FOR_A_BYTE)?;
        self.beside(run, move |model| model.to_string(&tokens))
    }

    /// Works on a thread of its own, which is left to itself once the run should end.
    fn beside<R: Send + 'static>(
        &self,
        run: &RunContext,
        work: impl FnOnce(&Self) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let (done, result) = mpsc::channel();
        let model = self.clone();
        std::thread::Builder::new()
            .spawn(move || done.send(work(&model)))
            .map_err(|error| Error::other(format!("can't start a thread: {error}")))?;
        loop {
            match result.recv_timeout(POLL) {
                Ok(result) => return result,
                Err(mpsc::RecvTimeoutError::Timeout) => run.check()?,
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(Error::other("the tokenizer failed on this"));
                }
            }
        }
    }
}

/// Where the first part of a text ends: before a single space between two words, which begins a
/// token whatever comes before it.
fn part(text: &str) -> usize {
    let bytes = text.as_bytes();
    let from = PART.min(bytes.len());
    let word = |byte: u8| byte.is_ascii_graphic();
    let space = (from..bytes.len().saturating_sub(1))
        .find(|at| bytes[*at] == b' ' && word(bytes[at - 1]) && word(bytes[at + 1]));
    space.unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_between_words() {
        let words = "hello,  world \n\t 3.14 and so é on ".repeat(10_000);
        let end = part(&words);
        assert!((PART..PART + 40).contains(&end), "{end}");
        assert!(words[..end].ends_with("3.14") || words[..end].ends_with("and"));
        assert!(words[end..].starts_with(" and") || words[end..].starts_with(" so"));
        let one = "a".repeat(3 * PART);
        assert_eq!(part(&one), one.len());
    }
}
