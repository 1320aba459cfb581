//! What a line that is not rhai asks of the session.

use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};
use crate::script::Change;
use crate::script::syntax::is_word;

/// A command, `:name` or `?name`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    Help(Option<String>),
    Load(PathBuf),
    Save(Saving),
    /// A dial without a value: tells the one that it has; none tells all options.
    Show(Option<String>),
    Edit,
    Reset,
    Vars,
    Time(String),
    Model,
    Change(Change),
    Quit,
}

/// What `:save` writes, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Saving {
    pub path: PathBuf,
    /// Only the last input, with what it needs.
    pub last: bool,
    /// Whether a file that is there is written over.
    pub force: bool,
}

/// Name, arguments and meaning of each command, in the order of help.
pub(super) const COMMANDS: &[(&str, &str, &str)] = &[
    (
        "help",
        "[NAME]",
        "tell of a function, a topic or a type; also ?NAME and NAME?",
    ),
    (
        "coeff",
        "[X]",
        "the last comparison again with another coefficient; without X tell it",
    ),
    ("layer", "N", "… with the additions at another layer"),
    ("seed", "N", "… with another seed"),
    ("prompt", "TEXT", "… with another prompt"),
    ("more", "", "… with twice as many rows"),
    (
        "set",
        "OPTION X",
        "… with another value of an option, as :set top_p 0.5; :set tells all",
    ),
    ("load", "FILE", "run a script here; what it defines stays"),
    (
        "save",
        "FILE",
        "write what worked so far as a script; --last: only the last input; --force: over a file",
    ),
    (
        "edit",
        "",
        "edit the last input in $VISUAL or $EDITOR, and run it",
    ),
    ("time", "EXPR", "run an input and tell how long it took"),
    ("vars", "", "list the variables"),
    ("model", "", "list the loaded models"),
    ("reset", "", "forget variables and functions"),
    ("quit", "", "leave; also quit, exit and Ctrl-D"),
];

/// The commands that tell the value that they have, when they are given none.
const DIALS: [&str; 5] = ["coeff", "layer", "seed", "prompt", "set"];

impl Command {
    /// The command that a line is, or none if the line is rhai.
    pub(super) fn parse(line: &str) -> Option<Result<Self>> {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('?') {
            return Some(Ok(Self::Help(text(name))));
        }
        match line.trim_end_matches("()") {
            "help" => return Some(Ok(Self::Help(None))),
            "exit" | "quit" => return Some(Ok(Self::Quit)),
            _ => {}
        }
        // x_vector?
        let name = line.strip_suffix('?').map(str::trim_end);
        if let Some(name) = name.filter(|name| !name.is_empty() && name.chars().all(is_word)) {
            return Some(Ok(Self::Help(text(name))));
        }
        let rest = line.strip_prefix(':')?;
        let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        Some(Self::named(name, argument.trim()))
    }

    fn named(name: &str, argument: &str) -> Result<Self> {
        let Some((_, wanted, _)) = COMMANDS.iter().find(|(known, _, _)| *known == name) else {
            return Err(Error::new(ErrorKind::UnknownName {
                what: "command",
                name: format!(":{name}"),
                known: COMMANDS
                    .iter()
                    .map(|(known, ..)| format!(":{known}"))
                    .collect(),
            })
            .hint(":help lists them"));
        };
        let is_dial = DIALS.contains(&name);
        let optional = wanted.starts_with('[') || is_dial;
        if wanted.is_empty() && !argument.is_empty() {
            return Err(Error::other(format!(":{name} takes nothing after it")));
        }
        if !wanted.is_empty() && !optional && argument.is_empty() {
            return Err(Error::other(format!(
                ":{name} needs something after it: :{name} {wanted}"
            )));
        }
        let wrong = |what: &str| {
            let digits = !argument.is_empty() && argument.chars().all(|c| c.is_ascii_digit());
            Error::other(if digits {
                format!(":{name} needs {what}, and {argument} is too large")
            } else {
                format!(":{name} needs {what}, but {argument:?} is none")
            })
        };
        if is_dial && argument.is_empty() {
            return Ok(Self::Show((name != "set").then(|| name.to_owned())));
        }
        Ok(match name {
            "help" => Self::Help(text(argument)),
            "coeff" => Self::Change(Change::Coeff(
                argument
                    .parse()
                    .ok()
                    .filter(|x: &f64| x.is_finite())
                    .ok_or_else(|| wrong("a number"))?,
            )),
            "layer" => Self::Change(Change::Layer(
                argument.parse().map_err(|_| wrong("a layer's number"))?,
            )),
            "seed" => Self::Change(Change::Seed(
                argument
                    .parse()
                    .ok()
                    // Scripts know no larger ones.
                    .filter(|seed| i64::try_from(*seed).is_ok())
                    .ok_or_else(|| wrong("a whole number, 0 or more"))?,
            )),
            "prompt" => Self::Change(Change::Prompt(unquoted(argument).to_owned())),
            "more" => Self::Change(Change::More),
            "set" => {
                let Some((option, value)) = argument.split_once(char::is_whitespace) else {
                    return Ok(Self::Show(Some(argument.to_owned())));
                };
                Self::Change(Change::Set {
                    option: option.to_owned(),
                    value: value.trim().to_owned(),
                })
            }
            "load" => Self::Load(unquoted(argument).into()),
            "save" => Self::Save(saving(argument)?),
            "edit" => Self::Edit,
            "time" => Self::Time(argument.to_owned()),
            "vars" => Self::Vars,
            "model" => Self::Model,
            "reset" => Self::Reset,
            _ => Self::Quit,
        })
    }
}

