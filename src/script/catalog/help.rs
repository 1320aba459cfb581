//! The catalogue as help: the list of all functions, and one function whole.

use std::fmt;

use super::collection::Catalog;
use super::entry::{Function, OptionSpec};
use crate::report::filled;

impl Catalog {
    /// The list that `help()` prints.
    pub fn overview(&self) -> String {
        self.overview_within(None)
    }
}

/// What `help("name")` prints.
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.within(None))
    }
}

impl Function {
    /// What `help("name")` prints, in lines of at most `width`; examples stay as they are.
    pub fn within(&self, width: Option<usize>) -> String {
        let mut out = String::new();
        let fill = |first: &str, text: &str, indent: usize| match width {
            Some(width) => filled(first, text, indent, width),
            None => {
                let gap = indent.saturating_sub(first.len());
                format!("{first}{}{text}", " ".repeat(gap))
            }
        };
        for form in &self.forms {
            out.push_str(&fill("", &form.to_string(), 0));
            out.push('\n');
        }
        out.push('\n');
        out.push_str(&match width {
            Some(width) => paragraphs(&self.doc, width),
            None => self.doc.clone(),
        });
        if self.options.is_empty() {
            return out;
        }
        out.push_str("\n\noptions:");
        let column = self.options.iter().map(|o| o.name.len()).max().unwrap_or(0);
        // Beside long names too little room would be left.
        let is_narrow = width.is_some_and(|width| column + 28 > width);
        let indent = if is_narrow { 4 } else { column + 4 };
        for option in &self.options {
            let mut first = format!("  {:<column$}", option.name);
            if is_narrow {
                out.push('\n');
                out.push_str(first.trim_end());
                first.clear();
            }
            out.push('\n');
            out.push_str(&fill(&first, &facts(option), indent));
            for line in option.explanation() {
                out.push('\n');
                out.push_str(&fill("", &line, indent + 2));
            }
        }
        out
    }
}

/// A doc whose paragraphs fill lines of a width.
fn paragraphs(doc: &str, width: usize) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let mut is_code = false;
    for line in doc.lines().chain([""]) {
        let fence = line.starts_with("```");
        if (fence || is_code || line.is_empty()) && !paragraph.is_empty() {
            out.push(filled("", &paragraph.join(" "), 0, width));
            paragraph.clear();
        }
        if fence {
            is_code = !is_code;
        }
        if fence || is_code || line.is_empty() {
            out.push(line.to_owned());
        } else {
            paragraph.push(line);
        }
    }
    out.join("\n").trim_end().to_owned()
}

/// What an option's values can be.
fn facts(option: &OptionSpec) -> String {
    let mut facts = vec![option.kind()];
    facts.push(match &option.default {
        Some(default) => format!("default {default}"),
        None if option.required => "required".into(),
        None => "optional".into(),
    });
    facts.join("; ")
}
