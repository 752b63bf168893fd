//! Which data key seals for which stream, and the keys in use, in memory.
//!
//! A cache over `stream_keys` and the key file: dropping it loses nothing. It is bounded, so a
//! hundred thousand parked runs hold no keys.

use crate::data_keys::{DataKeys, KeySnapshot};
use crate::payload::DataKey;
use crate::storage::{Db, File};
use crate::tables::STREAM_KEYS;
use crate::{Error, KeyMark};
use placet_model::DataKeyId;
use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A cache that forgets: two generations, the older one dropped when the younger is full.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    limit: usize,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), limit }
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized + ToOwned<Owned = K>>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let value = self.old.remove(key)?;
        self.insert(key.to_owned(), value.clone());
        Some(value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.limit {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    pub(crate) fn forget_if(&mut self, is_gone: impl Fn(&V) -> bool) {
        self.young.retain(|_, value| !is_gone(value));
        self.old.retain(|_, value| !is_gone(value));
    }

    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.young.remove(key);
        self.old.remove(key);
    }
}

/// A data key in its role as the key of one stream.
#[derive(Debug)]
pub(crate) struct StreamKey {
    pub(crate) key: Arc<DataKey>,
    /// Whether `stream_keys` is known to say so; the writer sees to it.
    registered: AtomicBool,
}

impl StreamKey {
    pub(crate) fn is_registered(&self) -> bool {
        self.registered.load(Ordering::Acquire)
    }

    pub(crate) fn set_registered(&self) {
        self.registered.store(true, Ordering::Release);
    }
}

/// Streams and keys kept in memory per generation.
const RECENT: usize = 4096;

#[derive(Debug)]
pub(crate) struct Keyring {
    data_keys: DataKeys,
    recent: Mutex<Caches>,
}

#[derive(Debug)]
struct Caches {
    streams: Recent<Vec<u8>, Arc<StreamKey>>,
    keys: Recent<DataKeyId, Arc<DataKey>>,
}

impl Keyring {
    pub(crate) fn new(data_keys: DataKeys) -> Self {
        let caches = Caches { streams: Recent::new(RECENT), keys: Recent::new(RECENT) };
        Self { data_keys, recent: Mutex::new(caches) }
    }

    fn lock(&self) -> MutexGuard<'_, Caches> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A key that no stream has had.
    pub(crate) fn take(&self) -> Result<DataKeyId, Error> {
        let key = self.data_keys.take()?;
        let id = key.id();
        self.lock().keys.insert(id, key);
        Ok(id)
    }

    /// A key for content that is sealed apart: the one that was taken for it, or a new one.
    pub(crate) fn own(&self, taken: Option<DataKeyId>) -> Result<Arc<DataKey>, Error> {
        let id = taken.map_or_else(|| self.take(), Ok)?;
        self.get(id)?.ok_or(Error::NoSuchKey { key: id })
    }

    /// The key with this number; `None` when it was destroyed.
    pub(crate) fn get(&self, id: DataKeyId) -> Result<Option<Arc<DataKey>>, Error> {
        if let Some(key) = self.lock().keys.get(&id) {
            return Ok(Some(key));
        }
        let Some(key) = self.data_keys.get(id)?.map(Arc::new) else { return Ok(None) };
        self.lock().keys.insert(id, Arc::clone(&key));
        Ok(Some(key))
    }

    /// Refuses a key file that cannot be the one of a log in which this key has sealed.
    pub(crate) fn check(&self, id: DataKeyId) -> Result<(), Error> {
        self.data_keys.check(id)
    }

    /// No key below this number is made from now on.
    pub(crate) fn skip_to(&self, id: DataKeyId) -> Result<(), Error> {
        self.data_keys.skip_to(id)
    }

    /// The keys as they are now.
    pub(crate) fn snapshot(&self) -> Result<KeySnapshot, Error> {
        self.data_keys.snapshot()
    }

