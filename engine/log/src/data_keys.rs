//! Data keys: one per stream, wrapped by the project key, in a file of their own.
//!
//! Keys are made in batches and committed before any of them is handed out, so a run starts
//! without a commit of its own. A number is handed out once in the life of the file. Destroying a
//! key deletes its row; what it sealed can then be read by nobody. This file never holds events,
//! and never an unwrapped key.

use crate::project_key::ProjectKey;
use crate::storage::{self, Db, File, PATIENCE, Packing, Snapshot};
use crate::tables::{DATA_KEYS, KEY_COUNTER};
use crate::{Error, KeyMark, payload::DataKey};
use placet_model::DataKeyId;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;
use zeroize::Zeroizing;

/// Keys made in the first commit: one run on the command line wants no more.
const BATCH_FIRST: u64 = 64;
/// Keys made in one commit once many are asked for: two syncs per thousand runs.
const BATCH_MAX: u64 = 1024;
/// Each batch is this many times the one before.
const GROWTH: u64 = 4;
const NEXT: &str = "next";
const MAKING: &str = "making data keys";
const READING: &str = "reading a data key";
const DESTROYING: &str = "destroying data keys";
const COPYING: &str = "writing the data keys anew";

/// The keys that are ready, and the thread that keeps them so.
pub(crate) struct DataKeys {
    shared: Arc<Shared>,
    refiller: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    db: Db,
    file: File,
    wrapping: LessSafeKey,
    install_id: [u8; 16],
    random: SystemRandom,
    pool: Mutex<Pool>,
    changed: Condvar,
}

#[derive(Default)]
struct Pool {
    ready: VecDeque<Arc<DataKey>>,
    /// Nothing is made before the first key is asked for: who only reads writes nothing.
    wanted: bool,
    closing: bool,
    /// Size of the last batch; the next is begun when half of it is used.
    batch: u64,
    failed: Option<String>,
}

impl Pool {
    fn is_low(&self) -> bool {
        let left = u64::try_from(self.ready.len()).unwrap_or(u64::MAX);
        self.wanted && (left == 0 || left < self.batch / 2)
    }
}

impl fmt::Debug for DataKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKeys").finish_non_exhaustive()
    }
}

impl DataKeys {
    pub(crate) fn open(
        db: Db,
        file: File,
        project_key: &ProjectKey,
        install_id: [u8; 16],
    ) -> Result<Self, Error> {
        let unbound = UnboundKey::new(&AES_256_GCM, project_key.as_bytes());
        let wrapping = LessSafeKey::new(unbound.map_err(|_unspecified| Error::Random)?);
        let shared = Arc::new(Shared {
            db,
            file,
            wrapping,
            install_id,
            random: SystemRandom::new(),
            pool: Mutex::default(),
            changed: Condvar::new(),
        });
        let worker = Arc::clone(&shared);
        let refiller = std::thread::Builder::new()
            .name("placet-keys".into())
            .spawn(move || worker.refill())
            .map_err(|source| shared.file.io("starting the key thread", source))?;
        Ok(Self { shared, refiller: Some(refiller) })
    }

