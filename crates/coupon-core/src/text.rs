//! Texts that name somebody's things: what may stand in them.

/// Why a text may not be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextError {
    Empty,
    TooLong,
    ForbiddenCharacter,
}

/// A name has 1 to `max` bytes and neither control nor bidirectional-control characters.
pub(crate) fn check_text(text: &str, max: usize) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    if text.len() > max {
        return Err(TextError::TooLong);
    }
    // Almost every name is plain ASCII; one pass over bytes then suffices.
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if !plain
        && text
            .chars()
            .any(|c| c.is_control() || is_bidirectional_control(c))
    {
        return Err(TextError::ForbiddenCharacter);
    }
    Ok(())
}

/// The Unicode property `Bidi_Control` (Unicode 16, PropList.txt).
fn is_bidirectional_control(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
