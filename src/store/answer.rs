//! A hub's answers, read with suspicion: its description of a repository, and the headers of a
//! file. Pure functions of what arrived.

use serde::Deserialize;

use super::rule::{Commit, Digest, FileName};
use super::transport::Hop;

/// A repository at one revision.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Missing from mirrors; it then comes with each file.
    pub commit: Option<Commit>,
    /// The files whose names pass the rule. Others can't be requested.
    pub files: Vec<Listed>,
}

#[derive(Debug)]
pub(super) struct Listed {
    pub name: FileName,
    pub size: Option<u64>,
    pub digest: Option<Digest>,
}

impl Listing {
    /// Parses the JSON of the hub's answer. The error says what is wrong and quotes nothing.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Info {
            sha: Option<String>,
            #[serde(default)]
            siblings: Vec<Sibling>,
        }
        #[derive(Deserialize)]
        struct Sibling {
            rfilename: String,
            #[serde(rename = "blobId")]
            blob_id: Option<String>,
            size: Option<u64>,
            lfs: Option<Lfs>,
        }
        #[derive(Deserialize)]
        struct Lfs {
            sha256: Option<String>,
        }
        let info: Info = serde_json::from_slice(body).map_err(|error| {
            if error.is_data() {
                "it is not the description of a repository".to_owned()
            } else {
                crate::error::not_json(&error)
            }
        })?;
        let commit = match info.sha {
            Some(sha) => Some(Commit::parse(&sha).ok_or("it names a commit that is none")?),
            None => None,
        };
        let files = info
            .siblings
            .into_iter()
            .filter_map(|sibling| {
                let digest = match &sibling.lfs {
                    // Then the blob is the pointer, not the contents.
                    Some(lfs) => lfs.sha256.as_deref().and_then(Digest::parse),
                    None => sibling.blob_id.as_deref().and_then(Digest::parse),
                };
                Some(Listed {
                    name: FileName::parse(&sibling.rfilename)?,
                    size: sibling.size,
                    digest,
                })
            })
            .collect();
        Ok(Self { commit, files })
    }

    pub(super) fn find(&self, name: &str) -> Option<&Listed> {
        self.files.iter().find(|file| file.name.as_str() == name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }
}

/// A file's metadata, from its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    pub size: u64,
    pub commit: Option<Commit>,
    pub digest: Option<Digest>,
    /// The `ETag` as received, to recognise the same contents again. Never part of a path.
    pub etag: String,
}

impl Metadata {
    /// From the heads of an answer to a request for the first byte, and of the redirects before it.
    /// `listed` is the size for those that say none.
    pub(super) fn of(hops: &[Hop], listed: Option<u64>) -> Result<Self, String> {
        let last = hops.last().ok_or("there is no answer")?;
        let first = |name: &str| hops.iter().find_map(|hop| hop.head.get(name));
        // The hub's word takes precedence over that of a server it redirects to.
        let etag = first("x-linked-etag")
            .or_else(|| {
                let of_hub = hops.iter().rev().filter(|hop| hop.of_hub);
                of_hub.filter_map(|hop| hop.head.get("etag")).next()
            })
            .unwrap_or_default();
        let commit = match first("x-repo-commit") {
            Some("") | None => None,
            Some(commit) => {
                Some(Commit::parse(commit).ok_or("the hub names a commit that is none")?)
            }
        };
        let size = match last.head.status {
            200 => last.head.number("content-length"),
            _ => last.head.get("content-range").and_then(total),
        }
        .or(listed)
        .ok_or("the hub doesn't say how long it is")?;
        if let Some(linked) = first("x-linked-size")
            && linked.parse() != Ok(size)
        {
            return Err("the hub announces two lengths".into());
        }
        Ok(Self {
            size,
            commit,
            digest: Digest::parse_etag(etag),
            etag: etag.to_owned(),
        })
    }
}

/// The start of a part and the length of the whole: `bytes 5-9/10`.
pub(super) fn content_range(text: &str) -> Option<(u64, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end, total): (u64, u64, u64) =
        (start.parse().ok()?, end.parse().ok()?, total.parse().ok()?);
    (start <= end && end < total).then_some((start, total))
}

