//! The catalogue as help: the list of all functions, and one function whole.

use std::fmt;

use super::collection::Catalog;
use super::entry::{Function, OptionSpec};

impl Catalog {
    /// The list that `help()` prints.
    pub fn overview(&self) -> String {
        let names = self.functions().iter().map(|f| f.name.len());
        let width = names.max().unwrap_or(0);
        let mut text = String::from("avec's functions; help(\"name\") tells more of each\n");
        for (title, properties) in [
            ("functions", false),
            ("properties of models, tensors and caches", true),
        ] {
            text.push_str(&format!("\n{title}:\n"));
            let listed = self.functions().iter();
            for function in listed.filter(|f| f.is_property() == properties) {
                let summary = function.summary();
                text.push_str(&format!("  {:<width$}  {summary}\n", function.name));
            }
        }
        text.trim_end().to_owned()
    }
}

/// What `help("name")` prints.
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for form in &self.forms {
            writeln!(f, "{form}")?;
        }
        write!(f, "\n{}", self.doc)?;
        if self.options.is_empty() {
            return Ok(());
        }
        f.write_str("\n\noptions:")?;
        let width = self.options.iter().map(|o| o.name.len()).max().unwrap_or(0);
        for option in &self.options {
            write!(f, "\n  {:<width$}  {}", option.name, facts(option))?;
            for line in option.explanation() {
                write!(f, "\n  {:<width$}    {line}", "")?;
            }
        }
        Ok(())
    }
}

/// What an option's values can be.
fn facts(option: &OptionSpec) -> String {
    let mut facts = vec![option.expects.to_string()];
    if let Some(range) = option.range {
        facts.push(format!("must be {range}"));
    }
    facts.push(match &option.default {
        Some(default) => format!("default {default}"),
        None if option.required => "required".into(),
        None => "optional".into(),
    });
    facts.join("; ")
}
