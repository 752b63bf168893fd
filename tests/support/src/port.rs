//! A port that stays a test's own while servers come and go on it.

use std::net::Ipv4Addr;
use tokio::net::TcpSocket;

/// A port of this machine. Once a server has let go of one, the system gives it to whoever asks for any, or makes it the
/// near end of somebody's connection, and the server does not come back. A socket that is bound and never listens keeps
/// it from them, and leaves it to a server that asks for this one: std, tokio and Go bind so that it may be shared.
#[derive(Debug)]
pub struct Port {
    _kept_by: TcpSocket,
    number: u16,
}

impl Port {
    /// A free port of 127.0.0.1, kept for as long as this lives.
    pub fn reserve() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        socket.set_reuseaddr(true).expect("a socket takes an option");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("loopback has a free port");
        let number = socket.local_addr().expect("a bound socket has an address").port();
        Self { _kept_by: socket, number }
    }

    /// Its number.
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}
