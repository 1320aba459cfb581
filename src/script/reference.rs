//! What scripts can call: names, signatures, docs, options and examples, gathered from the
//! bindings themselves.

use rhai::{Engine, FnAccess};

use super::bindings::OPTION_TABLES;
use super::options::Field;
use super::prose::short;

/// All of avec's script functions, by name.
#[derive(Debug, Clone)]
pub struct Reference {
    functions: Vec<Function>,
}

/// One function, with all its forms.
#[derive(Debug, Clone)]
pub struct Function {
    pub name: String,
    /// E.g. `x_vector(options: object map) -> array`, one for each form.
    pub signatures: Vec<String>,
    /// The doc comment, markdown; its `rhai` blocks run on the demo model.
    pub doc: String,
    /// The option map's fields, if the function takes one.
    pub options: &'static [Field],
    pub is_property: bool,
    /// The types of the first argument, which `value.name(..)` goes by.
    pub receivers: Vec<String>,
}

impl Reference {
    pub(crate) fn of(engine: &Engine) -> Self {
        let mut functions: Vec<Function> = Vec::new();
        let mut found = engine.collect_fn_metadata(
            None,
            |info| {
                let meta = info.metadata;
                // What a session has imported is none of avec's.
                (meta.access == FnAccess::Public && info.namespace.is_empty()).then(|| {
                    let params: Vec<(String, String)> = meta
                        .params_info
                        .iter()
                        .map(|param| {
                            let (name, kind) =
                                param.split_once(": ").unwrap_or((param.as_str(), ""));
                            (name.to_owned(), kind.to_owned())
                        })
                        .collect();
                    (
                        meta.name.to_string(),
                        params,
                        meta.return_type.to_string(),
                        meta.comments.join("\n"),
                    )
                })
            },
            false,
        );
        // rhai gives them in no order that it promises.
        found.sort();
        // Forms without a doc belong to the documented one of their name.
        let (documented, bare): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|(_, _, _, doc)| !doc.is_empty());
        for (name, params, returns, doc) in documented.into_iter().chain(bare) {
            let doc = clean(&doc);
            let (name, is_property) = match name.strip_prefix("get$") {
                Some(property) => (property.to_owned(), true),
                None => (name, false),
            };
            let params: Vec<String> = params
                .iter()
                .filter(|(name, kind)| name != "ctx" && !kind.contains("NativeCallContext"))
                .map(|(name, kind)| format!("{name}: {}", short(&plain_type(kind))))
                .collect();
            let receiver = params
                .first()
                .and_then(|param| param.split_once(": "))
                .map(|(_, kind)| kind.to_owned());
            let signature = if is_property {
                format!("{}.{name}", params.join(""))
            } else {
                let returns = short(&plain_type(&returns));
                match returns.as_str() {
                    "()" | "" => format!("{name}({})", params.join(", ")),
                    returns => format!("{name}({}) -> {returns}", params.join(", ")),
                }
            };
            match functions.iter_mut().find(|f| f.name == name) {
                Some(function) => {
                    function.signatures.push(signature);
                    function.receivers.extend(receiver);
                    if !doc.is_empty() && !function.doc.contains(&doc) {
                        function.doc = format!("{}\n\n{doc}", function.doc);
                    }
                }
                None if doc.is_empty() => {}
                None => functions.push(Function {
                    options: OPTION_TABLES
                        .iter()
                        .find(|(names, _)| names.contains(&name.as_str()))
                        .map_or(&[], |(_, fields)| fields),
                    name,
                    signatures: vec![signature],
                    doc,
                    is_property,
                    receivers: receiver.into_iter().collect(),
                }),
            }
        }
        functions.sort_by(|a, b| a.name.cmp(&b.name));
        for function in &mut functions {
            function.signatures.sort();
            function.signatures.dedup();
        }
        Self { functions }
    }

    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    pub fn get(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    pub fn names(&self) -> Vec<String> {
        self.functions
            .iter()
            .filter(|f| !f.is_property)
            .map(|f| f.name.clone())
            .collect()
    }

    pub fn properties(&self) -> Vec<String> {
        self.functions.iter().map(|f| f.name.clone()).collect()
    }

    pub fn signatures(&self, name: &str) -> Vec<String> {
        self.get(name)
            .map(|f| f.signatures.clone())
            .unwrap_or_default()
    }

    /// docs/reference.md.
    pub fn markdown(&self) -> String {
        let mut out = String::from(
            "# Script functions\n\nWritten by `avec doc --write` from the functions themselves; `help(\"name\")` in a script or session\ntells the same.\n",
        );
        for function in &self.functions {
            out.push_str(&format!("\n## {}\n\n", function.name));
            for signature in &function.signatures {
                out.push_str(&format!("    {signature}\n"));
            }
            out.push_str(&format!("\n{}\n", function.doc));
            if function.options.is_empty() {
                continue;
            }
            out.push_str("\n| option | type | default | |\n|---|---|---|---|\n");
            for option in function.options {
                let mut kind = option.type_name.to_owned();
                if !option.range.is_empty() {
                    kind.push_str(&format!(", {}", option.range));
                }
                let default = match option.default {
                    Some(default) => format!("`{default}`"),
                    None if option.required => "required".into(),
                    None => String::new(),
                };
                let doc = option.doc.split_whitespace().collect::<Vec<_>>().join(" ");
                out.push_str(&format!(
                    "| `{}` | {kind} | {default} | {} |\n",
                    option.name,
                    doc.replace('|', "\\|")
                ));
            }
        }
        out
    }

    /// docs/avec.d.rhai: definitions for editors that know rhai.
    pub fn definitions(&self) -> String {
        let mut out = String::from(
            "// avec's functions, for editors. Written by `avec doc --write`.\nmodule static;\n",
        );
        for function in &self.functions {
            for signature in &function.signatures {
                out.push('\n');
                for line in function.doc.lines() {
                    out.push_str(format!("/// {line}").trim_end());
                    out.push('\n');
                }
                out.push_str(&definition(function, signature));
                out.push('\n');
            }
        }
        out
    }

    /// The list that `help()` prints.
    pub fn overview(&self) -> String {
        let width = self
            .functions
            .iter()
            .map(|f| f.name.len())
            .max()
            .unwrap_or(0);
        let mut text = String::from("avec's functions; help(\"name\") tells more of each\n");
        for (title, properties) in [
            ("functions", false),
            ("properties of models, tensors and caches", true),
        ] {
            text.push_str(&format!("\n{title}:\n"));
            for function in self
                .functions
                .iter()
                .filter(|f| f.is_property == properties)
            {
                let summary = function.summary();
                text.push_str(&format!("  {:<width$}  {summary}\n", function.name));
            }
        }
        text.trim_end().to_owned()
    }
}

