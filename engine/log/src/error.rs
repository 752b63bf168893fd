//! What can go wrong with the log: one enum for opening and reading, one for appending.
//!
//! Expected errors say what to do. A damaged record is always an error that names its position;
//! nothing here is ever turned into a default or skipped.

use crate::note::NoteError;
use crate::signer::SignedHead;
use placet_model::{DataKeyId, Digest, EventId, Position, Revision, StreamId};
use std::path::PathBuf;

/// Why the log could not be opened, read or verified.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another engine holds the data directory.
    #[error("{} is in use by another engine: stop it, or talk to it with --server", dir.display())]
    InUse {
        /// The data directory.
        dir: PathBuf,
    },
    /// The project key is not where it should be.
    #[error(
        "the key file {} is missing: put it back from your backup, or name its directory with PLACET_KEY_DIR",
        path.display()
    )]
    KeyFileMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The project key can be read by others than its owner.
    #[error("the key file {} has mode {mode:03o}: others can read it; run chmod 600 on it", path.display())]
    KeyFileExposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file does not hold a project key.
    #[error("{} holds no key: put the right file back from your backup", path.display())]
    KeyFileMalformed {
        /// The key file.
        path: PathBuf,
    },
    /// The key file holds the key of another log.
    #[error(
        "the project key {} is not the one this log was made with: put the right file back from your backup",
        path.display()
    )]
    KeyFileWrong {
        /// The key file.
        path: PathBuf,
    },
    /// The key directory lies inside the data directory, where a copy of the data would take the
    /// keys along.
    #[error("the key directory {} is inside the data directory: choose one outside it", path.display())]
    KeyDirInsideData {
        /// The key directory.
        path: PathBuf,
    },
    /// The log was opened without keys.
    #[error("the log was opened without keys: it can be verified, nothing else")]
    Keyless,
    /// The log ends before a head that was signed, or differs from it: an older or another copy.
    #[error(
        "the data end at {size} events with root {root}, but {} events with root {} were signed: they are an older or another copy of the log; put the newest data back, or go on from these with `placet restore <backup> --accept-rollback`",
        signed.size, signed.root
    )]
    RolledBack {
        /// Events in the log.
        size: u64,
        /// Root over the events that both have, or over all of the log's.
        root: Digest,
        /// The head that was signed.
        signed: SignedHead,
    },
    /// The log has checkpoints, and the key that signed them is gone.
    #[error(
        "the signing key {} is missing, and the log has checkpoints signed with it: put it back from your backup, or make a new one with `placet audit checkpoint --new-key` and give it to whoever verifies the log",
        path.display()
    )]
    SigningKeyMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// An export goes into a directory of its own.
    #[error("{} is not empty: name a directory that is new or empty", dir.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
    },
    /// A project name, or a file, that makes no key or checkpoint.
    #[error(transparent)]
    Note {
        /// What is wrong.
        #[from]
        source: NoteError,
    },
    /// No key directory was given and none can be derived.
    #[error(
        "there is no place for keys: set PLACET_KEY_DIR (neither XDG_STATE_HOME nor HOME is set)"
    )]
    KeyDirUnknown,
    /// A file that is no database of ours stands in the place of one.
    #[error(
        "{} is {what}: nothing was changed; put the right file there, from a backup made with placet backup, or remove it if this is to be a new project",
        file.display()
    )]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A file of the data is gone while others of them are there.
    #[error(
        "{} is missing beside {beside}: nothing was made in its place; put it back, or restore a backup into another directory with placet restore",
        file.display()
    )]
    Missing {
        /// The file.
        file: PathBuf,
        /// What shows that it was there.
        beside: &'static str,
    },
    /// The data keys in the file are not those of this log.
    #[error(
        "{} is not the key file of this log ({what}): nothing was changed; put the right one back, or restore a backup",
        file.display()
    )]
    ForeignKeys {
        /// The file.
        file: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// A restore was cut short.
    #[error(
        "a restore into {} was not finished: run the same placet restore again, nothing of the project may be used before",
        dir.display()
    )]
    Unfinished {
        /// The data directory.
        dir: PathBuf,
    },
    /// The data are a copy, and the original is still there.
    #[error(
        "{} is a copy of {}, which is still there: use that one, or go on from this copy with placet restore --copy (a new epoch: what is open is asked again); for a new project remove the copied data",
        dir.display(),
        original.display()
    )]
    Copied {
        /// The data directory.
        dir: PathBuf,
        /// Where the project was last used.
        original: PathBuf,
    },
    /// The data are older than the project was, or have gone another way.
    #[error(
        "the log in {} has {size} events {what}: it is an old copy; bring the current data back, or go on from these with placet restore --copy --accept-rollback (a new epoch: what is open is asked again)",
        dir.display()
    )]
    OldCopy {
        /// The data directory.
        dir: PathBuf,
        /// Events in the log.
        size: u64,
        /// What is known of it.
        what: String,
    },
    /// A backup cannot be made or used.
    #[error("{}: {what}", dir.display())]
    Backup {
        /// The backup, or the directory that it was to go into.
        dir: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The log belongs to another project.
    #[error("the log belongs to project {found:?}, not to {expected:?}: check the data directory")]
    OtherProject {
        /// The project asked for.
        expected: String,
        /// The project in the file.
        found: String,
    },
    /// A project name that no envelope can carry.
    #[error("the project name {name:?} must be 1 to 128 bytes of a-z, 0-9, ., _, / or -")]
    ProjectName {
        /// The name given.
        name: String,
    },
    /// The file was written by a newer engine.
    #[error("the log {} has format {found}, this engine reads {known}: use a newer engine", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// Format in the file.
        found: u16,
        /// Format of this engine.
        known: u16,
    },
    /// An event of a type or version that this engine does not know.
    #[error(
        "the event at position {position} has type {type_id} version {type_version}, unknown to this engine: use a newer engine"
    )]
    UnknownEvent {
        /// Position of the event.
        position: Position,
        /// Type number in the envelope.
        type_id: u16,
        /// Type version in the envelope.
        type_version: u16,
    },
    /// A record is not what was written.
    #[error(
        "the record at position {position} is damaged ({what}): run placet audit verify, restore a backup"
    )]
    Damaged {
        /// Position of the record.
        position: Position,
        /// What does not fit, with type and stream where they can be read.
        what: String,
    },
    /// An index or a head row is not what was written.
    #[error("the log's {what} is damaged: run placet audit verify, restore a backup")]
    DamagedIndex {
        /// Which row, and what does not fit.
        what: String,
    },
    /// The content was erased: its data key is gone.
    #[error("the payload {index} of the event at position {position} was erased")]
    Erased {
        /// Position of the event.
        position: Position,
        /// Place among the payloads of the event.
        index: u16,
        /// The destroyed key.
        key: DataKeyId,
    },
    /// The key file lacks the key of content that was not erased.
    #[error(
        "data key {} of payload {index} at position {position} is not in keys.redb: restore keys.redb from your backup, or erase the stream again if an erasure was cut short",
        key.0
    )]
    KeyLost {
        /// Position of the event.
        position: Position,
        /// Place among the payloads of the event.
        index: u16,
        /// The missing key.
        key: DataKeyId,
    },
    /// The data key asked for does not exist, or was destroyed.
    #[error("there is no data key {}: take one with new_data_key", key.0)]
    NoSuchKey {
        /// The number asked for.
        key: DataKeyId,
    },
    /// The event has no such payload.
    #[error("the event at position {position} has no payload {index}")]
    NoSuchPayload {
        /// Position of the event.
        position: Position,
        /// The place asked for.
        index: u16,
    },
    /// The stream has no such event.
    #[error("{stream} has no event at revision {revision}")]
    NoSuchRevision {
        /// The stream.
        stream: StreamId,
        /// The revision asked for.
        revision: Revision,
    },
    /// No event stands at the position.
    #[error("the log has no event at position {position}: its head is {head}")]
    NoSuchPosition {
        /// The position asked for.
        position: Position,
        /// The last position.
        head: Position,
    },
    /// An earlier commit left the log in an unknown state; what this handle would show may not be
    /// on disk.
    #[error("the log stopped after a failed commit: drop it and open it again")]
    Stopped,
    /// There was no moment in which nobody read.
    #[error("the log is being read all the time, so its file cannot be packed now: ask again")]
    Busy,
    /// The system's random source failed.
    #[error("the system's random source failed")]
    Random,
    /// A projection refused to be set up.
    #[error("projections could not be prepared")]
    Projection {
        /// What the projection said.
        source: BoxError,
    },
    /// A file operation failed.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// redb failed.
    #[error("{doing} failed in {}", file.display())]
    Storage {
        /// What was being done.
        doing: &'static str,
        /// In which file.
        file: PathBuf,
        /// What redb said.
        source: Box<redb::Error>,
    },
    /// redb panicked on what it found in the file.
    #[error("{doing} failed in {}: the file is damaged ({panic}); run placet audit verify, restore a backup", file.display())]
    Panicked {
        /// What was being done.
        doing: &'static str,
        /// In which file.
        file: PathBuf,
        /// What the panic said.
        panic: String,
    },
}

