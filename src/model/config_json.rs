//! Reading the fields of a `config.json` one by one, with errors in plain words.

use serde_json::{Map, Value};

use super::json;
use crate::error::{Error, ErrorKind, Result};

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
        match json::object(text) {
            Ok(fields) => config.fields = fields,
            Err(reason) => return Err(config.bad(reason)),
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

    /// Whether a field is there at all, even as null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
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

    /// A required size above 0, under the first of several names. The tensors' own
    /// shapes decide later whether it is right; here it is kept from overflowing on the way there.
    pub(crate) fn required_size(&self, names: &[&str]) -> Result<usize> {
        self.size_up_to(u32::MAX as usize, names)
    }

    /// The same for a number of parts, of which lists are made before any tensor is seen.
    pub(crate) fn required_count(&self, name: &str) -> Result<usize> {
        self.size_up_to(1 << 16, &[name])
    }

    fn size_up_to(&self, most: usize, names: &[&str]) -> Result<usize> {
        for name in names {
            match self.size(name)? {
                Some(0) => return Err(self.bad(format!("{name} is 0"))),
                Some(size) if size > most => {
                    return Err(self.bad(format!("{name} is {size}, and at most {most} can be")));
                }
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

    /// Token ids: one, or several in a list. Numbers that can be no token's id are left out: libraries
    /// write -1 and the like for "none".
    pub(crate) fn token_ids(&self, name: &str) -> Result<Vec<u32>> {
        let ids = match self.get(name) {
            None => &[],
            Some(Value::Array(ids)) => ids.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        let whole = |value: &Value| value.as_i64().or(value.as_u64().map(|_| -1));
        let mut found = Vec::new();
        for id in ids.iter().filter(|id| !id.is_null()) {
            let id = self.field(name, Some(id), "a token id", whole)?;
            found.extend(id.and_then(|id| u32::try_from(id).ok()));
        }
        Ok(found)
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
