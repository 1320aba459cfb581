//! The URLs of requests, and where redirects may lead.

/// A checked `http` or `https` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    text: String,
    /// The length of scheme and server.
    origin: usize,
}

/// Signed URLs of storage servers have a few thousand characters.
const LONGEST: usize = 16 << 10;

impl Address {
    /// Parses a URL with a scheme and a server, but without user or password.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let scheme = ["http://", "https://"].into_iter().find(|scheme| {
            text.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        })?;
        let rest = &text[scheme.len()..];
        let server = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let fits = text.len() <= LONGEST
            && text.bytes().all(|b| b.is_ascii_graphic())
            && !server.is_empty()
            && !server.contains(['@', '\\'])
            && text.parse::<ureq::http::Uri>().is_ok();
        fits.then(|| {
            let origin = scheme.len() + server.len();
            Self {
                text: format!(
                    "{scheme}{}{}",
                    server.to_ascii_lowercase(),
                    &rest[server.len()..]
                ),
                origin,
            }
        })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, server and port, which decide who receives the token.
    pub(super) fn origin(&self) -> &str {
        &self.text[..self.origin]
    }

    /// The URL of a path below this address. The path begins with `/` and is encoded.
    pub(super) fn join_path(&self, path: &str) -> Self {
        Self {
            text: format!("{}{path}", self.text),
            origin: self.origin,
        }
    }

    /// The target of a `Location` header.
    pub(super) fn redirected(&self, location: &str) -> Result<Self, &'static str> {
        let is_encrypted = |address: &Self| address.text.starts_with("https://");
        let next = if location.starts_with("//") {
            let scheme = if is_encrypted(self) {
                "https:"
            } else {
                "http:"
            };
            Self::parse(&format!("{scheme}{location}"))
        } else if location.starts_with('/') {
            Self::parse(&format!("{}{location}", self.origin()))
        } else {
            Self::parse(location)
        };
        let next = next.ok_or("a redirect leads to no address of the web")?;
        if is_encrypted(self) && !is_encrypted(&next) {
            return Err("a redirect leads from https to plain http");
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_urls_are_accepted() {
        for (text, origin) in [
            ("https://huggingface.co", "https://huggingface.co"),
            ("HTTP://Host:80/a?b#c", "http://host:80"),
            ("http://[::1]:8080/mirror", "http://[::1]:8080"),
        ] {
            assert_eq!(Address::parse(text).unwrap().origin(), origin);
        }
        for wrong in [
            "",
            "http://",
            "huggingface.co",
            "file:///etc/passwd",
            "ftp://x/y",
            "http://a@b/",
            "http://a b/",
            "http://a\r\nx: y/",
            "http:///x",
            "http://é/",
            "http://a\\@b/",
        ] {
            assert!(Address::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn redirects_stay_on_the_web() {
        let from = Address::parse("https://hub/a/b?c").unwrap();
        for (location, expected) in [
            ("/x?y", Ok("https://hub/x?y")),
            ("//cdn/x", Ok("https://cdn/x")),
            ("https://cdn/x", Ok("https://cdn/x")),
        ] {
            let found = from.redirected(location);
            assert_eq!(
                found.as_ref().map(Address::as_str),
                expected.as_ref().copied()
            );
        }
        for wrong in [
            "",
            "*",
            "?x",
            "x",
            "file:///etc/passwd",
            "http://cdn/x",
            "https://",
            "\u{1b}[31m",
        ] {
            assert!(from.redirected(wrong).is_err(), "{wrong}");
        }
        let plain = Address::parse("http://hub/").unwrap();
        assert!(plain.redirected("http://other/").is_ok());
    }
}
