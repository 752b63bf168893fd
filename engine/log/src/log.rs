//! The log as one handle: append, read, tail, erase. Cheap to clone; closed when the last clone
//! is dropped.

use crate::append::{Append, AppendResult, Appended, EVENTS_MAX, Ticket};
use crate::checkpoint::Recorded;
use crate::commit::{Part, Prepared, PreparedEvent};
use crate::envelope::stream_key;
use crate::head::Subscription;
use crate::note::Note;
use crate::payload::{self, DataKey, Owner};
use crate::shared::Shared;
use crate::signer::Signer;
use crate::writer::{Desk, Request};
use crate::{
    AppendError, BoxError, Erasable, Erased, Error, OpenOptions, ReadView, checkpoint, meta, signer,
};
use placet_model::measure::Times;
use placet_model::{DataKeyId, Digest, Position, Revision, StreamId, Timestamp};
use redb::WriteTransaction;
use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// What was counted of an open log.
#[derive(Debug, Clone)]
pub struct Measured {
    /// How long it took to commit appends: from the begin of the transaction until it was durable.
    pub commits: Times,
    /// Syncs of its file (`fdatasync`).
    pub syncs: u64,
    /// Bytes of its file.
    pub bytes: u64,
}

/// The event log of one project.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Taken when the log closes, so that the writer ends.
    desk: Option<Desk>,
    writer: Option<std::thread::JoinHandle<()>>,
    shared: Arc<Shared>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.desk.take());
        let Some(writer) = self.writer.take() else { return };
        // the last handle may be dropped by a completion, on the writer's own thread
        if writer.thread().id() != std::thread::current().id() && writer.join().is_err() {
            tracing::error!("the log's writer thread panicked");
        }
        self.shared.note_head();
    }
}

impl Log {
    /// Opens the log, making it when there is none.
    ///
    /// # Errors
    /// [`Error::InUse`] when another engine has it, the key file's errors, [`Error::OtherProject`],
    /// and every damage that the check of the tail finds.
    pub fn open(options: OpenOptions) -> Result<Self, Error> {
        options.open()
    }

    pub(crate) fn start(
        shared: Arc<Shared>,
        desk: Desk,
        writer: std::thread::JoinHandle<()>,
    ) -> Self {
        Self { inner: Arc::new(Inner { desk: Some(desk), writer: Some(writer), shared }) }
    }

    /// The data directory; none where the log lives in backends of a test, or is only looked at.
    pub fn directory(&self) -> Option<&std::path::Path> {
        self.inner.shared.dir.as_deref()
    }

    /// Makes no data key with a number below this one from now on: numbers that another copy of the
    /// log has given out since are not given out again.
    ///
    /// # Errors
    /// When the key file cannot be written.
    pub fn skip_data_keys(&self, to: DataKeyId) -> Result<(), Error> {
        self.inner.shared.keyring.skip_to(to)
    }

    /// The project whose log this is.
    pub fn project(&self) -> &str {
        &self.inner.shared.project
    }

    /// The id given to the log when it was made, as 32 hex digits: names its key files.
    pub fn install_id(&self) -> String {
        meta::install_text(self.inner.shared.install_id)
    }

    /// Appends events to one stream; `at` is now, and becomes the log time unless the log is
    /// already later.
    ///
    /// Encodes and seals on this thread, then queues for the writer: waits while the queue is
    /// full.
    pub fn append(&self, at: Timestamp, append: Append) -> Ticket {
        self.append_group(at, vec![append])
    }

    /// Appends events to several streams, all or nothing, next to each other in the log.
    pub fn append_group(&self, at: Timestamp, group: Vec<Append>) -> Ticket {
        let (ticket, fill) = Ticket::new();
        self.append_group_with(at, group, fill);
        ticket
    }

    /// As [`Log::append`], answering through `done` on whichever thread writes: `done` must not block.
    pub fn append_with(
        &self,
        at: Timestamp,
        append: Append,
        done: impl FnOnce(AppendResult) + Send + 'static,
    ) {
        self.append_group_with(at, vec![append], done);
    }

