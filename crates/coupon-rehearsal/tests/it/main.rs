//! The rehearsal must be able to fail: planted faults in histories, dishonest servers on loopback.

#[cfg(test)]
mod child;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod history_file;
mod losses;
#[cfg(test)]
mod pipeline;
#[cfg(test)]
mod planted_faults;
#[cfg(test)]
mod report;
#[cfg(test)]
mod server;
#[cfg(test)]
mod untrue_refusals;
