//! P20: what ten thousand people cost who watch a coupon of which nothing changes.

use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::server::{Product, pause};
use crate::session::Session;
use anyhow::{Context as _, bail};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// As many as the product takes by its default settings.
const LISTENERS: usize = 10_000;
const QUICK_LISTENERS: usize = 500;
/// Longer than a heartbeat, so that each listener gets one in every round.
const WATCHED: Duration = Duration::from_secs(20);

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let executable = session.product()?;
    let directory = session.directory("p20-")?;
    let product = Product::start(&executable, &directory.path().join("data"))?;
    let coupon = product.admin.create(None)?;
    let count = session.pick(LISTENERS, QUICK_LISTENERS);
    let before = product.usage()?;
    let alone = cores(&product)?;
    let mut listeners = Vec::with_capacity(count);
    for _ in 0..count {
        listeners.push(listen(product.address(), coupon)?);
    }
    let full = product.usage()?;
    let bytes = full.resident_bytes.saturating_sub(before.resident_bytes) as f64 / count as f64;
    session.say(format!("{count} listen, at {bytes:.0} bytes each"));
    let mut at_rest = Vec::new();
    for round in 1..=session.wishes.rounds {
        let used = cores(&product)?;
        session.say(format!(
            "round {round} of {}: {used:.4} of a core",
            session.wishes.rounds
        ));
        for listener in &mut listeners {
            must_have_heard(listener)?;
        }
        at_rest.push(used);
    }
    drop(listeners);
    product.stop()?;
    let mut found = Found::default();
    found.figures.push(Figure {
        name: "server CPU with 10,000 idle listeners, in cores".to_owned(),
        unit: Unit::Ratio,
        better: Better::Less,
        at_least: Goal::new("0.1", 0.1),
        aim: Goal::new("0.03", 0.03),
        values: at_rest,
    });
    found.beside("server CPU without listeners, in cores", Unit::Ratio, vec![alone]);
    found.beside("resident memory per listener", Unit::Bytes, vec![bytes]);
    found.note(format!(
        "{count} listeners of one coupon; every one had a heartbeat in each round of {} s",
        WATCHED.as_secs()
    ));
    Ok(found)
}

/// How much of a core the product uses while nothing is asked.
fn cores(product: &Product) -> anyhow::Result<f64> {
    let (before, began) = (product.usage()?.cpu, Instant::now());
    pause(WATCHED);
    let used = product.usage()?.cpu.saturating_sub(before);
    Ok(used.as_secs_f64() / began.elapsed().as_secs_f64())
}

/// A listener that has seen the first event.
fn listen(address: SocketAddr, coupon: u64) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).context("a listener cannot connect")?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        stream,
        "GET /v1/coupons/{coupon}/events HTTP/1.1\r\nhost: bench\r\n\r\n"
    )?;
    let mut said = Vec::new();
    let mut piece = [0; 4_096];
    while !said.windows(6).any(|window| window == b"data: ") {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            bail!("a listener was sent away: {}", String::from_utf8_lossy(&said));
        }
        said.extend_from_slice(&piece[..count]);
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Reads what has come: something must have, and the stream must go on.
fn must_have_heard(listener: &mut TcpStream) -> anyhow::Result<()> {
    let mut piece = [0; 4_096];
    match listener.read(&mut piece) {
        Ok(0) => bail!("a listener was sent away"),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => bail!("a listener has heard nothing"),
        Err(error) => Err(error).context("a listener was cut off"),
    }
}
