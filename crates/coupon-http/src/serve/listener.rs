//! One listening socket for each loop, all on one port.

use crate::limits::BACKLOG;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Binds so many listeners. With port 0 the first takes a free port and the others share it.
pub(super) fn bind(listen: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    if listen.port() != 0 {
        // A port that can be shared would be shared with another server too, which would then get half of our
        // clients. A socket that does not share finds out.
        socket(listen, false)?;
    }
    let first = socket(listen, true)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..count {
        listeners.push(socket(address, true)?);
    }
    Ok(listeners)
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of an earlier run that linger in TIME_WAIT must not keep the port.
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_another_server_has_is_refused_even_if_it_shares() {
        let listeners = bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let address = listeners[0].local_addr().unwrap();
        assert_eq!(listeners[1].local_addr().unwrap(), address);
        assert_eq!(bind(address, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listeners);
        assert!(bind(address, 2).is_ok());
    }
}
