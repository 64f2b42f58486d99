//! Free ports on the loopback.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::ServerError;
use crate::limits::PORTS;

/// Where this process looks next.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port of 127.0.0.1 on which nobody listens, and which this process has not handed out before.
///
/// It is not reserved: another process may take it. Test processes begin their search at different places,
/// so that this is rare.
///
/// # Errors
///
/// [`ServerError::Absent`] if every port of the range is taken.
pub fn free_port() -> Result<u16, ServerError> {
    let count = u32::from(PORTS.end - PORTS.start);
    // Neighbouring process ids begin far apart.
    let first = std::process::id().wrapping_mul(2_654_435_761) % count;
    for _ in 0..count {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let offset = (first + step % count) % count;
        let port = PORTS.start + u16::try_from(offset).expect("the range of ports is shorter than 65,536");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(ServerError::Absent {
        component: "free port",
        reason: format!("all ports from {} to {} are taken", PORTS.start, PORTS.end),
    })
}
