//! Text that was copied from a session, prompts and outputs with it: the inputs in it.

/// What an input waits behind.
pub(super) const PROMPT: &str = "avec> ";
/// What the further lines of an input wait behind.
pub(super) const CONTINUED: &str = "  ... ";

/// The inputs of a text. One that does not begin with a prompt is one input; of one that does, the
/// lines behind prompts are the inputs, and what the session answered is left out.
pub(super) fn inputs(text: &str) -> Vec<String> {
    let first = text.lines().find(|line| !line.trim().is_empty());
    let begins = first.is_some_and(|line| behind(line, PROMPT).is_some());
    if !begins {
        // A further line that is pasted alone: no line of rhai begins with three points.
        let alone = first.filter(|_| text.lines().count() == 1);
        let line = alone
            .and_then(|line| behind(line, CONTINUED))
            .unwrap_or(text);
        return vec![line.to_owned()];
    }
    let mut inputs: Vec<String> = Vec::new();
    // Whether the line before belongs to an input.
    let mut goes_on = false;
    for line in text.lines() {
        if let Some(input) = behind(line, PROMPT) {
            inputs.push(input.to_owned());
            goes_on = true;
        } else if goes_on
            && let Some(more) = behind(line, CONTINUED)
            && let Some(input) = inputs.last_mut()
        {
            input.push('\n');
            input.push_str(more);
        } else {
            goes_on = false;
        }
    }
    inputs.retain(|input| !input.trim().is_empty());
    inputs
}

/// The rest of a line that begins with a prompt, whose last space may be lost.
fn behind<'l>(line: &'l str, prompt: &str) -> Option<&'l str> {
    let rest = line.trim_start().strip_prefix(prompt.trim())?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_and_answers_are_left_out() {
        assert_eq!(inputs("1 + 1"), ["1 + 1"]);
        assert_eq!(inputs("avec> 1 + 1"), ["1 + 1"]);
        assert_eq!(inputs("  avec> :set top_p 0.5"), [":set top_p 0.5"]);
        assert_eq!(
            inputs("avec> let x = [\n  ... 1,\n  ...     2]\navec> x\n[1, 2]\n  ... no\navec>"),
            ["let x = [\n1,\n    2]", "x"]
        );
        assert_eq!(inputs("  ... 2]"), ["2]"]);
        // A text that only has a prompt in it.
        assert_eq!(inputs("`a\navec> b`"), ["`a\navec> b`"]);
        assert_eq!(inputs("avec>1"), ["avec>1"]);
        assert_eq!(inputs(""), [""]);
        assert!(inputs("avec> ").is_empty());
    }
}
