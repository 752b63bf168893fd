//! The tables, each with its layout drawn, and how a row is sealed.
//!
//! Only this crate writes them. Every table is `bytes → bytes`; numbers in keys are big-endian.
//!
//! ```text
//! value   version u8 (1) | postcard of a frozen struct | check 8 (over key and all before it)
//! ```
//!
//! redb does not verify its pages on reads, so the check stands in every row, also in rows that are
//! all key: a flipped bit is an error, never another id. A change of any stored struct or key is a
//! new version of all names (`_v7`), and so is a new table: the next start fills them from the log.
//!
//! What a run of three reads costs, in four commits: `hot` in each of them (the cursor, and between
//! them 3 writes and a removal of its state, 1 write and a removal of its mark), `runs` 1 write,
//! `ended` 1 write.
//! An item of the inbox costs, beside its `decisions` row and its mark, one row that is all key in each of
//! `inbox`, `shaped` and `asked`, written when it opens and removed when it closes.

use crate::Error;
use placet_log::check;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Write as _;

/// Version of the value layout.
const VERSION: u8 = 1;

/// Declares the tables: each with what its rows are, and its name without the version.
macro_rules! tables {
    ($($(#[$doc:meta])* $table:ident = $name:literal,)+) => {
        /// The tables.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum TableName {
            $($(#[$doc])* $table,)+
        }

        impl TableName {
            /// Every table.
            pub(crate) const ALL: [Self; [$($name),+].len()] = [$(Self::$table),+];

            /// Its name in redb, and in errors.
            pub(crate) const fn live(self) -> &'static str {
                match self {
                    $(Self::$table => concat!("proj_", $name, "_v7"),)+
                }
            }

            const fn next(self) -> &'static str {
                match self {
                    $(Self::$table => concat!("proj_", $name, "_v7_next"),)+
                }
            }
        }
    };
}

tables! {
    /// What almost every commit writes, in one table: each further one would cost a commit one more
    /// page. The first byte of a key says what the row is.
    ///
    /// ```text
    /// 0                      → position u64   the last event that all tables hold: one fold in one
    ///                                         transaction, so they cannot disagree
    /// kind u8 (1…15) | id 16 → nothing        who must be looked at; see [`crate::key::Mark`]
    /// 16 | run 16            → State          runs that may still get events: nothing in it that
    ///                                         never changes; they leave when they are over
    /// ```
    ///
    /// The state is [`crate::run::State`].
    Hot = "hot",
    /// `run 16` → [`crate::run::Facts`]: what a run pins for life. Written once.
    Runs = "runs",
    /// `run 16` → [`crate::run::State`]: runs that are over, with no attempt left. Written once.
    Ended = "ended",
    /// `due at 8 | run 16 | kind u8 | id 16 → nothing`: what comes due, in order of time; see
    /// [`crate::DueRow`].
    Due = "due",
    /// `decision 16` → [`crate::decision::Decision`]: requests, kept for ever.
    Decisions = "decisions",
    /// `principal | 0 | request id → decision 16`: votes by the client's request id.
    Requests = "requests",
    /// `key or principal | 0 | nonce` → [`crate::Spent`]: nonces of votes, kept for ever.
    Nonces = "nonces",
    /// `integration 16` → [`crate::integrations::Stored`].
    Integrations = "integrations",
    /// `kind u8 | digest 32` → [`crate::project::Place`]: plans, sources, operations.
    Located = "located",
    /// `family | 0 | position u64` → [`crate::project::Deployed`]: deployments.
    Workflows = "workflows",
    /// `"policy" → (digest, place)`, `"pauses" → Pauses`, `"keys" → Keys`, `"delivered" → position`.
    Project = "project",
    /// `position 8` → [`crate::arrival::Arrival`]: events that came, from outside or from runs.
    Arrivals = "arrivals",
    /// `type | 0 | position 8 → nothing`: the same by their type.
    ArrivalTypes = "arrival_types",
    /// `digest 32 → position`: the same by source and id, of which the first counts.
    ArrivalIds = "arrival_ids",
    /// `type | 0 | run 16 → position`: runs that wait for events of a type, or of any (no type),
    /// and where the wait began.
    Listeners = "listeners",
    /// `run 16` → [`crate::order::Order`]: runs that were ordered by a run or a schedule.
    Orders = "orders",
    /// `place 25 → nothing`: open items in the order of the list; see [`crate::Place`].
    Inbox = "inbox",
    /// `rank u8 | shape 32 → (count u64,` [`crate::inbox::Shape`]`)`: kinds of open items; a row
    /// goes with its last item.
    Shapes = "shapes",
    /// `shape 32 | place 25 → nothing`: open items by their shape.
    Shaped = "shaped",
    /// `requester | 0 | place 25 → nothing`: open items by whom they were caused.
    Asked = "asked",
    /// `principal | 0 | place 25 → nothing`: open items by who has voted on them or has written them.
    Hands = "hands",
    /// `digest 32` → [`crate::action::Action`]: actions of agents by agent and idempotency key.
    Actions = "actions",
    /// `digest 32 → decision 16`: drafts that an approver has replaced, by what they said.
    Edited = "edited",
    /// `name | 0 | day i64 → count u32`: uses of a standing approval on one day (UTC).
    Standing = "standing",
    /// `principal | 0 | kind u8 | at 8 | position 8` → [`crate::tally::Stored`]: what approvers did
    /// and what became of it, in order of time; under no name what is nobody's. Written once.
    Tally = "tally",
    /// `principal | 0 | channel | 0 | mode u8` → [`crate::tally::Told`]: how far somebody was told
    /// over a channel; under an empty key the position after which a start reads on.
    Told = "told",
}

/// How many tables there are.
pub(crate) const TABLES: usize = TableName::ALL.len();

/// What the name of every table of this crate begins with, of earlier layouts too.
pub(crate) const OURS: &str = "proj_";

/// Which set of tables is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    /// The one that is read and kept up.
    Live,
    /// The one that a rebuild makes beside it.
    Next,
}

