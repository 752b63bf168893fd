//! Marks: how far a piece of work over the log has come, for work whose result is in the log anyway.
//! A mark that is lost costs the work again and nothing else; it never decides what is true.
//!
//! In the table `meta`: `"mark:<name>" → position u64 | check 8`.

use crate::tables::META;
use crate::{AppendError, Error, Log, ReadView, check};
use placet_model::Position;

fn row(name: &str) -> String {
    format!("mark:{name}")
}

impl Log {
    /// Sets a mark, between appends.
    ///
    /// # Errors
    /// When the log has stopped.
    pub fn set_mark(&self, name: &str, position: Position) -> Result<(), AppendError> {
        let row = row(name);
        self.maintain(move |tx| {
            let mut value = position.get().to_be_bytes().to_vec();
            check::seal(row.as_bytes(), &mut value);
            tx.open_table(META)?.insert(row.as_str(), value.as_slice())?;
            Ok(())
        })
    }
}

impl ReadView {
    /// A mark; the start of the log where it was never set, or cannot be read.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn mark(&self, name: &str) -> Result<Position, Error> {
        let row = row(name);
        self.guarded(|| {
            let meta = self.transaction().open_table(META).map_err(self.err())?;
            let value = meta.get(row.as_str()).map_err(self.err())?;
            let position = value.and_then(|value| {
                let value: [u8; 8] = check::open(row.as_bytes(), value.value())?.try_into().ok()?;
                Some(Position::new(u64::from_be_bytes(value)))
            });
            Ok(position.unwrap_or(Position::START).min(self.head().position()))
        })
    }
}
