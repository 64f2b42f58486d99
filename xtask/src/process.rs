//! Runs a program, hands over its lines as they come, and ends it with everything it started when it
//! takes too long.

use std::io::{BufRead as _, BufReader, PipeReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process_group};

/// How long output may stay open after the program itself has ended. Whatever holds it open longer is
/// a process that was left behind.
const LEFT_OVER_AFTER: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// `None` if the time limit ended it.
    pub(crate) status: Option<ExitStatus>,
    /// A process it started outlived it.
    pub(crate) left_over: bool,
    pub(crate) took: Duration,
}

impl Finished {
    pub(crate) fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// For people: how it ended.
    pub(crate) fn ending(&self) -> String {
        match self.status {
            Some(status) => status.to_string(),
            None => "ended by the time limit".to_owned(),
        }
    }
}

enum Event {
    Line(String),
    Exited(std::io::Result<ExitStatus>),
}

/// Runs the command to its end; `on_line` sees standard output and standard error in the order written.
///
/// With a limit the program leads a process group of its own, and on overrun the group is killed.
/// Without one it stays in the caller's group, so that an interrupt from the terminal reaches it.
pub(crate) fn run(
    mut command: Command,
    limit: Option<Duration>,
    mut on_line: impl FnMut(&str),
) -> anyhow::Result<Finished> {
    let started = Instant::now();
    let (reader, writer) = std::io::pipe().context("a pipe for output")?;
    command
        .stdin(std::process::Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    if limit.is_some() {
        command.process_group(0);
    }
    let child = command
        .spawn()
        .with_context(|| format!("starting {:?}", command.get_program()))?;
    // The command keeps its ends of the pipe; while they are open the reader never sees the end.
    drop(command);

    let group = Pid::from_child(&child);
    let events = watch(child, reader);
    let mut end = limit.and_then(|limit| started.checked_add(limit));
    let mut status = None;
    let mut over_time = false;
    let mut left_over = false;
    loop {
        match next(&events, end) {
            Ok(Event::Line(line)) => on_line(&line),
            Ok(Event::Exited(exited)) => {
                status = Some(exited.context("waiting for the program")?);
                end = Instant::now().checked_add(LEFT_OVER_AFTER);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if status.is_some() => {
                left_over = true;
                break;
            }
            Err(RecvTimeoutError::Timeout) => {
                over_time = true;
                // A failure means that it ended meanwhile, which the next event says.
                let _ = kill_process_group(group, Signal::KILL);
                end = None;
            }
        }
    }
    let took = started.elapsed();
    Ok(Finished {
        status: status.filter(|_| !over_time),
        left_over: left_over && !over_time,
        took,
    })
}

/// One thread reads lines, one waits for the exit; the channel closes when both are done.
fn watch(mut child: Child, reader: PipeReader) -> Receiver<Event> {
    let (sender, events) = mpsc::channel();
    let exits = sender.clone();
    thread::spawn(move || read_lines(reader, &sender));
    thread::spawn(move || {
        let status = child.wait();
        // Nobody listens any more only if the caller has given up.
        let _ = exits.send(Event::Exited(status));
    });
    events
}

fn next(events: &Receiver<Event>, end: Option<Instant>) -> Result<Event, RecvTimeoutError> {
    match end {
        Some(end) => events.recv_timeout(end.saturating_duration_since(Instant::now())),
        None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

fn read_lines(reader: PipeReader, sender: &Sender<Event>) {
    let mut reader = BufReader::new(reader);
    let mut bytes = Vec::new();
    while let Ok(count) = reader.read_until(b'\n', &mut bytes) {
        if count == 0 {
            break;
        }
        let line = String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\n', '\r'])
            .to_owned();
        if sender.send(Event::Line(line)).is_err() {
            break;
        }
        bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_of_both_streams_arrive_in_the_order_written() {
        let mut lines = Vec::new();
        let finished = run(shell("echo a; echo b >&2; echo c; exit 3"), None, |line| {
            lines.push(line.to_owned())
        })
        .unwrap();
        assert_eq!(lines, ["a", "b", "c"]);
        assert_eq!(finished.status.unwrap().code(), Some(3));
        assert!(!finished.left_over);
    }

    #[test]
    fn the_time_limit_ends_the_program_and_what_it_started() {
        // The grandchild holds the pipe: had it survived, this would end as left over.
        let finished = run(
            shell("sleep 600 & echo started; wait"),
            Some(Duration::from_millis(200)),
            |_| {},
        )
        .unwrap();
        assert!(finished.status.is_none());
        assert!(finished.took < LEFT_OVER_AFTER, "{:?}", finished.took);
    }

    #[test]
    fn a_process_left_behind_is_noticed() {
        let finished = run(shell("sleep 3 & exit 0"), None, |_| {}).unwrap();
        assert!(finished.left_over);
    }
}