    /// A key that no one has had before; its row is durable. Waits while a batch is made.
    pub(crate) fn take(&self) -> Result<Arc<DataKey>, Error> {
        let mut pool = self.shared.lock();
        pool.wanted = true;
        loop {
            if let Some(key) = pool.ready.pop_front() {
                if pool.is_low() {
                    self.shared.changed.notify_all();
                }
                return Ok(key);
            }
            if let Some(reason) = &pool.failed {
                return Err(self
                    .shared
                    .file
                    .damaged(format!("data keys cannot be made: {reason}")));
            }
            self.shared.changed.notify_all();
            pool = self.shared.changed.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The key with this number; `None` when it was destroyed or never made.
    pub(crate) fn get(&self, id: DataKeyId) -> Result<Option<DataKey>, Error> {
        let file = &self.shared.file;
        let tx = self.shared.db.begin_read().map_err(file.err(READING))?;
        let table = match tx.open_table(DATA_KEYS) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(file.err(READING)(error)),
        };
        let row = table.get(id.0).map_err(file.err(READING))?;
        row.map(|row| self.shared.unwrap(id, row.value())).transpose()
    }

    /// Whether any key was ever made in the file.
    pub(crate) fn has_any(db: &Db, file: &File) -> Result<bool, Error> {
        let tx = db.begin_read().map_err(file.err(READING))?;
        Ok(tx.list_tables().map_err(file.err(READING))?.next().is_some())
    }

    /// Refuses a file that has never made this key, or whose row of it is of another log: going on
    /// with it would give numbers of keys out twice.
    pub(crate) fn check(&self, id: DataKeyId) -> Result<(), Error> {
        let file = &self.shared.file;
        let foreign = |what| Err(Error::ForeignKeys { file: file.to_path(), what });
        let tx = self.shared.db.begin_read().map_err(file.err(READING))?;
        let next = match tx.open_table(KEY_COUNTER) {
            Ok(table) => table.get(NEXT).map_err(file.err(READING))?.map_or(1, |row| row.value()),
            Err(redb::TableError::TableDoesNotExist(_)) => 1,
            Err(error) => return Err(file.err(READING)(error)),
        };
        if id.0 >= next {
            return foreign(format!("the log needs key {}, and it ends before {next}", id.0));
        }
        let table = tx.open_table(DATA_KEYS).map_err(file.err(READING))?;
        let ends = [table.first(), table.last()];
        for row in ends {
            // a row that is missing is a destroyed key, which reading tells
            if let Some((key, wrapped)) = row.map_err(file.err(READING))? {
                let key = DataKeyId(key.value());
                if self.shared.unwrap(key, wrapped.value()).is_err() {
                    return foreign(format!("its key {} does not open", key.0));
                }
            }
        }
        Ok(())
    }

    /// No key below this number is made from now on; asked before the first key is.
    pub(crate) fn skip_to(&self, id: DataKeyId) -> Result<(), Error> {
        let file = &self.shared.file;
        let mut tx = self.shared.db.begin_write().map_err(file.err(MAKING))?;
        tx.set_quick_repair(true);
        {
            let mut counter = tx.open_table(KEY_COUNTER).map_err(file.err(MAKING))?;
            let next = counter.get(NEXT).map_err(file.err(MAKING))?.map_or(1, |row| row.value());
            counter.insert(NEXT, next.max(id.0)).map_err(file.err(MAKING))?;
            tx.open_table(DATA_KEYS).map_err(file.err(MAKING))?;
        }
        tx.commit().map_err(file.err(MAKING))
    }

    /// The keys as they are now.
    pub(crate) fn snapshot(&self) -> Result<KeySnapshot, Error> {
        let tx = self.shared.db.begin_read().map_err(self.shared.file.err(READING))?;
        Ok(KeySnapshot { tx, file: self.shared.file.clone() })
    }

    /// Destroys keys; returns how many there were. Durable before this returns.
    pub(crate) fn destroy(&self, ids: &[DataKeyId]) -> Result<usize, Error> {
        self.shared.delete(ids)
    }

    /// Writes the file anew: every row is copied into a new file, which takes the old one's name.
    /// Where there is no file, pages are packed instead.
    pub(crate) fn rewrite(&self, is_file: bool) -> Result<(), Error> {
        let (db, file) = (&self.shared.db, &self.shared.file);
        if !is_file {
            while db.wait_unread(Instant::now() + PATIENCE) {
                if db.pack(file)? == Packing::Done {
                    return Ok(());
                }
            }
            return Err(Error::Busy);
        }
        storage::guarded(COPYING, file, || db.replace(|old| copy(old, file)))
    }

    /// The marks of those of these keys that are there.
    pub(crate) fn marks(&self, ids: &[DataKeyId]) -> Result<Vec<(DataKeyId, KeyMark)>, Error> {
        let file = &self.shared.file;
        let tx = self.shared.db.begin_read().map_err(file.err(READING))?;
        let table = match tx.open_table(DATA_KEYS) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(vec![]),
            Err(error) => return Err(file.err(READING)(error)),
        };
        let mut marks = Vec::new();
        for id in ids {
            let row = table.get(id.0).map_err(file.err(READING))?;
            marks.extend(row.map(|row| (*id, KeyMark::of(row.value()))));
        }
        Ok(marks)
    }