/// The length of the whole, with or without a part: `bytes 0-0/10`, `bytes */0`.
fn total(text: &str) -> Option<u64> {
    let (_, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    total.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::transport::Head;
    use super::*;

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn unsafe_names_are_not_listed() {
        let listing = Listing::parse(
            br#"{"siblings": [{"rfilename": "../../x"}, {"rfilename": "/etc/passwd"}, {"rfilename": "a/b", "blobId": "x"}]}"#,
        )
        .unwrap();
        let names: Vec<&str> = listing
            .files
            .iter()
            .map(|file| file.name.as_str())
            .collect();
        assert_eq!(names, ["a/b"]);
        assert!(listing.files[0].digest.is_none() && listing.commit.is_none());
    }

    #[test]
    fn hashes_are_of_the_contents() {
        let sha256 = "a".repeat(64);
        let text = format!(
            r#"{{"sha": "{SHA}", "siblings": [{{"rfilename": "a", "blobId": "{SHA}"}}, {{"rfilename": "b", "blobId": "{SHA}", "lfs": {{"sha256": "{sha256}", "size": 7}}}}]}}"#
        );
        let listing = Listing::parse(text.as_bytes()).unwrap();
        assert_eq!(listing.commit.as_ref().map(Commit::as_str), Some(SHA));
        let digest = |name: &str| listing.find(name).unwrap().digest.clone();
        assert_eq!(digest("a"), Some(Digest::Git(SHA.into())));
        assert_eq!(digest("b"), Some(Digest::Sha256(sha256)));
    }

    #[test]
    fn malformed_answers_are_not_quoted() {
        for (body, reason) in [
            (
                &b"\xff\xfe<html>"[..],
                "it isn't valid JSON at line 1, column 1",
            ),
            (b"{\"sha\": \"../x\"}", "it names a commit that is none"),
            (
                b"{\"siblings\": 5}",
                "it is not the description of a repository",
            ),
            (
                b"",
                "it isn't whole: the JSON ends in the middle of something",
            ),
        ] {
            assert_eq!(Listing::parse(body).unwrap_err(), reason);
        }
        let deep = [b"{\"siblings\":".to_vec(), vec![b'['; 100_000]].concat();
        assert!(Listing::parse(&deep).is_err());
    }

    fn hop(of_hub: bool, status: u16, headers: &[(&str, &str)]) -> Hop {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Hop {
            head: Head::new(status, headers),
            of_hub,
        }
    }

    #[test]
    fn the_hub_s_headers_take_precedence() {
        let sha256 = "b".repeat(64);
        let linked = format!("\"{sha256}\"");
        let metadata = Metadata::of(
            &[
                hop(
                    true,
                    302,
                    &[
                        ("X-Linked-ETag", linked.as_str()),
                        ("X-Linked-Size", "10"),
                        ("X-Repo-Commit", SHA),
                    ],
                ),
                hop(
                    false,
                    206,
                    &[("ETag", "\"other\""), ("Content-Range", "bytes 0-0/10")],
                ),
            ],
            None,
        )
        .unwrap();
        assert_eq!(metadata.size, 10);
        assert_eq!(metadata.digest, Some(Digest::Sha256(sha256)));
        assert_eq!(metadata.commit.as_ref().map(Commit::as_str), Some(SHA));
        // A hash announced by storage is not the hub's word.
        let storage = hop(
            false,
            200,
            &[("etag", linked.as_str()), ("content-length", "3")],
        );
        assert_eq!(Metadata::of(&[storage], None).unwrap().digest, None);
    }

    #[test]
    fn lengths_and_commits_are_checked() {
        let of = |headers: &[(&str, &str)]| Metadata::of(&[hop(true, 206, headers)], None);
        for range in ["bytes 0-0/-5", "bytes 0-0/*", "bytes", "0-0/5", ""] {
            assert!(of(&[("content-range", range)]).is_err(), "{range}");
        }
        let range = ("content-range", "bytes 0-0/5");
        let without = Metadata::of(&[hop(true, 200, &[])], Some(7));
        assert_eq!(without.unwrap().size, 7);
        assert!(of(&[range, ("x-linked-size", "6")]).is_err());
        assert!(of(&[range, ("x-repo-commit", "../../x")]).is_err());
        assert_eq!(of(&[range, ("x-repo-commit", "")]).unwrap().commit, None);
        assert_eq!(of(&[range, ("etag", "\"../../x\"")]).unwrap().digest, None);
        assert_eq!(content_range("bytes 5-9/10"), Some((5, 10)));
        for wrong in ["bytes 9-5/10", "bytes 5-10/10", "bytes */10", "x"] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }
}
