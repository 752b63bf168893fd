//! What has been erased, as the tables of keys say it: for whoever makes sure that events say it too.

use crate::Error;
use crate::envelope::stream_of;
use crate::erase::Erasable;
use crate::read::ReadView;
use crate::tables::{APART, STREAM_KEYS};
use placet_model::{Position, Revision, StreamId};
use redb::ReadableTable;
use std::collections::BTreeMap;

impl ReadView {
    /// Everything whose content is erased, with the payloads that it had.
    ///
    /// # Errors
    /// When the file cannot be read, or an event is damaged.
    pub fn erased(&self) -> Result<Vec<(Erasable, u64)>, Error> {
        let mut found = vec![];
        for (stream, until) in self.erased_streams()? {
            let payloads = self.payloads_until(&stream, until)?;
            found.push((Erasable::Stream(stream), payloads));
        }
        for position in self.erased_arrivals()? {
            let payloads =
                self.with_record(position, |record| Ok(record.envelope.payloads.len()))?;
            let payloads = u64::try_from(payloads).unwrap_or(u64::MAX);
            found.push((Erasable::Arrival(position), payloads));
        }
        Ok(found)
    }

    /// Streams with a destroyed key, each with the last position that it concerns.
    fn erased_streams(&self) -> Result<BTreeMap<StreamId, Position>, Error> {
        self.guarded(|| {
            let mut found = BTreeMap::new();
            let keys = self.transaction().open_table(STREAM_KEYS).map_err(self.err())?;
            for row in keys.iter().map_err(self.err())? {
                let (key, until) = row.map_err(self.err())?;
                if until.value() == 0 {
                    continue;
                }
                let stream = stream_of(key.value().0)
                    .ok_or_else(|| self.shared.db.1.damaged("a stream's name in stream_keys"))?;
                let last = found.entry(stream).or_insert(Position::START);
                *last = Position::new(until.value()).max(*last);
            }
            Ok(found)
        })
    }

    fn erased_arrivals(&self) -> Result<Vec<Position>, Error> {
        let Some(apart) = self.open_if_made(APART)? else { return Ok(vec![]) };
        self.guarded(|| {
            let mut found = vec![];
            for row in apart.iter().map_err(self.err())? {
                let (position, row) = row.map_err(self.err())?;
                if row.value().1 != 0 {
                    found.push(Position::new(position.value()));
                }
            }
            Ok(found)
        })
    }

    fn payloads_until(&self, stream: &StreamId, last: Position) -> Result<u64, Error> {
        let mut payloads = 0;
        for event in self.stream(stream, Revision::START) {
            let position = event?.position;
            if position > last {
                break;
            }
            let count = self.with_record(position, |record| Ok(record.envelope.payloads.len()))?;
            payloads += u64::try_from(count).unwrap_or(u64::MAX);
        }
        Ok(payloads)
    }
}
