//! Help by topic and by type, and for names that are written in part.

use super::collection::Catalog;
use super::entry::Form;
use super::keywords::keyword;
use super::members::NO_METHODS;
use super::types::Type;
use crate::report::filled;

/// avec's functions and properties by topic, each once.
const TOPICS: &[(&str, &[&str])] = &[
    (
        "models",
        &[
            "load_model",
            "name",
            "n_layers",
            "n_heads",
            "n_ctx",
            "d_model",
            "d_head",
            "d_mlp",
            "d_vocab",
            "device",
            "dtype",
            "hook_names",
        ],
    ),
    (
        "tokens",
        &["to_tokens", "to_str_tokens", "to_single_token", "to_string"],
    ),
    (
        "activations",
        &[
            "run_with_cache",
            "names",
            "logits",
            "loss",
            "loss_per_token",
        ],
    ),
    (
        "steering",
        &[
            "x_vector",
            "get_x_vector",
            "ActivationAddition",
            "act_name",
            "coeff",
            "prompt",
            "tokens",
            "forward_with_activation_additions",
        ],
    ),
    (
        "generation",
        &[
            "generate",
            "gen_using_model",
            "gen_using_activation_additions",
            "n_comparisons",
            "print_n_comparisons",
            "pretty_print_completions",
        ],
    ),
    (
        "magnitudes",
        &[
            "steering_vec_magnitudes",
            "prompt_magnitudes",
            "steering_magnitudes_relative_to_prompt",
        ],
    ),
    (
        "tensors",
        &[
            "shape",
            "len",
            "norm",
            "sum",
            "flatten",
            "softmax",
            "log_softmax",
            "to_array",
        ],
    ),
    (
        "scripts",
        &["param", "to_json", "help", "message", "hint", "line"],
    ),
];

/// Topics that are types, with the words for each.
const TYPES: &[(Type, &[&str])] = &[
    (Type::MODEL, &["model"]),
    (Type::CACHE, &["cache", "caches"]),
    (Type::TENSOR, &["tensor"]),
    (Type::ADDITION, &["addition", "additions"]),
    (Type::COMPLETIONS, &["completions", "table", "tables"]),
    (Type::ERROR, &["error", "errors"]),
    (Type::STRING, &["string", "strings", "text", "texts"]),
    (Type::ARRAY, &["array", "arrays", "list", "lists"]),
    (
        Type::MAP,
        &["map", "maps", "object map", "object maps", "dict"],
    ),
    (Type::NUMBER, &["number", "numbers", "float", "floats"]),
    (Type::INTEGER, &["integer", "integers", "int"]),
    (
        Type::FUNCTION,
        &["fn", "function", "functions", "closure", "closures"],
    ),
    (Type::RANGE, &["range", "ranges"]),
    (Type::CHAR, &["char", "chars"]),
    (Type::BLOB, &["blob", "blobs"]),
];

impl Catalog {
    /// The list that `help()` prints, in lines of at most `width`.
    pub fn overview_within(&self, width: Option<usize>) -> String {
        let mut out = filled(
            "",
            "avec's functions by topic. help(\"x_vector\") tells more of one, help(\"steering\") of a topic, help(\"Tensor\") or help(\"strings\") what a type has.",
            0,
            width.unwrap_or(usize::MAX),
        );
        out.push('\n');
        let listed = |name: &str| TOPICS.iter().any(|(_, names)| names.contains(&name));
        let others: Vec<&str> = self.functions().iter().map(|f| f.name.as_str()).collect();
        let others: Vec<&str> = others.into_iter().filter(|name| !listed(name)).collect();
        let topics = TOPICS.iter().map(|(title, names)| (*title, *names));
        for (title, names) in topics.chain([("more", others.as_slice())]) {
            let lines = self.summaries(names, width);
            if !lines.is_empty() {
                out.push_str(&format!("\n{title}:\n{lines}"));
            }
        }
        let names: Vec<&str> = TYPES.iter().map(|(kind, _)| kind.name()).collect();
        let types = filled("types: ", &names.join(", "), 7, width.unwrap_or(usize::MAX));
        out.push_str(&format!("\n{types}"));
        out
    }

    /// What help has for a name: a function, a topic, a type, or all that begins so.
    pub fn about(&self, name: &str, width: Option<usize>) -> Option<String> {
        if let Some(function) = self.get(name) {
            let mut text = function.within(width);
            // A word that is a function and a type at once names both.
            if let Some(kind) = type_named(name).filter(|kind| kind.name() != name) {
                text.push_str(&format!("\n\nhelp(\"{kind}\") tells what the type has"));
            }
            return Some(text);
        }
        if let Some((title, names)) = TOPICS.iter().find(|(title, _)| *title == name) {
            return Some(
                format!("{title}:\n{}", self.summaries(names, width))
                    .trim_end()
                    .to_owned(),
            );
        }
        if let Some((form, doc)) = keyword(name) {
            let width = width.unwrap_or(usize::MAX);
            let form = filled("", form, 0, width);
            return Some(format!("{form}\n\n{}", filled("", doc, 0, width)));
        }
        if let Some(kind) = type_named(name) {
            let forms: Vec<&Form> = self.forms.iter().filter(|f| f.name == name).collect();
            let made = match NO_METHODS.contains(&name) {
                true => self.standard_help(&forms, width) + "\n\n",
                false => String::new(),
            };
            return Some(format!("{made}{}", self.type_help(&kind, width)));
        }
        let standard: Vec<&Form> = self.forms.iter().filter(|form| form.name == name).collect();
        if !standard.is_empty() {
            return Some(self.standard_help(&standard, width));
        }
        let starts = |f: &&super::entry::Function| !name.is_empty() && f.name.starts_with(name);
        let beginning: Vec<&str> = self
            .functions()
            .iter()
            .filter(starts)
            .map(|f| f.name.as_str())
            .collect();
        (!beginning.is_empty()).then(|| {
            format!(
                "what begins with {name}:\n{}",
                self.summaries(&beginning, width)
            )
            .trim_end()
            .to_owned()
        })
    }