/// `[--last] [--force] FILE`, in any order.
fn saving(argument: &str) -> Result<Saving> {
    let (mut last, mut force) = (false, false);
    let mut rest = argument.trim();
    loop {
        let before = rest;
        for (flag, is_set) in [("--last", &mut last), ("--force", &mut force)] {
            if let Some(left) = flag_at_an_end(rest, flag) {
                *is_set = true;
                rest = left;
            }
        }
        if rest == before {
            break;
        }
    }
    if rest.starts_with("--") {
        return Err(
            Error::other(format!(":save has no {rest}")).hint(":save [--last] [--force] FILE")
        );
    }
    if rest.is_empty() {
        return Err(Error::other(
            ":save needs a file: :save [--last] [--force] FILE",
        ));
    }
    Ok(Saving {
        path: unquoted(rest).into(),
        last,
        force,
    })
}

/// A text without a flag that it begins or ends with.
fn flag_at_an_end<'t>(text: &'t str, flag: &str) -> Option<&'t str> {
    let is_apart = |c: Option<char>| c.is_none_or(char::is_whitespace);
    if let Some(rest) = text.strip_prefix(flag)
        && is_apart(rest.chars().next())
    {
        return Some(rest.trim());
    }
    let rest = text.strip_suffix(flag)?;
    is_apart(rest.chars().last()).then(|| rest.trim())
}

fn text(argument: &str) -> Option<String> {
    // ?x_vector, ?x_vector(), help("x_vector")
    let name = argument.trim().trim_end_matches("()");
    (!name.is_empty()).then(|| unquoted(name).to_owned())
}

/// Without the quotes around it, if there are any: those of `"x" and "y"` are not around it.
fn unquoted(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .filter(|inside| !inside.contains('"'))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Command {
        Command::parse(line).unwrap().unwrap()
    }

    fn refused(line: &str) -> String {
        let error = Command::parse(line).unwrap().unwrap_err();
        [vec![error.message()], error.hints()].concat().join("; ")
    }

    #[test]
    fn commands_are_understood() {
        assert_eq!(parsed(":coeff 4"), Command::Change(Change::Coeff(4.0)));
        assert_eq!(parsed("?x_vector"), Command::Help(Some("x_vector".into())));
        assert_eq!(parsed("help"), Command::Help(None));
        assert_eq!(
            parsed(":prompt \"I think\""),
            Command::Change(Change::Prompt("I think".into()))
        );
        assert_eq!(
            parsed(":prompt \"x\" and \"y\""),
            Command::Change(Change::Prompt("\"x\" and \"y\"".into()))
        );
        for line in ["  :quit", "quit", "exit", "exit()", "quit()"] {
            assert_eq!(parsed(line), Command::Quit, "{line}");
        }
        assert!(Command::parse("exit(3)").is_none());
        assert_eq!(parsed("x_vector?"), Command::Help(Some("x_vector".into())));
        assert!(Command::parse("x ?").is_some() && Command::parse("\"x\"?").is_none());
        assert_eq!(parsed(":coeff"), Command::Show(Some("coeff".into())));
        assert_eq!(parsed(":set"), Command::Show(None));
        assert_eq!(parsed(":set top_p"), Command::Show(Some("top_p".into())));
        let saving = |last, force| {
            Command::Save(Saving {
                path: "a b.rhai".into(),
                last,
                force,
            })
        };
        assert_eq!(parsed(":save a b.rhai"), saving(false, false));
        assert_eq!(parsed(":save --last \"a b.rhai\""), saving(true, false));
        assert_eq!(parsed(":save --force --last a b.rhai"), saving(true, true));
        assert_eq!(parsed(":save a b.rhai --force"), saving(false, true));
        assert!(Command::parse("x + 1").is_none());
        for (name, argument, _) in COMMANDS {
            let argument = match *argument {
                "" => "",
                "OPTION X" => "top_k 3",
                _ => "3",
            };
            parsed(&format!(":{name} {argument}"));
        }
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(
            refused(":coef 4"),
            "there is no command named `:coef`; did you mean `:coeff`?; :help lists them"
        );
        assert_eq!(
            refused(":layer six"),
            ":layer needs a layer's number, but \"six\" is none"
        );
        assert_eq!(
            refused(":seed 9223372036854775808"),
            ":seed needs a whole number, 0 or more, and 9223372036854775808 is too large"
        );
        assert_eq!(
            refused(":layer 99999999999999999999999"),
            ":layer needs a layer's number, and 99999999999999999999999 is too large"
        );
        assert_eq!(
            refused(":save"),
            ":save needs something after it: :save FILE"
        );
        assert_eq!(refused(":vars x"), ":vars takes nothing after it");
        assert_eq!(
            refused(":save --last"),
            ":save needs a file: :save [--last] [--force] FILE"
        );
        assert_eq!(
            refused(":save --least x"),
            ":save has no --least x; :save [--last] [--force] FILE"
        );
    }
}
