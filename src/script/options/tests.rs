//! Options: groups, defaults, rules, words, and the way back to text.

use rhai::{Dynamic, Map};

use super::*;
use crate::error::{Error, ErrorKind, Subject};
use crate::rule::Rule;
use crate::script::catalog::Expects;
use crate::script::script_error::Place;
use crate::words::words;

words! {
    /// How fast.
    pub enum Pace: "pace", default Slow {
        /// Step by step.
        Slow = "slow",
        /// In leaps.
        Fast = "fast",
    }
}

#[derive(Debug, Clone)]
pub(super) struct Gait {
    pace: Pace,
    steps: Option<usize>,
}

impl Default for Gait {
    fn default() -> Self {
        Self {
            pace: Pace::Fast,
            steps: None,
        }
    }
}

const FEW: Rule<usize> = Rule {
    text: "1 to 3",
    holds: |n| (1..=3).contains(n),
};

options! {
    pub group Gait {
        /// How fast.
        pace as how_fast: Pace;
        /// How many.
        steps: Option<usize>, where FEW, about NewTokens;
    }
}

options! {
    /// Options of `walk`.
    pub struct Walk for ["walk", "run"] {
        /// Where to.
        to: Vec<String>, about Prompt;
        /// Whether to come back.
        back: bool = false;
        ..gait: Gait;
    }
}

fn map(entries: &[(&str, Dynamic)]) -> Map {
    let entries = entries.iter().cloned();
    entries.map(|(key, value)| (key.into(), value)).collect()
}

fn wrong(entries: &[(&str, Dynamic)]) -> Vec<(String, Place)> {
    let fault = Walk::decode("walk", map(entries)).unwrap_err();
    let problems = fault.problems.into_iter();
    problems.map(|p| (p.error.message(), p.place)).collect()
}

#[test]
fn groups_are_flat_and_bring_their_defaults() {
    let walk = Walk::decode("run", map(&[("to", "home".into()), ("steps", 2.0.into())])).unwrap();
    assert_eq!(walk.to, ["home"]);
    assert!(!walk.back);
    assert_eq!((walk.gait.pace, walk.gait.steps), (Pace::Fast, Some(2)));
    let passed_on = map(&[("to", "home".into()), ("how_fast", Dynamic::UNIT)]);
    assert_eq!(
        Walk::decode("run", passed_on).unwrap().gait.pace,
        Pace::Fast
    );
}

#[test]
fn the_catalogue_has_every_option() {
    let table = Walk::table();
    assert_eq!(table.functions, ["walk", "run"]);
    let names: Vec<&str> = table.options.iter().map(|spec| spec.name).collect();
    assert_eq!(names, ["to", "back", "how_fast", "steps"]);
    let [to, back, how_fast, steps] = table.options.as_slice() else {
        panic!("{names:?}");
    };
    assert!(to.required && !back.required && !how_fast.required && !steps.required);
    assert_eq!(back.default.as_deref(), Some("false"));
    assert_eq!(how_fast.default.as_deref(), Some("\"fast\""));
    assert_eq!(steps.default, None);
    assert_eq!(steps.range, Some("1 to 3"));
    assert_eq!(how_fast.expects.to_string(), "\"slow\" or \"fast\"");
    assert_eq!(
        how_fast.explanation(),
        [
            "How fast.",
            "\"slow\": Step by step.",
            "\"fast\": In leaps."
        ]
    );
    assert_eq!(to.expects, Expects::Strings);
}

#[test]
fn all_that_is_wrong_has_its_place() {
    let value = |option, element| Place::value(option, element);
    let to: Dynamic = vec![Dynamic::from("a"), Dynamic::from(3_i64)].into();
    assert_eq!(
        wrong(&[
            ("to", to),
            ("how_fast", "fest".into()),
            ("steps", 4_i64.into()),
            ("bak", true.into()),
        ]),
        [
            (
                "`to[1]` must be a string, but it is the integer 3".into(),
                value("to", Some(1))
            ),
            (
                "there is no pace named `fest`".into(),
                value("how_fast", None)
            ),
            (
                "`steps` must be 1 to 3, but it is 4".into(),
                value("steps", None)
            ),
            (
                "walk: there is no option named `bak`".into(),
                Place::Key("bak".into())
            ),
        ]
    );
    assert_eq!(wrong(&[]), [("walk needs `to`".into(), Place::Call)]);
}

/// What the library says that an error is about is an option of the call.
#[test]
fn errors_of_the_library_are_at_their_option() {
    let place = |error: Error| blame::<Walk>(error).problems.remove(0).place;
    let empty = || Error::new(ErrorKind::EmptyPromptBatch);
    assert_eq!(place(empty()), Place::Call);
    assert_eq!(place(empty().about(Subject::Addition)), Place::Call);
    assert_eq!(
        place(empty().about_one(Subject::Prompt, 1)),
        Place::value("to", Some(1))
    );
    assert_eq!(
        place(Error::invalid("back", "x", "must be y")),
        Place::value("back", None)
    );
    let too_large = ErrorKind::TooLarge {
        what: "generating one completion".into(),
        needed: 1_500_000_000_000,
        available: 2_000_000_000,
    };
    let fault = blame::<Walk>(too_large.into());
    let error = &fault.problems[0].error;
    assert_eq!(error.hints(), ["lower steps, or shorten the prompt"]);
    assert_eq!(
        error.message(),
        "generating one completion would need 1.5 TB of memory, and 2.0 GB may be used"
    );
}

#[test]
fn a_call_is_written_as_it_was() {
    let walk = Walk::decode(
        "walk",
        map(&[("to", "a \"b\"".into()), ("how_fast", "slow".into())]),
    );
    let mut written = Vec::new();
    walk.unwrap().written(&mut written);
    let texts: Vec<_> = written
        .iter()
        .map(|option| (option.name, option.literal.as_deref(), option.is_default))
        .collect();
    assert_eq!(
        texts,
        [
            ("to", Some("[\"a \\\"b\\\"\"]"), false),
            ("back", Some("false"), true),
            ("how_fast", Some("\"slow\""), false),
            ("steps", None, true),
        ]
    );
}
