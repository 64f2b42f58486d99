//! Issued coupons as CSV (RFC 4180), safe to open in a spreadsheet.

use coupon_api::{IssuedCoupon, Time};
use std::fmt::Write;

/// The header line.
pub(crate) const HEAD: &str = "position,id,userId,code,state,issuedAt,expiresAt,redeemedAt,orderId\r\n";

/// Appends a line.
pub(crate) fn push_line(out: &mut String, issued: &IssuedCoupon<'_>) {
    let written = write!(out, "{},{},", issued.position, issued.id.0);
    written.expect("writing to a string cannot fail");
    push_text(out, &issued.user_id);
    for field in [issued.code.as_str(), issued.state.name()] {
        out.push(',');
        out.push_str(field);
    }
    for time in [
        Some(issued.issued_at),
        Some(issued.expires_at),
        issued.redeemed_at,
    ] {
        out.push(',');
        push_time(out, time);
    }
    out.push(',');
    push_text(out, issued.order_id.as_deref().unwrap_or_default());
    out.push_str("\r\n");
}

fn push_time(out: &mut String, time: Option<Time>) {
    if let Some(time) = time {
        write!(out, "{time}").expect("writing to a string cannot fail");
    }
}

/// Appends a text that others chose: always quoted, and with an apostrophe before it if a spreadsheet could take it
/// for a formula (OWASP, "CSV Injection"), also after spaces and in full-width characters.
fn push_text(out: &mut String, text: &str) {
    if text.is_empty() {
        return;
    }
    out.push('"');
    let first = text.trim_start().chars().next();
    let starts_formula = matches!(
        first,
        Some('=' | '+' | '-' | '@' | '|' | '%' | '＝' | '＋' | '－' | '＠')
    );
    if starts_formula || text.starts_with(['\t', '\r', '\n']) {
        out.push('\'');
    }
    for character in text.chars() {
        if character == '"' {
            out.push('"');
        }
        out.push(character);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_starts_a_formula_or_leaves_its_field() {
        for (text, field) in [
            ("user-1", "\"user-1\""),
            ("=1+1", "\"'=1+1\""),
            ("+82", "\"'+82\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            (" =1", "\"' =1\""),
            ("＝1", "\"'＝1\""),
            ("\t=1", "\"'\t=1\""),
            ("a,=1", "\"a,=1\""),
            ("a\",=\"1", "\"a\"\",=\"\"1\""),
            ("a;=1", "\"a;=1\""),
            ("", ""),
        ] {
            let mut out = String::new();
            push_text(&mut out, text);
            assert_eq!(out, field, "{text:?}");
        }
    }
}
