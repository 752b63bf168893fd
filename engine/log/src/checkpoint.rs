//! Checkpoints (C2SP tlog-checkpoint): the head of the tree as a text that gets signed.
//!
//! ```text
//! origin "\n" size "\n" base64(root) "\n" [extension lines]
//! ```
//!
//! The origin names the log for life: `placet/<16 hex digits of its install id>/<project>`. Both
//! parts were written once, when the log was made, so nothing can change it; neither can hold a
//! space or a plus. The log's key goes by the same name.

use crate::note::{Note, NoteError, VerifierKey};
use crate::{Error, ReadView, SignedHead};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_model::{Digest, Event, Revision, StreamId};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The head of a tree, as it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Digest,
}

/// The origin of the log with this install id.
pub(crate) fn origin(install_id: [u8; 16], project: &str) -> String {
    let prefix = u128::from_be_bytes(install_id) >> 64;
    format!("placet/{prefix:016x}/{project}")
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }
}

impl FromStr for Checkpoint {
    type Err = NoteError;

    /// Reads the text of a note; lines after the third are extensions and are left alone.
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let no = |what| NoteError::Malformed { what };
        let mut lines = text.lines();
        let origin = lines.next().filter(|line| !line.is_empty());
        let origin = origin.ok_or_else(|| no("a checkpoint begins with its origin"))?.to_owned();
        let size = lines.next().and_then(decimal);
        let size = size.ok_or_else(|| no("a checkpoint's second line is its size"))?;
        let root = lines.next().and_then(digest);
        let root = root.ok_or_else(|| no("a checkpoint's third line is its root in base64"))?;
        if lines.any(str::is_empty) {
            return Err(no("a checkpoint has no empty lines"));
        }
        Ok(Self { origin, size, root })
    }
}

/// A decimal without leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    (plain && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok()).flatten()
}

/// A hash in base64.
pub(crate) fn digest(text: &str) -> Option<Digest> {
    let bytes = STANDARD.decode(text).ok()?;
    bytes.try_into().ok().map(Digest::from_bytes)
}

/// A hash as base64.
pub(crate) fn base64(digest: &Digest) -> String {
    STANDARD.encode(digest.as_bytes())
}

/// The checkpoint that the log recorded last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The note, with the lines of the witnesses that were recorded for it.
    pub note: Note,
    /// The head that it signs.
    pub head: SignedHead,
    /// Events after it that are no checkpoints and no cosignatures: while there are none, it
    /// vouches for all that there is.
    pub unsigned: u64,
}

impl Recorded {
    /// The checkpoint recorded last in the view; none where there is none.
    ///
    /// # Errors
    /// Damage, and a recorded note that is none.
    pub fn last(view: &ReadView) -> Result<Option<Self>, Error> {
        let stream = StreamId::Checkpoints;
        let size = view.head().size;
        let (mut lines, mut later): (Vec<(SignedHead, String)>, Vec<u64>) = (vec![], vec![]);
        let mut revision = view.revision(&stream)?;
        while revision != Revision::START {
            let event = view.stream_event(&stream, revision)?;
            later.push(event.position.get());
            match event.event {
                Event::CheckpointCosigned(body) => {
                    lines.push((SignedHead { size: body.size, root: body.root }, body.line));
                }
                Event::CheckpointSigned(body) => {
                    let head = SignedHead { size: body.size, root: body.root };
                    let mut note: Note = body.note.parse()?;
                    for (_, line) in lines.iter().rev().filter(|(of, _)| *of == head) {
                        note.add(line.parse()?);
                    }
                    let own = later.iter().filter(|position| **position > head.size).count();
                    let unsigned = size.saturating_sub(head.size).saturating_sub(own as u64);
                    return Ok(Some(Self { note, head, unsigned }));
                }
                _ => {}
            }
            revision = Revision::new(revision.get() - 1);
        }
        Ok(None)
    }
}

/// Whom a reader believes. A key that came along with what it is to prove is never among them.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The log's key; none: signatures are not checked, and the answer says so.
    pub key: Option<VerifierKey>,
    /// Witnesses.
    pub witnesses: Vec<VerifierKey>,
    /// How many of them must have signed; none: all.
    pub min: Option<usize>,
}

/// A checkpoint, and who has signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// The head.
    pub checkpoint: Checkpoint,
    /// The trusted key that signed it; none when no key was given to check with.
    pub key: Option<VerifierKey>,
    /// Trusted witnesses that have signed it, with the time (seconds since 1970) that each says.
    pub witnesses: Vec<(String, u64)>,
}