    /// The key that seals for `stream`: the one asked for, else the one it has, else a new one.
    pub(crate) fn for_stream(
        &self,
        stream: &[u8],
        wanted: Option<DataKeyId>,
        log: &(Db, File),
    ) -> Result<Arc<StreamKey>, Error> {
        let cached = self.lock().streams.get(stream);
        match (cached, wanted) {
            (Some(cached), None) => return Ok(cached),
            (Some(cached), Some(id)) if cached.key.id() == id => return Ok(cached),
            (Some(_) | None, _) => {}
        }
        let (key, registered) = match wanted {
            Some(id) => (self.get(id)?.ok_or(Error::NoSuchKey { key: id })?, false),
            None => match self.registered_key(stream, log)? {
                Some(key) => (key, true),
                None => (self.data_keys.take()?, false),
            },
        };
        let key = Arc::new(StreamKey { key, registered: AtomicBool::new(registered) });
        self.lock().streams.insert(stream.to_vec(), Arc::clone(&key));
        Ok(key)
    }

    fn registered_key(
        &self,
        stream: &[u8],
        (db, file): &(Db, File),
    ) -> Result<Option<Arc<DataKey>>, Error> {
        let ids = live_keys(stream, db, file)?;
        for id in ids.into_iter().rev() {
            if let Some(key) = self.get(id)? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// Destroys keys for good and forgets them.
    pub(crate) fn destroy(&self, ids: &[DataKeyId]) -> Result<usize, Error> {
        let gone = self.data_keys.destroy(ids)?;
        let destroyed: BTreeSet<DataKeyId> = ids.iter().copied().collect();
        let mut recent = self.lock();
        recent.streams.forget_if(|stream| destroyed.contains(&stream.key.id()));
        for id in ids {
            recent.keys.remove(id);
        }
        Ok(gone)
    }

    /// The marks of those of these keys that are there.
    pub(crate) fn marks(&self, ids: &[DataKeyId]) -> Result<Vec<(DataKeyId, KeyMark)>, Error> {
        self.data_keys.marks(ids)
    }

    /// Writes the key file anew, without a trace of destroyed keys.
    pub(crate) fn rewrite(&self, is_file: bool) -> Result<(), Error> {
        self.data_keys.rewrite(is_file)
    }

    /// Those of the destroyed keys that are in the key file, though they should not be. Their
    /// numbers are never given to another key.
    pub(crate) fn revived(
        &self,
        destroyed: &BTreeSet<(DataKeyId, KeyMark)>,
    ) -> Result<BTreeSet<DataKeyId>, Error> {
        self.data_keys.revived(destroyed)
    }
}

/// The keys of a stream that were not destroyed, oldest first.
pub(crate) fn live_keys(stream: &[u8], db: &Db, file: &File) -> Result<Vec<DataKeyId>, Error> {
    const DOING: &str = "reading the keys of a stream";
    let tx = db.begin_read().map_err(file.err(DOING))?;
    let table = tx.open_table(STREAM_KEYS).map_err(file.err(DOING))?;
    let mut ids = Vec::new();
    for row in table.range((stream, 0)..=(stream, u64::MAX)).map_err(file.err(DOING))? {
        let (key, erased_until) = row.map_err(file.err(DOING))?;
        if erased_until.value() == 0 {
            ids.push(DataKeyId(key.value().1));
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_keeps_what_is_used_and_never_grows_past_two_generations() {
        let mut recent: Recent<u32, u32> = Recent::new(10);
        for n in 0..1000 {
            recent.insert(n, n);
            assert_eq!(recent.get(&0).or(Some(0)), Some(0));
            assert_eq!(recent.get(&n), Some(n));
            assert!(recent.young.len() + recent.old.len() <= 20);
        }
        assert_eq!(recent.get(&0), Some(0), "asked for each time");
        assert_eq!(recent.get(&500), None);
        recent.remove(&0);
        assert_eq!(recent.get(&0), None);
    }
}
