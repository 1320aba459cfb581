//! Takes options out of a map one by one and collects what is wrong with them.

use rhai::{Dynamic, Map};

use super::value::OptionValue;
use crate::error::{Error, ErrorKind};
use crate::rule::Rule;
use crate::script::catalog::OptionSpec;
use crate::script::literal::shortened;
use crate::script::script_error::{Place, Problem};
use crate::suggest::nearest;

pub(crate) struct Decoder {
    function: &'static str,
    specs: Vec<OptionSpec>,
    map: Map,
    /// What must be given and was not, by name.
    missing: Vec<(&'static str, Problem)>,
    problems: Vec<Problem>,
}

impl Decoder {
    pub(crate) fn new(function: &'static str, specs: Vec<OptionSpec>, map: Map) -> Self {
        Self {
            function,
            specs,
            map,
            missing: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The option's value, its default, or nothing with a problem noted. `breaks` gives the rule
    /// that a value breaks.
    pub(crate) fn take<T: OptionValue>(
        &mut self,
        name: &'static str,
        default: Option<T>,
        breaks: impl Fn(&T) -> Option<&'static str>,
    ) -> Option<T> {
        let given = self.map.remove(name);
        let absent = default.or_else(T::absent);
        let value = match given {
            // `()` is what a script passes on for an option that it was not given itself.
            Some(value) if !(value.is_unit() && absent.is_some()) => value,
            _ if absent.is_some() => return absent,
            _ => {
                self.miss(name);
                return None;
            }
        };
        match read(name, value, breaks) {
            Ok(value) => Some(value),
            Err(error) => {
                let element = error.subject().and_then(|(_, element)| element);
                self.problems.push(Problem {
                    error,
                    place: Place::value(name, element),
                });
                None
            }
        }
    }

    fn miss(&mut self, name: &'static str) {
        let mut error = Error::other(format!("{} needs `{name}`", self.function));
        if let Some(spec) = self.specs.iter().find(|spec| spec.name == name) {
            let doc = spec.doc.trim().lines().next().unwrap_or_default();
            error = error.hint(format!("{name}: {}. {}", spec.expects, doc.trim()));
        }
        let place = Place::Call;
        self.missing.push((name, Problem { error, place }));
    }

    /// All problems; what is left in the map is unknown. An option that was misspelt is not
    /// missing too.
    pub(crate) fn finish(mut self) -> Vec<Problem> {
        let known: Vec<String> = self.specs.iter().map(|s| s.name.to_owned()).collect();
        let meant: Vec<&str> = self
            .map
            .keys()
            .filter_map(|key| nearest(key, &known))
            .collect();
        self.missing.retain(|(name, _)| !meant.contains(name));
        let missing = self.missing.drain(..).map(|(_, problem)| problem);
        self.problems.splice(0..0, missing);
        for key in self.map.keys() {
            let error = Error::new(ErrorKind::UnknownName {
                what: "option",
                name: key.to_string(),
                known: known.clone(),
            })
            .context(self.function);
            self.problems.push(Problem {
                error,
                place: Place::Key(key.to_string()),
            });
        }
        self.problems
    }
}

fn read<T: OptionValue>(
    name: &str,
    value: Dynamic,
    breaks: impl Fn(&T) -> Option<&'static str>,
) -> Result<T, Error> {
    let written = shortened(&value);
    let value = T::decode(name, value)?;
    match breaks(&value) {
        Some(rule) => Err(Error::invalid(name, written, format!("must be {rule}"))),
        None => Ok(value),
    }
}

/// What a rule of a library type can be asked of: the type, or an option of it.
pub(crate) trait Ruled<T> {
    fn keeps(&self, rule: &Rule<T>) -> bool;
}

impl<T> Ruled<T> for T {
    fn keeps(&self, rule: &Rule<T>) -> bool {
        (rule.holds)(self)
    }
}

impl<T> Ruled<T> for Option<T> {
    fn keeps(&self, rule: &Rule<T>) -> bool {
        self.as_ref().is_none_or(|value| (rule.holds)(value))
    }
}
