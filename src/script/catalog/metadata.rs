//! From what rhai knows of an engine's functions to forms. rhai gives the types of parameters as
//! such; their names and the type that comes back it only has as it writes them, and this is the
//! one place where that is read.

use std::collections::BTreeMap;

use rhai::{Engine, FnAccess, FuncMetadata};

use super::entry::{Form, Parameter};
use super::types::Type;

/// The doc of functions that stand in the place of rhai's own.
const IN_PLACE_OF_RHAI_S: &str = "As in rhai.";

/// avec's own functions with their docs, in a fixed order, the forms of all functions, and the docs
/// of rhai's.
#[allow(clippy::type_complexity, reason = "taken apart where it is used")]
pub(super) fn collect(engine: &Engine) -> (Vec<(Form, String)>, Vec<Form>, BTreeMap<Form, String>) {
    let of = |standard: bool| {
        engine.collect_fn_metadata(
            None,
            |info| {
                let meta = info.metadata;
                // What a session has imported is none of avec's.
                let own = meta.access == FnAccess::Public && info.namespace.is_empty();
                // What stands in the place of rhai's is described by rhai's.
                own.then(|| (form(meta), doc(meta)))
                    .filter(|(_, doc)| doc != IN_PLACE_OF_RHAI_S)
            },
            standard,
        )
    };
    let mut own = of(false);
    let mut standard = of(true);
    // That is all functions, avec's among them.
    for (form, _) in &own {
        if let Some(at) = standard.iter().position(|(other, _)| other == form) {
            standard.swap_remove(at);
        }
    }
    // Some of rhai's are there in forms that are held to the run's budget: to scripts they are rhai's.
    own.retain(|(form, doc)| {
        !doc.is_empty() || !standard.iter().any(|(other, _)| same(form, other))
    });
    // rhai gives them in no order that it promises.
    own.sort_by_cached_key(|(form, doc)| {
        (
            form.name.clone(),
            !form.is_property,
            form.clone(),
            doc.clone(),
        )
    });
    let mut forms: Vec<Form> = own.iter().map(|(form, _)| form.clone()).collect();
    let mut docs = BTreeMap::new();
    for (form, doc) in standard {
        if !forms.contains(&form) {
            let form = Form {
                is_standard: true,
                ..form
            };
            docs.insert(form.clone(), doc);
            forms.push(form);
        }
    }
    (own, forms, docs)
}

/// Whether a call means either of two forms.
fn same(one: &Form, other: &Form) -> bool {
    let kinds = |form: &Form| -> Vec<Type> {
        let kinds = form.parameters.iter().map(|parameter| &parameter.kind);
        kinds.cloned().collect()
    };
    (&one.name, one.is_property) == (&other.name, other.is_property) && kinds(one) == kinds(other)
}

fn form(meta: &FuncMetadata) -> Form {
    let (name, is_property) = match meta.name.strip_prefix("get$") {
        Some(property) => (property, true),
        None => (meta.name.as_str(), false),
    };
    // The call's context stands before the parameters.
    let context = meta
        .params_info
        .len()
        .saturating_sub(meta.param_types.len());
    let written = meta.params_info.iter().skip(context);
    let parameters = meta.param_types.iter().enumerate().map(|(i, id)| {
        let text = written.clone().nth(i).map_or("", |text| text.as_str());
        let (name, spelled) = text.split_once(": ").unwrap_or((text, ""));
        Parameter {
            name: name.to_owned(),
            kind: Type::by_id(*id).unwrap_or_else(|| Type::spelled(spelled)),
        }
    });
    Form {
        name: name.to_owned(),
        is_property,
        parameters: parameters.collect(),
        returns: Type::returned(&meta.return_type),
        is_standard: false,
    }
}

/// A doc comment without its signs.
fn doc(meta: &FuncMetadata) -> String {
    let lines = meta.comments.iter().flat_map(|comment| comment.lines());
    let text: Vec<&str> = lines
        .map(|line| {
            let line = line.trim_start().trim_start_matches("///");
            line.strip_prefix(' ').unwrap_or(line)
        })
        .collect();
    text.join("\n").trim().to_owned()
}
