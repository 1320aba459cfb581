//! All entries, and finding them by name.

use std::collections::BTreeMap;

use rhai::Engine;

use super::entry::{Form, Function, OptionTable};
use super::metadata;

/// All that scripts can call, by name.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The documented functions with all their forms, by name.
    functions: Vec<Function>,
    /// Every form of every function, also operators and what is rhai's own.
    pub(super) forms: Vec<Form>,
    /// What rhai says of its own, by form.
    docs: BTreeMap<Form, String>,
}

impl Catalog {
    /// The functions of an engine; `tables` has the options of those that take some.
    pub(crate) fn of(engine: &Engine, tables: &[OptionTable]) -> Self {
        let (own, mut forms, docs) = metadata::collect(engine);
        let mut functions: Vec<Function> = Vec::new();
        // Forms without a doc belong to the documented one of their name.
        let (documented, bare): (Vec<_>, Vec<_>) =
            own.into_iter().partition(|(_, doc)| !doc.is_empty());
        for (form, doc) in documented.into_iter().chain(bare) {
            match functions.iter_mut().find(|f| f.name == form.name) {
                Some(function) => {
                    if !function.forms.contains(&form) {
                        function.forms.push(form);
                    }
                    if !doc.is_empty() && !function.doc.contains(&doc) {
                        function.doc = format!("{}\n\n{doc}", function.doc);
                    }
                }
                None if doc.is_empty() => {}
                None => functions.push(Function {
                    options: tables
                        .iter()
                        .find(|table| table.functions.contains(&form.name.as_str()))
                        .map_or_else(Vec::new, |table| table.options.clone()),
                    name: form.name.clone(),
                    doc,
                    forms: vec![form],
                }),
            }
        }
        functions.sort_by(|a, b| a.name.cmp(&b.name));
        for function in &mut functions {
            function.forms.sort_by_cached_key(ToString::to_string);
        }
        forms.sort();
        Self {
            functions,
            forms,
            docs,
        }
    }

    /// The documented functions and properties.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The function or property of this name.
    pub fn get(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// The forms of a documented function or property; none if there is no such.
    pub fn forms(&self, name: &str) -> &[Form] {
        self.get(name).map_or(&[], |function| &function.forms)
    }

    /// The first sentence of what rhai says of a form of its own.
    pub(super) fn standard_doc(&self, form: &Form) -> String {
        let doc = self.docs.get(form).map_or("", String::as_str);
        let paragraph = doc.split("\n\n").next().unwrap_or_default();
        let text = paragraph.replace('\n', " ");
        let end = text.find(". ").map_or(text.len(), |end| end + 1);
        text[..end].to_owned()
    }

    /// Every form of a name that scripts can call, also rhai's own.
    pub(crate) fn all_forms(&self, name: &str) -> Vec<&Form> {
        let mut forms = self.forms.iter().filter(|form| form.name == name);
        let mut all: Vec<&Form> = self.forms(name).iter().collect();
        all.extend(forms.by_ref().filter(|form| !form.is_property));
        all
    }

    /// The names of functions, without those of properties.
    pub fn function_names(&self) -> Vec<String> {
        let functions = self.functions.iter().filter(|f| !f.is_property());
        functions.map(|f| f.name.clone()).collect()
    }

    /// The names of functions and properties.
    pub fn names(&self) -> Vec<String> {
        self.functions.iter().map(|f| f.name.clone()).collect()
    }
}
