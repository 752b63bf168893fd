//! The event log: group commit, sealed payloads, Merkle hashes, verification.
//!
//! One [`Log`] per project directory. It is the only truth: everything else is derived from it.
//! It never calls a clock, never talks to a network, never skips or invents an event: a damaged
//! record is an error that names its position.
//!
//! # Use
//!
//! ```
//! use placet_log::{Append, Expected, Log, NewEvent, OpenOptions};
//! use placet_model::event::governance::OutboundPaused;
//! # use placet_model::{Actor, EventId, Position, Revision, StreamId, Timestamp};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // production: OpenOptions::new(".placet", "sales").projector(projections)
//! let log = Log::open(OpenOptions::in_memory("sales"))?;
//!
//! // append: encoded and sealed here, written by the writer thread, acknowledged once on disk
//! let paused = OutboundPaused { integration: None };
//! let event = NewEvent::new(EventId::from_bytes([1; 16]), Actor::Engine, paused);
//! let append = Append::new(StreamId::Project, Expected::NoStream, vec![event]);
//! let appended = log.append(Timestamp::EPOCH, append).wait()?; // or `.await` the ticket
//! assert_eq!(appended.revision(), Revision::new(1));
//!
//! // read: one snapshot, every record checked
//! let view = log.read()?;
//! for event in view.stream(&StreamId::Project, Revision::START) {
//!     println!("{} {}", event?.position, "is whole");
//! }
//! assert_eq!(view.head().position(), Position::new(1));
//! # Ok(()) }
//! ```
//!
//! * **One loop** calls [`Log::append_with`] (or [`Log::append_group_with`] for several streams,
//!   all or nothing) and gets the answer in a callback on whichever thread wrote it: pass it on, do not
//!   block there. It waits while 2,048 appends are queued. [`Appended::events`] are the events as recorded, ready to be folded.
//! * **Repeating an append is safe**: the same event ids are found again and answered with their
//!   old positions, and that wins over a stale [`Expected`].
//! * **[`AppendError::CommitUnknown`]**: stop, drop every clone of the log and every view, open it
//!   again, read what is there.
//! * **Payloads** are given with their event ([`NewEvent::payloads`]) and named by
//!   `PayloadRef { revision, index }` of the same stream; [`ReadView::payload`] opens one. The
//!   stream's data key is found or made by itself; take one with [`Log::new_data_key`] when its
//!   number has to stand in an event.
//! * **Projections** implement [`Projector`] and are written in the same transaction; rows that
//!   decide anything carry a [`check`].
//! * **Followers** (outbox, search) wait with [`Log::wait_past`] or [`Log::subscribe`] and read
//!   with [`ReadView::events`].
//!
//! * **Evidence**: [`Log::signer`] signs heads and remembers outside the data what it signed,
//!   [`Log::evidence`] gives the checkpoint that vouches for a view, [`export`] and [`receipt`]
//!   write files that tools of others check, [`proof`], [`note`] and [`checkpoint`] are what they
//!   are made of, [`witness`] is the other side.
//!
//! The layout of the files is drawn in `tables.rs`, `record.rs` and [`envelope`].
#![warn(missing_docs)]

/// In a data directory: a restore is under way, or was cut short. Removed last.
pub const RESTORING_FILE: &str = "restoring";

mod append;
mod backup;
pub mod check;
pub mod checkpoint;
pub mod codec;
mod commit;
mod compact;
mod data_keys;
mod early;
pub mod envelope;
mod epoch;
mod erase;
mod erased;
mod error;
pub mod export;
mod head;
mod held;
mod index;
mod journal;
mod keyring;
mod log;
mod marks;
mod meta;
pub mod note;
mod open;
mod pages;
mod payload;
mod place;
mod present;
mod project_key;
mod projector;
pub mod proof;
mod read;
pub mod receipt;
mod record;
mod restore;
mod shared;
mod signer;
mod storage;
mod subjects;
mod tables;
mod tombstones;
pub mod tree;
mod verify;
pub mod votes;
mod whole;
pub mod witness;
mod writer;

pub use append::{Append, AppendResult, Appended, EVENTS_MAX, Expected, NewEvent, Novelty, Ticket};
pub use backup::{Backup, FileEntry, MANIFEST_FILE, Manifest};
pub use compact::{Compacted, Step};
pub use epoch::Epoch;
pub use erase::{Erasable, Erased};
pub use error::{AppendError, BoxError, Error};
pub use head::{Head, Subscription};
pub use log::{Log, Measured};
pub use open::OpenOptions;
pub use payload::{OpenedPayload, PAYLOAD_MAX, Payload};
pub use place::Known;
pub use project_key::{KEY_DIR_VARIABLE, KeyPlace, ProjectKey};
pub use projector::{NoProjections, Projector};
pub use read::{ReadView, StoredEvent};
pub use record::Record;
pub use restore::{Marker, Restoring, known_epoch, lost_to, marker, verify_backup};
pub use signer::{SignedHead, Signer};
pub use storage::Storage;
pub use subjects::SUBJECTS_MAX;
pub use tombstones::{KeyMark, Tombstones};
pub use verify::Verified;
pub use whole::replace_file;
