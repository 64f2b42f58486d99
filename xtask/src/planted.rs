//! `cargo xtask planted`: proves that the tests can fail. Each patch in `planted/` brings back one bug; it is
//! applied to a scratch copy, and the tests that its header names must then fail.

mod bed;
mod plant;
mod trial;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::checkout::Checkout;
use crate::terminal::{Report, Terminal, counted, seconds};

use self::bed::Bed;
use self::plant::Plant;
use self::trial::{Baseline, Limits, Verdict};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Try these alone: names of patches, without `.patch`.
    names: Vec<String>,
    /// Say what is planted, and try nothing.
    #[arg(long)]
    list: bool,
    /// Only see whether every patch still applies.
    #[arg(long, conflicts_with = "list")]
    check: bool,
    /// How many to try at a time, each in a copy and a build directory of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,
    /// After so many seconds a run of tests counts as hanging.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    limit: u64,
    /// Print one JSON document; progress goes to standard error.
    #[arg(long)]
    json: bool,
}

/// One plant with what came of it.
struct Tried<'a> {
    plant: &'a Plant,
    verdict: Verdict,
    took: Duration,
}

pub(crate) fn run(checkout: &Checkout, options: &Options) -> anyhow::Result<bool> {
    if options.check {
        return Ok(check(checkout)?.tell(&Terminal::stdout()));
    }
    let plants = chosen(checkout, &options.names)?;
    if options.list {
        list(&plants, options.json);
        return Ok(true);
    }
    let terminal = Terminal::beside_json(options.json);
    if plants.is_empty() {
        bail!("nothing is planted in {}", directory(checkout).display());
    }
    let limits = Limits::tests(Duration::from_secs(options.limit));
    let tried = try_all(checkout, &plants, usize::from(options.jobs), limits, &terminal)?;
    table(&tried, &terminal);
    if options.json {
        let document: Vec<serde_json::Value> = tried.iter().map(Tried::document).collect();
        Terminal::document(&json!(document));
    }
    Ok(tried
        .iter()
        .all(|tried| matches!(tried.verdict, Verdict::Caught { .. })))
}

/// Whether every patch has a header that can be read and applies to the files as they are.
pub(crate) fn check(checkout: &Checkout) -> anyhow::Result<Report> {
    let paths = patches(checkout)?;
    let mut report = Report {
        looked_at: counted(paths.len(), "planted bug"),
        ..Report::default()
    };
    for path in paths {
        match Plant::read(&path) {
            Ok(plant) => report.errors.extend(plant.does_not_apply(checkout)?),
            Err(error) => report.errors.push(format!("{error:#}")),
        }
    }
    Ok(report)
}

fn directory(checkout: &Checkout) -> PathBuf {
    checkout.root().join("planted")
}

