//! What can go wrong with the vault. No variant can hold a secret: there is no field for one.
//!
//! Expected errors say what to do. A row that does not open is an error that names it; nothing
//! here is ever turned into an empty secret or skipped.

use crate::kek::KekId;
use crate::{FIELD_BYTES_MAX, FIELD_NAME_BYTES_MAX, FIELDS_MAX};
use placet_model::IntegrationId;
use std::path::PathBuf;

/// Why the vault could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another engine holds the vault.
    #[error("{} is in use by another engine: stop it, or talk to it with --server", file.display())]
    InUse {
        /// The vault.
        file: PathBuf,
    },
    /// A file that is no vault stands in the place of one.
    #[error(
        "{} is {what}: nothing was changed; put the vault back from a backup, or move the file away \
         and connect every integration again",
        file.display()
    )]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The vault is gone, and the log names credentials that it held.
    #[error(
        "{} is missing, and it held the credentials of {}: nothing was made in its place; put it back \
         from your backup, or, if it is lost, start once with --new-vault and connect these again",
        file.display(),
        of.join(", ")
    )]
    Lost {
        /// The vault.
        file: PathBuf,
        /// Names of the integrations.
        of: Vec<String>,
    },
    /// The key file is gone, and there are credentials that only it opens.
    #[error(
        "the vault key {}{} is missing, and {} holds credentials sealed by it: put the key file back \
         from your backup, or name its directory with PLACET_KEY_DIR; if it is lost, move the vault \
         away and connect every integration again",
        path.display(),
        or_rotated(*id),
        vault.display()
    )]
    KeyFileMissing {
        /// Where it was looked for.
        path: PathBuf,
        /// Its id, where that is known.
        id: Option<KekId>,
        /// The vault.
        vault: PathBuf,
    },
    /// The key file holds another key than the one that sealed the credentials.
    #[error(
        "the vault key {} (id {found}) is not the one that {} was sealed by (id {expected}): put \
         the right file back from your backup",
        path.display(),
        vault.display()
    )]
    KeyFileWrong {
        /// The key file.
        path: PathBuf,
        /// The vault.
        vault: PathBuf,
        /// Id of the key that sealed the credentials.
        expected: KekId,
        /// Id of the key in the file.
        found: KekId,
    },
    /// The key file can be read by others than its owner.
    #[error(
        "the vault key {} has mode {mode:03o}: others can read it; run chmod 600 on it",
        path.display()
    )]
    KeyFileExposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file does not hold a vault key.
    #[error(
        "{} holds no vault key: put the right file back from your backup, or delete it if the vault \
         was never used",
        path.display()
    )]
    KeyFileMalformed {
        /// The key file.
        path: PathBuf,
    },
    /// The operator gave a text that is no key.
    #[error(
        "the vault key from {} is none: it is 64 hexadecimal digits, or what a key file holds",
        place.display()
    )]
    KeyTextMalformed {
        /// Where it comes from.
        place: PathBuf,
    },
    /// A rotation needs a key to lead to.
    #[error(
        "the key from {} is the one that seals already: give a new one there, and the one of now as \
         the old one, then rotate",
        place.display()
    )]
    NoNewKey {
        /// Where the key comes from.
        place: PathBuf,
    },
    /// The key command could not be started.
    #[error("the key command {command} cannot be started")]
    KeyCommandStart {
        /// The program.
        command: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The key command did not do what it is for.
    #[error(
        "the key command {command} {verb} {what}: run it by hand to see what it says; nothing was \
         changed"
    )]
    KeyCommand {
        /// The program.
        command: String,
        /// Which of the two it was asked to do.
        verb: &'static str,
        /// What it did instead.
        what: String,
    },
    /// The key command gave another key than it had wrapped.
    #[error(
        "the key command {command} unwraps {} to another key than was wrapped: name the right command \
         or key of your KMS; nothing was changed",
        path.display()
    )]
    KeyCommandWrong {
        /// The program.
        command: String,
        /// What it wrapped.
        path: PathBuf,
    },
    /// The key directory lies inside the data directory, where a copy of the data would take the
    /// key along.
    #[error("the key directory {} is inside the data directory: choose one outside it", path.display())]
    KeyDirInsideData {
        /// The key directory.
        path: PathBuf,
    },
    /// The vault belongs to another project.
    #[error(
        "the vault {} belongs to project {found:?}, not to {expected:?}: check the data directory",
        file.display()
    )]
    OtherProject {
        /// The vault.
        file: PathBuf,
        /// The project asked for.
        expected: String,
        /// The project in the file.
        found: String,
    },
    /// The file was written by a newer engine.
    #[error("the vault {} has format {found}, this engine reads {known}: use a newer engine", file.display())]
    Format {
        /// The vault.
        file: PathBuf,
        /// Format in the file.
        found: u16,
        /// Format that this engine reads.
        known: u16,
    },
    /// The row that says whose vault it is cannot be read.
    #[error("the vault {} is damaged: restore it from your backup", file.display())]
    Damaged {
        /// The vault.
        file: PathBuf,
    },
    /// Versions count from 1; 0 stands for no credential.
    #[error("a credential has a version from 1: 0 stands for none")]
    VersionZero,
    /// A stored version is never changed: attempts name it.
    #[error("version {version} of the credential of {integration} is stored already: use the next")]
    VersionExists {
        /// Whose.
        integration: IntegrationId,
        /// Which version.
        version: u32,
    },
    /// A credential without fields, or with too many.
    #[error("a credential has 1 to {FIELDS_MAX} fields, not {count}")]
    FieldCount {
        /// How many there were.
        count: usize,
    },
    /// A name that no credential field has.
    #[error(
        "the credential field {field:?} must be 1 to {FIELD_NAME_BYTES_MAX} letters, digits, _, - or ."
    )]
    FieldName {
        /// The name given.
        field: String,
    },
    /// A field that is too large.
    #[error("the credential field {field} has {bytes} bytes: {FIELD_BYTES_MAX} are allowed")]
    FieldSize {
        /// Which field.
        field: String,
        /// Its size.
        bytes: usize,
    },
    /// The version is not there, or has been forgotten.
    #[error(
        "version {version} of the credential of {integration} is not in the vault: connect the \
         integration again"
    )]
    NoSuchVersion {
        /// Whose.
        integration: IntegrationId,
        /// Which version.
        version: u32,
    },
    /// The version has no such field.
    #[error(
        "version {version} of the credential of {integration} has no field {field:?}: connect the \
         integration again with it"
    )]
    NoSuchField {
        /// Whose.
        integration: IntegrationId,
        /// Which version.
        version: u32,
        /// Which field.
        field: String,
    },
    /// Another renewal was first.
    #[error(
        "the grant of version {version} of the credential of {integration} is not of generation {after} \
         any more: another renewal was first"
    )]
    GrantMoved {
        /// Whose.
        integration: IntegrationId,
        /// Which version.
        version: u32,
        /// The generation that was expected.
        after: u64,
    },
    /// The row was moved, changed or damaged.
    #[error(
        "{field:?} of version {version} of the credential of {integration} does not open: the row \
         was moved, changed or damaged; restore the vault, or connect the integration again"
    )]
    RowRefused {
        /// Whose.
        integration: IntegrationId,
        /// Which version.
        version: u32,
        /// Which field.
        field: String,
    },
    /// The row is sealed by a key that is not here.
    #[error(
        "{field:?} of version {version} of the credential of {integration} is sealed by the key \
         {kek}, which is not here: put that key file back, or connect the integration again"
    )]
    RowOfOtherKey {
        /// Whose.
        integration: IntegrationId,
        /// Which version.
        version: u32,
        /// Which field.
        field: String,
        /// Id of the key.
        kek: KekId,
    },
    /// The row was written by a newer engine, or is damaged.
    #[error(
        "{field:?} of version {version} of the credential of {integration} has record format \
         {found}, this engine reads {known}: use a newer engine, or restore the vault"
    )]
    RowFormat {
        /// Whose.
        integration: IntegrationId,
        /// Which version.
        version: u32,
        /// Which field.
        field: String,
        /// Format of the row.
        found: u8,
        /// Format that this engine reads.
        known: u8,
    },
    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers")]
    Random,
    /// A file or directory operation failed.
    #[error("{doing} {} failed", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// redb refused. After a failed commit it is unknown whether the change is there: open the
    /// vault again and look.
    #[error("{doing} failed on {}", file.display())]
    Storage {
        /// What was being done.
        doing: &'static str,
        /// The vault.
        file: PathBuf,
        /// What redb said.
        #[source]
        source: Box<redb::Error>,
    },
    /// redb panicked, most likely over a damaged page.
    #[error("{doing} failed on {}: redb panicked ({panic}); restore the vault", file.display())]
    Panicked {
        /// What was being done.
        doing: &'static str,
        /// The vault.
        file: PathBuf,
        /// What the panic said.
        panic: String,
    },
}

