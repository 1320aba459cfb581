//! Enums whose values are words, such as "front", "mid" and "back".
//!
//! From one definition, the macro `words!` makes the enum, the list of its words with their docs,
//! and the conversions from and to text. Another word is another line.

/// A word of an enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub text: &'static str,
    /// Its documentation.
    pub doc: &'static str,
}

/// An enum written as one of a few words.
pub trait Words:
    Sized + Copy + std::fmt::Display + std::str::FromStr<Err = crate::error::Error>
{
    /// The noun for a value, such as "pad method".
    const NOUN: &'static str;
    /// All words, in the order of definition.
    const WORDS: &'static [Word];
}

/// The number after a word and a colon, as in "cuda:1"; 0 after the word alone.
pub fn numbered(text: &str, word: &str) -> Option<usize> {
    match text.strip_prefix(word)? {
        "" => Some(0),
        rest => rest.strip_prefix(':')?.parse().ok(),
    }
}

/// Defines an enum of words. A variant with a `(usize)` is written with a number: "cuda:1".
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident: $noun:literal $(, default $default:ident)? {
            $(
                $(#[doc = $doc:literal])+
                $variant:ident $(($number:ty))? = $word:literal,
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(unreachable_pub, reason = "some of these enums are public")]
        pub enum $name {
            $($(#[doc = $doc])+ $variant $(($number))?,)+
        }

        $(
            #[allow(clippy::derivable_impls, reason = "the macro names the default")]
            impl Default for $name {
                fn default() -> Self {
                    Self::$default
                }
            }
        )?

        impl $crate::words::Words for $name {
            const NOUN: &'static str = $noun;
            const WORDS: &'static [$crate::words::Word] = &[
                $(
                    $crate::words::Word { text: $word, doc: concat!($($doc, "\n"),+) },
                    $($crate::words::Word {
                        text: $crate::words::words!(@second $number, $word),
                        doc: "Another one, by its number.\n",
                    },)?
                )+
            ];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $($crate::words::words!(@pattern number, $variant $(($number))?) =>
                        $crate::words::words!(@write f, number, $word $(, $number)?),)+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::error::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $($crate::words::words!(@parse text, $word, $variant $(, $number)?);)+
                Err($crate::error::ErrorKind::UnknownName {
                    what: $noun,
                    name: text.to_owned(),
                    known: <Self as $crate::words::Words>::WORDS
                        .iter()
                        .map(|word| word.text.to_owned())
                        .collect(),
                }
                .into())
            }
        }
    };
    (@second $number:ty, $word:literal) => { concat!($word, ":1") };
    (@pattern $n:ident, $variant:ident) => { Self::$variant };
    (@pattern $n:ident, $variant:ident ($number:ty)) => { Self::$variant($n) };
    (@write $f:ident, $n:ident, $word:literal) => { $f.write_str($word) };
    (@write $f:ident, $n:ident, $word:literal, $number:ty) => {
        write!($f, concat!($word, ":{}"), $n)
    };
    (@parse $text:ident, $word:literal, $variant:ident) => {
        if $text == $word {
            return Ok(Self::$variant);
        }
    };
    (@parse $text:ident, $word:literal, $variant:ident, $number:ty) => {
        if let Some(number) = $crate::words::numbered($text, $word) {
            return Ok(Self::$variant(number));
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    words! {
        /// A place.
        pub enum Place: "place", default Here {
            /// Where one is.
            Here = "here",
            /// Somewhere along the road.
            Mile(usize) = "mile",
        }
    }

    #[test]
    fn words_round_trip() {
        for (text, place, written) in [
            ("here", Place::Here, "here"),
            ("mile", Place::Mile(0), "mile:0"),
            ("mile:7", Place::Mile(7), "mile:7"),
        ] {
            assert_eq!(text.parse::<Place>().unwrap(), place);
            assert_eq!(place.to_string(), written);
        }
        assert_eq!(Place::default(), Place::Here);
    }

    #[test]
    fn unknown_words_list_the_known_ones() {
        for text in ["mile:", "mile:x", "miles"] {
            let error = text.parse::<Place>().unwrap_err();
            assert_eq!(error.message(), format!("there is no place named `{text}`"));
        }
        let error = "Her".parse::<Place>().unwrap_err();
        assert_eq!(error.hints(), ["did you mean `here`?"]);
        let error = "nowhere-at-all".parse::<Place>().unwrap_err();
        assert_eq!(error.hints(), ["known are: here, mile, mile:1"]);
        assert_eq!(Place::WORDS[0].doc.trim(), "Where one is.");
    }
}
