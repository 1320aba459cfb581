//! The rule for external names before they become part of a path or a URL: ids and revisions from
//! scripts; commits, file names and hashes from a hub.
//!
//! Each kind of name is a type that only its `parse` constructs, so any value of the type is safe.

use std::fmt;

/// A repository on the hub: `org/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repository {
    pub kind: Kind,
    id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Model,
    Dataset,
}

impl Repository {
    /// `org/name` as the hub allows it: letters, digits, `-`, `_`, `.`, and neither `--` nor `..`,
    /// which have other uses in the cache and in paths.
    pub(super) fn parse(kind: Kind, id: &str) -> Option<Self> {
        let part = |part: &str| {
            !part.is_empty()
                && part.len() <= 96
                && !part.starts_with(['.', '-'])
                && !part.ends_with(['.', '-'])
                && !part.contains("--")
                && !part.contains("..")
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        let (org, name) = id.split_once('/')?;
        (part(org) && part(name)).then(|| Self {
            kind,
            id: id.to_owned(),
        })
    }

    /// The name of its folder in the cache.
    pub(super) fn folder(&self) -> String {
        let kind = match self.kind {
            Kind::Model => "models",
            Kind::Dataset => "datasets",
        };
        format!("{kind}--{}", self.id.replace('/', "--"))
    }

    /// The path of its description on the hub, at one revision.
    pub(super) fn info_path(&self, revision: &Revision) -> String {
        let kind = match self.kind {
            Kind::Model => "models",
            Kind::Dataset => "datasets",
        };
        // `blobs` asks the hub for the size and hash of every file.
        format!(
            "/api/{kind}/{}/revision/{}?blobs=true",
            self.id,
            encode(revision.as_str(), "")
        )
    }

    /// The path of one file on the hub.
    pub(super) fn file_path(&self, revision: &Revision, name: &FileName) -> String {
        let kind = match self.kind {
            Kind::Model => "",
            Kind::Dataset => "datasets/",
        };
        format!(
            "/{kind}{}/resolve/{}/{}",
            self.id,
            encode(revision.as_str(), ""),
            encode(name.as_str(), "/")
        )
    }
}

/// A branch, a tag or a commit, following git's rule for names of references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Revision(String);

impl Revision {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let fits = (1..=255).contains(&text.len())
            && text.split('/').all(is_plain)
            && !text.split('/').any(|part| {
                part.starts_with('.') || part.ends_with(".lock") || part.starts_with('-')
            })
            && !text.contains("..")
            && !text.contains("@{")
            && text != "@"
            && !text
                .chars()
                .any(|c| c.is_whitespace() || matches!(c, '~' | '^' | '['));
        fits.then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Commit> for Revision {
    fn from(commit: &Commit) -> Self {
        Self(commit.0.clone())
    }
}

/// The 40 lower-case hex digits of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit(String);

impl Commit {
    pub(super) fn parse(text: &str) -> Option<Self> {
        is_hex(text, 40).then(|| Self(text.to_ascii_lowercase()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a file in a repository, with `/` between folders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileName(String);

impl FileName {
    pub(super) fn parse(text: &str) -> Option<Self> {
        (text.len() <= 1024 && text.split('/').all(is_plain)).then(|| Self(text.to_owned()))
    }

    /// A file name without folders.
    pub(super) fn parse_plain(text: &str) -> Option<Self> {
        Self::parse(text).filter(|_| !text.contains('/'))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The hash of a file's contents, as the hub announces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Digest {
    /// 64 hex digits: SHA-256, for files in git-lfs.
    Sha256(String),
    /// 40 hex digits: git's SHA-1, for the others.
    Git(String),
}

impl Digest {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let small = || text.to_ascii_lowercase();
        match text.len() {
            64 if is_hex(text, 64) => Some(Self::Sha256(small())),
            40 if is_hex(text, 40) => Some(Self::Git(small())),
            _ => None,
        }
    }

    /// Parses the value of an `ETag` header, which is quoted and may be marked as weak.
    pub(super) fn parse_etag(text: &str) -> Option<Self> {
        let text = text.trim();
        Self::parse(text.strip_prefix("W/").unwrap_or(text).trim_matches('"'))
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::Git(hex) => hex,
        }
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether a text is a single, plain part of a path on every system.
fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && part.len() <= 255
        && part != "."
        && part != ".."
        && !part.ends_with(['.', ' '])
        && !part.starts_with(' ')
        && !part.chars().any(|c| {
            c.is_control()
                || matches!(
                    c,
                    '/' | '\\' | ':' | '?' | '*' | '"' | '<' | '>' | '|' | '#' | '%'
                )
        })
}

/// Percent-encodes everything that is not plainly part of a URL's path, except `keep`.
fn encode(text: &str, keep: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric()
            || b"-_.".contains(&byte)
            || keep.as_bytes().contains(&byte);
        if plain {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_org_and_name() {
        let fits = |id: &str| Repository::parse(Kind::Model, id).is_some();
        assert!(fits("openai-community/gpt2"));
        for wrong in [
            "gpt2", "a/b/c", "/a", "a/", "../b", "a b/c", "a/.b", "a/b..c", "a/b--c", "a/b?x",
            "a/b\n", "a/b%2e", "é/b", "-a/b", "a/b.",
        ] {
            assert!(!fits(wrong), "{wrong}");
        }
        assert!(!fits(&format!("a/{}", "b".repeat(97))));
    }

    #[test]
    fn revisions_follow_git() {
        for right in ["main", "v1.0", "refs/pr/1", "feature/x-y", "été", "a@b"] {
            assert!(Revision::parse(right).is_some(), "{right}");
        }
        for wrong in [
            "",
            "/dev/zero",
            "..",
            "../x",
            "a/../b",
            "a/..",
            ".hidden",
            "a/.b",
            "a//b",
            "a/",
            "-x",
            "a b",
            "a\nb",
            "a\0b",
            "a:b",
            "a?b",
            "a#b",
            "a%2e%2e",
            "a\\b",
            "@",
            "a@{1}",
            "x.lock",
            "~",
            "a^",
            "a*",
        ] {
            assert!(Revision::parse(wrong).is_none(), "{wrong:?}");
        }
        assert!(Revision::parse(&"x".repeat(256)).is_none());
    }

    #[test]
    fn files_stay_in_their_folder() {
        for right in [
            "config.json",
            "onnx/model.onnx",
            "a b.txt",
            ".gitattributes",
            "日本.json",
        ] {
            assert!(FileName::parse(right).is_some(), "{right}");
        }
        for wrong in [
            "",
            "/etc/passwd",
            "..",
            "../x",
            "a/../../x",
            "a/./b",
            "a//b",
            "C:\\x",
            "a\\b",
            "a\0",
            "a\u{1b}[31m",
            "config.json?x=1#y z",
            "con:",
            "x.",
        ] {
            assert!(FileName::parse(wrong).is_none(), "{wrong:?}");
        }
        assert!(FileName::parse_plain("a/b").is_none());
    }

    #[test]
    fn hashes_are_hex_of_the_right_length() {
        let sha = "0123456789abcdef0123456789ABCDEF01234567";
        assert_eq!(
            Commit::parse(sha).unwrap().as_str(),
            sha.to_ascii_lowercase()
        );
        assert!(Commit::parse("main").is_none());
        assert!(Commit::parse("../../../../../../../../../../../../../xx").is_none());
        assert!(matches!(
            Digest::parse_etag(&format!("W/\"{sha}\"")),
            Some(Digest::Git(_))
        ));
        assert!(matches!(
            Digest::parse_etag(&format!("\"{}\"", "a".repeat(64))),
            Some(Digest::Sha256(_))
        ));
        for wrong in ["", "\"\"", "\"..\"", "\"../../x\"", "\"same\""] {
            assert!(Digest::parse_etag(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn addresses_are_encoded() {
        let revision = Revision::parse("refs/pr/1").unwrap();
        let name = FileName::parse("a b/é.json").unwrap();
        let model = Repository::parse(Kind::Model, "org/m").unwrap();
        assert_eq!(
            model.info_path(&revision),
            "/api/models/org/m/revision/refs%2Fpr%2F1?blobs=true"
        );
        assert_eq!(
            model.file_path(&revision, &name),
            "/org/m/resolve/refs%2Fpr%2F1/a%20b/%C3%A9.json"
        );
        let data = Repository::parse(Kind::Dataset, "org/d").unwrap();
        assert_eq!(data.folder(), "datasets--org--d");
        assert_eq!(
            data.info_path(&revision),
            "/api/datasets/org/d/revision/refs%2Fpr%2F1?blobs=true"
        );
        assert_eq!(
            data.file_path(&revision, &FileName::parse("x").unwrap()),
            "/datasets/org/d/resolve/refs%2Fpr%2F1/x"
        );
    }
}
