//! Reading the fields of a `config.json` one by one, with errors in plain words.

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result, json_kind, not_json};

/// A checkpoint's configuration in Hugging Face's format.
pub(crate) struct ConfigJson {
    fields: Map<String, Value>,
    /// The file's location, for messages.
    path: String,
}

/// The hint for a broken or unexpected file.
const COPY_AGAIN: &str = "use the config.json that the model was published with";

impl ConfigJson {
    /// Parses the contents of a file; `path` is for messages.
    pub(crate) fn parse(text: &[u8], path: &str) -> Result<Self> {
        let mut config = Self {
            fields: Map::new(),
            path: path.to_owned(),
        };
        match serde_json::from_slice(text) {
            Ok(Value::Object(fields)) => config.fields = fields,
            Ok(other) => {
                return Err(
                    config.bad(format!("it holds {}, not a JSON object", json_kind(&other)))
                );
            }
            Err(error) => return Err(config.bad(not_json(&error))),
        }
        Ok(config)
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// An error for a broken or unexpected file.
    pub(crate) fn bad(&self, reason: impl Into<String>) -> Error {
        self.error(reason.into()).hint(COPY_AGAIN)
    }

    /// An error for a valid file that describes something avec can't compute.
    pub(crate) fn unfit(&self, reason: impl Into<String>) -> Error {
        self.error(reason.into())
            .hint("such a model can't be run here: its results would be wrong")
    }

    fn error(&self, reason: String) -> Error {
        Error::new(ErrorKind::BadFile {
            what: "configuration",
            path: self.path.clone(),
            reason,
        })
    }

    /// A field's value; null counts as absent.
    fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    fn field<T>(
        &self,
        name: &str,
        value: Option<&Value>,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>> {
        match value {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(found) => Ok(Some(found)),
                None => Err(self.bad(format!("{name} must be {expected}, but it is {value}"))),
            },
        }
    }

    pub(crate) fn size(&self, name: &str) -> Result<Option<usize>> {
        let whole = |value: &Value| usize::try_from(value.as_u64()?).ok();
        self.field(name, self.get(name), "a whole number", whole)
    }

    /// A required size above 0, under the first of several names.
    pub(crate) fn required_size(&self, names: &[&str]) -> Result<usize> {
        for name in names {
            match self.size(name)? {
                Some(0) => return Err(self.bad(format!("{name} is 0"))),
                Some(size) => return Ok(size),
                None => {}
            }
        }
        Err(self.bad(format!("it has no {}", names[0])))
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<String>> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        self.field(name, self.get(name), "a text", text)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.field(name, self.get(name), "true or false", Value::as_bool)
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>> {
        self.field(name, self.get(name), "a number", Value::as_f64)
    }

    /// A number, finite and above 0, or the default.
    pub(crate) fn positive(&self, name: &str, default: f64) -> Result<f64> {
        let number = self.number(name)?.unwrap_or(default);
        if number.is_finite() && number > 0.0 {
            return Ok(number);
        }
        Err(self.bad(format!("{name} is {number}")))
    }

    /// A token id, or `default` if it is absent. Newer files may hold a list, whose first id
    /// counts.
    pub(crate) fn token(&self, name: &str, d_vocab: usize, default: u32) -> Result<u32> {
        let first = self.get(name).and_then(|value| match value {
            Value::Array(ids) => ids.first(),
            one => Some(one),
        });
        let id = |value: &Value| u32::try_from(value.as_u64()?).ok();
        match self
            .field(name, first, "a token id", id)?
            .unwrap_or(default)
        {
            id if (id as usize) < d_vocab => Ok(id),
            id => Err(self.bad(format!(
                "{name} is {id}, and the vocabulary ends at {}",
                d_vocab - 1
            ))),
        }
    }

    /// A setting of rotary positions. transformers 5 writes it to `rope_parameters` under its new
    /// name; older files have the old name at the top level.
    pub(crate) fn rope_number(&self, old: &str, new: &str) -> Result<Option<f64>> {
        let inner = self.get("rope_parameters").and_then(|rope| rope.get(new));
        let inner = self.field(
            new,
            inner.filter(|value| !value.is_null()),
            "a number",
            Value::as_f64,
        )?;
        match inner {
            Some(number) => Ok(Some(number)),
            None => Ok(self.number(old)?.or(self.number(new)?)),
        }
    }

    /// The kind of scaling of rotary positions, if any.
    pub(crate) fn rope_scaling(&self) -> Result<Option<String>> {
        let settings = self
            .get("rope_scaling")
            .or_else(|| self.get("rope_parameters"));
        let kind = settings.and_then(|rope| rope.get("rope_type").or_else(|| rope.get("type")));
        let kind = self.field("rope_type", kind, "a text", |value| {
            value.as_str().map(str::to_owned)
        })?;
        Ok(kind.filter(|kind| kind != "default"))
    }

    /// `model_type`, or the first of `architectures` if it is absent.
    pub(crate) fn model_type(&self) -> Result<Option<String>> {
        let first = self
            .get("architectures")
            .and_then(|list| list.get(0)?.as_str());
        Ok(self.text("model_type")?.or(first.map(str::to_owned)))
    }
}
