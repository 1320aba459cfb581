//! What Tab offers: by where the cursor stands, functions, variables, methods, options, hook names,
//! models, files, commands.

use std::path::Path;

use super::command::COMMANDS;
use crate::script::scan::{Kind, Piece, open_brackets, scan};
use crate::script::{Interactive, Reference};
use crate::store::aliases;

/// Something that can be put in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    /// What is put in place of what was typed of it.
    pub text: String,
    /// How it is listed.
    pub display: String,
}

impl Offer {
    fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            display: text.clone(),
            text,
        }
    }
}

/// The offers for the text before the cursor, and the byte where what they replace begins.
pub fn complete(before: &str, state: &Interactive, reference: &Reference) -> (usize, Vec<Offer>) {
    let cursor = Cursor {
        text: before,
        pieces: scan(before),
        state,
        reference,
    };
    let (start, offers) = cursor.offers();
    let typed = &before[start..];
    let mut offers: Vec<Offer> = offers
        .into_iter()
        .filter(|offer| offer.text.starts_with(typed))
        .collect();
    offers.sort();
    offers.dedup();
    (start, offers)
}

struct Cursor<'a> {
    text: &'a str,
    pieces: Vec<Piece>,
    state: &'a Interactive,
    reference: &'a Reference,
}

impl Cursor<'_> {
    fn offers(&self) -> (usize, Vec<Offer>) {
        let line = self.text.trim_start();
        let indent = self.text.len() - line.len();
        if let Some(command) = line.strip_prefix(':') {
            return self.in_command(indent + 1, command);
        }
        if line.starts_with('?') {
            return (indent + 1, self.documented());
        }
        if let Some(text) = self
            .pieces
            .last()
            .filter(|p| p.kind == Kind::Text && p.open)
        {
            return self.in_text(text.range.start);
        }
        let word = self.pieces.last().filter(|piece| piece.kind == Kind::Word);
        let start = word.map_or(self.text.len(), |piece| piece.range.start);
        let before = self.solid_before(start);
        if before.is_some_and(|piece| piece.of(self.text) == ".") {
            return (start, self.members(start));
        }
        if let Some(options) = self.option_keys(start) {
            return (start, options);
        }
        (start, self.words())
    }

    /// The piece before a place that is neither space nor comment.
    fn solid_before(&self, place: usize) -> Option<&Piece> {
        self.pieces
            .iter()
            .rev()
            .filter(|piece| piece.range.end <= place)
            .find(|piece| !matches!(piece.kind, Kind::Space | Kind::Comment))
    }

    fn in_command(&self, start: usize, command: &str) -> (usize, Vec<Offer>) {
        let Some((name, argument)) = command.split_once(' ') else {
            let offers = COMMANDS.iter().map(|(name, argument, _)| Offer {
                text: if argument.is_empty() {
                    (*name).to_owned()
                } else {
                    format!("{name} ")
                },
                display: format!(":{name}"),
            });
            return (start, offers.collect());
        };
        let start = self.text.len() - argument.len();
        match name {
            "load" | "save" => (start, files(argument, "")),
            "help" => (start, self.documented()),
            _ => {
                // An expression, as in `:time f(x)`.
                let (inner, offers) = complete(argument, self.state, self.reference);
                (start + inner, offers)
            }
        }
    }

    /// Names that help knows.
    fn documented(&self) -> Vec<Offer> {
        let functions = self.reference.functions().iter();
        functions.map(|f| Offer::same(f.name.clone())).collect()
    }

    /// The function and the place of the call that a place is an argument of.
    fn call_around(&self, brackets: &[(char, usize)]) -> Option<&str> {
        let (bracket, place) = brackets.last()?;
        if *bracket != '(' {
            return None;
        }
        let name = self.solid_before(*place)?;
        (name.kind == Kind::Word).then(|| name.of(self.text))
    }

    /// Inside of quotes that open at `quote`.
    fn in_text(&self, quote: usize) -> (usize, Vec<Offer>) {
        let start = quote + 1;
        let typed = &self.text[start..];
        let pieces = scan(&self.text[..quote]);
        let brackets = open_brackets(self.text, &pieces);
        let before = self.solid_before(quote).map(|piece| piece.of(self.text));
        let offers = match (before, self.call_around(&brackets)) {
            (Some("import"), _) => files(typed, ".rhai"),
            (Some("("), Some("load_model")) => {
                let mut models: Vec<Offer> = aliases().into_iter().map(Offer::same).collect();
                models.extend(files(typed, ""));
                models
            }
            (Some("("), Some("help")) => self.documented(),
            _ => self.hook_names(typed),
        };
        (start, offers)
    }

    /// Hook names of the loaded models. Long lists are offered part by part.
    fn hook_names(&self, typed: &str) -> Vec<Offer> {
        let mut names: Vec<String> = Vec::new();
        for model in self.state.session().models() {
            names.extend(model.hook_names().iter().map(ToString::to_string));
        }
        names.retain(|name| name.starts_with(typed));
        names.sort();
        names.dedup();
        if names.len() > 40 {
            // Up to the next point: "blocks.0.", "blocks.1.", ..
            for name in &mut names {
                if let Some(end) = name[typed.len()..].find('.') {
                    name.truncate(typed.len() + end + 1);
                }
            }
            names.dedup();
        }
        names.into_iter().map(Offer::same).collect()
    }

    /// Methods and properties after a point, by the value's type where that is known.
    fn members(&self, start: usize) -> Vec<Offer> {
        let point = self.solid_before(start).map_or(start, |p| p.range.start);
        let receiver = self.solid_before(point);
        let variables = self.state.variables();
        let kind = receiver
            .filter(|piece| piece.kind == Kind::Word)
            .filter(|piece| {
                let before = self.solid_before(piece.range.start);
                before.is_none_or(|before| before.of(self.text) != ".")
            })
            .and_then(|piece| variables.iter().find(|v| v.name == piece.of(self.text)))
            .map(|variable| variable.kind.as_str());
        self.reference
            .functions()
            .iter()
            .filter(|function| match kind {
                Some(kind) => function.receivers.iter().any(|r| r == kind),
                None => function
                    .receivers
                    .iter()
                    .any(|r| RECEIVERS.contains(&r.as_str())),
            })
            .map(|function| Offer {
                text: if function.is_property {
                    function.name.clone()
                } else {
                    format!("{}(", function.name)
                },
                display: function.name.clone(),
            })
            .collect()
    }

    /// Inside of `name(#{ .. }`, where a key stands: the options that are not written yet.
    fn option_keys(&self, start: usize) -> Option<Vec<Offer>> {
        let brackets = open_brackets(self.text, &self.pieces);
        let (call, map) = brackets.split_at_checked(brackets.len().checked_sub(1)?)?;
        let (bracket, place) = *map.first()?;
        let hash = self.solid_before(place)?;
        if bracket != '{' || hash.of(self.text) != "#" {
            return None;
        }
        let function = self.reference.get(self.call_around(call)?)?;
        let before = self.solid_before(start)?.of(self.text);
        if !matches!(before, "{" | ",") || function.options.is_empty() {
            return None;
        }
        let written: Vec<&str> = self
            .pieces
            .iter()
            .enumerate()
            .filter(|(_, piece)| piece.kind == Kind::Word && piece.range.start > place)
            .filter(|(i, _)| {
                self.pieces
                    .get(i + 1)
                    .is_some_and(|p| p.of(self.text) == ":")
            })
            .map(|(_, piece)| piece.of(self.text))
            .collect();
        let missing = function.options.iter();
        let missing = missing.filter(|option| !written.contains(&option.name));
        Some(
            missing
                .map(|option| Offer {
                    text: format!("{}: ", option.name),
                    display: format!("{}: {}", option.name, option.type_name),
                })
                .collect(),
        )
    }

    /// Functions, variables and words of the language.
    fn words(&self) -> Vec<Offer> {
        let call = |name: &str| Offer {
            text: format!("{name}("),
            display: name.to_owned(),
        };
        let mut offers: Vec<Offer> = Vec::new();
        let functions = self.reference.functions().iter();
        offers.extend(functions.filter(|f| !f.is_property).map(|f| call(&f.name)));
        offers.extend(self.state.functions().iter().map(|name| call(name)));
        offers.extend(["print", "debug", "range", "type_of"].map(call));
        let variables = self.state.variables().into_iter();
        offers.extend(variables.map(|variable| Offer::same(variable.name)));
        offers.extend(
            [
                "let ", "const ", "for ", "while ", "if ", "else ", "fn ", "return ", "import ",
                "true", "false",
            ]
            .map(Offer::same),
        );
        offers
    }
}

