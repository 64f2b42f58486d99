//! The scales: measures how fast the service is against what the machine can do at all.
//!
//! Every measure alternates with its baseline in one run, because on a shared or warming machine only ratios taken
//! side by side mean something. docs/PERFORMANCE.md says what each number is; its table is made from the raw results
//! in docs/performance/ by `cargo xtask bench -- render`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people at a terminal"
)]

mod baseline;
mod cli;
mod clock;
mod document;
mod filesystem;
mod headline;
mod host;
mod house;
mod load;
mod machine;
mod measure;
mod number;
mod results;
mod server;
mod session;
mod statistics;
mod sync;
mod table;
mod users;

use anyhow::{Context as _, bail, ensure};
use clap::Parser as _;
use cli::{Cli, Order, Render, Run};
use headline::Language;
use measure::Id;
use results::{Results, Taken};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use session::{Session, Wishes};
use std::collections::BTreeMap;
use std::path::PathBuf;
use table::Standing;

const ROUNDS: u16 = 5;
const QUICK_ROUNDS: u16 = 2;

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.command {
        None => run(cli.run),
        Some(Order::Render(wanted)) => render(&wanted),
        Some(Order::Baseline { listen, answer }) => baseline::serve(listen, &answer),
        Some(Order::Hold { directory, count }) => {
            println!("{}", serde_json::to_string(&measure::hold(&directory, count)?)?);
            Ok(())
        }
    }
}

fn run(wanted: Run) -> anyhow::Result<()> {
    let kept = docs().join("performance");
    if let (true, Some(out)) = (wanted.quick, &wanted.out) {
        ensure!(
            !std::path::absolute(out)?.starts_with(&kept),
            "the numbers of a quick run mean little; they do not belong into {}",
            kept.display()
        );
    }
    allow_many_connections()?;
    let out = match (wanted.out, wanted.quick) {
        (Some(out), _) => out,
        (None, true) => target()?.join("bench").join("quick.json"),
        (None, false) => raw_results(),
    };
    let mut measures = if wanted.only.is_empty() {
        Id::ALL.to_vec()
    } else {
        wanted.only
    };
    measures.sort_unstable();
    measures.dedup();
    let rounds = wanted
        .rounds
        .unwrap_or(if wanted.quick { QUICK_ROUNDS } else { ROUNDS });
    let session = Session::begin(Wishes {
        measures,
        quick: wanted.quick,
        rounds: usize::from(rounds),
        threads: usize::from(wanted.load_threads),
        product: wanted.product,
        scratch: wanted
            .scratch
            .map_or_else(|| Ok(target()?.join("bench")), anyhow::Ok)?,
    })?;
    let taken = session.run()?;
    tell(&taken);
    let mut results = Results::read(&out)?;
    results.measures.extend(taken);
    results.write(&out)?;
    eprintln!("raw results: {}", out.display());
    if out == raw_results() {
        render(&Render {
            check: false,
            from: None,
        })?;
    }
    Ok(())
}

/// Prints what was found.
fn tell(taken: &BTreeMap<Id, Taken>) {
    for (id, taken) in taken {
        for figure in &taken.found.figures {
            let standing = Standing::of(figure).map_or("no number", Standing::text);
            println!(
                "{id:<4} {}: {} (at least {}, aim {}): {standing}",
                figure.name,
                table::spread(&figure.values, figure.unit),
                figure.at_least.text,
                figure.aim.text
            );
        }
        for series in &taken.found.beside {
            println!(
                "       {}: {}",
                series.name,
                table::spread(&series.values, series.unit)
            );
        }
        if let Some(took) = taken.host_took {
            println!("       {}: {}", table::HOST_TOOK, table::host_took(took));
        }
        for table in &taken.found.tables {
            let mut text = format!("{id:<4} {}:\n", table.title);
            table::side_by_side(&mut text, table);
            print!("{text}");
        }
    }
}

fn render(wanted: &Render) -> anyhow::Result<()> {
    let results = Results::read(&wanted.from.clone().unwrap_or_else(raw_results))?;
    let side_by_side = results.measures.get(&Id::P17);
    let strategies = side_by_side.map_or(&[][..], |taken| &taken.found.tables);
    for (name, generated) in [
        ("docs/PERFORMANCE.md", table::render(&results)),
        ("README.md", headline::render(strategies, Language::English)?),
        ("README.ko.md", headline::render(strategies, Language::Korean)?),
    ] {
        let file = server::repository().join(name);
        let document =
            std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let rendered = document::with_generated(&document, generated.trim_end())?;
        if wanted.check {
            if rendered != document {
                bail!("{name} is not what the raw results say; run `cargo xtask bench -- render`");
            }
            println!("{name} is up to date");
            continue;
        }
        std::fs::write(&file, rendered).with_context(|| format!("cannot write {}", file.display()))?;
        println!("{name} is written");
    }
    Ok(())
}

fn docs() -> PathBuf {
    server::repository().join("docs")
}

fn raw_results() -> PathBuf {
    docs().join("performance").join("results.json")
}

/// The target directory that this program was built into.
fn target() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let profile = own.parent().and_then(std::path::Path::parent);
    Ok(profile
        .context("this program is in no target directory")?
        .to_owned())
}

/// As many file descriptors as may be, here and in the servers, which inherit it.
fn allow_many_connections() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("cannot raise the limit of open files")
}
