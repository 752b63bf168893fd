//! Signed notes (C2SP signed-note): a text, an empty line, and lines of signatures.
//!
//! Two kinds of Ed25519 key: the log's own (type 0x01) and a witness's, whose signature carries a
//! time (type 0x04, C2SP tlog-cosignature). A note says nothing before a key that the reader
//! already trusts has signed it: nothing in here takes a key out of a note.
//!
//! ```text
//! note          = text | "\n" | signature lines
//! signature     = "— " name " " base64(key id 4 | signature) "\n"
//! key id        = SHA-256(name | "\n" | type | public key)[..4]
//! verifier key  = name "+" 8 hex of key id "+" base64(type | public key)
//! cosignature   = time u64 | Ed25519("cosignature/v1\ntime <time>\n" | text)
//! ```

use crate::check::sha256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::fmt;
use std::str::FromStr;

/// A note is at most this long: the longest checkpoint with a hundred signatures is shorter.
pub const NOTE_MAX: usize = 64 * 1024;
/// At most this many signatures are looked at (verifiers must accept 16).
pub const SIGNATURES_MAX: usize = 100;

const DASH: &str = "\u{2014} ";

/// What a key signs for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A log's own key: Ed25519 over the text.
    Log,
    /// A witness's key: Ed25519 over a time and the text.
    Witness,
}

impl KeyKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Witness => 4,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Log),
            4 => Some(Self::Witness),
            _ => None,
        }
    }
}

/// Why a note, or a key, is none, or is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text is no signed note.
    #[error("it is no signed note: {what}")]
    Malformed {
        /// What is missing or wrong.
        what: &'static str,
    },
    /// The text is no verifier key.
    #[error("{text:?} is no verifier key: {what}")]
    Key {
        /// The text that was given.
        text: String,
        /// What is missing or wrong.
        what: &'static str,
    },
    /// A signature that names a trusted key is not that key's.
    #[error("the signature of {name} does not fit the note")]
    BadSignature {
        /// Name of the key.
        name: String,
    },
    /// A trusted key has not signed.
    #[error("the note is not signed by {name}")]
    Unsigned {
        /// Name of the key.
        name: String,
    },
}

/// The public half of a key, as people hand it around.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    public: [u8; 32],
}

impl VerifierKey {
    /// A key under this name.
    ///
    /// # Errors
    /// [`NoteError::Key`] for a name that is empty or has a space or a plus.
    pub fn new(name: &str, kind: KeyKind, public: [u8; 32]) -> Result<Self, NoteError> {
        if !is_name(name) {
            let what = "its name is empty, or has a space or a plus";
            return Err(NoteError::Key { text: name.to_owned(), what });
        }
        Ok(Self { name: name.to_owned(), kind, public })
    }

    /// Whose key it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs for.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The short number that signatures carry: tells keys of one name apart, and proves nothing.
    pub fn id(&self) -> [u8; 4] {
        let hash = sha256(&[self.name.as_bytes(), b"\n", &[self.kind.byte()], &self.public]);
        let mut id = [0; 4];
        id.copy_from_slice(&hash[..4]);
        id
    }

    /// The time of a witness's signature (seconds since 1970), or zero for a log's own.
    fn verify(&self, text: &str, signature: &[u8]) -> Option<u64> {
        let key = UnparsedPublicKey::new(&ED25519, self.public);
        match self.kind {
            KeyKind::Log => key.verify(text.as_bytes(), signature).ok().map(|()| 0),
            KeyKind::Witness => {
                let (time, signature) = signature.split_first_chunk()?;
                let time = u64::from_be_bytes(*time);
                key.verify(cosigned(text, time).as_bytes(), signature).ok().map(|()| time)
            }
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id());
        let mut bytes = vec![self.kind.byte()];
        bytes.extend_from_slice(&self.public);
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let no = |what| NoteError::Key { text: text.to_owned(), what };
        let mut parts = text.trim_end_matches('\n').splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(no("it has the form <name>+<8 hex digits>+<base64>"));
        };
        let bytes = STANDARD.decode(key).map_err(|_malformed| no("its base64 cannot be read"))?;
        let kind = bytes.first().copied().and_then(KeyKind::from_byte);
        let kind = kind.ok_or_else(|| no("its type is none of 1 (a log) and 4 (a witness)"))?;
        let public = bytes[1..].try_into();
        let public = public.map_err(|_length| no("an Ed25519 key has 32 bytes"))?;
        let found = Self::new(name, kind, public)?;
        if format!("{:08x}", u32::from_be_bytes(found.id())) != id {
            return Err(no("its id does not fit its name and key: it was mistyped"));
        }
        Ok(found)
    }
}