/// Why a checkpoint is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// It is none, or a signature does not fit.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The key is another log's.
    #[error("the checkpoint is one of {found}, the key is one of {expected}")]
    Origin {
        /// Name of the key.
        expected: String,
        /// Origin in the checkpoint.
        found: String,
    },
    /// Not enough witnesses have signed.
    #[error("{found} of the {known} witnesses given have signed the checkpoint, {min} must")]
    Witnesses {
        /// How many have.
        found: usize,
        /// How many were given.
        known: usize,
        /// How many must.
        min: usize,
    },
}

impl Trust {
    /// Reads a checkpoint and checks every signature of a trusted key.
    ///
    /// # Errors
    /// [`TrustError`] when it is none, or not to be believed.
    pub fn check(&self, note: &Note) -> Result<Attested, TrustError> {
        let checkpoint: Checkpoint = note.text().parse()?;
        if let Some(key) = &self.key {
            if key.name() != checkpoint.origin {
                let (expected, found) = (key.name().to_owned(), checkpoint.origin);
                return Err(TrustError::Origin { expected, found });
            }
            note.verify(key)?;
        }
        let mut witnesses = vec![];
        // one that is given twice is still one
        let known: BTreeMap<String, &VerifierKey> =
            self.witnesses.iter().map(|key| (key.to_string(), key)).collect();
        for key in known.values() {
            match note.verify(key) {
                Ok(time) => witnesses.push((key.name().to_owned(), time)),
                Err(NoteError::Unsigned { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (found, known) = (witnesses.len(), known.len());
        let min = self.min.unwrap_or(known);
        if found < min {
            return Err(TrustError::Witnesses { found, known, min });
        }
        Ok(Attested { checkpoint, key: self.key.clone(), witnesses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{KeyKind, SigningKey};

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "placet/0102/sales".into(), size: 20, root: Digest::of(b"root") }
    }

    fn key(name: &str, kind: KeyKind) -> SigningKey {
        SigningKey::from_seed(name, kind, &[9; 32]).unwrap()
    }

    #[test]
    fn a_checkpoint_reads_back_and_leaves_extensions_alone() {
        let text = checkpoint().to_string();
        assert_eq!(text.parse(), Ok(checkpoint()));
        assert_eq!(format!("{text}extension\n").parse(), Ok(checkpoint()));
        for bad in ["", "a\n", "a\n01\n", "a\n+1\n", "a\n1\nAAAA\n", &format!("{text}\nx\n")] {
            assert!(bad.parse::<Checkpoint>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_origin_is_made_of_what_was_written_once() {
        let id = std::array::from_fn(|at| u8::try_from(at).unwrap());
        assert_eq!(origin(id, "sales/eu"), "placet/0001020304050607/sales/eu");
    }

    #[test]
    fn a_checkpoint_is_believed_as_far_as_trusted_keys_have_signed_it() {
        let log = key("placet/0102/sales", KeyKind::Log);
        let (ana, bob) = (key("ana", KeyKind::Witness), key("bob", KeyKind::Witness));
        let text = checkpoint().to_string();
        let mut note = Note::new(text.as_str(), log.sign(&text, 0));
        note.add(ana.sign(&text, 5));
        let trust = |witnesses: &[&SigningKey], min| Trust {
            key: Some(log.verifier().clone()),
            witnesses: witnesses.iter().map(|key| key.verifier().clone()).collect(),
            min,
        };
        let attested = trust(&[&ana, &bob], Some(1)).check(&note).unwrap();
        assert_eq!(attested.witnesses, [("ana".to_owned(), 5)]);
        let few = TrustError::Witnesses { found: 1, known: 2, min: 2 };
        assert_eq!(trust(&[&ana, &bob], None).check(&note), Err(few));
        // one witness is not two, however often its key is given
        let few = TrustError::Witnesses { found: 1, known: 1, min: 2 };
        assert_eq!(trust(&[&ana, &ana], Some(2)).check(&note), Err(few));
        // nobody to check with: said, not assumed
        assert_eq!(Trust::default().check(&note).unwrap().key, None);
        // a key of another log
        let other =
            Trust { key: Some(key("other", KeyKind::Log).verifier().clone()), ..Trust::default() };
        assert!(matches!(other.check(&note), Err(TrustError::Origin { .. })));
    }
}
