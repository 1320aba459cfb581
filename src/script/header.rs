//! What a script says about itself: its `//!` lines, and its parameters.

use rhai::AST;

use super::locate::param_calls;

/// What a script's first lines say, and what it can be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The `//!` lines, without their signs.
    pub text: String,
    /// In the order in which the script asks for them.
    pub params: Vec<Param>,
}

/// A parameter that a script asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// As `-p` names it.
    pub name: String,
    /// As the script writes it.
    pub default: String,
}

impl Header {
    pub(crate) fn of(ast: &AST) -> Self {
        let text = ast
            .doc()
            .lines()
            .map(|line| line.trim_start_matches("//!").trim())
            .collect::<Vec<_>>()
            .join("\n")
            .trim()
            .to_owned();
        let params = param_calls(ast)
            .calls
            .into_iter()
            .map(|(name, default)| Param { name, default })
            .collect();
        Self { text, params }
    }
}

impl std::fmt::Display for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)?;
        if !self.params.is_empty() {
            f.write_str("\n\nparameters (-p name=value):")?;
            let width = self.params.iter().map(|p| p.name.len()).max().unwrap_or(0);
            for param in &self.params {
                write!(f, "\n  {:<width$}  {}", param.name, param.default)?;
            }
        }
        Ok(())
    }
}
