//! Many open items at once: the events and payloads of runs that a real engine has parked, written
//! again for new runs, each with ids, send id, nonce, document and digest of its own, so that every one of
//! them can be listed, read, decided and sent.

use placet_log::{Append, Expected, Log, NewEvent, ReadView, Ticket};
use placet_model::draft::DraftDocument;
use placet_model::event::decision::DraftPrepared;
use placet_model::{
    DataKeyId, DecisionId, Digest, Event, EventId, PayloadRef, RecordedEvent, Revision, RunId,
    StreamId, Timestamp,
};
use std::collections::VecDeque;
use std::error::Error;

type Failure = Box<dyn Error + Send + Sync>;

/// How far the ids of what is written again are from those of the templates, which an engine whose
/// ids are counted goes on from.
const FAR: u128 = 1 << 40;
/// Runs of one append.
const TOGETHER: usize = 256;
/// Appends under way at once: the log makes one commit of those that wait.
const UNDER_WAY: usize = 8;

/// A run that waits for a decision, with its payloads.
#[derive(Debug)]
pub(crate) struct Template {
    run: RunId,
    events: Vec<(RecordedEvent, Vec<Vec<u8>>)>,
}

impl Template {
    pub(crate) fn of(view: &ReadView, run: RunId) -> Result<Self, Failure> {
        let stream = StreamId::Run(run);
        let mut events = vec![];
        for event in view.stream(&stream, Revision::START) {
            let event = event?;
            let mut payloads = vec![];
            loop {
                let place = PayloadRef::new(event.revision, u16::try_from(payloads.len())?);
                match view.payload(&stream, place) {
                    Ok(payload) => payloads.push(payload.as_bytes().to_vec()),
                    Err(placet_log::Error::NoSuchPayload { .. }) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            events.push((event, payloads));
        }
        Ok(Self { run, events })
    }

    /// The same again for the `n`-th run after it.
    fn again(&self, n: u128, key: DataKeyId) -> Result<Append, Failure> {
        let run = RunId::from_bytes(after(self.run.to_bytes(), n));
        let mut digest = None;
        let mut events = Vec::with_capacity(self.events.len());
        for (place, (recorded, payloads)) in self.events.iter().enumerate() {
            let mut payloads = payloads.clone();
            let event = match recorded.event.clone() {
                Event::RunStarted(mut body) => {
                    body.key = key;
                    body.into()
                }
                Event::DraftPrepared(body) => {
                    let draft = drafted(body, (run, n), &mut payloads)?;
                    digest = Some(draft.digest);
                    draft.into()
                }
                Event::DecisionRequested(mut body) => {
                    body.decision = DecisionId::from_bytes(after(body.decision.to_bytes(), n));
                    body.digest = digest.ok_or("a request without a draft")?;
                    body.into()
                }
                other => other,
            };
            let step = n * 64 + u128::try_from(place)?;
            let id = EventId::from_bytes(after(recorded.event_id.to_bytes(), step));
            let new = NewEvent::new(id, recorded.actor.clone(), event);
            events.push(payloads.into_iter().fold(new, NewEvent::with_payload));
        }
        Ok(Append::new(StreamId::Run(run), Expected::NoStream, events).with_key(key))
    }
}

/// The draft with a send id, a nonce and a document of its own, its request in `payloads`.
fn drafted(
    mut draft: DraftPrepared,
    (run, n): (RunId, u128),
    payloads: &mut [Vec<u8>],
) -> Result<DraftPrepared, Failure> {
    let fresh = Digest::of_parts(&[draft.nonce.as_bytes(), &n.to_be_bytes()]).hex();
    let (send_id, nonce) = (fresh[..draft.send_id.len()].to_owned(), fresh[32..].to_owned());
    let request = &mut payloads[usize::from(draft.request.index)];
    *request = replaced(request, &draft.send_id, &send_id)?;
    draft.request_digest = Digest::of(request);
    let document = &mut payloads[usize::from(draft.document.index)];
    let mut bound: DraftDocument = serde_json::from_slice(document)?;
    bound.run = run;
    (bound.send_id, bound.nonce) = (send_id.clone(), nonce.clone());
    bound.request_digest = draft.request_digest;
    *document = placet_model::canonical::to_bytes(&serde_json::to_value(&bound)?)?;
    (draft.send_id, draft.nonce, draft.digest) = (send_id, nonce, bound.digest());
    Ok(draft)
}

/// Writes `count` runs like these, in turn; `from` is how many were written before.
pub(crate) fn fill(
    log: &Log,
    templates: &[Template],
    (from, count): (usize, usize),
    at: Timestamp,
) -> Result<(), Failure> {
    let mut under_way: VecDeque<Ticket> = VecDeque::new();
    let mut group = Vec::with_capacity(TOGETHER);
    for n in from..from + count {
        let template = &templates[n % templates.len()];
        group.push(template.again(1 + u128::try_from(n)?, log.new_data_key()?)?);
        if group.len() == TOGETHER || n + 1 == from + count {
            under_way.push_back(log.append_group(at, std::mem::take(&mut group)));
        }
        if under_way.len() == UNDER_WAY
            && let Some(ticket) = under_way.pop_front()
        {
            ticket.wait()?;
        }
    }
    under_way.into_iter().try_for_each(|ticket| ticket.wait().map(drop))?;
    Ok(())
}

/// The id that stands so far after this one: ids of templates are in order of time, and so are these.
fn after(id: [u8; 16], n: u128) -> [u8; 16] {
    (u128::from_be_bytes(id) + FAR + n).to_be_bytes()
}

fn replaced(bytes: &[u8], old: &str, new: &str) -> Result<Vec<u8>, Failure> {
    Ok(std::str::from_utf8(bytes)?.replace(old, new).into_bytes())
}