/// What a key is called that a rotation has made.
fn or_rotated(id: Option<KekId>) -> String {
    id.map_or_else(String::new, |id| format!(" (or vault-{id}.key beside it, after a rotation)"))
}

impl Error {
    /// The code of the reference page; none for what concerns one credential.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Storage { source, .. } if matches!(&**source, redb::Error::Corrupted(_)) => {
                Some("PL1003")
            }
            Self::InUse { .. } => Some("PL1001"),
            Self::Foreign { .. }
            | Self::OtherProject { .. }
            | Self::Io { .. }
            | Self::Storage { .. } => Some("PL1002"),
            Self::Damaged { .. } | Self::Lost { .. } | Self::Panicked { .. } => Some("PL1003"),
            Self::KeyFileMissing { .. }
            | Self::KeyFileWrong { .. }
            | Self::KeyFileExposed { .. }
            | Self::KeyFileMalformed { .. }
            | Self::KeyTextMalformed { .. }
            | Self::KeyDirInsideData { .. } => Some("PL1004"),
            Self::NoNewKey { .. } => Some("PL4050"),
            Self::KeyCommandStart { .. }
            | Self::KeyCommand { .. }
            | Self::KeyCommandWrong { .. } => Some("PL4051"),
            Self::Format { .. } => Some("PL1005"),
            _ => None,
        }
    }
}