impl Function {
    /// The first sentence of the doc.
    pub fn summary(&self) -> String {
        let paragraph = self.doc.split("\n\n").next().unwrap_or_default();
        let text = paragraph.replace('\n', " ");
        match text.find(". ") {
            Some(end) => text[..=end].to_owned(),
            None => text,
        }
    }
}

/// A signature in the language of definition files, which names types as rhai does.
fn definition(function: &Function, signature: &str) -> String {
    let typed = |text: &str| {
        text.replace("object map", "Map")
            .replace("string", "String")
            .replace("integer", "int")
            .replace("number", "float")
            .replace("array", "Array")
            .replace("any", "?")
    };
    if !signature.contains('(') {
        let receiver = signature
            .rsplit_once('.')
            .map_or(signature, |(left, _)| left);
        return format!("fn get {}({}) -> ?;", function.name, typed(receiver));
    }
    match signature.split_once(") -> ") {
        Some((head, returns)) => {
            let (name, params) = head.split_once('(').unwrap_or((head, ""));
            format!("fn {name}({}) -> {};", typed(params), typed(returns))
        }
        None => {
            let (name, params) = signature.split_once('(').unwrap_or((signature, ")"));
            format!("fn {name}({} -> ();", typed(params))
        }
    }
}

/// What `help("name")` prints.
impl std::fmt::Display for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.signatures.join("\n"))?;
        write!(f, "\n\n{}", self.doc)?;
        if self.options.is_empty() {
            return Ok(());
        }
        f.write_str("\n\noptions:")?;
        let width = self.options.iter().map(|o| o.name.len()).max().unwrap_or(0);
        for option in self.options {
            let mut facts = vec![option.type_name.to_owned()];
            if !option.range.is_empty() {
                facts.push(format!("must be {}", option.range));
            }
            match option.default {
                Some(default) => facts.push(format!("default {default}")),
                None if option.required => facts.push("required".into()),
                None => facts.push("optional".into()),
            }
            write!(f, "\n  {:<width$}  {}", option.name, facts.join("; "))?;
            for line in option.doc.trim().lines() {
                write!(f, "\n  {:<width$}    {}", "", line.trim())?;
            }
        }
        Ok(())
    }
}

/// A doc comment without its signs.
fn clean(doc: &str) -> String {
    doc.lines()
        .map(|line| {
            let line = line.trim_start().trim_start_matches("///");
            line.strip_prefix(' ').unwrap_or(line)
        })
        .collect::<Vec<_>>()
        .join("\n")
        .trim()
        .to_owned()
}

/// A Rust type without what wraps it.
pub(super) fn plain_type(kind: &str) -> String {
    let mut kind = kind.trim();
    for wrapper in ["RhaiResultOf<", "ScriptResult<", "Result<", "rhai::"] {
        kind = kind.strip_prefix(wrapper).unwrap_or(kind);
    }
    kind.split(", Box")
        .next()
        .unwrap_or(kind)
        .trim_end_matches('>')
        .to_owned()
}
