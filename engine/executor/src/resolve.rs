//! What people say of attempts in doubt: as a vote, it names the draft that was shown, has a nonce and
//! a time, is signed where signatures are demanded, and is kept.

use crate::acts::Once;
use crate::handle::{Error, Handle, Receipt, Signature};
use crate::turn::Job;
use placet_core::Refusal;
use placet_core::decide::ResolveCommand;
use placet_model::decision::{Assurance, DecisionState, Resolution, Voter};
use placet_model::passkey::Use;
use placet_model::signed::Act;
use placet_model::{
    DecisionId, Digest, Event, Principal, RecordedEvent, Revision, RunId, StreamId, Timestamp,
};
use placet_projections::Views;

/// A resolution on its way.
#[derive(Debug, Clone)]
pub struct Resolve {
    /// The decision that led to the attempt.
    pub decision: DecisionId,
    /// The draft digest that was shown.
    pub digest: Digest,
    /// What is said.
    pub resolution: Resolution,
    /// Used once.
    pub nonce: String,
    /// When it was said.
    pub time: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// Who, and how that is known.
    pub by: Voter,
    /// The client's request id.
    pub request_id: Option<String>,
    /// The signed form, already verified.
    pub signed: Option<Signature>,
}

impl Handle {
    /// Settles an attempt in doubt, by somebody who stands here: nonce, time and digest are those of
    /// now.
    ///
    /// # Errors
    /// As [`Handle::resolve_as`].
    pub async fn resolve(
        &self,
        decision: DecisionId,
        resolution: Resolution,
        by: Principal,
    ) -> Result<Receipt, Error> {
        let digest = {
            let view = self.view()?;
            let row = Views::new(&view)?.decision(decision)?;
            row.ok_or(Refusal::UnknownDecision { decision })?.digest
        };
        let (nonce, time) = (self.nonce(), self.now());
        let by = Voter { principal: by, assurance: Assurance::lowest() };
        let (reason, request_id, signed) = (None, None, None);
        let said =
            Resolve { decision, digest, resolution, nonce, time, reason, by, request_id, signed };
        self.resolve_as(said).await
    }

    /// Settles an attempt in doubt. The same request id gives the same answer.
    ///
    /// # Errors
    /// When no attempt of it is in doubt, the person may not, what was said is of another draft or
    /// another time, its nonce was used before, or it is not signed where it must be.
    pub async fn resolve_as(&self, said: Resolve) -> Result<Receipt, Error> {
        if said.signed.is_none() && self.demands_signatures() {
            return Err(crate::keys::unsigned());
        }
        let Resolve { decision, digest, resolution, nonce, time, reason, by, request_id, signed } =
            said;
        let run = self.run_of(decision)?;
        let (signed, salt) = signed.map(|signed| (signed.form, signed.reason_salt)).unzip();
        let who = by.principal.clone();
        let once = Once {
            act: Act::of(&who, signed.as_ref()),
            nonce: nonce.clone(),
            by: who.clone(),
            decision,
            request_id: request_id.clone(),
            used: signed.as_ref().and_then(Use::of),
        };
        let request = request_id.clone();
        let command = ResolveCommand {
            decision,
            digest,
            resolution,
            nonce,
            time,
            reason,
            by,
            request_id,
            signed,
        };
        let job = Job::Resolve(Box::new(command), salt.flatten());
        let mut events = self.once(run, once, job).await?;
        if events.is_empty() {
            events = self.run_events(run)?;
        }
        let mine = |event: &&RecordedEvent| match &event.event {
            Event::ResolutionCast(body) => {
                body.decision == decision && body.by == who && body.request_id == request
            }
            _ => false,
        };
        let said = events.iter().find(mine).ok_or(Refusal::UnknownDecision { decision })?;
        let state = DecisionState::Consumed;
        Ok(Receipt { position: said.position, state, successor: None })
    }

    fn run_events(&self, run: RunId) -> Result<Vec<RecordedEvent>, Error> {
        let view = self.view()?;
        let events: Result<Vec<_>, _> = view.stream(&StreamId::Run(run), Revision::START).collect();
        Ok(events?)
    }
}
