//! Which tokens are special, and which of them begin, end and pad texts: what transformers makes of
//! `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` beside a tokenizer.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use super::added::Added;

/// The parsed files beside a tokenizer; empty where one is absent.
#[derive(Default)]
pub(super) struct Companions {
    pub(super) tokenizer_config: Map<String, Value>,
    pub(super) special_tokens_map: Map<String, Value>,
    pub(super) added_tokens: Map<String, Value>,
}

/// What the companions say.
pub(super) struct Special {
    /// Tokens to add after those of `tokenizer.json`, in this order: it decides their ids.
    pub(super) added: Vec<Added>,
    pub(super) bos: Option<Named>,
    pub(super) eos: Option<Named>,
    pub(super) pad: Option<Named>,
    /// None leaves it as the tokenizer has it.
    pub(super) add_prefix_space: Option<bool>,
    /// Special tokens in a text are ordinary characters.
    pub(super) split_special_tokens: bool,
}

/// A token that begins, ends or pads texts.
pub(super) struct Named {
    pub(super) content: String,
    /// No file names it: it is the default of its class of tokenizers.
    pub(super) by_default: bool,
}

/// Why a companion can't be used.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) file: File,
    pub(super) reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    TokenizerConfig,
    SpecialTokensMap,
    AddedTokens,
}

/// The order in which they are added.
const ROLES: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

const ADDITIONAL: &str = "additional_special_tokens";

/// What begins and ends texts, and stands for unknown ones, in GPT-2's classes of tokenizers.
pub(super) const END_OF_TEXT: &str = "<|endoftext|>";

/// Whether a class of tokenizers begins and ends texts with `<|endoftext|>` unless told otherwise.
fn has_end_of_text(class: Option<&str>) -> bool {
    let class = class.map(|class| class.strip_suffix("Fast").unwrap_or(class));
    matches!(
        class,
        None | Some("GPT2Tokenizer" | "GPTNeoXTokenizer" | "CodeGenTokenizer")
    )
}

/// A special token as the files name it: with settings, or as a text only.
#[derive(Clone)]
enum Token {
    Text(String),
    Added(Added),
}

impl Token {
    fn content(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Added(added) => &added.content,
        }
    }
}

impl Special {
    /// `own` are the tokens of `tokenizer.json`, `padding` is the one that its padding names, `class`
    /// the one that `config.json` names.
    pub(super) fn resolve(
        companions: &Companions,
        own: &[(u32, Added)],
        padding: Option<&str>,
        class: Option<&str>,
        is_neox: bool,
    ) -> Result<Self, Fault> {
        let config = &companions.tokenizer_config;
        let class = config
            .get("tokenizer_class")
            .and_then(Value::as_str)
            .or(class);
        let (names, listed) = names(companions, own)?;
        // Roles get their settings from the list that has them; `added_tokens.json` has none.
        let known: HashMap<&str, &Added> = match speaks_for_all(config) {
            true => listed.iter().map(by_content).collect(),
            false => own.iter().map(by_content).collect(),
        };
        let mut found: Vec<(&str, Token, bool)> = Vec::new();
        for role in ROLES {
            let (token, by_default) = match names.get(role) {
                Some(None) => continue,
                Some(Some(token)) => (token.clone(), false),
                None => {
                    let default = match role {
                        "bos_token" | "eos_token" | "unk_token" if has_end_of_text(class) => {
                            END_OF_TEXT
                        }
                        "pad_token" if !class.map_or(is_neox, |c| c.starts_with("GPTNeoX")) => {
                            padding.unwrap_or_default()
                        }
                        _ => continue,
                    };
                    (Token::Text(default.to_owned()), true)
                }
            };
            let token = match known.get(token.content()) {
                Some(added) => Token::Added((*added).clone()),
                None => token,
            };
            if !token.content().is_empty() {
                found.push((role, token, by_default));
            }
        }
        let of_role = |role: &str| {
            let (_, token, by_default) = found.iter().find(|(own, ..)| *own == role)?;
            Some(Named {
                content: token.content().to_owned(),
                by_default: *by_default,
            })
        };
        let (bos, eos, pad) = (
            of_role("bos_token"),
            of_role("eos_token"),
            of_role("pad_token"),
        );
        let others = others(companions)?;
        let special: Vec<Token> = found.into_iter().map(|(_, t, _)| t).chain(others).collect();
        Ok(Self {
            added: to_add(&listed, &special, own),
            bos,
            eos,
            pad,
            add_prefix_space: match config.get("add_prefix_space") {
                None => Some(false),
                Some(value) => value.as_bool(),
            },
            split_special_tokens: config.get("split_special_tokens") == Some(&Value::Bool(true)),
        })
    }
}

fn by_content<T>((_, added): &(T, Added)) -> (&str, &Added) {
    (&added.content, added)
}

/// Whether a `tokenizer_config.json` lists all tokens, so that the older files say nothing.
fn speaks_for_all(config: &Map<String, Value>) -> bool {
    config
        .get("added_tokens_decoder")
        .is_some_and(|tokens| !tokens.is_null())
}

/// Named tokens by role, `None` where a file says that there is none.
type Names = HashMap<String, Option<Token>>;