impl Error {
    /// The code of the reference page.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "PL1001",
            Self::Io { source, .. } if cannot_be_written(source) => "PL1008",
            Self::Storage { source, .. } if matches!(&**source, redb::Error::Io(source) if cannot_be_written(source)) => {
                "PL1008"
            }
            Self::Storage { source, .. } if matches!(&**source, redb::Error::Corrupted(_)) => {
                "PL1003"
            }
            Self::OtherProject { .. }
            | Self::Foreign { .. }
            | Self::ProjectName { .. }
            | Self::Io { .. }
            | Self::Storage { .. } => "PL1002",
            Self::Damaged { .. }
            | Self::Missing { .. }
            | Self::ForeignKeys { .. }
            | Self::DamagedIndex { .. }
            | Self::KeyLost { .. }
            | Self::Projection { .. }
            | Self::Panicked { .. } => "PL1003",
            Self::KeyFileMissing { .. }
            | Self::KeyFileExposed { .. }
            | Self::KeyFileMalformed { .. }
            | Self::KeyFileWrong { .. }
            | Self::KeyDirInsideData { .. }
            | Self::KeyDirUnknown
            | Self::SigningKeyMissing { .. }
            | Self::Keyless => "PL1004",
            Self::RolledBack { .. } => "PL1201",
            Self::Note { .. } | Self::NotEmpty { .. } => "PL1202",
            Self::Format { .. } | Self::UnknownEvent { .. } => "PL1005",
            Self::Stopped => "PL1006",
            Self::Unfinished { .. } | Self::Backup { .. } => "PL1009",
            Self::Copied { .. } | Self::OldCopy { .. } => "PL1010",
            Self::Busy => "PL4032",
            Self::Erased { .. } => "PL4030",
            Self::NoSuchKey { .. }
            | Self::NoSuchPayload { .. }
            | Self::NoSuchRevision { .. }
            | Self::NoSuchPosition { .. }
            | Self::Random => "PL9001",
        }
    }
}

