//! Hashes of contents, computed as they arrive.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

use super::rule::Digest;

/// Hashes contents in parts, and checks them against an announced digest.
pub(super) struct Hasher {
    sha256: Context,
    /// git's hash, with the length in front, and that of the contents alone, which some mirrors
    /// send.
    sha1: Option<[Context; 2]>,
}

impl Hasher {
    /// Hashes contents of `size` bytes that should have this digest, if one is known.
    pub(super) fn new(size: u64, expected: Option<&Digest>) -> Self {
        let sha1 = || Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        Self {
            sha256: Context::new(&SHA256),
            sha1: matches!(expected, Some(Digest::Git(_))).then(|| {
                let mut git = sha1();
                git.update(format!("blob {size}\0").as_bytes());
                [git, sha1()]
            }),
        }
    }

    pub(super) fn update(&mut self, part: &[u8]) {
        self.sha256.update(part);
        for context in self.sha1.iter_mut().flatten() {
            context.update(part);
        }
    }

    /// The name to store the contents under: the announced digest if they match it, their own if
    /// none was announced, and `None` if they don't match.
    pub(super) fn finish(self, expected: Option<&Digest>) -> Option<String> {
        let own = hex(self.sha256);
        match expected {
            None => Some(own),
            Some(Digest::Sha256(digest)) => (own == *digest).then_some(own),
            Some(Digest::Git(digest)) => self
                .sha1
                .into_iter()
                .flatten()
                .any(|context| hex(context) == *digest)
                .then(|| digest.clone()),
        }
    }
}

/// The hex digits of a text's SHA-256.
pub(super) fn sha256(text: &str) -> String {
    let mut context = Context::new(&SHA256);
    context.update(text.as_bytes());
    hex(context)
}

fn hex(context: Context) -> String {
    let digest = context.finish();
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf 'hello\n' | git hash-object --stdin`, `sha1sum`, `sha256sum`.
    #[test]
    fn hashes_match_git_and_git_lfs() {
        let kept_as = |digest: Option<&str>| {
            let digest = digest.map(|digest| Digest::parse(digest).unwrap());
            let mut hasher = Hasher::new(6, digest.as_ref());
            hasher.update(b"hel");
            hasher.update(b"lo\n");
            hasher.finish(digest.as_ref())
        };
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        let sha1 = "f572d396fae9206628714fb2ce00f72e94f2258f";
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        for digest in [git, sha1, sha256] {
            assert_eq!(kept_as(Some(digest)).as_deref(), Some(digest));
            let other = digest.replace('5', "6");
            assert_eq!(kept_as(Some(&other)), None);
        }
        assert_eq!(kept_as(None).as_deref(), Some(sha256));
    }
}
