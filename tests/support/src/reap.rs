//! A child process that is killed when dropped, and its output as lines that can be waited for.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Lines of one output stream, filled by a reader thread as they come.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    shared: Arc<(Mutex<Captured>, Condvar)>,
}

#[derive(Debug, Default)]
struct Captured {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    pub(crate) fn read(stream: impl Read + Send + 'static) -> Self {
        let shared = Arc::new((Mutex::default(), Condvar::new()));
        let lines = Self { shared };
        let filled = lines.clone();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                filled.change(|captured| captured.lines.push(text));
                line.clear();
            }
            filled.change(|captured| captured.ended = true);
        });
        lines
    }

    /// The first line, from `from` on, that `wanted` takes; `None` when the stream ended or time is up without it.
    pub(crate) fn wait_for(
        &self,
        wanted: impl Fn(&str) -> bool,
        from: usize,
        deadline: Duration,
    ) -> Option<String> {
        let until = Instant::now() + deadline;
        let mut captured = self.lock();
        let mut next = from;
        loop {
            while let Some(line) = captured.lines.get(next) {
                if wanted(line) {
                    return Some(line.clone());
                }
                next += 1;
            }
            let left = until.saturating_duration_since(Instant::now());
            if captured.ended || left.is_zero() {
                return None;
            }
            captured = self.shared.1.wait_timeout(captured, left).expect("no reader panics").0;
        }
    }

    /// Waits until the stream is at its end; false when time is up first.
    pub(crate) fn wait_for_end(&self, deadline: Duration) -> bool {
        let (ended, _) = self
            .shared
            .1
            .wait_timeout_while(self.lock(), deadline, |captured| !captured.ended)
            .expect("no reader panics");
        ended.ended
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    pub(crate) fn text(&self) -> String {
        self.lock().lines.join("\n")
    }

    fn change(&self, act: impl FnOnce(&mut Captured)) {
        act(&mut self.lock());
        self.shared.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Captured> {
        self.shared.0.lock().expect("no reader panics")
    }
}

/// Kills its process on drop, so that a failing test leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Reaped {
    pub(crate) child: Child,
}

impl Reaped {
    /// SIGKILL, then waits for the process to be gone. Harmless when it has already ended.
    pub(crate) fn kill(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().expect("a child of ours can be waited for");
        }
    }

    /// Sends a named signal through the shell's own `kill`: std has none, and this workspace has no unsafe code.
    pub(crate) fn signal(&self, name: &str) {
        let sent = std::process::Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &self.child.id().to_string()])
            .status()
            .expect("sh is there");
        assert!(sent.success(), "signal {name} could not be sent");
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        self.kill();
    }
}
