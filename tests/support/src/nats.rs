//! A real `nats-server` with `JetStream`, on a free port, in a temporary directory; killed on drop.
//!
//! The binary is looked for in `PLACET_TEST_NATS_SERVER`, on `PATH`, then where `./tests/run` installs it. A test that
//! finds none says *skipped* by name; in CI (`CI=true`) that is a failure.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::DEADLINE;
use crate::port::Port;
use crate::reap::{Lines, Reaped};

/// The oldest series that has atomic batches.
const OLDEST: (u32, u32) = (2, 12);

/// Whether a server has `JetStream`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Streams {
    On,
    Off,
}

/// A server that runs; its store and port outlive [`NatsServer::kill_9`] and [`NatsServer::restart`].
#[derive(Debug)]
pub struct NatsServer {
    binary: PathBuf,
    dir: tempfile::TempDir,
    port: Port,
    config: Option<PathBuf>,
    streams: Streams,
    process: Option<Reaped>,
}

impl NatsServer {
    /// Starts a server, or says that `test` is skipped and returns `None` when there is no binary.
    pub fn start_or_skip(test: &str) -> Option<Self> {
        let binary = find();
        if binary.is_none() {
            assert!(
                env::var_os("CI").is_none_or(|ci| ci != "true"),
                "{test}: CI must have a nats-server"
            );
            eprintln!("skipped: {test} (no nats-server 2.12 or later; ./tests/run installs one)");
        }
        binary.map(|binary| Self::start(binary, Streams::On))
    }

    /// As [`NatsServer::start_or_skip`], without `JetStream`.
    pub fn start_without_jetstream_or_skip(test: &str) -> Option<Self> {
        let mut server = Self::start_or_skip(test)?;
        server.kill_9();
        server.streams = Streams::Off;
        server.restart();
        Some(server)
    }

    /// Debian's server, which is too old. `./tests/run` unpacks one and names it in `PLACET_TEST_OLD_NATS_SERVER`.
    pub fn start_old_or_skip(test: &str) -> Option<Self> {
        let Some(binary) = env::var_os("PLACET_TEST_OLD_NATS_SERVER").map(PathBuf::from) else {
            assert!(
                env::var_os("CI").is_none_or(|ci| ci != "true"),
                "{test}: CI must have Debian's nats-server"
            );
            eprintln!("skipped: {test} (no nats-server of Debian; ./tests/run unpacks one)");
            return None;
        };
        assert!(!new_enough(&binary), "{} is not old", binary.display());
        Some(Self::start(binary, Streams::On))
    }

    /// As [`NatsServer::start_or_skip`], with further lines of server configuration (accounts, permissions …).
    pub fn start_configured_or_skip(test: &str, config: &str) -> Option<Self> {
        let mut server = Self::start_or_skip(test)?;
        let file = server.dir.path().join("nats.conf");
        std::fs::write(&file, config).expect("a temporary file can be written");
        server.kill_9();
        server.config = Some(file);
        server.restart();
        Some(server)
    }

    /// `nats://127.0.0.1:PORT`, the same for the life of this value.
    pub fn url(&self) -> String {
        format!("nats://{}", self.port.address())
    }

    /// Where it keeps its store.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The port, the same for the life of this value.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// `kill -9`; the store stays.
    pub fn kill_9(&mut self) {
        self.process = None;
    }

    /// Asks the server to stop in good order and waits for it.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal("TERM");
            process.child.wait().expect("a child of ours can be waited for");
        }
    }

    /// Starts it again on the same port and the same store; it must not be running.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "the server still runs");
        self.process = Some(self.launch());
    }

    fn start(binary: PathBuf, streams: Streams) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("placet-nats-")
            .tempdir()
            .expect("a temporary directory");
        let port = Port::reserve();
        let mut server = Self { binary, dir, port, config: None, streams, process: None };
        server.restart();
        server
    }

    fn launch(&self) -> Reaped {
        let asked = self.port.number().to_string();
        let mut command = Command::new(&self.binary);
        command.args(["--addr", "127.0.0.1", "--port", &asked]);
        if self.streams == Streams::On {
            command.args(["--jetstream", "--store_dir"]).arg(self.dir.path().join("store"));
        }
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        ready(command)
    }
}

/// Its own log says when it is ready, so nothing is polled.
fn ready(mut command: Command) -> Reaped {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("nats-server starts");
    let log = Lines::read(child.stderr.take().expect("stderr is piped"));
    let process = Reaped { child };
    let ready = log.wait_for(|line| line.contains("Server is ready"), 0, DEADLINE);
    assert!(ready.is_some(), "nats-server did not get ready\n{}", log.text());
    process
}

fn find() -> Option<PathBuf> {
    if let Some(named) = env::var_os("PLACET_TEST_NATS_SERVER") {
        let named = PathBuf::from(named);
        assert!(
            new_enough(&named),
            "PLACET_TEST_NATS_SERVER is no nats-server 2.12 or later: {}",
            named.display()
        );
        return Some(named);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|folder| folder.join("nats-server"));
    on_path
        .chain([installed_by_tests_run()])
        .find(|candidate| candidate.is_file() && new_enough(candidate))
}

fn installed_by_tests_run() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    root.join(target).join("test-venv/bin/nats-server")
}

/// Debian's 2.9 accepts what it does not know and ignores it, so it must not serve by accident.
fn new_enough(binary: &Path) -> bool {
    let Ok(output) = Command::new(binary).arg("--version").output() else { return false };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.rsplit('v').next().unwrap_or_default();
    let mut parts = version.trim().split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= OLDEST
}
