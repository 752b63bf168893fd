//! What can go wrong with projections. A damaged row is always an error that names table and key;
//! nothing here is ever turned into a default or skipped.

use placet_model::Position;

/// Why projections could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A row is not what was written.
    #[error("the row {key} of {table} is damaged ({what}): run placet projections rebuild")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The key, in hex.
        key: String,
        /// What does not fit.
        what: &'static str,
    },
    /// A row that another row leads to is not there.
    #[error("{table} lacks the row {key}: run placet projections rebuild")]
    Missing {
        /// The table.
        table: &'static str,
        /// The key, in hex.
        key: String,
    },
    /// A whole table is not there, or is none of ours.
    #[error("the table {table} in the log's file is damaged: run placet projections rebuild")]
    Unusable {
        /// The table.
        table: &'static str,
        /// What redb said.
        source: Box<redb::Error>,
    },
    /// The tables hold events that the log does not: the log was replaced by an older one.
    #[error(
        "the projections stand at position {cursor}, the log ends at {head}: the log was cut or replaced; restore both from one backup, or rebuild"
    )]
    Ahead {
        /// Position of the last event in the tables.
        cursor: Position,
        /// Position of the last event in the log.
        head: Position,
    },
    /// The tables lack events: the log was written without them.
    #[error(
        "the projections stand at position {cursor}, the log ends at {head}: open the log with its projections once"
    )]
    Behind {
        /// Position of the last event in the tables.
        cursor: Position,
        /// Position of the last event in the log.
        head: Position,
    },
    /// The log has never been opened with projections.
    #[error("the log has no projections yet: open it with its projections once")]
    Absent,
    /// A moment of the log that never was.
    #[error("there is no position {position} in the log: it holds 1 to {head}")]
    NoSuchPosition {
        /// What was asked for.
        position: Position,
        /// Position of the last event.
        head: Position,
    },
    /// Events do not follow the cursor: a bug in whoever applies them.
    #[error("the events begin at position {found}, but {expected} is next")]
    Gap {
        /// Position of the first event given.
        found: Position,
        /// Position that is next.
        expected: Position,
    },
    /// An event that cannot follow what the tables hold: a corrupt log.
    #[error("{event} at position {position} cannot be applied: {what}")]
    Misplaced {
        /// Where the event stands.
        position: Position,
        /// Its type.
        event: &'static str,
        /// What does not fit.
        what: &'static str,
    },
    /// A row cannot be encoded.
    #[error("a row of {table} cannot be written")]
    Encode {
        /// The table.
        table: &'static str,
        /// What postcard said.
        source: postcard::Error,
    },
    /// The log could not be read.
    #[error("the log could not be read")]
    Log {
        /// Why.
        source: placet_log::Error,
    },
    /// The log did not take the rebuilt tables.
    #[error("the rebuilt tables could not be written")]
    Maintain {
        /// Why.
        source: placet_log::AppendError,
    },
    /// redb failed.
    #[error("{doing} {table} failed")]
    Storage {
        /// What was being done.
        doing: &'static str,
        /// With which table.
        table: &'static str,
        /// What redb said.
        source: Box<redb::Error>,
    },
    /// redb panicked on what it found in the file.
    #[error(
        "reading the projections failed: the file is damaged ({panic}); run placet audit verify"
    )]
    Panicked {
        /// What the panic said.
        panic: String,
    },
}

impl Error {
    /// The code of the reference page.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Damaged { .. } | Self::Missing { .. } | Self::Unusable { .. } => "PL1015",
            Self::Ahead { .. }
            | Self::Behind { .. }
            | Self::Misplaced { .. }
            | Self::Panicked { .. } => "PL1003",
            Self::NoSuchPosition { .. } => "PL4003",
            Self::Absent | Self::Storage { .. } => "PL1002",
            Self::Log { source } => source.code(),
            Self::Gap { .. } | Self::Encode { .. } | Self::Maintain { .. } => "PL9001",
        }
    }
}