    /// What completion offers behind `help("`.
    pub fn help_names(&self) -> Vec<String> {
        let topics = TOPICS.iter().map(|(title, _)| (*title).to_owned());
        let types = TYPES.iter().map(|(kind, _)| kind.name().to_owned());
        let mut names = self.names();
        names.extend(topics.chain(types));
        names.sort();
        names.dedup();
        names
    }

    /// A line or more for each of some functions.
    fn summaries(&self, names: &[&str], width: Option<usize>) -> String {
        let known: Vec<_> = names.iter().filter_map(|name| self.get(name)).collect();
        let column = known.iter().map(|f| f.name.len()).max().unwrap_or(0) + 4;
        let width = width.unwrap_or(usize::MAX);
        let mut out = String::new();
        for function in known {
            let first = format!("  {}", function.name);
            // Beside long names too little room would be left.
            let indent = if column > width / 2 { 6 } else { column };
            let text = if indent < column {
                format!(
                    "{first}\n{}",
                    filled("", &function.summary(), indent, width)
                )
            } else {
                filled(&first, &function.summary(), indent, width)
            };
            out.push_str(&text);
            out.push('\n');
        }
        out
    }

    /// What a type has behind its point.
    fn type_help(&self, kind: &Type, width: Option<usize>) -> String {
        let mut out = format!("{kind}:\n");
        for member in self.members(kind.name()) {
            // Every type has it, and the one that is documented is a model's.
            if kind.is_own() && *kind != Type::MODEL && member.name == "to_string" {
                continue;
            }
            let forms = self.forms.iter().filter(|form| {
                form.name == member.name
                    && form.is_property == member.is_property
                    && form.receiver() == Some(kind)
            });
            for form in forms {
                out.push_str(&self.form_line(form, width));
            }
        }
        out.trim_end().to_owned()
    }

    fn standard_help(&self, forms: &[&Form], width: Option<usize>) -> String {
        let known = |form: &&&Form| form.parameters.iter().all(|p| p.kind.is_known());
        let mut shown: Vec<String> = Vec::new();
        for form in forms.iter().filter(known) {
            let line = self.form_line(form, width);
            if !shown.contains(&line) {
                shown.push(line);
            }
        }
        shown.concat().trim_end().to_owned()
    }

    /// A form, and what it does in a sentence.
    fn form_line(&self, form: &Form, width: Option<usize>) -> String {
        let width = width.unwrap_or(usize::MAX);
        let mut out = filled("  ", &behind_point(form), 2, width) + "\n";
        let doc = match self.get(&form.name) {
            Some(function) if !form.is_standard => function.summary(),
            _ => self.standard_doc(form),
        };
        if !doc.is_empty() {
            out.push_str(&filled("", &doc, 6, width));
            out.push('\n');
        }
        out
    }
}

/// A form as it is written behind a point: `.logits(text: string) -> Tensor`.
fn behind_point(form: &Form) -> String {
    if form.is_property {
        return format!(".{}", form.name);
    }
    if NO_METHODS.contains(&form.name.as_str()) {
        return form.to_string();
    }
    let whole = form.to_string();
    let (Some(first), Some(open)) = (form.parameters.first(), whole.find('(')) else {
        return whole;
    };
    let written = first.to_string();
    let rest = &whole[open + 1 + written.len()..];
    format!(".{}({}", form.name, rest.trim_start_matches(", "))
}

fn type_named(name: &str) -> Option<Type> {
    let lower = name.to_lowercase();
    let named = |(kind, words): &&(Type, &[&str])| {
        kind.name().to_lowercase() == lower || words.contains(&lower.as_str())
    };
    TYPES.iter().find(named).map(|(kind, _)| kind.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Painter, display_width};
    use crate::script::{Host, Output, Session};

    fn catalog() -> Catalog {
        let output = Output::new(Box::new(std::io::sink()), 80, Painter::plain());
        Host::new(Session::new(output)).catalog()
    }

    #[test]
    fn every_function_has_one_topic() {
        let catalog = catalog();
        let mut listed: Vec<&str> = TOPICS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        listed.sort_unstable();
        assert_eq!(listed, catalog.names());
    }

    #[test]
    fn help_fits_its_window() {
        let catalog = catalog();
        for width in [60, 100, 160] {
            let mut texts = vec![catalog.overview_within(Some(width))];
            for name in catalog.help_names() {
                texts.push(catalog.about(&name, Some(width)).unwrap());
            }
            for text in texts {
                let mut is_code = false;
                for line in text.lines() {
                    is_code ^= line.starts_with("```");
                    let fits = display_width(line) <= width || is_code;
                    // A word that is wider than the window.
                    let one_word = !line.trim().contains(' ');
                    assert!(fits || one_word, "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn types_and_beginnings() {
        let catalog = catalog();
        let about = |name: &str| catalog.about(name, Some(80)).unwrap();
        assert!(
            about("Tensor").contains("\n  .softmax() -> Tensor\n"),
            "{}",
            about("Tensor")
        );
        assert!(about("tensor") == about("Tensor"));
        assert!(
            about("strings").contains(".to_upper()"),
            "{}",
            about("strings")
        );
        assert!(about("print_n").starts_with("what begins with print_n:\n  print_n_comparisons"));
        assert!(about("steering").starts_with("steering:\n  x_vector"));
        assert!(catalog.about("no such thing", None).is_none());
    }
}
