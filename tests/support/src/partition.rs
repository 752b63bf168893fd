//! A way to a server that breaks as networks do: it swallows everything, or it is cut. No rights are needed,
//! since it is only a listener that passes bytes on.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Between two looks of a pump at whether its connection still stands.
const LOOK: Duration = Duration::from_millis(50);

/// A way; it passes bytes on until it is told otherwise.
#[derive(Debug)]
pub struct Way {
    address: SocketAddr,
    shared: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    open: bool,
    /// Raised by each partition and each cut: what was connected before never passes anything again.
    generation: u64,
    /// Connections that were passed on.
    passed: u64,
    ended: bool,
    held: Vec<TcpStream>,
}

impl Way {
    /// A free port that leads to this port of the same machine.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a port");
        let address = listener.local_addr().expect("a bound socket");
        let state = State { open: true, generation: 0, passed: 0, ended: false, held: Vec::new() };
        let shared = Arc::new(Mutex::new(state));
        let way = Self { address, shared: Arc::clone(&shared) };
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let Ok(connection) = connection else { return };
                if lock(&shared).ended {
                    return;
                }
                accept(&shared, &connection, port);
            }
        });
        way
    }

    /// `nats://127.0.0.1:PORT`.
    pub fn nats_url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// From now on everything is taken and nothing comes out, also on connections that stand; nobody is told.
    pub fn partition(&self) {
        self.change(|state| {
            state.open = false;
            state.generation += 1;
        });
    }

    /// New connections are passed on again. What was connected before or during the partition stays dead, as behind a
    /// router that has forgotten it.
    pub fn heal(&self) {
        self.change(|state| state.open = true);
    }

    /// As [`Way::heal`], and whoever is connected is told so by the end of their connection.
    pub fn cut(&self) {
        self.change(|state| {
            state.open = true;
            state.generation += 1;
            for connection in state.held.drain(..) {
                // it may be gone already
                drop(connection.shutdown(Shutdown::Both));
            }
        });
    }

    /// Connections that were passed on so far.
    pub fn passed(&self) -> u64 {
        lock(&self.shared).passed
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.shared));
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.cut();
        self.change(|state| state.ended = true);
        // wakes the listener, which then ends
        drop(TcpStream::connect(self.address));
    }
}

fn lock(shared: &Arc<Mutex<State>>) -> MutexGuard<'_, State> {
    shared.lock().expect("no pump panics with the state")
}

fn accept(shared: &Arc<Mutex<State>>, near: &TcpStream, port: u16) {
    let generation = {
        let mut state = lock(shared);
        let near = near.try_clone().expect("a socket can be shared");
        state.held.push(near);
        if !state.open {
            return;
        }
        state.passed += 1;
        state.generation
    };
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        drop(near.shutdown(Shutdown::Both));
        return;
    };
    for (from, to) in [(near, &far), (&far, near)] {
        let from = from.try_clone().expect("a socket can be shared");
        let to = to.try_clone().expect("a socket can be shared");
        let far = far.try_clone().expect("a socket can be shared");
        let shared = Arc::clone(shared);
        std::thread::spawn(move || pump(&shared, (from, to), (far, generation)));
    }
}

/// Passes on while this is the generation of its connection. After a partition the near end stays open and silent, and the
/// far end is let go: the server must not hold on to a client that will never speak again.
fn pump(
    shared: &Arc<Mutex<State>>,
    (mut from, mut to): (TcpStream, TcpStream),
    (far, generation): (TcpStream, u64),
) {
    from.set_read_timeout(Some(LOOK)).expect("a socket takes a timeout");
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes);
        if lock(shared).generation != generation {
            drop(far.shutdown(Shutdown::Both));
            return;
        }
        let goes_on = match read {
            Ok(0) => false,
            Ok(count) => to.write_all(&bytes[..count]).is_ok(),
            Err(error) => is_pause(&error),
        };
        if !goes_on {
            drop(from.shutdown(Shutdown::Both));
            drop(to.shutdown(Shutdown::Both));
            return;
        }
    }
}

fn is_pause(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