    /// As [`Log::append_group`], answering through `done` on whichever thread writes (or on this one,
    /// when the append is refused at once): `done` must not block.
    pub fn append_group_with(
        &self,
        at: Timestamp,
        group: Vec<Append>,
        done: impl FnOnce(AppendResult) + Send + 'static,
    ) {
        match self.prepare(at, group) {
            Ok(prepared) => self.send(Request::Append(prepared, Box::new(done))),
            Err(error) => done(Err(error)),
        }
    }

    /// As [`Log::append_group_with`], for who may block: while the writer is idle the commit itself
    /// is made on this thread, and answered before this returns.
    pub fn append_group_here(
        &self,
        at: Timestamp,
        group: Vec<Append>,
        done: impl FnOnce(AppendResult) + Send + 'static,
    ) {
        match self.prepare(at, group) {
            Ok(prepared) => {
                let refused = self.desk().write_here(prepared, Box::new(done));
                if let Err(Request::Append(_, done)) = refused {
                    done(Err(stopped()));
                }
            }
            Err(error) => done(Err(error)),
        }
    }

    /// Appends to one stream and waits for the answer; see [`Log::append_group_here`].
    ///
    /// # Errors
    /// [`AppendError`].
    pub fn append_blocking(&self, at: Timestamp, append: Append) -> Result<Appended, AppendError> {
        let (ticket, fill) = Ticket::new();
        self.append_group_here(at, vec![append], fill);
        ticket.wait()
    }

    /// A data key that no stream has had, durable already. Its id can stand in the body of the
    /// event whose payloads it seals ([`Append::with_key`]).
    ///
    /// # Errors
    /// When the key file cannot be written.
    pub fn new_data_key(&self) -> Result<DataKeyId, Error> {
        self.inner.shared.keyring.take()
    }

