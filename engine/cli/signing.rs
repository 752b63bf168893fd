//! A person's seed on this machine, and what is signed with it: kept in a file that only its owner can
//! read, away from any project, so that no engine and no backup ever has it.

use crate::exit::invalid;
use crate::{env, state};
use anyhow::{Context, Result};
use placet_bus::Seed;
use placet_log::KEY_DIR_VARIABLE;
use placet_model::nkey::UserKey;
use placet_model::signed::{self, Draft, Item, SALT_LEN, Said, VALID_MS_MAX, text_digest};
use placet_model::{Digest, Principal, Timestamp};
use placet_server::Token;
use serde_json::{Map, Value};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where people's seeds are, in the key directory.
const FOLDER: &str = "people";

/// `$PLACET_KEY_DIR/people/USER.seed`, else below the user's state directory.
pub(crate) fn file_of(user: &Principal) -> Result<PathBuf> {
    let dir = match env::of(KEY_DIR_VARIABLE) {
        Some(dir) => PathBuf::from(dir),
        None => state::dir()?,
    };
    Ok(dir.join(FOLDER).join(format!("{user}.seed")))
}

/// Makes a seed and keeps it in a new file.
pub(crate) fn make(file: &Path) -> Result<UserKey> {
    refuse_in_project(file)?;
    let seed = Seed::random()?;
    if let Some(dir) = file.parent() {
        state::make_private(dir)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let made = options.open(file);
    let mut made = made.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            invalid(format!("{} is there already: it stays as it is", file.display()))
        }
        _ => anyhow::Error::new(error).context(format!("{} cannot be made", file.display())),
    })?;
    writeln!(made, "{}", seed.expose()?)
        .and_then(|()| made.sync_all())
        .with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(seed.key())
}

/// A project goes into backups and repositories; a seed must not.
fn refuse_in_project(file: &Path) -> Result<()> {
    let absolute = std::path::absolute(file)
        .with_context(|| format!("{} is no place for a file", file.display()))?;
    let inside = absolute.ancestors().skip(1).find(|dir| {
        dir.join("placet.toml").exists()
            || dir.join("log.redb").exists()
            || dir.join(".placet").is_dir()
    });
    match inside {
        Some(dir) => Err(invalid(format!(
            "{} is inside the project {}: keep seeds outside of it",
            file.display(),
            dir.display()
        ))),
        None => Ok(()),
    }
}

/// The seed in this file; none where there is no file.
pub(crate) fn read(file: &Path) -> Result<Option<Seed>> {
    let at = || file.display();
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", at())),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(file)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(invalid(format!("{} can be read by others: chmod 600 it", at())));
        }
    }
    Seed::parse(&text).map(Some).map_err(|error| invalid(format!("{}: {error}", at())))
}

/// The seed with which to log in to a NATS server as this user: the environment's, else the user's.
pub(crate) fn login(user: &Principal) -> Result<Option<String>> {
    match env::of(env::NATS_SEED) {
        Some(seed) => Ok(Some(seed)),
        None => Ok(read(&file_of(user)?)?.map(|seed| seed.expose()).transpose()?),
    }
}

/// What is signed by its digest, and travels beside the document.
#[derive(Debug, Default)]
pub(crate) struct Given<'g> {
    pub(crate) reason: Option<&'g str>,
    pub(crate) with: Option<Value>,
}

/// What a card says about signing.
#[derive(Debug)]
pub(crate) struct Terms {
    user: Principal,
    origin: String,
    keys: Vec<UserKey>,
}

impl Terms {
    /// Those of a card; none where it says nothing of the kind.
    pub(crate) fn of(card: &Value) -> Option<Self> {
        let sign = &card["sign"];
        let keys = sign["keys"].as_array()?.iter();
        Some(Self {
            user: sign["user"].as_str()?.parse().ok()?,
            origin: sign["origin"].as_str()?.to_owned(),
            keys: keys.filter_map(|key| key.as_str()?.parse().ok()).collect(),
        })
    }

    /// The seed on this machine for one of the user's registered keys.
    pub(crate) fn seed(&self) -> Result<Option<Seed>> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let named = env::of(env::NATS_SEED).and_then(|text| Seed::parse(&text).ok());
        let kept = read(&file_of(&self.user)?)?;
        let mine = |seed: &Seed| self.keys.contains(&seed.key());
        Ok(named.filter(mine).or(kept).filter(mine))
    }

    /// The envelope for these items.
    pub(crate) fn sign(
        &self,
        seed: &Seed,
        (items, said): (Vec<Item>, Said),
        Given { reason, with }: Given<'_>,
        now: Timestamp,
    ) -> Result<Map<String, Value>> {
        let digest = with.as_ref().map(signed::with_digest).transpose()?;
        let salt: [u8; SALT_LEN] = random()?;
        let nonce: [u8; 32] = random()?;
        let mut short = [0; 16];
        short.copy_from_slice(&nonce[..16]);
        let draft = Draft {
            items,
            said,
            user: self.user.clone(),
            key: seed.key().into(),
            nonce: short,
            origin: self.origin.clone(),
            issued_at: now,
            expires_at: now.plus_millis(VALID_MS_MAX),
            reason: reason.map(|text| text_digest(&salt, text)),
            with: digest,
        };
        let mut envelope =
            seed.sign(draft, reason.map(|text| (text, &salt[..]))).map_err(invalid)?;
        envelope.extend(with.map(|with| ("with".to_owned(), with)));
        Ok(envelope)
    }
}

/// 32 random bytes.
fn random() -> Result<[u8; 32]> {
    let digest: Digest = format!("sha256:{}", Token::random().expose()).parse()?;
    Ok(*digest.as_bytes())
}
