//! A disk that loses power: what was not synced may be lost, reordered or torn.
//!
//! The image that survives is the one of the last sync with some of the later operations applied:
//! none, the first few, any few, single 512-byte sectors of them, only changes of length, or all.

use crate::random::Random;
use redb::StorageBackend;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

const SECTOR: usize = 512;

/// Whether the disk does what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Honesty {
    /// What was synced is durable.
    Honest,
    /// A sync returns and nothing is durable.
    LiesAboutSync,
}

#[derive(Debug, Clone)]
enum Operation {
    SetLen(usize),
    Write(usize, Vec<u8>),
}

#[derive(Debug)]
struct State {
    synced: Vec<u8>,
    live: Vec<u8>,
    unsynced: Vec<Operation>,
    honesty: Honesty,
    /// Whether the machine has no power.
    dark: Arc<AtomicBool>,
    /// Operations until the power goes.
    power_left: Option<u64>,
    /// Syncs until one fails.
    syncs_left: Option<u64>,
    /// Bytes that the file may grow to.
    room: Option<usize>,
    /// Operations since the disk was made.
    operations: u64,
    /// Raised at every restart: handles from before are dead.
    life: u64,
}

/// The disk itself; it outlives the backends that are opened on it.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mutex<State>>);

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new(honesty: Honesty) -> Self {
        Self::of(Vec::new(), honesty)
    }

    /// A disk on which this is durable.
    #[must_use]
    pub fn of(image: Vec<u8>, honesty: Honesty) -> Self {
        Self::on(Arc::default(), image, honesty)
    }

    /// Another disk of the same machine: when one loses power, both do.
    #[must_use]
    pub fn beside(&self, image: Vec<u8>, honesty: Honesty) -> Self {
        let dark = Arc::clone(&self.lock().dark);
        Self::on(dark, image, honesty)
    }

    fn on(dark: Arc<AtomicBool>, image: Vec<u8>, honesty: Honesty) -> Self {
        Self(Arc::new(Mutex::new(State {
            dark,
            live: image.clone(),
            synced: image,
            unsynced: Vec::new(),
            honesty,
            power_left: None,
            syncs_left: None,
            room: None,
            operations: 0,
            life: 0,
        })))
    }

    /// What is durable.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        self.lock().synced.clone()
    }

    /// Operations since the disk was made.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The disk as redb wants it, until the next restart.
    #[must_use]
    pub fn backend(&self) -> Box<dyn StorageBackend> {
        let life = self.lock().life;
        Box::new(Backend { disk: self.clone(), life })
    }

    /// The power goes at the n-th operation from now.
    pub fn cut_power_after(&self, operations: u64) {
        let mut state = self.lock();
        state.power_left = Some(operations);
        if operations == 0 {
            state.dark.store(true, Ordering::SeqCst);
        }
    }

    /// The n-th sync from now fails with an I/O error, and every operation after it.
    pub fn fail_sync_after(&self, syncs: u64) {
        self.lock().syncs_left = Some(syncs);
    }

    /// The disk is full: the file may not grow any more.
    pub fn fill(&self) {
        let mut state = self.lock();
        state.room = Some(state.live.len());
    }

    /// There is room again.
    pub fn make_room(&self) {
        self.lock().room = None;
    }

    /// All that was written until now is durable, whatever was synced.
    pub fn keep_all(&self) {
        let mut state = self.lock();
        state.unsynced.clear();
        let live = state.live.clone();
        state.synced = live;
    }

    /// What survives the loss of power is there, old handles are dead.
    pub fn restart(&self, random: &mut Random) {
        let mut state = self.lock();
        let unsynced = std::mem::take(&mut state.unsynced);
        let mut image = std::mem::take(&mut state.synced);
        for operation in survivors(&unsynced, random) {
            apply(&mut image, &operation);
        }
        state.live.clone_from(&image);
        state.synced = image;
        state.power_left = None;
        state.syncs_left = None;
        state.life += 1;
    }

    /// The machine has power again, once its disks are restarted.
    pub fn power_on(&self) {
        self.lock().dark.store(false, Ordering::SeqCst);
    }
}

fn survivors(unsynced: &[Operation], random: &mut Random) -> Vec<Operation> {
    match random.below(6) {
        0 => Vec::new(),
        1 => unsynced[..random.index(unsynced.len() + 1)].to_vec(),
        2 => unsynced.iter().filter(|_| random.one_in(2)).cloned().collect(),
        3 => unsynced.iter().flat_map(|operation| sectors(operation, random)).collect(),
        4 => {
            let length = |op: &&Operation| matches!(op, Operation::SetLen(_));
            unsynced.iter().filter(length).cloned().collect()
        }
        _ => unsynced.to_vec(),
    }
}

fn sectors(operation: &Operation, random: &mut Random) -> Vec<Operation> {
    let Operation::Write(offset, data) = operation else { return vec![operation.clone()] };
    let mut kept = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let end = (at + SECTOR - (offset + at) % SECTOR).min(data.len());
        if random.one_in(2) {
            kept.push(Operation::Write(offset + at, data[at..end].to_vec()));
        }
        at = end;
    }
    kept
}

fn end_of(operation: &Operation) -> usize {
    match operation {
        Operation::SetLen(len) => *len,
        Operation::Write(offset, data) => offset + data.len(),
    }
}

fn apply(image: &mut Vec<u8>, operation: &Operation) {
    match operation {
        Operation::SetLen(len) => image.resize(*len, 0),
        Operation::Write(offset, data) => {
            let end = offset + data.len();
            if image.len() < end {
                image.resize(end, 0);
            }
            image[*offset..end].copy_from_slice(data);
        }
    }
}

#[derive(Debug)]
struct Backend {
    disk: Disk,
    life: u64,
}

impl Backend {
    /// The state, if this handle is alive and the power is on; counts the operation.
    fn powered(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.disk.lock();
        if state.power_left == Some(0) {
            state.dark.store(true, Ordering::SeqCst);
        }
        if state.life != self.life || state.dark.load(Ordering::SeqCst) {
            return Err(io::Error::other("no power"));
        }
        state.power_left = state.power_left.map(|left| left - 1);
        state.operations += 1;
        Ok(state)
    }

    fn change(&self, operation: Operation) -> io::Result<()> {
        let mut state = self.powered()?;
        if state.room.is_some_and(|room| end_of(&operation) > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        apply(&mut state.live, &operation);
        state.unsynced.push(operation);
        Ok(())
    }
}

fn offset(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(io::Error::other)
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        u64::try_from(self.powered()?.live.len()).map_err(io::Error::other)
    }

    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let at = offset(at)?;
        let state = self.powered()?;
        let from = state.live.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(from);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Operation::SetLen(offset(len)?))
    }

    fn write(&self, at: u64, data: &[u8]) -> io::Result<()> {
        self.change(Operation::Write(offset(at)?, data.to_vec()))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.powered()?;
        if state.syncs_left == Some(0) {
            state.dark.store(true, Ordering::SeqCst);
            return Err(io::Error::other("the sync failed"));
        }
        state.syncs_left = state.syncs_left.map(|left| left - 1);
        if state.honesty == Honesty::Honest {
            let unsynced = std::mem::take(&mut state.unsynced);
            for operation in &unsynced {
                apply(&mut state.synced, operation);
            }
        }
        Ok(())
    }
}
