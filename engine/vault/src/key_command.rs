//! A command that keeps the key: an external KMS, without its SDK in here.
//!
//! ```text
//! COMMAND… wrap      stdin: the key, 64 hexadecimal digits and a line end   stdout: the key, wrapped
//! COMMAND… unwrap    stdin: what `wrap` has answered, byte for byte         stdout: the key, 64 digits
//! ```
//!
//! It is started without a shell, ends with status 0 within [`TIME`], and answers with at most
//! [`ANSWER_BYTES_MAX`] bytes. What it says on stderr goes nowhere, because nobody knows what is in it;
//! of its answer nothing is ever logged, and neither are its arguments.

use crate::Error;
use crate::kek::Kek;
use crate::key_file;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// For one answer.
const TIME: Duration = Duration::from_secs(30);
/// Between two looks at whether it has ended.
const LOOK: Duration = Duration::from_millis(5);
/// Bytes of an answer: wrapped keys of the known services have less than a tenth of it.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// The command and how long it may take.
pub struct KeyCommand {
    words: Vec<String>,
    time: Duration,
}

impl fmt::Debug for KeyCommand {
    /// The program alone: somebody may have put a secret into its arguments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyCommand({:?})", self.program())
    }
}

impl KeyCommand {
    /// The program and its arguments; `None` where there is no program.
    pub fn new(words: Vec<String>) -> Option<Self> {
        let is_named = words.first().is_some_and(|program| !program.is_empty());
        is_named.then_some(Self { words, time: TIME })
    }

    /// The same with another time limit, for tests.
    #[must_use]
    pub const fn within(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    pub(crate) fn program(&self) -> &str {
        &self.words[0]
    }

    pub(crate) fn wrap(&self, key: &Kek) -> Result<Zeroizing<Vec<u8>>, Error> {
        let wrapped = self.ask("wrap", key_file::hex_line(key).as_bytes())?;
        if wrapped.is_empty() {
            Err(self.failed("wrap", "has answered nothing"))
        } else {
            Ok(wrapped)
        }
    }

    pub(crate) fn unwrap(&self, wrapped: &[u8]) -> Result<Kek, Error> {
        let answer = self.ask("unwrap", wrapped)?;
        let key = key_file::parse_hex(answer.trim_ascii_end());
        key.map(Kek::new).ok_or_else(|| self.failed("unwrap", "has answered with no key"))
    }

    fn ask(&self, verb: &'static str, question: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut command = Command::new(self.program());
        command.args(&self.words[1..]).arg(verb);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let started = Instant::now();
        let mut child = command.spawn().map_err(|source| Error::KeyCommandStart {
            command: self.program().to_owned(),
            source,
        })?;
        let answer = read_aside(&mut child);
        let asked = child.stdin.take().map(|stdin| write_aside(stdin, question.to_vec()));
        let ended = self.wait(verb, &mut child, started);
        let answer = answer.recv_timeout(self.time.saturating_sub(started.elapsed()));
        drop(asked);
        ended?;
        let answer = answer.map_err(|_late| self.failed(verb, "has left its output open"))?;
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(self.failed(verb, "has answered with more than 16 KiB"));
        }
        Ok(answer)
    }

    fn wait(&self, verb: &'static str, child: &mut Child, started: Instant) -> Result<(), Error> {
        let gone = |_error| self.failed(verb, "cannot be waited for");
        loop {
            match child.try_wait().map_err(gone)? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failed(verb, &format!("has ended with {status}"))),
                None if started.elapsed() > self.time => {
                    drop(child.kill());
                    drop(child.wait());
                    let words = format!("has not answered within {} ms", self.time.as_millis());
                    return Err(self.failed(verb, &words));
                }
                None => std::thread::sleep(LOOK),
            }
        }
    }

    fn failed(&self, verb: &'static str, what: &str) -> Error {
        let command = self.program().to_owned();
        Error::KeyCommand { command, verb, what: what.to_owned() }
    }
}

/// Reads to the end, or to one byte more than is taken.
fn read_aside(child: &mut Child) -> mpsc::Receiver<Zeroizing<Vec<u8>>> {
    let (tell, told) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            // as large as what is read, so that no smaller copy is left behind by growing
            let mut answer = Zeroizing::new(Vec::with_capacity(2 * ANSWER_BYTES_MAX));
            let mut limited = stdout.take(ANSWER_BYTES_MAX as u64 + 1);
            if limited.read_to_end(&mut answer).is_ok() {
                drop(tell.send(answer));
            }
        });
    }
    told
}

/// A command may end without having read what it was asked.
fn write_aside(mut stdin: ChildStdin, question: Vec<u8>) -> std::thread::JoinHandle<()> {
    let question = Zeroizing::new(question);
    std::thread::spawn(move || drop(stdin.write_all(&question)))
}