/// A key that signs. Never printed.
pub struct SigningKey {
    verifier: VerifierKey,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifier)
    }
}

impl SigningKey {
    /// The key that follows from 32 secret bytes.
    ///
    /// # Errors
    /// [`NoteError::Key`] for a name that no key can have.
    pub fn from_seed(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let no = |what| NoteError::Key { text: name.to_owned(), what };
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_rejected| no("its secret bytes make no key"))?;
        let public = pair.public_key().as_ref().try_into();
        let public = public.map_err(|_length| no("an Ed25519 key has 32 bytes"))?;
        Ok(Self { verifier: VerifierKey::new(name, kind, public)?, pair })
    }

    /// The public half.
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a note's text; `time` (seconds since 1970) is said by a witness only.
    pub fn sign(&self, text: &str, time: u64) -> Signature {
        let mut bytes = vec![];
        match self.verifier.kind {
            KeyKind::Log => bytes.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref()),
            KeyKind::Witness => {
                bytes.extend_from_slice(&time.to_be_bytes());
                let message = cosigned(text, time);
                bytes.extend_from_slice(self.pair.sign(message.as_bytes()).as_ref());
            }
        }
        Signature { name: self.verifier.name.clone(), id: self.verifier.id(), bytes }
    }
}

/// What a witness signs.
fn cosigned(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// One line under a note; proves nothing before a key has verified it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl Signature {
    /// The name that it says.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it says to be this key's.
    pub fn is_of(&self, key: &VerifierKey) -> bool {
        self.name == key.name && self.id == key.id()
    }
}

/// The line, without the line end.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id[..], &self.bytes].concat();
        write!(f, "{DASH}{} {}", self.name, STANDARD.encode(bytes))
    }
}

impl FromStr for Signature {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<Self, NoteError> {
        let no =
            || NoteError::Malformed { what: "a signature line has the form — <name> <base64>" };
        let (name, signature) = line
            .strip_prefix(DASH)
            .and_then(|rest| rest.split_once(' '))
            .filter(|(name, _)| is_name(name))
            .ok_or_else(no)?;
        let bytes = STANDARD.decode(signature).map_err(|_malformed| no())?;
        let (id, bytes) = bytes.split_first_chunk().ok_or_else(no)?;
        if bytes.is_empty() {
            return Err(no());
        }
        Ok(Self { name: name.to_owned(), id: *id, bytes: bytes.to_vec() })
    }
}

