//! What can stand behind a point, by type: rhai's own methods and avec's, and what they give.

use rhai::{FnAccess, Module};

use super::collection::Catalog;
use super::entry::Form;
use super::types::Type;

/// Something that stands behind a point.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Its name in scripts.
    pub name: String,
    /// Whether it is read and not called.
    pub is_property: bool,
}

/// rhai's functions whose first argument is nothing that they belong to.
pub(super) const NO_METHODS: [&str; 8] = [
    "blob",
    "debug",
    "exit",
    "print",
    "range",
    "sleep",
    "timestamp",
    "to_debug",
];

impl Catalog {
    /// What a value of this type has behind its point.
    pub fn members(&self, kind: &str) -> Vec<Member> {
        let is_member = |form: &&Form| {
            form.receiver().is_some_and(|receiver| {
                // avec's functions of a text or a map are not meant to be called on one.
                receiver == kind && (form.is_standard || !receiver.is_plain())
            }) && form.name.chars().all(|c| c.is_alphanumeric() || c == '_')
                && !NO_METHODS.contains(&form.name.as_str())
                && !form.name.starts_with("set_tag")
        };
        let mut members: Vec<Member> = self
            .forms
            .iter()
            .filter(is_member)
            .map(Member::of)
            .collect();
        members.sort();
        // What is both, such as `len`, is offered as the function.
        members.dedup_by(|later, first| later.name == first.name);
        members
    }

    /// What avec's own types have behind their points.
    pub fn own_members(&self) -> Vec<Member> {
        let own = |form: &&Form| form.receiver().is_some_and(|receiver| receiver.is_own());
        let functions = self.functions().iter();
        let with_own = functions.filter(|f| f.forms.iter().any(|form| own(&form)));
        with_own
            .map(|f| Member {
                name: f.name.clone(),
                is_property: f.is_property(),
            })
            .collect()
    }

    /// The type of `value.name`, `value.name(..)` or, without a receiver, `name(..)`; none if that
    /// depends.
    pub fn returns(&self, receiver: Option<&str>, name: &str, is_property: bool) -> Option<&str> {
        let fits = |form: &&Form| {
            form.name == name
                && form.is_property == is_property
                && receiver.is_none_or(|kind| form.receiver().is_some_and(|first| first == kind))
        };
        let mut fitting = self.forms.iter().filter(fits).map(|form| &form.returns);
        let first = fitting.next()?;
        let certain = *first != Type::ANY && fitting.all(|other| other == first);
        certain.then(|| first.name())
    }
}

impl Member {
    fn of(form: &Form) -> Self {
        Self {
            name: form.name.clone(),
            is_property: form.is_property,
        }
    }
}

/// The functions of a module that scripts can call.
pub(crate) fn module_functions(module: &Module) -> Vec<String> {
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
