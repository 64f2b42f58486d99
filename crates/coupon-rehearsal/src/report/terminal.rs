//! The final summary for a terminal: plain text, one fact per line, the verdict last.

use std::fmt::Write as _;

use crate::numbers::{grouped, latency, rate, seconds};
use crate::outcome::Outcome;
use crate::run::Rehearsal;
use crate::summary::{Percentiles, Summary};
use crate::verify::Verdict;

/// The summary, without colours, ending with a line end.
pub fn terminal_summary(rehearsal: &Rehearsal) -> String {
    let mut text = String::new();
    write_numbers(&mut text, rehearsal).expect("writing to a String cannot fail");
    write_latencies(&mut text, &rehearsal.summary).expect("writing to a String cannot fail");
    write_verdict(&mut text, &rehearsal.verdict).expect("writing to a String cannot fail");
    text
}

fn write_numbers(text: &mut String, rehearsal: &Rehearsal) -> std::fmt::Result {
    let (summary, header) = (&rehearsal.summary, &rehearsal.history.header);
    let quantity = header
        .coupon
        .quantity
        .map_or_else(|| "unlimited".to_owned(), grouped);
    writeln!(
        text,
        "coupon {}: {quantity} to issue, at {}",
        header.coupon.id,
        header.servers()
    )?;
    writeln!(
        text,
        "{} users sent {} requests in {}, answered at {}",
        grouped(summary.users),
        grouped(summary.attempts),
        seconds(summary.elapsed_ns),
        rate(summary.answers_per_second)
    )?;
    writeln!(text)?;
    writeln!(
        text,
        "  {:<18} {:>12}",
        "coupons held",
        grouped(rehearsal.verdict.coupons_held)
    )?;
    writeln!(
        text,
        "  {:<18} {:>12}",
        "issued",
        grouped(summary.count(Outcome::Issued))
    )?;
    writeln!(text, "  {:<18} {:>12}", "refused", grouped(summary.refusals()))?;
    write_reasons(text, summary, Outcome::is_refusal)?;
    writeln!(text, "  {:<18} {:>12}", "failed", grouped(summary.failures()))?;
    write_reasons(text, summary, Outcome::is_failure)?;
    if summary.unserved_users > 0 {
        writeln!(
            text,
            "  {:<18} {:>12}",
            "users unserved",
            grouped(summary.unserved_users)
        )?;
    }
    for fault in &rehearsal.history.faults {
        let (struck, over) = (seconds(fault.struck_ns), seconds(fault.over_ns));
        writeln!(text, "  {} at {struck}, ready again at {over}", fault.fault)?;
    }
    match summary.sold_out_ns {
        Some(at_ns) => writeln!(text, "  sold out after {}", seconds(at_ns)),
        None => writeln!(text, "  not sold out"),
    }
}

fn write_reasons(text: &mut String, summary: &Summary, of: impl Fn(Outcome) -> bool) -> std::fmt::Result {
    for outcome in Outcome::ALL
        .into_iter()
        .filter(|outcome| of(*outcome) && summary.count(*outcome) > 0)
    {
        writeln!(
            text,
            "    {:<16} {:>12}",
            outcome.name(),
            grouped(summary.count(outcome))
        )?;
    }
    Ok(())
}

fn write_latencies(text: &mut String, summary: &Summary) -> std::fmt::Result {
    writeln!(text)?;
    writeln!(text, "  latency from the intended send time")?;
    writeln!(
        text,
        "  {:<10} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "p50", "p90", "p99", "p99.9", "max"
    )?;
    for (name, percentiles) in [("issued", &summary.issued), ("refused", &summary.refused)] {
        write_percentiles(text, name, percentiles)?;
    }
    Ok(())
}

fn write_percentiles(text: &mut String, name: &str, percentiles: &Percentiles) -> std::fmt::Result {
    if percentiles.count == 0 {
        return Ok(());
    }
    let Percentiles {
        p50_us,
        p90_us,
        p99_us,
        p999_us,
        max_us,
        ..
    } = percentiles;
    let [p50, p90, p99, p999, max] = [p50_us, p90_us, p99_us, p999_us, max_us].map(|us| latency(*us));
    writeln!(text, "  {name:<10} {p50:>9} {p90:>9} {p99:>9} {p999:>9} {max:>9}")
}

fn write_verdict(text: &mut String, verdict: &Verdict) -> std::fmt::Result {
    writeln!(text)?;
    for check in &verdict.checks {
        let mark = if check.passed() { "ok  " } else { "FAIL" };
        let invariant = check.invariant;
        writeln!(
            text,
            "  {mark} {:<3} {} ({})",
            invariant.number(),
            invariant.english(),
            check.evidence
        )?;
        for finding in check.findings.iter().chain(&check.remarks) {
            writeln!(
                text,
                "         {}: {}",
                finding.kind.name(),
                grouped(finding.count)
            )?;
            for example in &finding.examples {
                writeln!(text, "           {example}")?;
            }
        }
    }
    writeln!(text)?;
    let lost = match verdict.lost_and_counted() {
        0 => String::new(),
        lost => format!(
            " (acknowledged issues that were lost with the ledger's state, counted and named: {})",
            grouped(lost)
        ),
    };
    writeln!(
        text,
        "verdict: {}{lost}",
        if verdict.passed() { "PASS" } else { "FAIL" }
    )
}
