//! The hub's settings in the environment: the cache, the token and the timeouts. The variables and
//! their precedence follow Python's huggingface_hub.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};

/// huggingface_hub's timeout, in seconds.
const WAIT: u64 = 10;

/// The variables, from the process or from a test.
pub(super) struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    home: Option<PathBuf>,
}

impl Environment<'_> {
    pub(super) fn of_process() -> Environment<'static> {
        Environment {
            variable: &|name| std::env::var(name).ok(),
            home: std::env::home_dir(),
        }
    }

    /// A variable that is set and not empty.
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.trim().is_empty())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(|value| self.expand(&value))
    }

    /// The folder that holds `models--org--name`.
    pub(super) fn cache(&self) -> PathBuf {
        self.path("HF_HUB_CACHE")
            .or_else(|| self.path("HUGGINGFACE_HUB_CACHE"))
            .unwrap_or_else(|| self.hugging_face().join("hub"))
    }

    /// `HF_HOME`, or its default.
    fn hugging_face(&self) -> PathBuf {
        self.path("HF_HOME").unwrap_or_else(|| {
            self.path("XDG_CACHE_HOME")
                .unwrap_or_else(|| self.home.clone().unwrap_or_default().join(".cache"))
                .join("huggingface")
        })
    }

    /// The token for the hub: `HF_TOKEN`, or the file written by the hub's login.
    ///
    /// # Errors
    /// If it has characters that no header can have. The message does not show it.
    pub(super) fn token(&self) -> Result<Option<String>> {
        let variable = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]
            .into_iter()
            .find_map(|name| self.get(name).map(|value| (name.to_owned(), value)));
        let file = || {
            let path = self
                .path("HF_TOKEN_PATH")
                .unwrap_or_else(|| self.hugging_face().join("token"));
            let text = String::from_utf8(crate::files::read(&path).ok()?).ok()?;
            Some((path.display().to_string(), text))
        };
        let Some((place, token)) = variable.or_else(file) else {
            return Ok(None);
        };
        let token = token.trim();
        if !token.bytes().all(|b| b.is_ascii_graphic()) || token.len() > 4096 {
            return Err(Error::other(format!("{place} holds no token of the hub"))
                .hint("a token is one word of letters, digits and _, such as hf_..."));
        }
        Ok((!token.is_empty()).then(|| token.to_owned()))
    }

    /// The hub, or a mirror of it.
    pub(super) fn endpoint(&self) -> String {
        self.get("HF_ENDPOINT")
            .unwrap_or_else(|| "https://huggingface.co".into())
            .trim()
            .trim_end_matches('/')
            .to_owned()
    }

    pub(super) fn is_offline(&self) -> bool {
        self.get("HF_HUB_OFFLINE").is_some_and(|value| {
            matches!(
                value.to_ascii_lowercase().as_str(),
                "1" | "true" | "yes" | "on"
            )
        })
    }

    /// The time limit for the start of an answer.
    pub(super) fn answer_timeout(&self) -> Duration {
        self.seconds("HF_HUB_ETAG_TIMEOUT")
    }

    /// The time limit for a stalled transfer.
    pub(super) fn stall_timeout(&self) -> Duration {
        self.seconds("HF_HUB_DOWNLOAD_TIMEOUT")
    }

    fn seconds(&self, name: &str) -> Duration {
        let seconds = self.get(name).and_then(|value| value.trim().parse().ok());
        Duration::from_secs(seconds.unwrap_or(WAIT).clamp(1, 3600))
    }

    /// Expands a path like a shell: `~` is the home folder, `$NAME` and `${NAME}` are variables. A
    /// variable that is not set is left as written.
    fn expand(&self, text: &str) -> PathBuf {
        let mut expanded = String::new();
        let mut rest = text.trim();
        while let Some(start) = rest.find('$') {
            expanded.push_str(&rest[..start]);
            let after = &rest[start + 1..];
            let (name, end) = match after.strip_prefix('{') {
                Some(braced) => match braced.find('}') {
                    Some(end) => (&braced[..end], end + 2),
                    None => ("", 0),
                },
                None => {
                    let end = after
                        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                        .unwrap_or(after.len());
                    (&after[..end], end)
                }
            };
            match (self.variable)(name).filter(|_| !name.is_empty()) {
                Some(value) => expanded.push_str(&value),
                None => expanded.push_str(&rest[start..=start + end]),
            }
            rest = &after[end..];
        }
        expanded.push_str(rest);
        expand_home(&expanded, self.home.as_deref())
    }
}

/// A path that may begin with `~`, the home folder.
pub(super) fn expand_home(path: &str, home: Option<&Path>) -> PathBuf {
    let rest = match path.strip_prefix('~') {
        Some("") => Some(""),
        Some(rest) => rest.strip_prefix('/'),
        None => None,
    };
    match (rest, home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(variables: &[(&str, &str)], use_it: impl FnOnce(&Environment) -> T) -> T {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        use_it(&Environment {
            variable: &variable,
            home: Some(PathBuf::from("/home/me")),
        })
    }

    /// huggingface_hub 0.36 finds the same.
    #[test]
    fn the_cache_is_where_python_puts_it() {
        for (variables, expected) in [
            (&[][..], "/home/me/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/h")], "/h/hub"),
            (&[("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/u")], "/u"),
            (
                &[("HUGGINGFACE_HUB_CACHE", "/u"), ("HF_HUB_CACHE", "/c")],
                "/c",
            ),
            (&[("HF_HUB_CACHE", ""), ("HF_HOME", "/h")], "/h/hub"),
            (&[("HF_HOME", "~/hf")], "/home/me/hf/hub"),
            (&[("HF_HOME", "~")], "/home/me/hub"),
            (&[("HF_HUB_CACHE", "$D/hub"), ("D", "/data")], "/data/hub"),
            (
                &[("HF_HUB_CACHE", "${D}_2/hub"), ("D", "/data")],
                "/data_2/hub",
            ),
            (&[("HF_HUB_CACHE", "/a/$NONE/b")], "/a/$NONE/b"),
            (&[("HF_HUB_CACHE", "/a/${x")], "/a/${x"),
            (&[("HF_HUB_CACHE", "/a/$")], "/a/$"),
            (&[("HF_HUB_CACHE", "$H/x"), ("H", "~")], "/home/me/x"),
        ] {
            let found = with(variables, |environment| environment.cache());
            assert_eq!(found, PathBuf::from(expected), "{variables:?}");
        }
    }

    #[test]
    fn the_token_comes_from_variables_or_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("token"), "of_home\n").unwrap();
        std::fs::write(path("other"), "of_path\n").unwrap();
        let home = path("");
        let token = |variables: &[(&str, &str)]| {
            with(variables, |environment| environment.token().unwrap())
        };
        assert_eq!(token(&[("HF_HOME", &home)]).unwrap(), "of_home");
        let by_path = [
            ("HF_HOME", home.as_str()),
            ("HF_TOKEN_PATH", &path("other")),
        ];
        assert_eq!(token(&by_path).unwrap(), "of_path");
        assert_eq!(
            token(&[("HF_TOKEN", " hf_x\n"), ("HF_HOME", &home)]).unwrap(),
            "hf_x"
        );
        assert_eq!(token(&[("HF_HOME", &path("none"))]), None);
        let error = with(&[("HF_TOKEN", "a\r\nHost: b")], |e| e.token().unwrap_err());
        assert_eq!(error.message(), "HF_TOKEN holds no token of the hub");
    }
}
