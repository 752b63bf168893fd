//! A witness (C2SP tlog-witness): remembers the largest checkpoint of each log that it knows, and
//! signs only what continues it. Somebody else runs one, elsewhere: then nobody can show one
//! history to one reader and another to the next, or cut off what the witness has seen.
//!
//! ```text
//! request   "old " size "\n" | base64 hashes, a line each | "\n" | checkpoint
//! ```
//!
//! In its directory: `witness.key` (a secret), `witness.name`, `lock`, and one checkpoint for each
//! log, named after its origin. A checkpoint is on disk before its signature is let go. What it was
//! told to forget is recorded beside it.

use crate::Error;
use crate::checkpoint::{Checkpoint, decimal};
use crate::note::{KeyKind, Note, NoteError, Signature, SigningKey, VerifierKey};
use crate::project_key::{create_private_dir, read_secret, write_secret};
use crate::proof::{check_consistency, hashes};
use crate::tree::empty_root;
use crate::whole::write_private;
use placet_model::Digest;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

mod forget;

pub use forget::{Forgotten, Memory, REASON_MAX, is_reason};

const HEADER: &str = "placet-witness-key-v1 ";
/// A request is at most this long.
pub const REQUEST_MAX: usize = 128 * 1024;

/// What a log asks a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Size of the checkpoint that the witness has signed last.
    pub old: u64,
    /// That the new tree continues that one.
    pub proof: Vec<Digest>,
    /// The new checkpoint.
    pub note: Note,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof
            .iter()
            .try_for_each(|hash| writeln!(f, "{}", crate::checkpoint::base64(hash)))?;
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for Request {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let no = |what| NoteError::Malformed { what };
        let (head, note) = text.split_once("\n\n").ok_or_else(|| no("it has no empty line"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old = old.ok_or_else(|| no("it begins with `old` and a size"))?;
        Ok(Self { old, proof: hashes(lines)?, note: note.parse()? })
    }
}

/// What a witness says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has signed.
    Cosigned(Signature),
    /// It has signed another size last: ask again from there.
    Conflict {
        /// That size.
        size: u64,
    },
    /// It does not sign.
    Refused {
        /// HTTP status.
        status: u16,
        /// Why.
        what: String,
    },
}

/// A witness with its memory.
#[derive(Debug)]
pub struct Witness {
    dir: PathBuf,
    key: SigningKey,
    logs: BTreeMap<String, VerifierKey>,
    /// Held from comparing with what was signed last to having written what is signed next.
    turn: Mutex<()>,
    _lock: File,
}

impl Witness {
    /// The witness in this directory. With a name it is made when there is none.
    ///
    /// # Errors
    /// [`Error::InUse`] while another process has it, the key file's errors, and
    /// [`Error::KeyFileMissing`] when there is none and no name was given.
    pub fn open(
        dir: &Path,
        name: Option<&str>,
        logs: impl IntoIterator<Item = VerifierKey>,
    ) -> Result<Self, Error> {
        create_private_dir(dir)?;
        let lock = lock(dir)?;
        let (secret, named) = (dir.join("witness.key"), dir.join("witness.name"));
        let io = |source| Error::Io { doing: "reading", path: named.clone(), source };
        if !secret.exists() {
            let name = name.ok_or_else(|| Error::KeyFileMissing { path: secret.clone() })?;
            let mut seed = Zeroizing::new([0; 32]);
            SystemRandom::new().fill(seed.as_mut()).map_err(|_unspecified| Error::Random)?;
            SigningKey::from_seed(name, KeyKind::Witness, &seed)?;
            write_private(&named, format!("{name}\n").as_bytes())?;
            write_secret(&secret, HEADER, &seed)?;
        }
        let known = fs::read_to_string(&named).map_err(io)?;
        let known = known.trim_end();
        if let Some(name) = name.filter(|name| *name != known) {
            let what = "the witness in this directory goes by another name";
            return Err(NoteError::Key { text: name.to_owned(), what }.into());
        }
        let key =
            SigningKey::from_seed(known, KeyKind::Witness, &*read_secret(&secret, HEADER, None)?)?;
        let logs = logs.into_iter().map(|key| (key.name().to_owned(), key)).collect();
        Ok(Self { dir: dir.to_owned(), key, logs, turn: Mutex::default(), _lock: lock })
    }

