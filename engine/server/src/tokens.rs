//! API tokens of `placet serve`: each belongs to one principal, is shown once, and is kept as its
//! SHA-256 in a file beside the keys. That file lies outside the data on purpose: restoring older
//! data does not bring back a token that was revoked since.

use crate::token::Token;
use placet_model::{Digest, Principal, Timestamp};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tokens of one project at once.
const TOKENS_MAX: usize = 4096;
/// Characters of a token's id: enough to tell thousands apart.
const ID_CHARS: usize = 16;

/// A token as it is kept. It holds nothing with which one could come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownToken {
    /// `tok_…`, by which it is revoked.
    pub id: String,
    /// Who its bearer is.
    pub principal: Principal,
    /// SHA-256 of the token. A token is 256 random bits, so nothing slower is needed.
    hash: Digest,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it; none for the operator of the process.
    pub created_by: Option<Principal>,
    /// From then on it is nobody's; never where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Why the tokens cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("{doing} {}", path.display())]
    Io {
        /// What we were doing.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The file is not ours.
    #[error("{} holds no tokens of this version", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A further one has no place.
    #[error("there are {TOKENS_MAX} tokens already: revoke some")]
    TooMany,
    /// No token has this id.
    #[error("there is no token {id}")]
    Unknown {
        /// What was given.
        id: String,
    },
}

/// The tokens of one project.
#[derive(Debug)]
pub struct Tokens {
    file: PathBuf,
    known: Mutex<Vec<KnownToken>>,
}

impl Tokens {
    /// Reads the file; without one there is no token yet.
    ///
    /// # Errors
    /// [`TokenError::Io`], [`TokenError::Form`].
    pub fn open(file: impl Into<PathBuf>) -> Result<Self, TokenError> {
        let file = file.into();
        let known = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| TokenError::Form { path: file.clone(), source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => vec![],
            Err(source) => {
                return Err(TokenError::Io { doing: "reading the tokens in", path: file, source });
            }
        };
        Ok(Self { file, known: Mutex::new(known) })
    }

    /// Makes a token. It is on disk when this returns, and the token itself is nowhere else.
    ///
    /// # Errors
    /// [`TokenError::TooMany`], [`TokenError::Io`]; then there is no such token.
    pub fn issue(
        &self,
        principal: Principal,
        created_by: Option<Principal>,
        (now, expires_at): (Timestamp, Option<Timestamp>),
    ) -> Result<(KnownToken, Token), TokenError> {
        let mut known = self.lock();
        if known.len() >= TOKENS_MAX {
            return Err(TokenError::TooMany);
        }
        let token = Token::random();
        let hash = hash(token.expose());
        let id = format!("tok_{}", &Token::random().expose()[..ID_CHARS]);
        let row = KnownToken { id, principal, hash, created_at: now, created_by, expires_at };
        known.push(row.clone());
        if let Err(error) = write(&self.file, &known) {
            known.pop();
            return Err(error);
        }
        Ok((row, token))
    }

    /// Takes a token back; from now on nobody comes in with it.
    ///
    /// # Errors
    /// [`TokenError::Unknown`], [`TokenError::Io`]; then it is still good.
    pub fn revoke(&self, id: &str) -> Result<KnownToken, TokenError> {
        let mut known = self.lock();
        let at = known.iter().position(|row| row.id == id);
        let at = at.ok_or_else(|| TokenError::Unknown { id: id.to_owned() })?;
        let row = known.remove(at);
        if let Err(error) = write(&self.file, &known) {
            known.insert(at, row);
            return Err(error);
        }
        Ok(row)
    }

    /// Every token, oldest first.
    pub fn all(&self) -> Vec<KnownToken> {
        self.lock().clone()
    }

