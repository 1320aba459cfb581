//! A vocabulary and the merges that belong to it, from `tokenizer.json` or from `vocab.json` and
//! `merges.txt`.

use std::collections::HashMap;

use serde::Deserialize;
use tokenizers::models::bpe::BPE;

pub(super) type Vocab = tokenizers::models::bpe::Vocab;

/// Two parts that become one token.
pub(super) type Merge = (String, String);

/// Ids go up to this: a larger one is no row of any embedding.
const MOST: u32 = i32::MAX as u32;

/// Byte-pair encoding: texts are joined from single characters by merges, in their order.
pub(super) struct Bpe {
    pub(super) vocab: Vocab,
    pub(super) merges: Vec<Merge>,
    pub(super) unk_token: Option<String>,
    pub(super) fuse_unk: bool,
    pub(super) byte_fallback: bool,
    pub(super) ignore_merges: bool,
}

/// Merges in either form: two texts, or one with a space between.
#[derive(Default, Deserialize)]
#[serde(try_from = "Vec<Written>")]
pub(super) struct Merges(pub(super) Vec<Merge>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Pair(String, String),
    Text(String),
}

impl TryFrom<Vec<Written>> for Merges {
    type Error = &'static str;

    fn try_from(merges: Vec<Written>) -> Result<Self, Self::Error> {
        let pair = |merge| match merge {
            Written::Pair(left, right) => Some((left, right)),
            Written::Text(text) => match text.split_once(' ') {
                Some((left, right)) if !right.contains(' ') => {
                    Some((left.to_owned(), right.to_owned()))
                }
                _ => None,
            },
        };
        let merges = merges.into_iter().map(pair).collect::<Option<_>>();
        merges.map(Self).ok_or("a merge is not two parts")
    }
}

impl Bpe {
    /// Of `vocab.json` and `merges.txt`.
    pub(super) fn plain(vocab: Vocab, merges: Vec<Merge>) -> Self {
        Self {
            vocab,
            merges,
            unk_token: None,
            fuse_unk: false,
            byte_fallback: false,
            ignore_merges: false,
        }
    }

    /// Fails at the first merge, by its place, that the vocabulary lacks a part or the result of.
    /// Several merges may make the same token, but never this many.
    pub(super) fn check_merges(&self) -> Result<(), (usize, String)> {
        let most = 1000 + 16 * self.vocab.len();
        if self.merges.len() > most {
            let reason = format!(
                "is one too many: {} tokens have at most that many",
                self.vocab.len()
            );
            return Err((most, reason));
        }
        let mut joined = String::new();
        for (i, (left, right)) in self.merges.iter().enumerate() {
            joined.clear();
            joined.push_str(left);
            joined.push_str(right);
            for part in [left, right, &joined] {
                if part.is_empty() || !self.vocab.contains_key(part.as_str()) {
                    let reason = format!(
                        "joins {} and {}, and the vocabulary has no {}",
                        short(left),
                        short(right),
                        short(part)
                    );
                    return Err((i, reason));
                }
            }
        }
        Ok(())
    }

    pub(super) fn build(self) -> Result<BPE, String> {
        let mut builder = BPE::builder()
            .vocab_and_merges(self.vocab, self.merges)
            .fuse_unk(self.fuse_unk)
            .byte_fallback(self.byte_fallback)
            .ignore_merges(self.ignore_merges);
        if let Some(unk_token) = self.unk_token {
            builder = builder.unk_token(unk_token);
        }
        builder.build().map_err(|error| error.to_string())
    }
}

/// Fails if two tokens share an id, since nobody could tell which one it means, or if one is too
/// large.
pub(super) fn check_ids(vocab: &Vocab) -> Result<(), String> {
    let mut seen: HashMap<u32, &str> = HashMap::with_capacity(vocab.len());
    for (token, id) in vocab {
        if *id > MOST {
            return Err(format!("the id of {} is {id}", short(token)));
        }
        if let Some(other) = seen.insert(*id, token) {
            let mut both = [short(token), short(other)];
            both.sort();
            return Err(format!("{} and {} have the same id", both[0], both[1]));
        }
    }
    Ok(())
}

/// The merges of a `merges.txt` with the lines that they stand in, or the line that is none.
pub(super) fn read_merges(text: &str) -> Result<Vec<(usize, Merge)>, String> {
    let mut merges = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() || (i == 0 && line.starts_with("#version")) {
            continue;
        }
        let mut parts = line.split_whitespace();
        match (parts.next(), parts.next(), parts.next()) {
            (Some(left), Some(right), None) => {
                merges.push((i + 1, (left.to_owned(), right.to_owned())));
            }
            _ => return Err(format!("line {} is not two parts: {}", i + 1, short(line))),
        }
    }
    Ok(merges)
}

/// A text of a file in quotes, cut short.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bpe(merges: &[(&str, &str)]) -> Bpe {
        let vocab = ["a", "b", "ab"].into_iter().zip(0..);
        let vocab = vocab.map(|(token, id)| (token.to_owned(), id)).collect();
        let own = |pair: &(&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
        Bpe::plain(vocab, merges.iter().map(own).collect())
    }

    #[test]
    fn merges_belong_to_their_vocabulary() {
        assert_eq!(bpe(&[("a", "b")]).check_merges(), Ok(()));
        for (merge, missing) in [
            (("a", "c"), "c"),
            (("c", "a"), "c"),
            (("b", "a"), "ba"),
            (("", "ab"), ""),
        ] {
            let (i, reason) = bpe(&[("a", "b"), merge]).check_merges().unwrap_err();
            assert_eq!(i, 1);
            assert_eq!(
                reason,
                format!(
                    "joins {:?} and {:?}, and the vocabulary has no {missing:?}",
                    merge.0, merge.1
                )
            );
        }
    }

    #[test]
    fn ids_are_those_of_one_token_each() {
        let vocab = |pairs: &[(&str, u32)]| -> Vocab {
            let pairs = pairs.iter();
            pairs.map(|(text, id)| ((*text).to_owned(), *id)).collect()
        };
        assert_eq!(check_ids(&vocab(&[("a", 0), ("b", 7)])), Ok(()));
        assert_eq!(
            check_ids(&vocab(&[("b", 3), ("a", 3)])).unwrap_err(),
            "\"a\" and \"b\" have the same id"
        );
        assert!(check_ids(&vocab(&[("a", u32::MAX)])).is_err());
    }
}
