//! What a command says when it fails: a sentence for people, an object for programs, on standard error.

use crate::client::Refused;
use crate::terminal;
use serde_json::json;

/// Says why it failed; as one line of JSON with `--json`, with the server's own answer if it refused.
pub(crate) fn tell(error: &anyhow::Error, as_json: bool) {
    let said = told(error);
    if !as_json {
        return terminal::complain(&format!("firstcome: {said}"));
    }
    let mut object = json!({ "error": said });
    if let Some(refused) = error.downcast_ref::<Refused>() {
        object["problem"] = refused.problem.clone();
    }
    terminal::complain(&object.to_string());
}

/// The error and what caused it. Errors of several crates repeat their cause in their own text; nothing is said twice.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said.push_str(": ");
            said.push_str(&cause);
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::told;
    use anyhow::{Context as _, anyhow};

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        for (innermost, outer, text) in [
            ("no room", vec!["no room"], "no room"),
            (
                "no room",
                vec!["the disk: no room", "cannot begin"],
                "cannot begin: the disk: no room",
            ),
            (
                "refused",
                vec!["cannot reach it", "cannot start"],
                "cannot start: cannot reach it: refused",
            ),
        ] {
            let mut error = Err::<(), _>(anyhow!(innermost));
            for context in outer {
                error = error.context(context);
            }
            assert_eq!(told(&error.unwrap_err()), text);
        }
    }
}
