//! Where in a script things are: the keys of an option map, the names of functions.

use rhai::{AST, ASTNode, Expr, Position, Stmt};

use super::literal::shortened;
use super::script_error::Place;
use super::syntax::{TokenKind, lex};

/// Finds a part of the call at `call`, if it was written there and not kept in a variable.
pub(super) fn find(ast: &AST, call: Position, place: &Place) -> Option<Position> {
    match place {
        Place::Call => Some(call),
        Place::Key(key) => option(ast, call, key, &|key, _| key),
        Place::Value {
            option: name,
            element,
        } => option(ast, call, name, &|_, value| match (value, element) {
            (Expr::Array(items, _), Some(i)) => items
                .get(*i)
                .map_or(value.start_position(), Expr::start_position),
            _ => value.start_position(),
        }),
    }
}

/// What `of` gives for an option of the map that a call was written with.
fn option(
    ast: &AST,
    call: Position,
    name: &str,
    of: &dyn Fn(Position, &Expr) -> Position,
) -> Option<Position> {
    let mut found = None;
    ast.walk(&mut |path: &[ASTNode]| {
        let arguments = match path.last() {
            Some(
                ASTNode::Expr(Expr::FnCall(f, pos) | Expr::MethodCall(f, pos))
                | ASTNode::Stmt(Stmt::FnCall(f, pos)),
            ) if *pos == call => &f.args,
            _ => return true,
        };
        for argument in arguments {
            if let Expr::Map(map, _) = argument {
                for (ident, value) in &map.0 {
                    if ident.name == name {
                        found = Some(of(ident.pos, value));
                        return false;
                    }
                }
            }
        }
        true
    });
    found
}

/// The `param("name", default)` calls of a script.
#[derive(Debug, Default)]
pub(super) struct ParamCalls {
    /// Names and defaults, in order.
    pub calls: Vec<(String, String)>,
    /// Whether some name, or some module's path, is computed, so that there may be more.
    pub computed: bool,
    /// The paths of the modules that it imports, which may ask for others.
    pub imports: Vec<String>,
}

pub(super) fn param_calls(ast: &AST) -> ParamCalls {
    let mut found = ParamCalls::default();
    ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(
                ASTNode::Expr(Expr::FnCall(f, _) | Expr::MethodCall(f, _))
                | ASTNode::Stmt(Stmt::FnCall(f, _)),
            ) if f.name == "param" => {
                let name = f.args.first().and_then(|a| a.get_literal_value(None));
                let default = f.args.get(1).and_then(|a| a.get_literal_value(None));
                match name.and_then(|name| name.into_string().ok()) {
                    Some(name) => {
                        let default =
                            default.map_or("(computed)".into(), |default| shortened(&default));
                        if !found.calls.iter().any(|(known, _)| *known == name) {
                            found.calls.push((name, default));
                        }
                    }
                    None => found.computed = true,
                }
            }
            Some(ASTNode::Stmt(Stmt::Import(import, _))) => {
                let path = import.0.get_literal_value(None);
                match path.and_then(|path| path.into_string().ok()) {
                    Some(path) => found.imports.push(path),
                    None => found.computed = true,
                }
            }
            _ => {}
        }
        true
    });
    found
}

/// How many characters the word or string at a column has; 1 if there is none. Of a number it is the
/// part before the point, unless it has a sign.
pub(super) fn word_length(line: &str, column: usize) -> usize {
    let start = column.saturating_sub(1);
    let rest: String = line.chars().skip(start).collect();
    let tokens = lex(&rest);
    let Some(token) = tokens.first().filter(|token| !token.is_open()) else {
        return 1;
    };
    let own = token.of(&rest);
    match token.kind {
        TokenKind::Number if !own.starts_with('-') => own.find('.').unwrap_or(own.len()),
        TokenKind::Number | TokenKind::String | TokenKind::Identifier | TokenKind::Keyword => {
            own.chars().count()
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_cover_the_token_at_their_column() {
        let line = "fn ü(a_b) { \"a \\\" b\" + -5.5 + 6.5 + `t` } \"open";
        let at =
            |text: &str| line.chars().count() - line[line.find(text).unwrap()..].chars().count();
        for (text, length) in [
            ("fn", 2),
            ("ü", 1),
            ("a_b", 3),
            ("\"a ", 8),
            ("-5", 4),
            ("6.5", 1),
            ("(", 1),
            ("\"open", 1),
        ] {
            assert_eq!(word_length(line, at(text) + 1), length, "{text}");
        }
        assert_eq!(word_length(line, 100), 1);
    }
}
