//! Functions of strings that make many or large ones.

use rhai::plugin::*;
use rhai::{Array, Dynamic, INT, ImmutableString};

use super::work::Work;
use crate::error::Error;
use crate::script::script_error::ScriptResult;

/// Bytes of a string in an array, beside its text.
const PIECE: u64 = 72;
/// Texts are looked through in parts of this many bytes.
const PART: usize = 1 << 20;

/// How often `wanted` occurs in a text, without overlaps.
fn occurrences(work: &mut Work, text: &str, wanted: &str) -> ScriptResult<usize> {
    let mut found = 0;
    let mut seen = 0;
    for (at, _) in text.match_indices(wanted) {
        found += 1;
        work.item()?;
        if at - seen > PART {
            work.check()?;
            seen = at;
        }
    }
    Ok(found)
}

fn replaced(
    ctx: &NativeCallContext,
    text: &mut ImmutableString,
    wanted: &str,
    put: &str,
) -> ScriptResult<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut work = Work::of(ctx)?;
    let found = occurrences(&mut work, text, wanted)?;
    if found == 0 {
        return Ok(());
    }
    let rest = (text.len() - found * wanted.len()) as u64;
    let size = (found as u64)
        .saturating_mul(put.len() as u64)
        .saturating_add(rest);
    work.text(size)?;
    let mut out = String::with_capacity(size as usize);
    let mut end = 0;
    for (at, _) in text.match_indices(wanted) {
        out.push_str(&text[end..at]);
        out.push_str(put);
        end = at + wanted.len();
        work.item()?;
    }
    out.push_str(&text[end..]);
    *text = out.into();
    Ok(())
}

/// The pieces as an array; `count` is how many there are at most.
fn collected<'t>(
    mut work: Work,
    text: &str,
    count: usize,
    pieces: impl Iterator<Item = &'t str>,
) -> ScriptResult<Array> {
    work.array(count, count as u64 * PIECE + text.len() as u64)?;
    let mut array = Array::with_capacity(count.min(PART));
    for piece in pieces {
        array.push(piece.into());
        work.item()?;
    }
    Ok(array)
}

/// rhai's `split` in all its forms. `rev`: from the end.
fn split_at_each(
    ctx: &NativeCallContext,
    text: &ImmutableString,
    delimiter: &str,
    segments: Option<INT>,
    rev: bool,
) -> ScriptResult<Array> {
    let whole = || Ok(vec![text.clone().into()]);
    if text.is_empty() || segments.is_some_and(|segments| segments <= 1) {
        return whole();
    }
    let mut work = Work::of(ctx)?;
    let found = occurrences(&mut work, text, delimiter)?;
    if found == 0 {
        return whole();
    }
    let most = segments.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let count = (found + 1).min(most);
    match rev {
        false => collected(work, text, count, text.splitn(most, delimiter)),
        true => collected(work, text, count, text.rsplitn(most, delimiter)),
    }
}

/// A text letter by letter in another case, in parts.
fn in_case(
    ctx: &NativeCallContext,
    text: &str,
    change: fn(&str) -> String,
) -> ScriptResult<ImmutableString> {
    // A part ends after a space: what letters become depends on their word at most.
    let mut work = Work::of(ctx)?;
    work.text(text.len() as u64)?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let near = rest.floor_char_boundary(PART);
        let end = match rest[near..].find(' ') {
            Some(space) => near + space + 1,
            None => rest.len(),
        };
        out.push_str(&change(&rest[..end]));
        rest = &rest[end..];
        work.item()?;
        work.check()?;
    }
    Ok(out.into())
}

