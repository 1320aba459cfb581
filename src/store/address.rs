//! The URLs that requests go to, and where a redirect may lead.

/// An `http` or `https` URL that has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    /// How long the scheme and the server are.
    origin: usize,
}

/// Signed URLs of storage servers have some thousand characters.
const LONGEST: usize = 16 << 10;

impl Address {
    /// A URL with a scheme and a server, without user and password.
    pub fn parse(text: &str) -> Option<Self> {
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

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, server and port: who gets the token.
    pub fn origin(&self) -> &str {
        &self.text[..self.origin]
    }

    /// A path below this address. It begins with `/` and is encoded.
    pub fn join_path(&self, path: &str) -> Self {
        Self {
            text: format!("{}{path}", self.text),
            origin: self.origin,
        }
    }

    /// Where a `Location` header leads.
    pub fn redirected(&self, location: &str) -> Result<Self, &'static str> {
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
    fn only_the_web_is_addressed() {
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
