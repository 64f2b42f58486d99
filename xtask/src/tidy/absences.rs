//! What a room must not know, where no arrow between crates can say it.

use super::source::{File, has_word};
use super::{Findings, Look, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "core-is-pure",
        look: Look::AtEach(core_is_pure),
    },
    Rule {
        name: "environment",
        look: Look::AtEach(environment),
    },
    Rule {
        name: "status-codes",
        look: Look::AtEach(status_codes),
    },
    Rule {
        name: "syncs",
        look: Look::AtEach(syncs),
    },
    Rule {
        name: "witness",
        look: Look::AtEach(witness),
    },
];

/// Clocks. Time comes into the core as an argument.
const CLOCKS: &[&str] = &["SystemTime", "Instant"];
/// Modules of the standard library through which the world comes in.
const WORLD: &[&str] = &["env", "fs", "io", "net", "process", "thread"];

/// Reads the environment: the fuse box. The benches and the tools are no part of the product.
const READS_ENVIRONMENT: &[&str] = &["coupon-server", "coupon-bench", "coupon-testkit", "xtask"];
/// Speaks HTTP in terms of status codes: the front hall, those who are clients of it, and who asks the shop's servers.
const KNOWS_STATUS_CODES: &[&str] = &["coupon-http", "coupon-bench", "coupon-rehearsal", "notify"];
/// What makes bytes durable, by every name it has.
const SYNCS: &[&str] = &["sync_all", "sync_data", "fdatasync", "fsync"];
/// The functions of the core that judge.
const DECIDES: &[&str] = &["decide", "decide_command"];

fn core_is_pure(file: &File, findings: &mut Findings) {
    if file.krate() != Some("coupon-core") {
        return;
    }
    for (number, line) in file.product_lines() {
        let code = &line.code;
        if has_word(code, "async") {
            findings.error(file, number, "the core waits for nothing: no `async`");
        }
        if let Some(clock) = CLOCKS.iter().find(|clock| has_word(code, clock)) {
            findings.error(
                file,
                number,
                format!("the core has no clock: `{clock}` comes in as an argument"),
            );
        }
        if let Some(module) = WORLD.iter().find(|module| uses_std(code, module)) {
            findings.error(
                file,
                number,
                format!("the core touches no world: `std::{module}`"),
            );
        }
    }
}

/// `std::fs` or `use std::{collections, fs}` written on one line, as rustfmt does for short ones.
fn uses_std(code: &str, module: &str) -> bool {
    let direct = format!("std::{module}");
    let grouped = code.split_once("std::{").is_some_and(|(_, group)| {
        let group = group.split('}').next().unwrap_or(group);
        group
            .split(',')
            .any(|name| name.trim().split("::").next() == Some(module))
    });
    grouped || has_word(code, &direct)
}

fn environment(file: &File, findings: &mut Findings) {
    if !file.is_rust()
        || file
            .krate()
            .is_some_and(|krate| READS_ENVIRONMENT.contains(&krate))
    {
        return;
    }
    for (number, line) in file.product_lines() {
        if ["env::var", "env::vars", "env::var_os", "env::vars_os"]
            .iter()
            .any(|name| has_word(&line.code, name))
        {
            findings.error(
                file,
                number,
                "only coupon-server reads the environment; take it as configuration",
            );
        }
    }
}

fn status_codes(file: &File, findings: &mut Findings) {
    // Commands that ask a running server are clients of it as well.
    let asks = file.krate() == Some("coupon-server")
        && file.names().any(|name| matches!(name, "client" | "commands"));
    if asks
        || file
            .krate()
            .is_some_and(|krate| KNOWS_STATUS_CODES.contains(&krate))
    {
        return;
    }
    for (number, line) in file.product_lines() {
        if has_word(&line.code, "StatusCode") {
            findings.error(
                file,
                number,
                "only coupon-http knows status codes; answer with an outcome",
            );
        }
    }
}

fn syncs(file: &File, findings: &mut Findings) {
    let in_disk = file.krate() == Some("ledger-journal") && file.names().any(|name| name == "disk");
    // The bench measures the bare sync that everything else is compared with.
    if in_disk || file.krate() == Some("coupon-bench") {
        return;
    }
    for (number, line) in file.product_lines() {
        if let Some(call) = SYNCS.iter().find(|call| has_word(&line.code, call)) {
            findings.error(
                file,
                number,
                format!("`{call}`: only the `disk` module of ledger-journal syncs"),
            );
        }
    }
}

fn witness(file: &File, findings: &mut Findings) {
    if file.krate() != Some("coupon-rehearsal") {
        return;
    }
    for (number, line) in file.product_lines() {
        if let Some(name) = DECIDES.iter().find(|name| has_word(&line.code, name)) {
            findings.error(
                file,
                number,
                format!("a witness does not share the code it judges: no `{name}`"),
            );
        }
    }
}
