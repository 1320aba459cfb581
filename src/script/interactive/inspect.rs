//! What an interactive session holds, for those who list and complete it.

use std::collections::BTreeSet;

use rhai::Dynamic;

use super::shown::shown;
use super::state::{Interactive, LAST};
use crate::script::Catalog;
use crate::script::catalog::{Type, module_functions};

/// A variable, for listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// As it was declared.
    pub name: String,
    /// Its type as scripts know it.
    pub kind: String,
    /// Its value as the session shows it.
    pub value: String,
}

impl Interactive {
    /// The variables, in the order in which they were made; of several of one name the last.
    pub fn variables(&self) -> Vec<Variable> {
        // The scope gives the newest first.
        let mut variables: Vec<Variable> = Vec::new();
        for (name, _, value) in self.scope.iter_raw() {
            if name == LAST || variables.iter().any(|variable| variable.name == name) {
                continue;
            }
            variables.push(Variable {
                name: name.to_owned(),
                kind: self.kind(value),
                value: shown(value, None, &|value| self.debug_text(value)),
            });
        }
        variables.reverse();
        variables
    }

    /// The names of the variables with their types.
    pub fn names(&self) -> Vec<(String, String)> {
        let variables = self.scope.iter_raw().filter(|(name, ..)| *name != LAST);
        variables
            .map(|(name, _, value)| (name.to_owned(), self.kind(value)))
            .collect()
    }

    /// The value of a variable.
    pub fn value(&self, name: &str) -> Option<Dynamic> {
        self.scope.get(name).cloned()
    }

    /// A value's type.
    pub fn type_of(&self, value: &Dynamic) -> Type {
        Type::of(value, self.engine())
    }

    /// A value's type as scripts know it.
    pub fn kind(&self, value: &Dynamic) -> String {
        Type::of(value, self.engine()).to_string()
    }

    /// What can stand behind a point.
    pub fn language(&self) -> &Catalog {
        self.language.get_or_init(|| self.host.catalog())
    }

    /// The names of the modules that were imported.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.modules.keys().map(String::as_str)
    }

    /// The functions and the variables of a module that was imported.
    pub fn in_module(&self, name: &str) -> (Vec<String>, Vec<String>) {
        let Some(module) = self.modules.get(name) else {
            return Default::default();
        };
        let variables = module.iter_var().map(|(name, _)| name.to_owned());
        (module_functions(module), variables.collect())
    }

    /// The functions that were typed in.
    pub fn functions(&self) -> Vec<String> {
        let names: BTreeSet<String> = self
            .functions
            .iter_functions()
            .map(|function| function.name.to_owned())
            .filter(|name| !name.starts_with("anon$"))
            .collect();
        names.into_iter().collect()
    }
}