    /// The key that its signatures are checked with.
    pub const fn verifier(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// Answers a request at this time (seconds since 1970).
    ///
    /// # Errors
    /// When its memory cannot be read or written; then nothing is signed.
    pub fn add(&self, request: &str, now: u64) -> Result<Verdict, Error> {
        let refuse = |status, what: String| Ok(Verdict::Refused { status, what });
        let request: Request = match request.parse() {
            Ok(request) => request,
            Err(error) => return refuse(400, error.to_string()),
        };
        let new: Checkpoint = match request.note.text().parse() {
            Ok(checkpoint) => checkpoint,
            Err(error) => return refuse(400, error.to_string()),
        };
        let Some(key) = self.logs.get(&new.origin) else {
            return refuse(404, format!("the log {} is not known here", new.origin));
        };
        if let Err(error) = request.note.verify(key) {
            return refuse(403, error.to_string());
        }
        if request.old > new.size {
            return refuse(400, "the old size is larger than the new one".to_owned());
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (old, old_root) = match self.last(&new.origin)? {
            Some(last) => (last.size, last.root),
            None => (0, empty_root()),
        };
        if request.old != old || (old == new.size && old > 0 && old_root != new.root) {
            return Ok(Verdict::Conflict { size: old });
        }
        let proven = check_consistency((old, &old_root), (new.size, &new.root), &request.proof);
        if let Err(error) = proven {
            return refuse(422, error.to_string());
        }
        let signature = self.key.sign(request.note.text(), now);
        let mut note = request.note;
        note.add(signature.clone());
        write_private(&self.file(&new.origin), note.to_string().as_bytes())?;
        Ok(Verdict::Cosigned(signature))
    }

    /// The largest checkpoint of a log that it has signed.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn last(&self, origin: &str) -> Result<Option<Checkpoint>, Error> {
        let path = self.file(origin);
        let note = match fs::read_to_string(&path) {
            Ok(text) => text.parse::<Note>()?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Io { doing: "reading", path, source }),
        };
        Ok(Some(note.text().parse()?))
    }

    /// A name that no two origins share: what is no letter, digit, point or hyphen is written in hex.
    fn file(&self, origin: &str) -> PathBuf {
        let mut name = String::new();
        for byte in origin.bytes() {
            if byte.is_ascii_alphanumeric() || b".-".contains(&byte) {
                name.push(char::from(byte));
            } else {
                write!(name, "_{byte:02x}").expect("writing to a string cannot fail");
            }
        }
        self.dir.join(format!("{name}.checkpoint"))
    }
}

fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("lock");
    let mut options = fs::OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).open(&path);
    let io = |source| Error::Io { doing: "locking", path: path.clone(), source };
    let file = file.map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::consistency;
    use crate::tree::{Frontier, leaf_hash, place_of};

    /// A log of tests: its key, and trees of every size.
    struct Log {
        key: SigningKey,
        rows: Vec<Vec<Digest>>,
        roots: Vec<Digest>,
    }

    impl Log {
        fn of(salt: u8) -> Self {
            let key = SigningKey::from_seed("log.example", KeyKind::Log, &[4; 32]).unwrap();
            let mut edge = Frontier::default();
            let (mut rows, mut roots) = (vec![], vec![edge.root()]);
            for n in 0..20u8 {
                rows.push(edge.push(leaf_hash(&[salt, n])));
                roots.push(edge.root());
            }
            Self { key, rows, roots }
        }

        fn ask(&self, old: u64, new: u64) -> Request {
            let mut node = |level, index| {
                let (row, slot) = place_of(level, index);
                Ok::<_, std::convert::Infallible>(self.rows[usize::try_from(row).unwrap()][slot])
            };
            let Ok(proof) = consistency(old, new, &mut node);
            let root = self.roots[usize::try_from(new).unwrap()];
            let text = Checkpoint { origin: "log.example".into(), size: new, root }.to_string();
            Request { old, proof, note: Note::new(text.as_str(), self.key.sign(&text, 0)) }
        }
    }

    fn witness(dir: &Path, log: &Log) -> Witness {
        Witness::open(dir, Some("witness.example/w"), [log.key.verifier().clone()]).unwrap()
    }

    fn status(verdict: &Verdict) -> u16 {
        match verdict {
            Verdict::Cosigned(_) => 200,
            Verdict::Conflict { .. } => 409,
            Verdict::Refused { status, .. } => *status,
        }
    }

    #[test]
    fn a_witness_signs_what_continues_what_it_has_signed_and_remembers_it() {
        let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(0));
        let this = witness(dir.path(), &log);
        let add = |request: &Request| this.add(&request.to_string(), 77).unwrap();
        let Verdict::Cosigned(line) = add(&log.ask(0, 7)) else { panic!("it continues nothing") };
        let mut note = log.ask(0, 7).note;
        note.add(line);
        assert_eq!(note.verify(this.verifier()), Ok(77));
        assert_eq!(add(&log.ask(0, 12)), Verdict::Conflict { size: 7 });
        assert_eq!(status(&add(&log.ask(7, 12))), 200);
        assert_eq!(status(&add(&log.ask(12, 12))), 200, "the same again");
        assert_eq!(add(&log.ask(7, 9)), Verdict::Conflict { size: 12 }, "never back");
        assert!(matches!(Witness::open(dir.path(), None, []), Err(Error::InUse { .. })));
        let key = this.verifier().clone();
        drop(this);
        let again = Witness::open(dir.path(), None, [log.key.verifier().clone()]).unwrap();
        assert_eq!(again.verifier(), &key);
        assert_eq!(again.last("log.example").unwrap().map(|last| last.size), Some(12));
        assert_eq!(status(&again.add(&log.ask(12, 20).to_string(), 78).unwrap()), 200);
    }

    #[test]
    fn a_fork_a_forgery_and_a_stranger_get_no_signature() {
        let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(0));
        let this = witness(dir.path(), &log);
        let add = |request: &str| status(&this.add(request, 77).unwrap());
        assert_eq!(add(&log.ask(0, 7).to_string()), 200);
        let fork = Log::of(1);
        assert_eq!(add(&fork.ask(7, 9).to_string()), 422);
        assert_eq!(add(&fork.ask(7, 7).to_string()), 409);
        let good = log.ask(7, 9).to_string();
        assert_eq!(add(&good.replace("old 7", "old 10")), 400);
        assert_eq!(add(&good.replace("old 7\n", "old 7\nAAAA\n")), 400);
        assert_eq!(add(&good.replace("log.example\n9\n", "log.example\n8\n")), 403);
        assert_eq!(add(&good.replace("log.example\n9\n", "other.example\n9\n")), 404);
        assert_eq!(add("nonsense"), 400);
        assert_eq!(this.last("log.example").unwrap().map(|last| last.size), Some(7));
        assert_eq!(add(&good), 200);
    }

    #[test]
    fn a_log_that_is_forgotten_is_taken_anew_and_the_record_of_it_stays() {
        let (dir, log, other) = (tempfile::tempdir().unwrap(), Log::of(0), Log::of(1));
        let this = witness(dir.path(), &log);
        let add = |request: &Request| this.add(&request.to_string(), 77).unwrap();
        assert_eq!(status(&add(&log.ask(0, 12))), 200);
        assert_eq!(add(&other.ask(0, 9)), Verdict::Conflict { size: 12 });
        assert!(this.forget("log.example", "two\nlines", 80).is_err());
        assert_eq!(this.forget("stranger.example", "why", 80).unwrap(), None);
        assert_eq!(this.last("log.example").unwrap().map(|last| last.size), Some(12));

        let forgotten = this.forget("log.example", "restored on purpose", 80).unwrap().unwrap();
        assert_eq!((forgotten.size, forgotten.root, forgotten.at), (12, log.roots[12], 80));
        assert_eq!(this.last("log.example").unwrap(), None);
        assert_eq!(status(&add(&other.ask(0, 9))), 200, "what it was restored to");
        let again = this.forget("log.example", "and once more", 90).unwrap().unwrap();
        let memory = this.memory().unwrap();
        assert_eq!(memory.len(), 1);
        assert_eq!((&memory[0].last, &memory[0].forgotten), (&None, &vec![forgotten, again]));
    }

    #[test]
    fn forgetting_that_was_cut_short_is_finished_by_asking_again_and_recorded_once() {
        let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(0));
        let this = witness(dir.path(), &log);
        assert_eq!(status(&this.add(&log.ask(0, 7).to_string(), 77).unwrap()), 200);
        let kept = fs::read(this.file("log.example")).unwrap();
        this.forget("log.example", "restored", 80).unwrap().unwrap();
        // as a kill leaves it between the record and the removal
        fs::write(this.file("log.example"), kept).unwrap();
        assert_eq!(this.forget("log.example", "restored", 99).unwrap().unwrap().at, 80);
        assert_eq!(this.last("log.example").unwrap(), None);
        assert_eq!(this.forgotten("log.example").unwrap().len(), 1);
    }

    #[test]
    fn a_changed_record_of_forgetting_is_no_record() {
        let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(0));
        let this = witness(dir.path(), &log);
        assert_eq!(status(&this.add(&log.ask(0, 7).to_string(), 77).unwrap()), 200);
        this.forget("log.example", "restored", 80).unwrap().unwrap();
        let file = this.file("log.example").with_extension("forgotten");
        let whole = fs::read_to_string(&file).unwrap();
        assert!(whole.parse::<Note>().unwrap().text().parse::<Checkpoint>().is_err());
        for (from, to) in [("restored", "repaired"), ("\n7\n", "\n6\n"), ("-v1", "-v2")] {
            fs::write(&file, whole.replacen(from, to, 1)).unwrap();
            assert!(this.forgotten("log.example").is_err(), "{from}");
            assert!(this.memory().is_err(), "{from}");
        }
        fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        assert!(this.forgotten("log.example").is_err(), "half of it");
    }

    #[test]
    fn a_witness_is_made_with_a_name_and_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let none = Witness::open(dir.path(), None, []);
        assert!(matches!(none, Err(Error::KeyFileMissing { .. })));
        assert!(Witness::open(dir.path(), Some("a b"), []).is_err());
        Witness::open(dir.path(), Some("w"), []).unwrap();
        assert!(Witness::open(dir.path(), Some("v"), []).is_err());
    }
}
