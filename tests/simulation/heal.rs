//! The end of a seed: nothing goes wrong any more, people answer, time goes on. Whatever is open must
//! come to an end, and the log must say the same however often it is read.

use crate::checks::{Book, Violation};
use crate::life::{Life, Trouble};
use crate::project::{self, name};
use crate::provider::Ending;
use placet_executor::Handle;
use placet_model::decision::DecisionState;
use placet_model::integration::IntegrationStatus;
use placet_model::{Digest, Position};
use placet_projections::{RunRow, RunStatus, Views, WaitingFor};

/// Rounds in which everything must end: more than any seed needs.
const ROUNDS_MAX: usize = 400;
const MINUTE: i64 = 60_000;

impl Life {
    /// Everything comes to an end.
    pub(crate) async fn heal(&mut self) -> Result<(), Violation> {
        self.tell("the trouble is over");
        self.die().await;
        self.recover(Trouble::IsOver).await?;
        let handle = self.handle().ok_or("dies without any trouble")?;
        self.allow_all(&handle).await?;
        self.rest().await?;
        drop(handle);
        // once more, so that nothing but what is on disk leads to the end
        self.die().await;
        self.recover(Trouble::IsOver).await?;
        let handle = self.handle().ok_or("dies without any trouble")?;
        for round in 0..ROUNDS_MAX {
            self.rest().await?;
            if self.is_over() {
                return self.book.check_end(&self.providers);
            }
            self.help(&handle, round).await?;
        }
        let open: Vec<String> = self
            .runs()
            .iter()
            .filter(|row| is_open(row.status))
            .map(|row| format!("{row:?}"))
            .collect();
        Err(format!("stuck: {} {:#?}", open.join("; "), self.items()))
    }

    async fn allow_all(&mut self, handle: &Handle) -> Result<(), Violation> {
        let author = name("author");
        let words = |error: placet_executor::Error| format!("refused without reason: {error}");
        handle.apply_policy(&author, project::policy(1)).await.map_err(words)?;
        handle.resume(&author, None).await.map_err(words)?;
        for provider in ["slack", "webhook"] {
            let status = IntegrationStatus::Active;
            handle.set_integration(&author, provider, status).await.map_err(words)?;
        }
        Ok(())
    }

    /// No run is open, and nobody is waited for.
    fn is_over(&self) -> bool {
        let open = self.runs().iter().any(|row| is_open(row.status));
        !open && self.items().is_empty() && self.providers.pending() == 0
    }

    /// Whoever is waited for does what is to be done.
    async fn help(&mut self, handle: &Handle, round: usize) -> Result<(), Violation> {
        while self.providers.pending() > 0 {
            self.providers.end(0, Ending::Ok);
            self.tell("a call ends: Ok");
        }
        self.rest().await?;
        for item in self.items() {
            if item.in_doubt.is_some() {
                self.resolve_item(handle, &item, false).await;
            } else if item.state == DecisionState::Requested {
                self.approve(handle, &item).await;
            }
            self.rest().await?;
        }
        let hears = |row: &RunRow| row.waiting_for == Some(WaitingFor::Event);
        if round % 10 == 9 && self.runs().iter().any(hears) {
            self.publish(handle).await;
        }
        self.rest().await?;
        let due = || Views::new(&handle.view().ok()?).ok()?.next_due().ok()?;
        let until_due = due().map_or(MINUTE, |due| due.millis_since(self.clock.now()));
        self.pass(until_due.clamp(MINUTE, 40 * 24 * 60 * MINUTE));
        Ok(())
    }

    /// Read twice, in two lives, the log says the same; what was kept up beside it is what it gives.
    pub(crate) async fn check_copies(&mut self) -> Result<(), Violation> {
        let first = self.rendered()?;
        let runs = format!("{:?}", self.runs());
        self.die().await;
        self.recover(Trouble::IsOver).await?;
        let second = self.rendered()?;
        // a start is an event of its own
        if !second.starts_with(&first) || format!("{:?}", self.runs()) != runs {
            return Err("two replays differ".to_owned());
        }
        let handle = self.handle().ok_or("dies without any trouble")?;
        let view = handle.view().map_err(|error| error.to_string())?;
        view.verify().map_err(|error| error.to_string())?;
        placet_projections::compare(&view).map_err(|difference| difference.to_string())?;
        let mut book = Book::default();
        let made = self.providers.made();
        for event in view.events(Position::START) {
            book.read(&event.map_err(|error| error.to_string())?, &made)?;
        }
        book.check_end(&self.providers)
    }

    /// Every event, and how every run stands after it.
    fn rendered(&self) -> Result<Vec<Digest>, Violation> {
        let handle = self.handle().ok_or("dies without any trouble")?;
        let view = handle.view().map_err(|error| error.to_string())?;
        let event = |event: Result<placet_model::RecordedEvent, placet_log::Error>| {
            let event = event.map_err(|error| error.to_string())?;
            Ok(Digest::of(format!("{event:?}").as_bytes()))
        };
        view.events(Position::START).map(event).collect()
    }
}

const fn is_open(status: RunStatus) -> bool {
    matches!(status, RunStatus::Running | RunStatus::Waiting)
}