/// The named tokens, and those that are listed with an id.
///
/// A `tokenizer_config.json` with `added_tokens_decoder` speaks for all; otherwise the older files
/// say more than it.
fn names(
    companions: &Companions,
    own: &[(u32, Added)],
) -> Result<(Names, Vec<(i64, Added)>), Fault> {
    let config = &companions.tokenizer_config;
    let mut names = Names::new();
    for role in ROLES {
        if let Some(value) = config.get(role) {
            names.insert(role.to_owned(), named(File::TokenizerConfig, role, value)?);
        }
    }
    let mut listed: BTreeMap<i64, Added> = BTreeMap::new();
    if let Some(tokens) = config.get("added_tokens_decoder").filter(|v| !v.is_null()) {
        let fault = |reason: &str| Fault {
            file: File::TokenizerConfig,
            reason: format!("added_tokens_decoder {reason}"),
        };
        let tokens = tokens
            .as_object()
            .ok_or_else(|| fault("must be an object of ids and tokens"))?;
        for (id, token) in tokens {
            let id = id
                .trim()
                .parse()
                .map_err(|_| fault("has a key that is no id"))?;
            let added = Added::parse(token).ok_or_else(|| fault("has a value that is no token"))?;
            listed.insert(id, added);
        }
        return Ok((names, listed.into_iter().collect()));
    }
    for role in ROLES {
        if let Some(value) = companions.special_tokens_map.get(role) {
            let token = named(File::SpecialTokensMap, role, value)?;
            names.insert(role.to_owned(), token);
        }
    }
    let special: HashSet<String> = names
        .values()
        .flatten()
        .map(|token| token.content().to_owned())
        .chain(others(companions)?.iter().map(|t| t.content().to_owned()))
        .collect();
    for (content, id) in &companions.added_tokens {
        let id = id.as_i64().ok_or_else(|| Fault {
            file: File::AddedTokens,
            reason: "it isn't a JSON object of tokens and their ids".into(),
        })?;
        let mut added = Added::special(content);
        added.special = special.contains(content);
        listed.insert(id, added);
    }
    for (id, added) in own {
        listed.insert(i64::from(*id), added.clone());
    }
    Ok((names, listed.into_iter().collect()))
}

/// The special tokens without a role.
fn others(companions: &Companions) -> Result<Vec<Token>, Fault> {
    let mut found = Vec::new();
    let mut add = |file, map: &Map<String, Value>, field: &str| {
        let values: Vec<&Value> = match map.get(field) {
            Some(Value::Array(tokens)) => tokens.iter().collect(),
            Some(Value::Object(tokens)) => tokens.values().collect(),
            None | Some(Value::Null) => return Ok(()),
            Some(_) => {
                return Err(Fault {
                    file,
                    reason: format!("{field} must be a list of tokens"),
                });
            }
        };
        for value in values {
            found.extend(named(file, field, value)?);
        }
        Ok(())
    };
    let config = &companions.tokenizer_config;
    add(File::TokenizerConfig, config, ADDITIONAL)?;
    if !speaks_for_all(config) {
        let map = &companions.special_tokens_map;
        add(File::SpecialTokensMap, map, ADDITIONAL)?;
    }
    add(File::TokenizerConfig, config, "extra_special_tokens")?;
    Ok(found)
}

/// A token's name: a text, or an object with the token's settings.
fn named(file: File, field: &str, value: &Value) -> Result<Option<Token>, Fault> {
    let token = match value {
        Value::Null => return Ok(None),
        Value::String(text) => Some(Token::Text(text.clone())),
        Value::Object(_) => Added::parse(value).map(|mut added| {
            added.special |= file == File::SpecialTokensMap;
            Token::Added(added)
        }),
        _ => None,
    };
    token.map(Some).ok_or_else(|| Fault {
        file,
        reason: format!("{field} must be a token: a text, or an object with its content"),
    })
}

/// Those listed with an id in the order of the ids, then those that are only named. A special token
/// with settings of its own has these, whatever was listed before.
fn to_add(listed: &[(i64, Added)], special: &[Token], own: &[(u32, Added)]) -> Vec<Added> {
    let special_texts: HashSet<&str> = special.iter().map(Token::content).collect();
    let mut result: Vec<Added> = listed.iter().map(|(_, added)| added.clone()).collect();
    for added in &mut result {
        added.special |= special_texts.contains(added.content.as_str());
    }
    let own = own.iter().map(|(_, added)| added);
    let known = listed.iter().map(|(_, added)| added);
    let texts: HashSet<&str> = own
        .chain(known)
        .map(|added| added.content.as_str())
        .collect();
    let mut seen: HashSet<&str> = HashSet::new();
    for token in special {
        let content = token.content();
        if content.is_empty() || !seen.insert(content) {
            continue;
        }
        match token {
            Token::Text(_) if texts.contains(content) => {}
            Token::Text(_) => result.push(Added::special(content)),
            Token::Added(added) => {
                let is_listed = texts.contains(content)
                    && listed
                        .iter()
                        .any(|(_, listed)| listed.build() == added.build());
                if !is_listed {
                    result.push(Added {
                        special: true,
                        ..added.clone()
                    });
                }
            }
        }
    }
    result
}
