//! x
use crate::run::Rehearsal;
/// x
pub fn html_report(_r: &Rehearsal) -> String {
    String::new()
}
