//! `placet` as a process of its own: started, watched line by line, killed or asked to stop.
//!
//! The caller passes the path (`env!("CARGO_BIN_EXE_placet")`), which only the root package's tests know.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::DEADLINE;
use crate::dirs::Project;
use crate::reap::{Lines, Reaped};

/// A command line that is not started yet.
#[derive(Debug)]
pub struct Placet {
    command: Command,
    stdin: Option<String>,
}

/// A process that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Everything it wrote to stdout, lines joined by LF.
    pub stdout: String,
    /// Everything it wrote to stderr, lines joined by LF.
    pub stderr: String,
}

/// A process that runs; killed on drop.
#[derive(Debug)]
pub struct Running {
    process: Reaped,
    stdout: Lines,
    stderr: Lines,
}

impl Placet {
    /// `placet` at this path, in this project's directory, with its key, state and home directories.
    pub fn new(binary: impl AsRef<Path>, project: &Project) -> Self {
        let mut command = Command::new(binary.as_ref());
        command.current_dir(project.dir()).envs(project.env()).env("NO_COLOR", "1");
        Self { command, stdin: None }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives it this text on stdin; without, stdin is empty.
    #[must_use]
    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    /// Starts it and returns at once.
    pub fn start(mut self) -> Running {
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = self
            .command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("placet starts");
        if let Some((text, mut pipe)) = self.stdin.take().zip(child.stdin.take()) {
            // a process that ends without reading its input is the test's business, not an error here
            std::thread::spawn(move || pipe.write_all(text.as_bytes()).ok());
        }
        let stdout = Lines::read(child.stdout.take().expect("stdout is piped"));
        let stderr = Lines::read(child.stderr.take().expect("stderr is piped"));
        Running { process: Reaped { child }, stdout, stderr }
    }

    /// Starts it and waits for its end, at most [`DEADLINE`].
    pub fn run(self) -> Finished {
        self.start().finish()
    }
}

impl Running {
    /// The first stdout line that `wanted` takes; panics with all output when it does not come within [`DEADLINE`].
    pub fn stdout_line(&self, wanted: impl Fn(&str) -> bool) -> String {
        self.line_of(&self.stdout, "stdout", wanted)
    }

    /// The `nth` stdout line, from 1, that `wanted` takes; as [`Running::stdout_line`], which gives the first one
    /// however often it is asked.
    pub fn stdout_line_nth(&self, nth: usize, wanted: impl Fn(&str) -> bool) -> String {
        let taken = std::cell::Cell::new(0);
        self.stdout_line(|line| {
            taken.set(taken.get() + usize::from(wanted(line)));
            taken.get() == nth
        })
    }

    /// The first stderr line that `wanted` takes; panics with all output when it does not come within [`DEADLINE`].
    pub fn stderr_line(&self, wanted: impl Fn(&str) -> bool) -> String {
        self.line_of(&self.stderr, "stderr", wanted)
    }

    /// All stdout lines so far.
    pub fn stdout_lines(&self) -> Vec<String> {
        self.stdout.all()
    }

    /// All stderr lines so far.
    pub fn stderr_lines(&self) -> Vec<String> {
        self.stderr.all()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.child.id()
    }

    /// `kill -9`: no handler runs, nothing is flushed.
    pub fn kill_9(mut self) -> Finished {
        self.process.kill();
        self.finish()
    }

    /// SIGKILL, while others still talk to it; [`Running::kill_9`] then takes it away.
    pub fn strike(&self) {
        self.process.signal("KILL");
    }

    /// SIGCONT: it goes on where it was frozen.
    pub fn thaw(&self) {
        self.process.signal("CONT");
    }

    /// SIGSTOP: it goes no further, whatever arrives for it, until it is thawed or killed.
    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// SIGTERM, without waiting for what comes of it.
    pub fn ask_to_end(&self) {
        self.process.signal("TERM");
    }

    /// SIGTERM, then waits for its end, at most [`DEADLINE`].
    pub fn terminate(self) -> Finished {
        self.process.signal("TERM");
        self.finish()
    }

    /// SIGINT (what Ctrl-C sends), then waits for its end, at most [`DEADLINE`].
    pub fn interrupt(self) -> Finished {
        self.process.signal("INT");
        self.finish()
    }

    /// Waits for its end, at most [`DEADLINE`]; panics with all output when it goes on.
    pub fn finish(self) -> Finished {
        self.finish_within(DEADLINE)
    }

    /// As [`Running::finish`] with another deadline.
    pub fn finish_within(mut self, deadline: Duration) -> Finished {
        // a process has ended when both its streams have: no polling, no handler
        let ended = self.stdout.wait_for_end(deadline) && self.stderr.wait_for_end(deadline);
        assert!(ended, "placet did not end within {deadline:?}\n{}", self.output());
        let status = self.process.child.wait().expect("a child of ours can be waited for");
        Finished { code: status.code(), stdout: self.stdout.text(), stderr: self.stderr.text() }
    }

    fn line_of(&self, lines: &Lines, name: &str, wanted: impl Fn(&str) -> bool) -> String {
        lines
            .wait_for(wanted, 0, DEADLINE)
            .unwrap_or_else(|| panic!("the line did not come on {name}\n{}", self.output()))
    }

    fn output(&self) -> String {
        format!("--- stdout\n{}\n--- stderr\n{}", self.stdout.text(), self.stderr.text())
    }
}

impl Finished {
    /// Panics with all output unless the exit code is this one.
    #[must_use]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "exit code\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// The last line of stdout as JSON; panics when it is none.
    pub fn json(&self) -> serde_json::Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| {
            panic!("stdout does not end in JSON: {error}\n{}\n{}", self.stdout, self.stderr)
        })
    }
}