#[allow(unreachable_pub, reason = "rhai registers public functions only")]
#[export_module]
pub mod functions {
    /// As in rhai.
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        find_string: &str,
        substitute_string: &str,
    ) -> ScriptResult<()> {
        replaced(&ctx, string, find_string, substitute_string)
    }

    /// As in rhai.
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_with_char(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        find_string: &str,
        substitute_character: char,
    ) -> ScriptResult<()> {
        replaced(&ctx, string, find_string, &substitute_character.to_string())
    }

    /// As in rhai.
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_char_with(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        find_character: char,
        substitute_string: &str,
    ) -> ScriptResult<()> {
        replaced(&ctx, string, &find_character.to_string(), substitute_string)
    }

    /// As in rhai.
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_char(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        find_character: char,
        substitute_character: char,
    ) -> ScriptResult<()> {
        replaced(
            &ctx,
            string,
            &find_character.to_string(),
            &substitute_character.to_string(),
        )
    }

    /// As in rhai.
    #[rhai_fn(name = "remove", return_raw)]
    pub fn remove(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        sub_string: &str,
    ) -> ScriptResult<()> {
        replaced(&ctx, string, sub_string, "")
    }

    /// As in rhai.
    #[rhai_fn(name = "pad", return_raw)]
    pub fn pad_with_string(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        len: INT,
        padding: &str,
    ) -> ScriptResult<()> {
        let length = string.chars().count();
        let Some(missing) = usize::try_from(len)
            .ok()
            .and_then(|len| len.checked_sub(length))
        else {
            return Ok(());
        };
        if missing == 0 {
            return Ok(());
        }
        let step = padding.chars().count();
        if step == 0 {
            return Err(
                Error::invalid("padding", "\"\"", "must have at least one character").into(),
            );
        }
        let mut work = Work::of(&ctx)?;
        let repeats = missing / step;
        let rest: String = padding.chars().take(missing % step).collect();
        let size = (repeats as u64).saturating_mul(padding.len() as u64);
        work.text(size.saturating_add((string.len() + rest.len()) as u64))?;
        let mut out = string.to_string();
        out.reserve_exact(size as usize + rest.len());
        for _ in 0..repeats {
            out.push_str(padding);
            work.item()?;
        }
        out.push_str(&rest);
        *string = out.into();
        Ok(())
    }

    /// As in rhai.
    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn split_whitespace(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
    ) -> ScriptResult<Array> {
        if string.is_empty() {
            return Ok(vec![string.clone().into()]);
        }
        let mut work = Work::of(&ctx)?;
        let mut count = 0;
        for _ in string.split_whitespace() {
            count += 1;
            work.item()?;
        }
        collected(work, string, count, string.split_whitespace())
    }

    /// As in rhai.
    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn split(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: &str,
    ) -> ScriptResult<Array> {
        split_at_each(&ctx, string, delimiter, None, false)
    }

    /// As in rhai.
    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn splitn(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: &str,
        segments: INT,
    ) -> ScriptResult<Array> {
        split_at_each(&ctx, string, delimiter, Some(segments), false)
    }

    /// As in rhai.
    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn split_char(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: char,
    ) -> ScriptResult<Array> {
        split_at_each(&ctx, string, &delimiter.to_string(), None, false)
    }

    /// As in rhai.
    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn splitn_char(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: char,
        segments: INT,
    ) -> ScriptResult<Array> {
        split_at_each(&ctx, string, &delimiter.to_string(), Some(segments), false)
    }

    /// As in rhai.
    #[rhai_fn(name = "split_rev", return_raw, pure)]
    pub fn rsplit(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: &str,
    ) -> ScriptResult<Array> {
        split_at_each(&ctx, string, delimiter, None, true)
    }

    /// As in rhai.
    #[rhai_fn(name = "split_rev", return_raw, pure)]
    pub fn rsplitn(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: &str,
        segments: INT,
    ) -> ScriptResult<Array> {
        split_at_each(&ctx, string, delimiter, Some(segments), true)
    }

    /// As in rhai.
    #[rhai_fn(name = "split_rev", return_raw, pure)]
    pub fn rsplit_char(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: char,
    ) -> ScriptResult<Array> {
        split_at_each(&ctx, string, &delimiter.to_string(), None, true)
    }

    /// As in rhai.
    #[rhai_fn(name = "split_rev", return_raw, pure)]
    pub fn rsplitn_char(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: char,
        segments: INT,
    ) -> ScriptResult<Array> {
        split_at_each(&ctx, string, &delimiter.to_string(), Some(segments), true)
    }

    /// As in rhai.
    #[rhai_fn(name = "to_chars", return_raw)]
    pub fn to_chars(ctx: NativeCallContext, string: &str) -> ScriptResult<Array> {
        let mut work = Work::of(&ctx)?;
        let count = string.chars().count();
        work.array(count, (count * size_of::<Dynamic>()) as u64)?;
        let mut array = Array::with_capacity(count);
        for character in string.chars() {
            array.push(character.into());
            work.item()?;
        }
        Ok(array)
    }

    /// As in rhai.
    #[rhai_fn(name = "to_upper", return_raw)]
    pub fn to_upper(
        ctx: NativeCallContext,
        string: ImmutableString,
    ) -> ScriptResult<ImmutableString> {
        in_case(&ctx, &string, str::to_uppercase)
    }

    /// As in rhai.
    #[rhai_fn(name = "to_lower", return_raw)]
    pub fn to_lower(
        ctx: NativeCallContext,
        string: ImmutableString,
    ) -> ScriptResult<ImmutableString> {
        in_case(&ctx, &string, str::to_lowercase)
    }

    /// As in rhai.
    #[rhai_fn(name = "make_upper", return_raw)]
    pub fn make_upper(ctx: NativeCallContext, string: &mut ImmutableString) -> ScriptResult<()> {
        *string = in_case(&ctx, string, str::to_uppercase)?;
        Ok(())
    }

    /// As in rhai.
    #[rhai_fn(name = "make_lower", return_raw)]
    pub fn make_lower(ctx: NativeCallContext, string: &mut ImmutableString) -> ScriptResult<()> {
        *string = in_case(&ctx, string, str::to_lowercase)?;
        Ok(())
    }
}