/// Whether there is no room, or the file system takes no writes.
fn cannot_be_written(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
}

/// An error of a projection, whatever its type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why an append was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The stream is elsewhere than expected: read it again, decide again.
    #[error("{stream} is at revision {actual}, not {expected}")]
    WrongRevision {
        /// The stream.
        stream: StreamId,
        /// The revision it was expected at.
        expected: Revision,
        /// The revision it is at.
        actual: Revision,
    },
    /// An event id is taken by another append.
    #[error("the event id {event_id} is already in {stream}, in another append")]
    EventIdTaken {
        /// The stream.
        stream: StreamId,
        /// The id.
        event_id: EventId,
    },
    /// Some appends of the group are in the log, some are not.
    #[error("the group is in the log in part, but not in {stream}")]
    GroupInPart {
        /// The first stream that lacks its events.
        stream: StreamId,
    },
    /// The append cannot be written as it stands.
    #[error("the append to {stream} is refused: {what}")]
    Invalid {
        /// The stream.
        stream: StreamId,
        /// Which limit or rule it breaks.
        what: String,
    },
    /// Nobody knows whether the events are on disk: drop the log, open it again, read what is
    /// there. Never send on the strength of such an answer, never answer "not done".
    #[error(
        "the commit failed ({reason}): whether the events are on disk is unknown until the log is opened again"
    )]
    CommitUnknown {
        /// What went wrong.
        reason: String,
    },
    /// Nothing was written: the commit was not tried because a projection refused the events. The
    /// log is stopped.
    #[error("a projection refused the events ({reason}): the log is stopped")]
    Projection {
        /// What the projection said.
        reason: String,
    },
    /// Nothing was written: a key or a stream could not be read.
    #[error("the append could not be prepared")]
    Log {
        /// Why.
        #[source]
        source: Box<Error>,
    },
}

impl From<Error> for AppendError {
    fn from(error: Error) -> Self {
        Self::Log { source: Box::new(error) }
    }
}
