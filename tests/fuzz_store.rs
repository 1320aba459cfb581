//! Bounded runs of the store's fuzz targets, over recorded and generated inputs.

use avec::store::fuzz;
use proptest::prelude::*;

/// Names that could lead elsewhere, and their neighbours.
const NAMES: &[&str] = &[
    "main",
    "refs/pr/1",
    "v1.0",
    "org/name",
    "0123456789abcdef0123456789abcdef01234567",
    "W/\"0123456789abcdef0123456789abcdef01234567\"",
    "../../x",
    "/dev/zero",
    "..",
    ".",
    "",
    "a/../b",
    "a//b",
    "a/./b",
    "C:\\x",
    "\\\\server\\x",
    "a\0b",
    "a\nb",
    "%2e%2e/x",
    "a?b#c",
    "a@{1}",
    "~",
    "config.json?x=1#y z",
    "日本/語.json",
    "con",
    "a b",
    " a",
    "a ",
    "a.",
    "-x",
    "models--a--b",
    "x.lock",
    "file:///etc/passwd",
    "//host/x",
    "\u{202e}x",
    "e\u{301}",
];

const ANSWERS: &[&str] = &[
    "200\n\n{\"sha\": \"0123456789abcdef0123456789abcdef01234567\", \"siblings\": [{\"rfilename\": \"a\", \"blobId\": \"0123456789abcdef0123456789abcdef01234567\"}]}",
    "206\netag: \"../../x\"\nx-repo-commit: ../../y\ncontent-range: bytes 0-0/5\n\n",
    "206\nx-linked-etag: \"same\"\nx-linked-size: 6\ncontent-range: bytes 0-0/5\n\n",
    "302\nlocation: //other/x\n\n",
    "302\nlocation: http://hub/x\n\n",
    "302\nlocation:\n\n",
    "302\nlocation: https://a@b/\n\n",
    "200\ncontent-length: 18446744073709551615\n\n",
    "206\ncontent-range: bytes 0-0/18446744073709551616\n\n",
    "206\ncontent-range: bytes 5-1/*\n\n",
    "200\n\n{\"siblings\": [{\"rfilename\": \"../../x\"}, {\"rfilename\": \"/etc/passwd\"}]}",
    "200\n\n{\"siblings\": [{\"rfilename\": \"x\", \"lfs\": {\"sha256\": \"../x\"}}]}",
    "200\n\n{\"siblings\":[[[[[[[[",
    "200\n\n[]",
    "\n\n",
    "",
];

#[test]
fn recorded_names_and_answers() {
    for name in NAMES {
        fuzz::name(name.as_bytes());
        fuzz::reference(name.as_bytes());
    }
    for answer in ANSWERS {
        fuzz::hub_answer(answer.as_bytes());
    }
}

/// A recorded input with some bytes changed and pieces of others inserted.
fn mutated(recorded: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let one = move || prop::sample::select(recorded);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..8);
    (one(), one(), edits).prop_map(|(text, other, edits)| {
        let mut bytes = text.as_bytes().to_vec();
        for (index, byte, what) in edits {
            let at = index.index(bytes.len() + 1);
            match what {
                0 => bytes.insert(at, byte),
                1 => {
                    bytes.splice(at..at, other.bytes());
                }
                2 if at < bytes.len() => bytes[at] = byte,
                _ => bytes.truncate(at.max(1)),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn no_name_leads_out(bytes in mutated(NAMES)) {
        fuzz::name(&bytes);
        fuzz::reference(&bytes);
    }

    #[test]
    fn no_text_leads_out(text in "[a-z./\\\\:~@%?# \u{0}\u{1b}é-]{0,40}") {
        fuzz::name(text.as_bytes());
    }

    #[test]
    fn no_answer_is_believed(bytes in mutated(ANSWERS)) {
        fuzz::hub_answer(&bytes);
    }

    #[test]
    fn no_noise_is_believed(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz::hub_answer(&bytes);
        fuzz::name(&bytes);
    }
}