    /// Those of `destroyed` that are there; raises the counter past all of them, so that a restored
    /// file never gives one of these numbers to a new key.
    pub(crate) fn revived(
        &self,
        destroyed: &BTreeSet<(DataKeyId, KeyMark)>,
    ) -> Result<BTreeSet<DataKeyId>, Error> {
        let Some((last, _)) = destroyed.last() else { return Ok(BTreeSet::new()) };
        let (alive, next) = self.shared.alive(destroyed)?;
        if next <= last.0 {
            self.shared.raise_counter(last.0 + 1)?;
        }
        Ok(alive)
    }
}

/// A copy of the key file under its name; the one that had it is gone with its last handle.
fn copy(old: &Database, file: &File) -> Result<Database, Error> {
    let unfinished = file.path().with_extension("redb.new");
    storage::remove(&unfinished, file)?;
    // what is being written now comes first
    let last = old.begin_write().map_err(file.err(COPYING))?;
    last.abort().map_err(file.err(COPYING))?;
    let from = old.begin_read().map_err(file.err(COPYING))?;
    let mut builder = Database::builder();
    builder.set_cache_size(storage::KEY_CACHE_BYTES);
    let mut new = builder.create(&unfinished).map_err(file.err(COPYING))?;
    let mut tx = new.begin_write().map_err(file.err(COPYING))?;
    tx.set_quick_repair(true);
    storage::copy_rows((&from, &tx), DATA_KEYS, (COPYING, file))?;
    storage::copy_rows((&from, &tx), KEY_COUNTER, (COPYING, file))?;
    tx.commit().map_err(file.err(COPYING))?;
    while new.compact().map_err(file.err(COPYING))? {}
    storage::take_name(&unfinished, file.path(), file)?;
    Ok(new)
}

/// The keys at one moment.
#[derive(Debug)]
pub(crate) struct KeySnapshot {
    tx: Snapshot,
    file: File,
}

impl KeySnapshot {
    pub(crate) fn transaction(&self) -> &redb::ReadTransaction {
        &self.tx
    }

