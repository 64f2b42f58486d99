//! A closed load: every connection asks again as soon as it has its answer. It finds out how much a server can do.

use super::connection::Pool;
use super::request::Salvo;
use super::{Outcome, Tally};
use anyhow::Context as _;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::time::Instant;

/// Sends the whole salvo over so many connections on so many threads.
pub(crate) fn closed(
    address: SocketAddr,
    connections: usize,
    threads: usize,
    salvo: &Salvo,
) -> anyhow::Result<Outcome> {
    let threads = threads.clamp(1, connections);
    let opened = Barrier::new(threads);
    let parts = std::thread::scope(|scope| {
        let share = |thread: usize| connections / threads + usize::from(thread < connections % threads);
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let opened = &opened;
                let share = share(thread);
                scope.spawn(move || run(address, share, salvo, opened))
            })
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, anyhow::Result<_>>| {
            thread.join().ok().context("a thread of the load panicked")?
        };
        running.into_iter().map(join).collect::<anyhow::Result<Vec<_>>>()
    })?;
    let mut all = Tally::new()?;
    let mut begin = None;
    let mut end = None;
    for (tally, began, ended) in &parts {
        all.add(tally)?;
        begin = Some(begin.map_or(*began, |begin: Instant| begin.min(*began)));
        end = Some(end.map_or(*ended, |end: Instant| end.max(*ended)));
    }
    let took = begin.zip(end).map(|(begin, end)| end - begin).unwrap_or_default();
    Ok(all.outcome(took))
}

fn run(
    address: SocketAddr,
    connections: usize,
    salvo: &Salvo,
    opened: &Barrier,
) -> anyhow::Result<(Tally, Instant, Instant)> {
    let pool = Pool::open(address, connections, salvo);
    // Whoever could not open must not keep the others waiting.
    opened.wait();
    let mut pool = pool?;
    let began = Instant::now();
    for index in 0..pool.len() {
        pool.send(index, Instant::now())?;
    }
    let mut answered = Vec::with_capacity(connections);
    while pool.under_way > 0 {
        pool.wait(None, &mut answered)?;
        for index in answered.drain(..) {
            pool.send(index, Instant::now())?;
        }
    }
    Ok((pool.tally, began, Instant::now()))
}
