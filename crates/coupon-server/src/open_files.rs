//! How many files, and so connections, this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open besides connections: journal, store, and what the libraries need.
const BESIDES_CONNECTIONS: u64 = 128;

/// Raises the soft limit as far as so many connections need. Many systems start processes with 1,024, which is meant
/// for programs that use `select`; nothing here does.
pub(crate) fn allow_connections(connections: u64) {
    let wanted = connections.saturating_add(BESIDES_CONNECTIONS);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // No limit at all is an absent one.
    let reachable = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if current.is_some_and(|current| current < reachable) {
        let raised = Rlimit {
            current: Some(reachable),
            maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit on open files cannot be raised");
            return;
        }
    }
    if reachable < wanted && current.is_some_and(|current| current < wanted) {
        tracing::warn!(
            connections,
            open_files = reachable,
            "not as many files may be open as there may be connections; raise the hard limit (ulimit -Hn, or \
             LimitNOFILE in systemd) or lower http.max_connections"
        );
    }
}