/// The patches, by name. Nothing planted is not an error.
fn patches(checkout: &Checkout) -> anyhow::Result<Vec<PathBuf>> {
    let directory = directory(checkout);
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn chosen(checkout: &Checkout, names: &[String]) -> anyhow::Result<Vec<Plant>> {
    let plants: Vec<Plant> = patches(checkout)?
        .iter()
        .map(|path| Plant::read(path))
        .collect::<anyhow::Result<_>>()?;
    if let Some(unknown) = names
        .iter()
        .find(|name| plants.iter().all(|plant| plant.name != **name))
    {
        bail!("no planted/{unknown}.patch");
    }
    Ok(plants
        .into_iter()
        .filter(|plant| names.is_empty() || names.contains(&plant.name))
        .collect())
}

/// First the tests are seen green without any bug, then the lanes share the plants.
fn try_all<'a>(
    checkout: &Checkout,
    plants: &'a [Plant],
    jobs: usize,
    limits: Limits,
    terminal: &Terminal,
) -> anyhow::Result<Vec<Tried<'a>>> {
    let lanes = jobs.clamp(1, plants.len());
    let beds: Vec<Bed> = (0..lanes)
        .map(|lane| Bed::prepare(checkout, lane))
        .collect::<anyhow::Result<_>>()?;
    let baselines = baselines(&beds[0], plants, limits, terminal)?;

    let waiting = Mutex::new(plants.iter());
    let tried = Mutex::new(Vec::new());
    let lane = |bed: &Bed| -> anyhow::Result<()> {
        loop {
            let next = waiting
                .lock()
                .map_err(|_| anyhow::anyhow!("another lane failed"))?
                .next();
            let Some(plant) = next else { return Ok(()) };
            let (verdict, took) = trial::run(bed, plant, &baselines, limits)?;
            terminal.say(format_args!(
                "{:<40} {} ({})",
                plant.name,
                verdict.text(),
                seconds(took)
            ));
            let mut tried = tried.lock().map_err(|_| anyhow::anyhow!("another lane failed"))?;
            tried.push(Tried { plant, verdict, took });
        }
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = beds.iter().map(|bed| scope.spawn(|| lane(bed))).collect();
        running
            .into_iter()
            .map(|lane| lane.join().unwrap_or_else(|_| bail!("a lane panicked")))
            .collect::<anyhow::Result<Vec<()>>>()
    })?;
    let mut tried = tried
        .into_inner()
        .map_err(|_| anyhow::anyhow!("a lane panicked"))?;
    tried.sort_by(|a, b| a.plant.name.cmp(&b.plant.name));
    Ok(tried)
}

/// Each distinct run of tests, once, without a bug: how long it takes, or why it cannot witness.
fn baselines(
    bed: &Bed,
    plants: &[Plant],
    limits: Limits,
    terminal: &Terminal,
) -> anyhow::Result<BTreeMap<Vec<String>, Baseline>> {
    let mut baselines = BTreeMap::new();
    for arguments in plants.iter().flat_map(|plant| &plant.caught_by) {
        if baselines.contains_key(arguments) {
            continue;
        }
        let baseline = trial::baseline(bed, arguments, limits)?;
        terminal.say(format_args!(
            "without a bug: {}: {}",
            arguments.join(" "),
            baseline.text()
        ));
        baselines.insert(arguments.clone(), baseline);
    }
    Ok(baselines)
}

fn list(plants: &[Plant], json: bool) {
    if json {
        let document: Vec<serde_json::Value> = plants.iter().map(Plant::document).collect();
        return Terminal::document(&json!(document));
    }
    let terminal = Terminal::stdout();
    for plant in plants {
        terminal.say(format_args!(
            "{:<40} {:<6} {}",
            plant.name,
            plant.invariant(),
            plant.bug
        ));
    }
    terminal.say(counted(plants.len(), "planted bug"));
}

fn table(tried: &[Tried<'_>], terminal: &Terminal) {
    let width = tried
        .iter()
        .map(|tried| tried.plant.name.len())
        .max()
        .unwrap_or(0)
        .max("planted bug".len());
    terminal.say(format_args!(
        "\n{:<width$}  {:>9}  caught by",
        "planted bug", "seconds"
    ));
    for Tried { plant, verdict, took } in tried {
        terminal.say(format_args!(
            "{:<width$}  {:>9.1}  {}",
            plant.name,
            took.as_secs_f64(),
            verdict.text()
        ));
    }
    let caught = tried
        .iter()
        .filter(|tried| matches!(tried.verdict, Verdict::Caught { .. }))
        .count();
    terminal.say(format_args!("\n{caught} of {} caught", tried.len()));
}

impl Tried<'_> {
    fn document(&self) -> serde_json::Value {
        let mut document = self.plant.document();
        document["seconds"] = json!(self.took.as_secs_f64());
        document["verdict"] = json!(self.verdict.name());
        document["by"] = json!(self.verdict.by());
        document["text"] = json!(self.verdict.text());
        document
    }
}

#[cfg(test)]
mod tests;
