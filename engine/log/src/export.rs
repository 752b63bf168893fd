//! The log as files that tools of others can verify (C2SP tlog-tiles), and checking such files
//! again without the database and without any key but the reader's own.
//!
//! ```text
//! checkpoint                  signed note, with the witnesses' lines; written last
//! key                         the log's verifier key, for convenience only
//! tile/<L>/<N>[.p/<W>]        hash tiles, every level; of a last one only its final width W
//! tile/entries/<N>[.p/<W>]    the leaves, each after its length as a big-endian u16
//! payloads/<ct_hash>          content as it is stored: sealed
//! payloads.plain/<ct_hash>    content in the clear, and <ct_hash>.salt: only on request
//! events.jsonl                every event as people read it, with its body; line n is position n
//! README.txt                  how to check all of this, with two tools that are not ours
//! ```
//!
//! Nothing in an export is believed because it stands there: entries are hashed again into a tree
//! of their own, and everything else is compared with that.

mod layout;
mod line;
mod verify;
mod write;

pub(crate) use line::parts;
pub use line::{RENDERING, Render, line};
pub use verify::{Asked, Finding, Report, verify};
pub use write::{Content, Entry, Exported, Exporter};
