//! The catalogue as docs/reference.md.

use super::collection::Catalog;
use super::entry::OptionSpec;

impl Catalog {
    /// docs/reference.md.
    pub fn markdown(&self) -> String {
        let mut out = String::from(
            "# Script functions\n\nWritten by `just reference` from the functions themselves; `help(\"name\")` in a script or session\nsays the same.\n",
        );
        for function in self.functions() {
            out.push_str(&format!("\n## {}\n\n", function.name));
            for form in &function.forms {
                out.push_str(&format!("    {form}\n"));
            }
            out.push_str(&format!("\n{}\n", function.doc));
            if function.options.is_empty() {
                continue;
            }
            out.push_str("\n| option | type | default | |\n|---|---|---|---|\n");
            for option in &function.options {
                out.push_str(&row(option));
            }
        }
        out
    }
}

fn row(option: &OptionSpec) -> String {
    let kind = option.kind();
    let default = match &option.default {
        Some(default) => format!("`{default}`"),
        None if option.required => "required".into(),
        None => String::new(),
    };
    let doc = option.explanation().join(" ");
    let doc: Vec<&str> = doc.split_whitespace().collect();
    let doc = doc.join(" ").replace('|', "\\|");
    format!("| `{}` | {kind} | {default} | {doc} |\n", option.name)
}