/// The types that avec's own methods belong to.
const RECEIVERS: [&str; 5] = [
    "Model",
    "Cache",
    "Tensor",
    "ActivationAddition",
    "Completions",
];

/// Files and folders that begin with what is typed. With an extension only such files, named
/// without it.
fn files(typed: &str, extension: &str) -> Vec<Offer> {
    let (folder, _) = typed
        .rsplit_once('/')
        .map_or(("", typed), |(f, name)| (f, name));
    let prefix = if typed.contains('/') {
        format!("{folder}/")
    } else {
        String::new()
    };
    let listed = if prefix.is_empty() {
        "."
    } else {
        prefix.as_str()
    };
    let Ok(entries) = std::fs::read_dir(Path::new(listed)) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            if name.starts_with('.') {
                return None;
            }
            if entry.path().is_dir() {
                return Some(Offer::same(format!("{prefix}{name}/")));
            }
            Some(Offer::same(format!(
                "{prefix}{}",
                name.strip_suffix(extension)?
            )))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Painter;
    use crate::script::{Output, Session};

    fn state() -> Interactive {
        let output = Output::new(Box::new(std::io::sink()), 80, Painter::plain());
        let mut state = Interactive::new(Session::new(output));
        state
            .eval("let m = load_model(\"demo\"); let additions = x_vector(#{ prompt1: \"a\", prompt2: \"b\", coeff: 1, act_name: 1 }); fn twice(x) { 2 * x }")
            .unwrap();
        state
    }

    fn offered(before: &str) -> Vec<String> {
        let state = state();
        let (start, offers) = complete(before, &state, &state.host().reference());
        let typed = &before[..start];
        let texts = offers
            .into_iter()
            .map(|offer| format!("{typed}{}", offer.text));
        texts.collect()
    }

    #[test]
    fn functions_and_variables() {
        assert_eq!(offered("x_v"), ["x_vector("]);
        assert_eq!(offered("print(add"), ["print(additions"]);
        assert_eq!(offered("twi"), ["twice("]);
    }

    #[test]
    fn members_by_type() {
        assert_eq!(offered("m.n_la"), ["m.n_layers"]);
        assert_eq!(offered("m.run"), ["m.run_with_cache("]);
        // A tensor's method is none of a model's.
        assert!(offered("m.soft").is_empty());
        assert_eq!(
            offered("m.logits(\"a\").soft"),
            ["m.logits(\"a\").softmax("]
        );
    }

    #[test]
    fn options_of_a_call() {
        assert_eq!(
            offered("x_vector(#{ pr"),
            ["x_vector(#{ prompt1: ", "x_vector(#{ prompt2: "]
        );
        // What is written already is not offered again.
        assert_eq!(
            offered("x_vector(#{ prompt1: \"a\", pr"),
            ["x_vector(#{ prompt1: \"a\", prompt2: "]
        );
        // A value is no key.
        assert_eq!(
            offered("x_vector(#{ model: m, coeff: add"),
            ["x_vector(#{ model: m, coeff: additions"]
        );
    }

    #[test]
    fn hook_names_and_models() {
        assert_eq!(
            offered("m.run_with_cache(\"a\", \"blocks.3.ln2.hook_s"),
            ["m.run_with_cache(\"a\", \"blocks.3.ln2.hook_scale"]
        );
        assert_eq!(
            offered("\"blocks."),
            [
                "\"blocks.0.",
                "\"blocks.1.",
                "\"blocks.2.",
                "\"blocks.3.",
                "\"blocks.4."
            ]
        );
        assert!(offered("load_model(\"gpt2-x").contains(&"load_model(\"gpt2-xl".to_owned()));
    }

    #[test]
    fn commands_files_and_help() {
        assert_eq!(offered(":coe"), [":coeff "]);
        assert_eq!(offered(":help x_v"), [":help x_vector"]);
        assert_eq!(offered("?x_v"), ["?x_vector"]);
        assert_eq!(
            offered(":load scripts/love"),
            [":load scripts/love_hate.rhai"]
        );
        assert_eq!(offered(":time twi"), [":time twice("]);
    }
}