    /// Whose token this is at that moment. What is compared is a hash, so the time that it takes tells nothing
    /// about any token.
    pub(crate) fn owner(&self, given: &str, now: Timestamp) -> Option<Principal> {
        let given = hash(given);
        let known = self.lock();
        let row = known.iter().find(|row| row.hash == given)?;
        let is_over = row.expires_at.is_some_and(|end| end <= now);
        (!is_over).then(|| row.principal.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<KnownToken>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(token: &str) -> Digest {
    Digest::of(&[b"placet-token-v1\0", token.as_bytes()].concat())
}

/// The whole file anew, in the place of the old one: never half of it, and only for its owner.
fn write(file: &Path, known: &[KnownToken]) -> Result<(), TokenError> {
    let failed =
        |source| TokenError::Io { doing: "writing the tokens to", path: file.to_owned(), source };
    let text = serde_json::to_vec_pretty(known)
        .map_err(|source| TokenError::Form { path: file.to_owned(), source })?;
    let fresh = file.with_extension("new");
    if fresh.exists() {
        std::fs::remove_file(&fresh).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut open = options.open(&fresh).map_err(failed)?;
    open.write_all(&text).and_then(|()| open.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, file).map_err(failed)?;
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = std::fs::File::open(dir.unwrap_or_else(|| Path::new("."))).map_err(failed)?;
    dir.sync_all().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_test_support::dirs::Project;

    fn ana() -> Principal {
        "ana".parse().unwrap()
    }

    #[test]
    fn a_token_is_known_again_after_a_restart_and_the_file_does_not_hold_it() {
        let project = Project::new();
        let file = project.dir().join("tokens");
        let (row, token) =
            Tokens::open(&file).unwrap().issue(ana(), None, (Timestamp::EPOCH, None)).unwrap();
        let again = Tokens::open(&file).unwrap();
        assert_eq!(again.owner(token.expose(), Timestamp::EPOCH), Some(ana()));
        assert_eq!(again.all(), [row]);
        assert!(!std::fs::read_to_string(&file).unwrap().contains(token.expose()));
        for other in ["", &token.expose()[1..], &format!("{} ", token.expose())] {
            assert_eq!(again.owner(other, Timestamp::EPOCH), None, "{other}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let project = Project::new();
        let file = project.dir().join("tokens");
        drop(Tokens::open(&file).unwrap().issue(ana(), None, (Timestamp::EPOCH, None)).unwrap());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_revoked_token_is_nobodys_at_once_and_after_a_restart() {
        let project = Project::new();
        let file = project.dir().join("tokens");
        let tokens = Tokens::open(&file).unwrap();
        let (row, token) = tokens.issue(ana(), Some(ana()), (Timestamp::EPOCH, None)).unwrap();
        let (_, kept) = tokens.issue(ana(), Some(ana()), (Timestamp::EPOCH, None)).unwrap();
        assert_eq!(tokens.revoke(&row.id).unwrap(), row);
        assert!(matches!(tokens.revoke(&row.id), Err(TokenError::Unknown { .. })));
        for tokens in [tokens, Tokens::open(&file).unwrap()] {
            assert_eq!(tokens.owner(token.expose(), Timestamp::EPOCH), None);
            assert_eq!(tokens.owner(kept.expose(), Timestamp::EPOCH), Some(ana()));
        }
    }

    #[test]
    fn a_token_is_good_until_its_end_and_nobodys_from_then_on() {
        let project = Project::new();
        let file = project.dir().join("tokens");
        let end = Timestamp::EPOCH.plus_millis(60_000);
        let made = Tokens::open(&file).unwrap().issue(ana(), None, (Timestamp::EPOCH, Some(end)));
        let (row, token) = made.unwrap();
        assert_eq!(row.expires_at, Some(end));
        let again = Tokens::open(&file).unwrap();
        assert_eq!(again.owner(token.expose(), end.plus_millis(-1)), Some(ana()));
        assert_eq!(again.owner(token.expose(), end), None);
    }

    #[test]
    fn what_cannot_be_kept_is_not_given_out() {
        let project = Project::new();
        let tokens = Tokens::open(project.dir().join("no/such/folder/tokens")).unwrap();
        let refused = tokens.issue(ana(), None, (Timestamp::EPOCH, None));
        assert!(matches!(refused, Err(TokenError::Io { .. })));
        assert_eq!(tokens.all(), []);
    }

    #[test]
    fn a_file_that_is_not_ours_is_an_error_and_stays() {
        let project = Project::new();
        let file = project.write("tokens", "{}");
        assert!(matches!(Tokens::open(&file), Err(TokenError::Form { .. })));
        assert_eq!(std::fs::read_to_string(file).unwrap(), "{}");
    }
}
