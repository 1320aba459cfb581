//! What Tab offers: by where the cursor stands, functions, variables, methods, options, hook names,
//! models, files, commands.

use std::path::Path;

use super::command::COMMANDS;
use super::receiver::receiver;
use crate::model::HookName;
use crate::script::syntax::{Bracket, Token, TokenKind, is_word, lex, open_brackets};
use crate::script::{Catalog, Expects, Function, Interactive, OptionSpec, Type};
use crate::store::aliases;

/// Something that can be put in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Offer {
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
pub(super) fn complete(
    before: &str,
    state: &Interactive,
    catalog: &Catalog,
) -> (usize, Vec<Offer>) {
    let cursor = Cursor {
        text: before,
        tokens: lex(before),
        state,
        catalog,
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
    tokens: Vec<Token>,
    state: &'a Interactive,
    catalog: &'a Catalog,
}

impl Cursor<'_> {
    fn offers(&self) -> (usize, Vec<Offer>) {
        let line = self.text.trim_start();
        let indent = self.text.len() - line.len();
        if let Some(command) = line.strip_prefix(':') {
            return self.in_command(indent + 1, command);
        }
        if let Some(name) = line.strip_prefix('?') {
            let name = name.trim_start();
            return (self.text.len() - name.len(), self.documented());
        }
        let last = self.tokens.last();
        if let Some(text) = last.filter(|t| t.is_text() && t.is_open()) {
            return self.in_text(text);
        }
        let in_comment = |t: &&Token| {
            t.kind == TokenKind::Comment && (t.is_open() || t.of(self.text).starts_with("//"))
        };
        if last.filter(in_comment).is_some() {
            return (self.text.len(), Vec::new());
        }
        let word = last.filter(|token| token.is_word());
        let start = word.map_or(self.text.len(), |token| token.span.start);
        let solid = self.solid_until(start);
        let text = |back: usize| {
            let at = solid.len().checked_sub(back);
            at.map_or("", |at| solid[at].of(self.text))
        };
        if text(1) == "." {
            return (start, self.members(&solid[..solid.len() - 1]));
        }
        if text(1) == "::" {
            return (start, self.in_module(text(2)));
        }
        if let Some(options) = self.option_keys(start) {
            return (start, options);
        }
        let expected = self.expected(start);
        let typed = &self.text[start..];
        if expected.iter().any(|offer| offer.text.starts_with(typed)) {
            return (start, expected);
        }
        (start, self.words())
    }

    /// What the option whose value stands here can be.
    fn expected(&self, start: usize) -> Vec<Offer> {
        let before = self.tokens.iter().filter(|token| token.span.end <= start);
        let before: Vec<Token> = before.cloned().collect();
        let Some(option) = self.option_at(start, &open_brackets(&before)) else {
            return Vec::new();
        };
        let of_types = |kinds: &[Type]| {
            let all = self.state.names().into_iter();
            let fitting =
                all.filter(|(_, kind)| kinds.iter().any(|wanted| wanted == kind.as_str()));
            fitting
                .map(|(name, _)| Offer::same(name))
                .collect::<Vec<_>>()
        };
        match option.expects {
            Expects::Model => {
                let mut models = of_types(&[Type::MODEL]);
                models.push(Offer::same("load_model(\""));
                models
            }
            Expects::Additions => {
                let mut additions = of_types(&[Type::ADDITION, Type::ARRAY]);
                additions.push(Offer::same("x_vector(#{ "));
                additions
            }
            Expects::Words(words) => {
                let quoted = words.iter().map(|word| format!("{:?}", word.text));
                quoted.map(Offer::same).collect()
            }
            Expects::Bool => ["true", "false"].map(Offer::same).into(),
            _ => Vec::new(),
        }
    }

    /// The tokens before a place without spaces and comments.
    fn solid_until(&self, place: usize) -> Vec<&Token> {
        let before = self.tokens.iter().filter(|p| p.span.end <= place);
        before.filter(|token| !token.is_trivia()).collect()
    }

    /// The token before a place that is neither space nor comment.
    fn solid_before(&self, place: usize) -> Option<&Token> {
        self.tokens
            .iter()
            .rev()
            .filter(|token| token.span.end <= place)
            .find(|token| !token.is_trivia())
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
            "load" | "save" => {
                let path = argument.strip_prefix('"').unwrap_or(argument);
                (self.text.len() - path.len(), files(path, ""))
            }
            "help" => (start, self.documented()),
            "set" => self.in_setting(start, argument),
            "time" => {
                let (inner, offers) = complete(argument, self.state, self.catalog);
                (start + inner, offers)
            }
            // A number or a text, or nothing at all.
            _ => (self.text.len(), Vec::new()),
        }
    }

    /// `:set option value`: the options of a comparison, and the words that one can be.
    fn in_setting(&self, start: usize, argument: &str) -> (usize, Vec<Offer>) {
        let comparison = self.catalog.get("print_n_comparisons");
        let options = comparison.map_or(&[][..], |function| &function.options);
        let Some((name, value)) = argument.split_once(' ') else {
            let offers = options.iter().map(|option| Offer {
                text: format!("{} ", option.name),
                display: format!("{}: {}", option.name, option.expects),
            });
            return (start, offers.collect());
        };
        let words = match options.iter().find(|option| option.name == name) {
            Some(OptionSpec {
                expects: Expects::Words(words),
                ..
            }) => words.iter().map(|word| Offer::same(word.text)).collect(),
            _ => Vec::new(),
        };
        (self.text.len() - value.len(), words)
    }

    /// Names that help knows.
    fn documented(&self) -> Vec<Offer> {
        self.catalog
            .help_names()
            .into_iter()
            .map(Offer::same)
            .collect()
    }

    /// The function and the place of the call that a place is an argument of.
    fn call_around(&self, brackets: &[(Bracket, usize)]) -> Option<&str> {
        let (bracket, place) = brackets.last()?;
        if *bracket != Bracket::Paren {
            return None;
        }
        let name = self.solid_before(*place)?;
        name.is_word().then(|| name.of(self.text))
    }

    /// Inside of quotes.
    fn in_text(&self, text: &Token) -> (usize, Vec<Offer>) {
        let quote = text.span.start;
        let start = text.text_start(self.text);
        let typed = &self.text[start..];
        let tokens = lex(&self.text[..quote]);
        let brackets = open_brackets(&tokens);
        let before = self.solid_before(quote).map(|token| token.of(self.text));
        let offers = match (before, self.call_around(&brackets)) {
            (Some("import"), _) => files(typed, ".rhai"),
            (Some("("), Some("load_model")) => {
                let mut models: Vec<Offer> = aliases().into_iter().map(Offer::same).collect();
                models.extend(model_folders(typed));
                models
            }
            (Some("("), Some("help")) => self.documented(),
            _ => match self.option_at(quote, &brackets) {
                Some(option) => self.option_values(option, typed),
                None => self.hook_names(typed),
            },
        };
        (start, offers)
    }

    /// The option that a value at this place is for.
    fn option_at(&self, place: usize, brackets: &[(Bracket, usize)]) -> Option<&OptionSpec> {
        // In an array, the option is that of the array.
        let arrays = brackets
            .iter()
            .rev()
            .take_while(|(open, _)| *open == Bracket::Square);
        let arrays = arrays.count();
        let place = match brackets.len() - arrays {
            map if arrays > 0 => brackets.get(map)?.1,
            _ => place,
        };
        let (function, _) = self.options_of(&brackets[..brackets.len() - arrays])?;
        let solid = self.solid_until(place);
        let [.., key, colon] = solid.as_slice() else {
            return None;
        };
        let key = (colon.of(self.text) == ":").then(|| key.of(self.text))?;
        function.options.iter().find(|option| option.name == key)
    }

    /// What a text for an option can be.
    fn option_values(&self, option: &OptionSpec, typed: &str) -> Vec<Offer> {
        match option.expects {
            Expects::Words(words) => words.iter().map(|word| Offer::same(word.text)).collect(),
            Expects::HookPoint => self.hook_names(typed),
            _ => Vec::new(),
        }
    }

    /// Hook names of the loaded models. Long lists are offered part by part.
    fn hook_names(&self, typed: &str) -> Vec<Offer> {
        let mut names: Vec<String> = Vec::new();
        for model in self.state.session().models() {
            names.extend(model.all_hook_names().iter().map(ToString::to_string));
        }
        if !"blocks".starts_with(typed) {
            names.extend(self.shorthands());
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

    /// The short names of the hook points in blocks: "resid_pre3", "k3", "scale3ln1".
    fn shorthands(&self) -> Vec<String> {
        let models = self.state.session().models();
        let names = models
            .iter()
            .flat_map(|model| model.all_hook_names().to_vec());
        let short = |name: HookName| {
            let layer = name.layer?;
            let full = name.to_string();
            let (part, site) = full.rsplit_once("hook_")?;
            let part = part.trim_end_matches('.').rsplit('.').next()?;
            let ways = [
                format!("{site}{layer}"),
                format!("{site}{layer}{part}"),
                format!("mlp_{site}{layer}"),
            ];
            // Some short names mean another point.
            ways.into_iter()
                .find(|short| short.parse().is_ok_and(|parsed: HookName| parsed == name))
        };
        names.filter_map(short).collect()
    }

    /// Methods and properties after a point, by the value's type where that is known.
    fn members(&self, before: &[&Token]) -> Vec<Offer> {
        let offer = |name: &str, is_property: bool| Offer {
            text: if is_property {
                name.to_owned()
            } else {
                format!("{name}(")
            },
            display: name.to_owned(),
        };
        let receiver = receiver(self.text, before, self.state);
        let Some(kind) = receiver.kind else {
            let own = self.catalog.own_members().into_iter();
            return own.map(|m| offer(&m.name, m.is_property)).collect();
        };
        let members = self.state.language().members(kind.name()).into_iter();
        let mut offers: Vec<Offer> = members.map(|m| offer(&m.name, m.is_property)).collect();
        let map = receiver
            .value
            .and_then(|value| value.try_cast::<rhai::Map>());
        let plain =
            |key: &&str| key.chars().all(is_word) && !key.starts_with(|c: char| c.is_ascii_digit());
        let map = map.unwrap_or_default();
        let keys = map.keys().map(|key| key.as_str()).filter(plain);
        offers.extend(keys.map(|key| offer(key, true)));
        offers
    }

    /// What a module has.
    fn in_module(&self, name: &str) -> Vec<Offer> {
        let (functions, variables) = self.state.in_module(name);
        let functions = functions.into_iter().map(|name| Offer {
            text: format!("{name}("),
            display: name,
        });
        functions
            .chain(variables.into_iter().map(Offer::same))
            .collect()
    }

    /// The function that is called with the option map around a place, and where the map opens.
    fn options_of(&self, brackets: &[(Bracket, usize)]) -> Option<(&Function, usize)> {
        let (call, map) = brackets.split_at_checked(brackets.len().checked_sub(1)?)?;
        let (bracket, place) = *map.first()?;
        if bracket != Bracket::Map {
            return None;
        }
        Some((self.catalog.get(self.call_around(call)?)?, place))
    }

    /// Inside of `name(#{ .. }`, where a key stands: the options that are not written yet.
    fn option_keys(&self, start: usize) -> Option<Vec<Offer>> {
        let brackets = open_brackets(&self.tokens);
        let (function, place) = self.options_of(&brackets)?;
        let before = self.solid_before(start)?.of(self.text);
        if !matches!(before, "#{" | ",") || function.options.is_empty() {
            return None;
        }
        let written: Vec<&str> = self
            .tokens
            .iter()
            .enumerate()
            .filter(|(_, token)| token.is_word() && token.span.start > place)
            .filter(|(i, _)| {
                self.tokens
                    .get(i + 1)
                    .is_some_and(|p| p.of(self.text) == ":")
            })
            .map(|(_, token)| token.of(self.text))
            .collect();
        let missing = function.options.iter();
        let missing = missing.filter(|option| !written.contains(&option.name));
        Some(
            missing
                .map(|option| Offer {
                    text: format!("{}: ", option.name),
                    display: format!("{}: {}", option.name, option.expects),
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
        let functions = self.catalog.function_names();
        offers.extend(functions.iter().map(|name| call(name)));
        offers.extend(self.state.functions().iter().map(|name| call(name)));
        offers.extend(["print", "debug", "range", "type_of"].map(call));
        let variables = self.state.names().into_iter();
        offers.extend(variables.map(|(name, _)| Offer::same(name)));
        let modules = self.state.modules();
        offers.extend(modules.map(|name| Offer::same(format!("{name}::"))));
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

/// The folders that a model can be in, and those on the way to one.
fn model_folders(typed: &str) -> Vec<Offer> {
    let mut offers = Vec::new();
    for offer in files(typed, "") {
        if let Some(folder) = offer.text.strip_suffix('/') {
            if Path::new(folder).join("config.json").is_file() {
                offers.push(Offer::same(folder));
            } else {
                offers.push(offer);
            }
        }
    }
    offers
}

#[cfg(test)]
#[path = "complete_tests.rs"]
mod tests;