impl TableName {
    /// Its name in redb.
    pub(crate) const fn name(self, generation: Generation) -> &'static str {
        match generation {
            Generation::Live => self.live(),
            Generation::Next => self.next(),
        }
    }

    /// Its place in [`TableName::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The error for a row of it that is not what was written.
    pub(crate) fn damaged(self, key: &[u8], what: &'static str) -> Error {
        Error::Damaged { table: self.live(), key: hex(key), what }
    }

    /// The error for a row that another row leads to.
    pub(crate) fn missing(self, key: &[u8]) -> Error {
        Error::Missing { table: self.live(), key: hex(key) }
    }

    /// Turns what redb says into an error that names the table.
    pub(crate) fn err<E: Into<redb::Error>>(self, doing: &'static str) -> impl Fn(E) -> Error {
        move |error| {
            let (table, source) = (self.live(), Box::new(error.into()));
            if is_of_the_table(&source) {
                Error::Unusable { table, source }
            } else {
                Error::Storage { doing, table, source }
            }
        }
    }

    /// The sealed form of `value`, in the place of what `row` held.
    pub(crate) fn seal<T: Serialize>(
        self,
        key: &[u8],
        value: &T,
        mut row: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        row.clear();
        row.push(VERSION);
        let mut row = postcard::to_extend(value, row)
            .map_err(|source| Error::Encode { table: self.live(), source })?;
        check::seal(key, &mut row);
        Ok(row)
    }

    /// Reads a sealed row.
    pub(crate) fn unseal<T: DeserializeOwned>(self, key: &[u8], row: &[u8]) -> Result<T, Error> {
        let value = check::open(key, row).ok_or_else(|| self.damaged(key, "its check"))?;
        let Some((&VERSION, body)) = value.split_first() else {
            return Err(self.damaged(key, "its version"));
        };
        match postcard::take_from_bytes(body) {
            Ok((value, [])) => Ok(value),
            Ok((_, _)) => Err(self.damaged(key, "bytes left over")),
            Err(_malformed) => Err(self.damaged(key, "its body")),
        }
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

/// Whether redb says that the table is not the one it should be, which a new one cures.
const fn is_of_the_table(error: &redb::Error) -> bool {
    matches!(
        error,
        redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableDoesNotExist(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_row_opens_only_under_its_key_whole_and_unchanged() {
        let row = TableName::Requests.seal(b"key", &(7u64, "seven"), vec![9]).unwrap();
        let open = |key: &[u8], row: &[u8]| TableName::Requests.unseal::<(u64, String)>(key, row);
        assert_eq!(open(b"key", &row).unwrap(), (7, "seven".to_owned()));
        assert!(open(b"kex", &row).is_err());
        for at in 0..row.len() {
            let mut flipped = row.clone();
            flipped[at] ^= 0x10;
            let error = open(b"key", &flipped).unwrap_err().to_string();
            assert!(error.contains("6b6579 of proj_requests_v7"), "{error}");
        }
    }

    #[test]
    fn every_table_has_names_and_a_place_of_its_own() {
        let names: BTreeSet<_> =
            TableName::ALL.iter().flat_map(|table| [table.live(), table.next()]).collect();
        assert_eq!(names.len(), 2 * TABLES);
        for (place, table) in TableName::ALL.into_iter().enumerate() {
            assert_eq!(table.index(), place);
            assert_eq!(table.next(), format!("{}_next", table.live()));
        }
    }
}
