//! Sorting, which rhai refuses for mixed elements without saying which.

use rhai::plugin::*;
use rhai::{Array, Dynamic};

use crate::error::Error;
use crate::script::catalog::Type;
use crate::script::script_error::ScriptResult;

#[allow(unreachable_pub, reason = "rhai registers public functions only")]
#[export_module]
pub mod functions {
    #[rhai_fn(name = "sort", return_raw)]
    pub fn sort(array: &mut Array) -> ScriptResult<()> {
        sorted(array, "sort(|x, y| ..)")
    }

    #[rhai_fn(name = "sort_desc", return_raw)]
    pub fn sort_desc(array: &mut Array) -> ScriptResult<()> {
        sorted(array, "sort_desc(|x, y| ..)")?;
        array.reverse();
        Ok(())
    }
}

fn sorted(array: &mut Array, with_order: &str) -> ScriptResult<()> {
    let mut kinds: Vec<Type> = Vec::new();
    for value in array.iter() {
        let kind = Type::of_value(value);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds.sort();
    match kinds.as_slice() {
        [] => Ok(()),
        [one] => by_type(array, one, with_order),
        [a, b] if *a == Type::INTEGER && *b == Type::NUMBER => Err(Error::other(
            "the array mixes integers and floats, and can't be sorted",
        )
        .hint("make all of them floats first: a = a.map(|x| x.to_float())")
        .into()),
        mixed => {
            let names: Vec<String> = mixed.iter().map(Type::with_article).collect();
            Err(Error::other(format!(
                "the array mixes elements of different types, and can't be sorted: {}",
                names.join(", ")
            ))
            .hint(format!("give the order: a.{with_order}"))
            .into())
        }
    }
}

fn by_type(array: &mut Array, kind: &Type, with_order: &str) -> ScriptResult<()> {
    if *kind == Type::INTEGER {
        array.sort_by_key(|value| value.as_int().unwrap_or_default());
    } else if *kind == Type::NUMBER {
        let number = |value: &Dynamic| value.as_float().unwrap_or_default();
        // What is no number stays where rhai's own comparison leaves it.
        array.sort_by(|a, b| number(a).total_cmp(&number(b)));
    } else if *kind == Type::STRING {
        array.sort_by_cached_key(|value| value.clone().into_immutable_string().unwrap_or_default());
    } else if *kind == Type::CHAR {
        array.sort_by_key(|value| value.as_char().unwrap_or_default());
    } else if *kind == Type::BOOL {
        array.sort_by_key(|value| value.as_bool().unwrap_or_default());
    } else if *kind != Type::UNIT {
        return Err(Error::other(format!(
            "elements of type {kind} can't be sorted by themselves"
        ))
        .hint(format!("give the order: a.{with_order}"))
        .into());
    }
    Ok(())
}