/// A text with its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// A note with its first signature. The text ends with a line end.
    pub fn new(text: impl Into<String>, signature: Signature) -> Self {
        Self { text: text.into(), signatures: vec![signature] }
    }

    /// The text, its last line end included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lines under it, verified or not.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a line, in the place of one that says to be of the same key.
    pub fn add(&mut self, signature: Signature) {
        let known = |had: &&mut Signature| had.name == signature.name && had.id == signature.id;
        match self.signatures.iter_mut().find(known) {
            Some(had) => *had = signature,
            None => self.signatures.push(signature),
        }
    }

    /// Looks for this key's signature; the answer is the time a witness says (0 for a log's key).
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] where there is none, [`NoteError::BadSignature`] where one does not fit.
    pub fn verify(&self, key: &VerifierKey) -> Result<u64, NoteError> {
        let name = || key.name.clone();
        let mut found = None;
        for signature in self.signatures.iter().filter(|signature| signature.is_of(key)) {
            let time = key.verify(&self.text, &signature.bytes);
            found = Some(time.ok_or_else(|| NoteError::BadSignature { name: name() })?);
        }
        found.ok_or_else(|| NoteError::Unsigned { name: name() })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        let no = |what| NoteError::Malformed { what };
        if note.len() > NOTE_MAX {
            return Err(no("it is longer than 64 KiB"));
        }
        if note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(no("it has control characters"));
        }
        let split = note.rfind("\n\n").ok_or_else(|| no("it has no empty line"))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let lines = lines.strip_suffix('\n').ok_or_else(|| no("its last line has no end"))?;
        let signatures = lines.split('\n').map(str::parse).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(no("it has more than 100 signatures"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('+') && !name.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Go's `golang.org/x/mod/sumdb/note`.
    const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    /// The examples of C2SP signed-note and tlog-cosignature.
    const SOFA: &str = "example.com/behind-the-sofa\n20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        \u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

    fn key(name: &str, kind: KeyKind) -> SigningKey {
        SigningKey::from_seed(name, kind, &[7; 32]).unwrap()
    }

    #[test]
    fn the_published_note_of_go_verifies_and_prints_back() {
        let key: VerifierKey = GO_KEY.parse().unwrap();
        assert_eq!(key.to_string(), GO_KEY);
        let note: Note = GO_NOTE.parse().unwrap();
        assert_eq!(note.to_string(), GO_NOTE);
        assert_eq!(note.verify(&key), Ok(0));
        let other: Note = GO_NOTE.replace("problem is", "problem was").parse().unwrap();
        let bad = NoteError::BadSignature { name: "PeterNeumann".into() };
        assert_eq!(other.verify(&key), Err(bad));
    }

    #[test]
    fn the_published_cosigned_checkpoint_reads_and_prints_back() {
        let note: Note = SOFA.parse().unwrap();
        assert_eq!(note.to_string(), SOFA);
        assert_eq!(note.text().lines().nth(1), Some("20852163"));
        let names: Vec<&str> = note.signatures().iter().map(Signature::name).collect();
        assert_eq!(names, ["example.com/behind-the-sofa", "witness.example.com/w1"]);
        // the time stands before the signature: the 17th of March 2023, as the page says
        let time = note.signatures()[1].bytes.first_chunk().copied().map(u64::from_be_bytes);
        assert_eq!(time, Some(1_679_315_147));
    }

    #[test]
    fn a_witness_signs_the_time_with_the_text() {
        let witness = key("witness.example/w1", KeyKind::Witness);
        let text = "log\n1\nroot\n";
        let mut note = Note::new(text, witness.sign(text, 99));
        assert_eq!(note.verify(witness.verifier()), Ok(99));
        note.signatures[0].bytes[7] ^= 1;
        assert!(note.verify(witness.verifier()).is_err(), "another time");
        assert_ne!(
            key("witness.example/w1", KeyKind::Log).verifier().id(),
            witness.verifier().id()
        );
    }

    #[test]
    fn only_the_key_that_was_asked_for_counts() {
        let (mine, other) = (key("log", KeyKind::Log), key("other", KeyKind::Log));
        let mut note = Note::new("text\n", other.sign("text\n", 0));
        let unsigned = NoteError::Unsigned { name: "log".into() };
        assert_eq!(note.verify(mine.verifier()), Err(unsigned));
        note.add(mine.sign("text\n", 0));
        note.add(mine.sign("text\n", 0));
        assert_eq!(note.signatures().len(), 2);
        assert_eq!(note.verify(mine.verifier()), Ok(0));
    }

    #[test]
    fn text_that_is_no_note_is_refused_and_says_why() {
        let good = GO_NOTE;
        let bad = [
            (good.replace("\n\n", "\n"), "it has no empty line"),
            (good.trim_end().to_owned(), "its last line has no end"),
            (good.replace(" x08g", "  x08g"), "a signature line has the form — <name> <base64>"),
            (good.replace('\u{2014}', "-"), "a signature line has the form — <name> <base64>"),
            (good.replace("problem,", "problem\t"), "it has control characters"),
            ("a".repeat(NOTE_MAX + 1), "it is longer than 64 KiB"),
        ];
        for (text, what) in bad {
            assert_eq!(text.parse::<Note>(), Err(NoteError::Malformed { what }), "{text:.80}");
        }
    }

    #[test]
    fn a_mistyped_key_is_refused() {
        for (bad, says) in [
            (GO_KEY.replace("c74f", "c74e"), "mistyped"),
            (GO_KEY.replace("Peter", "Pieter"), "mistyped"),
            (GO_KEY.replace("+AR", "+Ax"), "none of 1"),
            (GO_KEY[..60].to_owned(), "base64"),
            ("PeterNeumann".to_owned(), "form"),
            (GO_KEY.replace("PeterNeumann", "Peter Neumann"), "space"),
        ] {
            let error = bad.parse::<VerifierKey>().unwrap_err().to_string();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }
}
