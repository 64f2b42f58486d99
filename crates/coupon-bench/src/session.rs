//! One run of the bench: what its measures share.

use crate::filesystem::FileSystem;
use crate::host::{HostTook, Watch};
use crate::machine::Machine;
use crate::measure::Id;
use crate::results::{Found, Taken};
use crate::server::product_executable;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::TempDir;

/// What a run was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    /// Which measures.
    pub(crate) measures: Vec<Id>,
    /// Short, for trying.
    pub(crate) quick: bool,
    /// Alternating rounds of each.
    pub(crate) rounds: usize,
    /// Threads of the load.
    pub(crate) threads: usize,
    /// The product, instead of the one beside this program.
    pub(crate) product: Option<PathBuf>,
    /// Where to write.
    pub(crate) scratch: PathBuf,
}

/// A run.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) wishes: Wishes,
    taken_at: String,
    machine: Machine,
    scratch: TempDir,
    product: Option<PathBuf>,
    /// Issues a second of P1, for the measures that refer to it.
    saturation: Option<f64>,
    taken: BTreeMap<Id, Taken>,
    /// Of the measure that is being taken.
    watch: Watch,
}

impl Session {
    /// Looks at the machine.
    pub(crate) fn begin(wishes: Wishes) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&wishes.scratch)
            .with_context(|| format!("cannot make {}", wishes.scratch.display()))?;
        FileSystem::of(&wishes.scratch)?.must_keep()?;
        let scratch = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(&wishes.scratch)?;
        eprintln!("looking at the machine (5 s)");
        let machine = Machine::find(scratch.path())?;
        eprintln!("{}", machine.line());
        let now = jiff::Timestamp::from_microsecond(
            coupon_app::Clock::now(&crate::clock::SystemClock).as_micros(),
        )?;
        Ok(Self {
            wishes,
            taken_at: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            machine,
            scratch,
            product: None,
            saturation: None,
            taken: BTreeMap::new(),
            watch: Watch::begin(),
        })
    }

    /// Takes every measure that was wished for.
    pub(crate) fn run(mut self) -> anyhow::Result<BTreeMap<Id, Taken>> {
        let measures = self.wishes.measures.clone();
        let mut seconds: u64 = measures.iter().map(|id| id.seconds(self.wishes.quick)).sum();
        for (index, id) in measures.iter().enumerate() {
            let own = id.seconds(self.wishes.quick);
            eprintln!(
                "[{} of {}] {id}: {} (about {own} s, {} min for all that is left)",
                index + 1,
                measures.len(),
                id.title(),
                seconds.div_ceil(60)
            );
            seconds -= own;
            self.take(*id)?;
        }
        Ok(self.taken)
    }

    fn take(&mut self, id: Id) -> anyhow::Result<()> {
        if self.taken.contains_key(&id) {
            return Ok(());
        }
        let began = Instant::now();
        self.watch = Watch::begin();
        let found = id.take(self).with_context(|| format!("{id}: {}", id.title()))?;
        self.say(format!("{id} took {:.0} s", began.elapsed().as_secs_f64()));
        // If this was taken for another measure's sake, that one goes on from here.
        let host_took = std::mem::replace(&mut self.watch, Watch::begin()).end();
        self.keep(id, host_took, found);
        Ok(())
    }

    fn keep(&mut self, id: Id, host_took: Option<HostTook>, found: Found) {
        let taken = Taken {
            taken_at: self.taken_at.clone(),
            machine: self.machine.clone(),
            quick: self.wishes.quick,
            host_took,
            found,
        };
        self.taken.insert(id, taken);
    }

    /// A line of progress.
    #[expect(clippy::unused_self, reason = "whoever reports does it in a run")]
    pub(crate) fn say(&self, what: impl AsRef<str>) {
        eprintln!("    {}", what.as_ref());
    }

    /// The full number, or the one for trying.
    pub(crate) fn pick<T>(&self, full: T, quick: T) -> T {
        if self.wishes.quick { quick } else { full }
    }

    /// The product's executable.
    pub(crate) fn product(&mut self) -> anyhow::Result<PathBuf> {
        if let Some(product) = &self.product {
            return Ok(product.clone());
        }
        let product = match &self.wishes.product {
            Some(named) => named.clone(),
            None => product_executable()?,
        };
        self.product = Some(product.clone());
        Ok(product)
    }

    /// The directory of this run.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// A new directory in it.
    pub(crate) fn directory(&self, name: &str) -> anyhow::Result<TempDir> {
        Ok(tempfile::Builder::new()
            .prefix(name)
            .tempdir_in(self.scratch.path())?)
    }

    /// P1 says how much the product can do.
    pub(crate) fn found_saturation(&mut self, rate: f64) {
        self.saturation = Some(rate);
    }

    /// How much the product can do, from P1 of this same run.
    pub(crate) fn saturation(&mut self) -> anyhow::Result<f64> {
        if self.saturation.is_none() {
            self.say("this refers to P1, which comes first");
            self.take(Id::P1)?;
        }
        self.saturation.context("P1 found no rate")
    }
}
