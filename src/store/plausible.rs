//! Checks that contents without an announced hash can be what their name says. Otherwise, a hub or
//! mirror that sends no hashes could leave garbage in the cache for good.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::folder::{INDEX, shards};

/// The longest header of a safetensors file, the same limit as its own library's.
const HEADER: u64 = 100_000_000;

/// Fails with a reason if a file of this name can't have these contents.
pub(super) fn check(name: &str, path: &Path) -> Result<(), &'static str> {
    let unreadable = |_| "it can't be read back";
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    if name == INDEX {
        shards(path)
            .map(|_| ())
            .map_err(|_| "it lists no shards of a model")
    } else if name.ends_with(".json") {
        is_json(BufReader::new(file))
            .then_some(())
            .ok_or("it is not JSON")
    } else if name.ends_with(".safetensors") {
        is_safetensors(file, length)
            .then_some(())
            .ok_or("it is not a safetensors file")
    } else if name.ends_with(".txt") {
        let most = crate::files::limit(Path::new(name));
        let mut text = String::new();
        match file.take(most).read_to_string(&mut text) {
            Ok(_) => Ok(()),
            Err(_) => Err("it is not text"),
        }
    } else {
        Ok(())
    }
}

fn is_json(reader: impl Read) -> bool {
    serde_json::from_reader::<_, serde::de::IgnoredAny>(reader).is_ok()
}

/// Whether a file is the length of a header, the header, and as many bytes as it lists.
fn is_safetensors(mut file: File, length: u64) -> bool {
    let mut first = [0; 8];
    if file.read_exact(&mut first).is_err() {
        return false;
    }
    let header = u64::from_le_bytes(first);
    if header > HEADER || header > length - 8 {
        return false;
    }
    let mut text = Vec::new();
    if (&mut file).take(header).read_to_end(&mut text).is_err() {
        return false;
    }
    let Ok(metadata) = serde_json::from_slice::<safetensors::tensor::Metadata>(&text) else {
        return false;
    };
    metadata.data_len() as u64 == length - 8 - header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_recognised_by_its_form() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let checked = |name: &str, contents: &[u8]| {
            std::fs::write(&path, contents).unwrap();
            check(name, &path).is_ok()
        };
        let noise = [0xff, 0xfe, 0x00, 0x9d, 0x33, 0x80, 0xc1, 0x07, 0x55, 0xff];
        for name in ["config.json", "model.safetensors", "merges.txt"] {
            assert!(!checked(name, &noise), "{name}");
        }
        assert!(!checked("model.safetensors", b""));
        assert!(checked("config.json", b"{\"n_layer\": 3}"));
        assert!(!checked("config.json", b"{} {}"));
        assert!(checked("merges.txt", "Ġ a\n".as_bytes()));
        assert!(checked("other.bin", &noise));
        assert!(!checked(INDEX, b"{\"weight_map\": {\"a\": \"../x\"}}"));
        assert!(checked(INDEX, b"{\"weight_map\": {\"a\": \"x\"}}"));
        let tiny = std::fs::read(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/golden/tiny/model.safetensors"
        ))
        .unwrap();
        assert!(checked("model.safetensors", &tiny));
        assert!(!checked("model.safetensors", &tiny[..tiny.len() - 1]));
    }
}
