//! Plain functions of bytes for fuzzers. They pass anything that a stranger could send to the code
//! that reads it, and panic if something unsafe comes through.

use std::path::{Component, Path};

use super::address::Address;
use super::answer::{Listing, Metadata, content_range};
use super::cache::CachedRepository;
use super::rule::{Commit, Digest, FileName, Kind, Repository, Revision};
use super::transport::{Head, Hop};

/// The rule for names: any accepted name stays below the cache's folder, and is one line of plain
/// characters in a URL.
pub fn name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let cache = Path::new("/cache");
    let fixed = Repository::parse(Kind::Model, "org/name").expect("this is one");
    let revision = Revision::parse(text);
    let file = FileName::parse(text);
    for kind in [Kind::Model, Kind::Dataset] {
        if let Some(repository) = Repository::parse(kind, text) {
            stays_below(cache, &cache.join(repository.folder()), 1);
        }
    }
    if let Some(revision) = &revision {
        stays_below(cache, &cache.join("refs").join(revision.as_str()), 2);
        is_url(&fixed.info_path(revision));
        if let Some(file) = &file {
            is_url(&fixed.file_path(revision, file));
        }
    }
    if let Some(file) = &file {
        stays_below(cache, &cache.join(file.as_str()), 1);
        assert!(!text.chars().any(char::is_control));
    }
    let hex = |text: &str, digits: usize| {
        assert!(text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit()));
    };
    if let Some(commit) = Commit::parse(text) {
        hex(commit.as_str(), 40);
    }
    match Digest::parse_etag(text) {
        Some(Digest::Sha256(digest)) => hex(&digest, 64),
        Some(Digest::Git(digest)) => hex(&digest, 40),
        None => {}
    }
}

/// A hub's answer: a status, header lines up to an empty one, and a body. The body is read as the
/// description of a repository, the headers as those of a file and of a redirect.
pub fn hub_answer(data: &[u8]) {
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &b""[..]),
    };
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.trim().parse().ok());
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.to_owned()))
    });
    let head = Head::new(status.unwrap_or(206), headers);
    let hub = Address::parse("https://hub").expect("this is one");
    if let Some(location) = head.get("location")
        && let Ok(next) = hub.redirected(location)
    {
        assert!(next.as_str().starts_with("https://"));
        assert!(next.as_str().starts_with(next.origin()));
        assert!(next.as_str().bytes().all(|b| b.is_ascii_graphic()));
    }
    let _ = head.get("content-range").and_then(content_range);
    let hop = Hop { head, of_hub: true };
    if let Ok(metadata) = Metadata::of(&[hop.clone(), hop], None) {
        for hash in [
            metadata.commit.as_ref().map(Commit::as_str),
            metadata.digest.as_ref().map(Digest::as_str),
        ] {
            assert!(hash.is_none_or(|hash| hash.bytes().all(|b| b.is_ascii_hexdigit())));
        }
    }
    match Listing::parse(body) {
        Ok(listing) => {
            for file in &listing.files {
                name(file.name.as_str().as_bytes());
                stays_below(
                    Path::new("/cache"),
                    &Path::new("/cache").join(file.name.as_str()),
                    1,
                );
            }
        }
        Err(reason) => assert!(!reason.chars().any(char::is_control)),
    }
}

/// A repository's path in the cache, derived from a revision's reference.
pub fn reference(data: &[u8]) {
    let repository = Repository::parse(Kind::Model, "org/name").expect("this is one");
    let cached = CachedRepository::new(Path::new("/nowhere"), &repository);
    if let Some(revision) = std::str::from_utf8(data).ok().and_then(Revision::parse)
        && let Some(commit) = cached.commit(&revision)
    {
        assert_eq!(commit.as_str(), revision.as_str().to_ascii_lowercase());
    }
}

/// Panics unless `path` is at least `depth` parts below `folder`, and no part leads back.
fn stays_below(folder: &Path, path: &Path, depth: usize) {
    let rest = path.strip_prefix(folder).expect("it is below the folder");
    let parts: Vec<Component> = rest.components().collect();
    assert!(parts.len() >= depth, "{}", path.display());
    assert!(
        parts
            .iter()
            .all(|part| matches!(part, Component::Normal(_))),
        "{}",
        path.display()
    );
}

fn is_url(path: &str) {
    let address = Address::parse(&format!("https://hub{path}")).expect("it is a URL");
    assert_eq!(address.origin(), "https://hub");
    assert!(!path.contains("/../") && !path.contains("//"));
}