    /// Whether one of these keys is not there.
    pub(crate) fn lacks(&self, needed: &BTreeSet<DataKeyId>) -> Result<bool, Error> {
        let table = match self.tx.open_table(DATA_KEYS) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(!needed.is_empty()),
            Err(error) => return Err(self.file.err(READING)(error)),
        };
        for id in needed {
            if table.get(id.0).map_err(self.file.err(READING))?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Drop for DataKeys {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        if let Some(refiller) = self.refiller.take() {
            drop(refiller.join());
        }
        let unused: Vec<DataKeyId> =
            self.shared.lock().ready.drain(..).map(|key| key.id()).collect();
        if let Err(error) = self.shared.delete(&unused) {
            tracing::warn!(%error, "unused data keys stay in the key file");
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refill(&self) {
        loop {
            let mut pool = self.lock();
            while !(pool.closing || pool.is_low()) {
                pool = self.changed.wait(pool).unwrap_or_else(PoisonError::into_inner);
            }
            if pool.closing || pool.failed.is_some() {
                return;
            }
            let size = (pool.batch * GROWTH).clamp(BATCH_FIRST, BATCH_MAX);
            pool.batch = size;
            drop(pool);
            let batch = storage::guarded(MAKING, &self.file, || self.make_batch(size));
            let mut pool = self.lock();
            match batch {
                Ok(batch) => pool.ready.extend(batch),
                Err(error) => pool.failed = Some(error.to_string()),
            }
            drop(pool);
            self.changed.notify_all();
        }
    }

    fn make_batch(&self, size: u64) -> Result<Vec<Arc<DataKey>>, Error> {
        let mut tx = self.db.begin_write().map_err(self.file.err(MAKING))?;
        tx.set_quick_repair(true);
        let mut batch = Vec::new();
        {
            let mut counter = tx.open_table(KEY_COUNTER).map_err(self.file.err(MAKING))?;
            let mut table = tx.open_table(DATA_KEYS).map_err(self.file.err(MAKING))?;
            let next =
                counter.get(NEXT).map_err(self.file.err(MAKING))?.map_or(1, |row| row.value());
            for id in next..next + size {
                let mut bytes = Zeroizing::new([0; 32]);
                self.random.fill(bytes.as_mut()).map_err(|_unspecified| Error::Random)?;
                let wrapped = self.wrap(DataKeyId(id), &bytes)?;
                table.insert(id, wrapped.as_slice()).map_err(self.file.err(MAKING))?;
                batch.push(Arc::new(DataKey::new(DataKeyId(id), &bytes)?));
            }
            counter.insert(NEXT, next + size).map_err(self.file.err(MAKING))?;
        }
        tx.commit().map_err(self.file.err(MAKING))?;
        Ok(batch)
    }

    /// Those of `keys` that are there, and the number of the next key.
    fn alive(
        &self,
        keys: &BTreeSet<(DataKeyId, KeyMark)>,
    ) -> Result<(BTreeSet<DataKeyId>, u64), Error> {
        let tx = self.db.begin_read().map_err(self.file.err(READING))?;
        let table = match tx.open_table(DATA_KEYS) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok((BTreeSet::new(), 1)),
            Err(error) => return Err(self.file.err(READING)(error)),
        };
        let counter = tx.open_table(KEY_COUNTER).map_err(self.file.err(READING))?;
        let next = counter.get(NEXT).map_err(self.file.err(READING))?.map_or(1, |row| row.value());
        let mut alive = BTreeSet::new();
        // whichever are fewer are walked
        if table.len().map_err(self.file.err(READING))? < keys.len() as u64 {
            for row in table.iter().map_err(self.file.err(READING))? {
                let (id, wrapped) = row.map_err(self.file.err(READING))?;
                let (id, mark) = (DataKeyId(id.value()), KeyMark::of(wrapped.value()));
                alive.extend(keys.contains(&(id, mark)).then_some(id));
            }
        } else {
            for (id, mark) in keys {
                let row = table.get(id.0).map_err(self.file.err(READING))?;
                let same = row.is_some_and(|row| KeyMark::of(row.value()) == *mark);
                alive.extend(same.then_some(*id));
            }
        }
        Ok((alive, next))
    }

    fn raise_counter(&self, next: u64) -> Result<(), Error> {
        let mut tx = self.db.begin_write().map_err(self.file.err(MAKING))?;
        tx.set_quick_repair(true);
        {
            let mut counter = tx.open_table(KEY_COUNTER).map_err(self.file.err(MAKING))?;
            counter.insert(NEXT, next).map_err(self.file.err(MAKING))?;
            tx.open_table(DATA_KEYS).map_err(self.file.err(MAKING))?;
        }
        tx.commit().map_err(self.file.err(MAKING))
    }

    fn delete(&self, ids: &[DataKeyId]) -> Result<usize, Error> {
        if ids.is_empty() {
            return Ok(0);
        }
        let mut tx = self.db.begin_write().map_err(self.file.err(DESTROYING))?;
        tx.set_quick_repair(true);
        let mut gone = 0;
        {
            let mut table = tx.open_table(DATA_KEYS).map_err(self.file.err(DESTROYING))?;
            for id in ids {
                gone +=
                    usize::from(table.remove(id.0).map_err(self.file.err(DESTROYING))?.is_some());
            }
        }
        tx.commit().map_err(self.file.err(DESTROYING))?;
        Ok(gone)
    }

    fn aad(&self, id: DataKeyId) -> Aad<Vec<u8>> {
        Aad::from([&b"placet-data-key-v1"[..], &self.install_id, &id.0.to_be_bytes()].concat())
    }

    fn wrap(&self, id: DataKeyId, key: &[u8; 32]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_unspecified| Error::Random)?;
        let mut sealed = Zeroizing::new(key.to_vec());
        sealed.reserve_exact(AES_256_GCM.tag_len());
        self.wrapping
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                self.aad(id),
                &mut *sealed,
            )
            .map_err(|_unspecified| Error::Random)?;
        Ok([&nonce[..], sealed.as_slice()].concat())
    }

    fn unwrap(&self, id: DataKeyId, wrapped: &[u8]) -> Result<DataKey, Error> {
        let damaged = || self.file.damaged(format!("data key {} does not open", id.0));
        let (nonce, sealed) = wrapped.split_first_chunk().ok_or_else(damaged)?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let key = self
            .wrapping
            .open_in_place(Nonce::assume_unique_for_key(*nonce), self.aad(id), &mut sealed)
            .map_err(|_unspecified| damaged())?;
        let key: &[u8; 32] = (&*key).try_into().map_err(|_ignored| damaged())?;
        DataKey::new(id, key)
    }
}
