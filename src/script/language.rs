//! What can stand behind a point, by type: rhai's own methods and avec's, and what they give.

use rhai::{Engine, FnAccess, Module};

use super::prose::short;
use super::reference::plain_type;
use super::syntax::is_word;

/// The functions of an engine, as completion needs them.
#[derive(Debug, Clone)]
pub struct Language {
    functions: Vec<Callable>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Callable {
    name: String,
    is_property: bool,
    /// The types of the parameters as scripts know them.
    parameters: Vec<String>,
    returns: String,
    /// Whether it is rhai's own.
    standard: bool,
}

/// Something that stands behind a point.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    pub name: String,
    pub is_property: bool,
}

/// rhai's functions whose first argument is nothing that they belong to.
const NO_METHODS: [&str; 8] = [
    "blob",
    "debug",
    "exit",
    "print",
    "range",
    "sleep",
    "timestamp",
    "to_debug",
];

impl Language {
    pub(super) fn of(engine: &Engine) -> Self {
        let collected = |standard: bool| {
            engine.collect_fn_metadata(
                None,
                |info| {
                    let meta = info.metadata;
                    let own = meta.access == FnAccess::Public && info.namespace.is_empty();
                    own.then(|| {
                        let name = meta.name.to_string();
                        let (name, is_property) = match name.strip_prefix("get$") {
                            Some(property) => (property.to_owned(), true),
                            None => (name, false),
                        };
                        let kinds = meta.params_info.iter().map(|param| kind(param));
                        Callable {
                            name,
                            is_property,
                            parameters: kinds.filter(|k| k != "NativeCallContext").collect(),
                            returns: type_word(&meta.return_type),
                            standard,
                        }
                    })
                },
                standard,
            )
        };
        let mut functions: Vec<Callable> = collected(false);
        let all = collected(true).into_iter();
        let known = functions.clone();
        functions.extend(all.filter(|function| {
            let own = Callable {
                standard: false,
                ..function.clone()
            };
            !known.contains(&own)
        }));
        functions.sort();
        Self { functions }
    }

    /// What a value of this type has behind its point.
    pub fn members(&self, kind: &str) -> Vec<Member> {
        // avec's functions of a text or a map are not meant to be called on one.
        let methods = self.functions.iter().filter(|f| {
            let own = !matches!(
                kind,
                "string" | "object map" | "array" | "integer" | "number"
            );
            f.parameters.first().is_some_and(|first| first == kind)
                && (f.standard || own)
                && f.name.chars().all(is_word)
                && !NO_METHODS.contains(&f.name.as_str())
                && !f.name.starts_with("set_tag")
        });
        let mut members: Vec<Member> = methods
            .map(|f| Member {
                name: f.name.clone(),
                is_property: f.is_property,
            })
            .collect();
        members.sort();
        // What is both, such as `len`, is offered as the function.
        members.dedup_by(|later, first| later.name == first.name);
        members
    }

    /// The type of `value.name`, `value.name(..)` or, without a receiver, `name(..)`; none if that
    /// depends.
    pub fn returns(&self, receiver: Option<&str>, name: &str, is_property: bool) -> Option<&str> {
        let mut fitting = self
            .functions
            .iter()
            .filter(|f| f.name == name && f.is_property == is_property)
            .filter(|f| receiver.is_none_or(|kind| f.parameters.first().is_some_and(|p| p == kind)))
            .map(|f| f.returns.as_str());
        let first = fitting.next()?;
        (first != "any" && fitting.all(|other| other == first)).then_some(first)
    }
}

/// The functions of a module that scripts can call.
pub fn module_functions(module: &Module) -> Vec<String> {
    let mut names: Vec<String> = module
        .iter_script_fn_info()
        .filter(|(_, access, ..)| *access == FnAccess::Public)
        .map(|(_, _, name, ..)| name.to_owned())
        .filter(|name| !name.starts_with("anon$"))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The type of `name: type`.
fn kind(parameter: &str) -> String {
    let (_, kind) = parameter.split_once(": ").unwrap_or(("", parameter));
    type_word(kind)
}

fn type_word(kind: &str) -> String {
    match plain_type(kind).trim() {
        "INT" => "integer".into(),
        "FLOAT" => "number".into(),
        "RhaiResult" | "ScriptResult" | "" => "any".into(),
        "FnPtr" => "Fn".into(),
        other => short(other),
    }
}
