//! The catalogue as docs/avec.d.rhai: definitions for editors that know rhai.

use super::collection::Catalog;
use super::entry::Form;

impl Catalog {
    /// docs/avec.d.rhai.
    pub fn definitions(&self) -> String {
        let mut out = String::from(
            "// avec's functions, for editors. Written by `just reference`.\nmodule static;\n",
        );
        for function in self.functions() {
            for form in &function.forms {
                out.push('\n');
                for line in function.doc.lines() {
                    out.push_str(format!("/// {line}").trim_end());
                    out.push('\n');
                }
                out.push_str(&definition(form));
                out.push('\n');
            }
        }
        out
    }
}

/// A form in the language of definition files.
fn definition(form: &Form) -> String {
    let parameters: Vec<String> = form
        .parameters
        .iter()
        .map(|parameter| format!("{}: {}", parameter.name, parameter.kind.definition()))
        .collect();
    let get = if form.is_property { "get " } else { "" };
    format!(
        "fn {get}{}({}) -> {};",
        form.name,
        parameters.join(", "),
        form.returns.definition()
    )
}