    /// A snapshot of the log as it is now: every acknowledged append is in it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self) -> Result<ReadView, Error> {
        ReadView::open(&self.inner.shared)
    }

    /// The name that the log's checkpoints and its key go by, for life.
    pub fn origin(&self) -> String {
        checkpoint::origin(self.inner.shared.install_id, self.project())
    }

    /// What signs the log's heads; its key is made, durably, when it is asked for the first time.
    ///
    /// # Errors
    /// The key files' errors, and [`Error::SigningKeyMissing`].
    pub fn signer(&self) -> Result<Signer, Error> {
        let shared = &self.inner.shared;
        let keys = signer::Keys::of(&shared.keys, shared.install_id, shared.dir.as_deref())?;
        let signed_before = self.read()?.revision(&StreamId::Checkpoints)? != Revision::START;
        Signer::open(keys, &self.origin(), signed_before, Arc::clone(&shared.signed))
    }

    /// Puts a new signing key in the place of one that is lost. Whoever verifies the log must be
    /// given it; what the old key signed stays as it is.
    ///
    /// # Errors
    /// The key files' errors; [`Error::Io`] where the key is there.
    pub fn new_signing_key(&self) -> Result<Signer, Error> {
        let shared = &self.inner.shared;
        let keys = signer::Keys::of(&shared.keys, shared.install_id, shared.dir.as_deref())?;
        Signer::create(keys, &self.origin(), Arc::clone(&shared.signed))
    }

    /// Refuses data that are older than what was signed of this log, or that differ from it. An
    /// engine asks before it does anything; who only reads need not.
    ///
    /// # Errors
    /// [`Error::RolledBack`], and a signed head that cannot be read.
    pub fn check_signed_head(&self) -> Result<(), Error> {
        let shared = &self.inner.shared;
        let keys = signer::Keys::of(&shared.keys, shared.install_id, shared.dir.as_deref())?;
        let signed = keys.head()?;
        signed.map_or(Ok(()), |signed| signed.check(&self.read()?))
    }

    /// A checkpoint for an export or a receipt of what the view shows, with the size that it is for:
    /// the one recorded last while it vouches for every event, with its witnesses; else one that is
    /// signed now. Appends nothing.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn evidence(&self, view: &ReadView) -> Result<(Note, u64), Error> {
        match Recorded::last(view)?.filter(|last| last.unsigned == 0) {
            Some(last) => Ok((last.note, last.head.size)),
            None => Ok((self.signer()?.sign(view)?, view.head().size)),
        }
    }

    /// What was counted since this handle was opened.
    pub fn measured(&self) -> Measured {
        let shared = &self.inner.shared;
        let (commits, syncs) = (shared.commits.read(), shared.db.1.syncs().get());
        Measured { commits, syncs, bytes: shared.log_bytes() }
    }

    /// Position of the last durable event.
    pub fn head(&self) -> Position {
        self.inner.shared.tail.head()
    }

    /// Waits until the head is past `position` or the time is over; returns the head.
    pub fn wait_past(&self, position: Position, timeout: Duration) -> Position {
        self.inner.shared.tail.wait_past(position, timeout)
    }

    /// Calls `moved` with the head after every commit, on whichever thread wrote: it must not block.
    /// A wake-up for those who follow by position; read the events with [`Log::read`].
    pub fn subscribe(&self, moved: impl Fn(Position) + Send + Sync + 'static) -> Subscription {
        self.inner.shared.tail.subscribe(Arc::new(moved))
    }

    /// Runs `work` in a write transaction of the log's file, between appends. For
    /// `placet-projections` (rebuilding its own tables); an error of `work` writes nothing.
    ///
    /// # Errors
    /// What `work` failed with, or why the log stopped.
    pub fn maintain(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<(), BoxError> + Send + 'static,
    ) -> Result<(), AppendError> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.send(Request::Maintain(
            Box::new(work),
            Box::new(move |result| {
                if answer.send(result).is_err() {
                    tracing::warn!("nobody waits for the maintenance of the log");
                }
            }),
        ));
        answered.recv().unwrap_or_else(|_closed| Err(stopped()))
    }

    /// Erases the content of a stream, or of one event from outside: deletes its payloads and
    /// destroys its keys. The events stay, and stay verifiable. The event that says so is appended
    /// in the same transaction with [`Append::erasing`]; compaction rewrites what held the rows.
    ///
    /// # Errors
    /// When keys or rows cannot be deleted; asking again goes on where it failed, and so does the
    /// next open.
    pub fn erase(&self, what: &Erasable) -> Result<Erased, AppendError> {
        let (count, counted) = mpsc::sync_channel(1);
        let (file, target) = (self.inner.shared.db.1.clone(), what.clone());
        self.maintain(move |tx| {
            let payloads = crate::erase::delete(tx, &target, &file)?;
            count.send(payloads).map_err(BoxError::from)
        })?;
        let keys = self.finish_erasures()?;
        Ok(Erased { keys, payloads: counted.recv().unwrap_or(0) })
    }

    /// Destroys the keys of what has been erased by appends; returns how many there were. What is
    /// not finished is finished by the next open.
    ///
    /// # Errors
    /// When the tombstones or the keys cannot be written.
    pub fn finish_erasures(&self) -> Result<usize, AppendError> {
        let shared = &self.inner.shared;
        let ids = crate::erase::unfinished(&shared.db.0, &shared.db.1)?;
        if ids.is_empty() {
            return Ok(0);
        }
        let gone = shared.destroy(&ids)?;
        let file = shared.db.1.clone();
        self.maintain(move |tx| Ok(crate::erase::strike_off(tx, &ids, &file)?))?;
        Ok(gone)
    }

    /// The pseudonym of a person, from a normalised value that identifies them.
    pub fn pseudonym(&self, normalised: &str) -> Digest {
        self.inner.shared.pseudonyms.of(normalised)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// Runs `work` on the writer's thread, between appends and outside every transaction. An error
    /// stops the log.
    pub(crate) fn alone(&self, work: impl FnOnce() -> Result<(), String> + Send + 'static) {
        self.send(Request::Alone(Box::new(work)));
    }

    /// Empties the journal, and leaves none of its bytes.
    pub(crate) fn wipe_journal(&self) -> Result<(), AppendError> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.send(Request::Wipe(Box::new(move |wiped| drop(answer.send(wiped)))));
        answered.recv().unwrap_or_else(|_closed| Err(stopped()))
    }

    fn desk(&self) -> &Desk {
        self.inner.desk.as_ref().expect("taken only when the last handle drops")
    }

    fn send(&self, request: Request) {
        match self.desk().queue(request) {
            Ok(()) => {}
            Err(Request::Append(_, done)) => done(Err(stopped())),
            Err(Request::Maintain(_, done) | Request::Wipe(done)) => done(Err(stopped())),
            // who waits for it sees its channel closed
            Err(Request::Alone(work)) => drop(work),
        }
    }

    fn prepare(&self, at: Timestamp, group: Vec<Append>) -> Result<Prepared, AppendError> {
        self.inner.shared.demand_key()?;
        let invalid = |stream: &StreamId, what: &str| AppendError::Invalid {
            stream: stream.clone(),
            what: what.to_owned(),
        };
        let count: usize = group.iter().map(|append| append.events.len()).sum();
        if count == 0 || count > EVENTS_MAX {
            let stream = group.first().map_or(StreamId::Project, |append| append.stream.clone());
            return Err(invalid(
                &stream,
                &format!("{count} events, allowed are 1 to {EVENTS_MAX}"),
            ));
        }
        let (mut streams, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for append in &group {
            if !streams.insert(append.stream.clone()) {
                return Err(invalid(&append.stream, "the stream stands twice in the group"));
            }
            if !append.events.iter().all(|event| ids.insert(event.event_id)) {
                return Err(invalid(&append.stream, "an event id stands twice in the group"));
            }
        }
        let parts = group.into_iter().map(|append| self.prepare_part(append));
        Ok(Prepared { at, parts: parts.collect::<Result<_, _>>()? })
    }

    fn prepare_part(&self, append: Append) -> Result<Part, AppendError> {
        let bodies = append.check()?;
        let shared = &self.inner.shared;
        let key = stream_key(&append.stream);
        // what comes from outside is sealed event by event, so that one can be erased
        let apart = append.stream == StreamId::Events;
        let sealing = append.events.iter().any(|event| !event.payloads.is_empty());
        let data_key = if sealing && !apart {
            Some(shared.keyring.for_stream(&key, append.key, &shared.db)?)
        } else {
            None
        };
        let mut given = append.key.filter(|_| apart);
        let mut events = Vec::with_capacity(bodies.len());
        for (new, body) in append.events.into_iter().zip(bodies) {
            let own = (apart && !new.payloads.is_empty()).then(|| shared.keyring.own(given.take()));
            let own = own.transpose()?;
            let with = own.as_deref().or_else(|| data_key.as_deref().map(|known| &*known.key));
            let sealed = self.seal(&key, &new, with)?;
            events.push(PreparedEvent {
                event_id: new.event_id,
                actor: new.actor,
                causation: new.causation,
                correlation: new.correlation,
                event: new.event,
                body,
                sealed,
                apart: own.map(|key| key.id()),
            });
        }
        let Append { stream, expected, subjects, erases, .. } = append;
        Ok(Part { stream, key, expected, events, data_key, subjects, erases })
    }

    fn seal(
        &self,
        stream: &[u8],
        new: &crate::NewEvent,
        data_key: Option<&DataKey>,
    ) -> Result<Vec<payload::SealedPayload>, AppendError> {
        let Some(data_key) = data_key else { return Ok(Vec::new()) };
        let shared = &self.inner.shared;
        let sealed = new.payloads.iter().zip(0..).map(|(content, index)| {
            let event_id = new.event_id;
            let owner = Owner { project: &shared.project, stream, event_id, index };
            payload::seal(data_key, owner, content, &shared.random)
        });
        Ok(sealed.collect::<Result<_, Error>>()?)
    }
}

fn stopped() -> AppendError {
    AppendError::CommitUnknown { reason: "the log stopped after an earlier failure".to_owned() }
}
