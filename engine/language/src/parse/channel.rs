//! `notify.send`: by which channel, and whether that leads to one connection of the project.

use placet_model::route::{Channel, RouteError, choose};

use super::call::INTEGRATION;
use super::reader::{Field, Reader, Reported};
use crate::codes;
use crate::source::Span;
use crate::syntax::{Content, Node};

impl Reader<'_> {
    /// A channel that is written out leads to one connection; what an expression gives is seen when the
    /// step begins, and whom it tells at deploy. It names no integration beside its channel.
    pub(super) fn led_by(&mut self, with: Option<&Node>, call: Span) -> Field<String> {
        if let Some(node) = with.and_then(|with| with.get(INTEGRATION)) {
            let message = "notify.send names its connection in the channel";
            let help = "write channel: slack:NAME in the place of integration: NAME";
            self.report(codes::INTEGRATION, node.span, message, help);
            return Err(Reported);
        }
        let Some(node) = with.and_then(|with| with.get("channel")) else { return Ok(None) };
        let Content::Text { text, .. } = &node.content else { return Ok(None) };
        if text.contains("${") {
            return Ok(None);
        }
        let Ok(channel) = text.parse::<Channel>() else { return Ok(None) };
        let carriers = &self.environment.catalogue.carriers;
        let known = self.environment.integrations;
        let (Some(known), Some(scopes)) = (known, self.environment.scopes) else {
            if carriers.contains_key(&channel.word) {
                return Ok(None);
            }
            let known = carriers.keys().cloned().collect::<Vec<_>>().join(", ");
            return self.astray(node.span, &RouteError::Unknown { word: channel.word, known });
        };
        let place = self.uses.place.clone().unwrap_or_default();
        let agent = place.agent.as_ref().map(placet_model::Principal::as_str);
        match choose(&channel, carriers, &scopes.candidates(known, agent)) {
            Ok((name, carrier)) => {
                let provider = carrier.operation.split('.').next().unwrap_or_default();
                self.in_scope(provider, Some(&name), call);
                Ok(None)
            }
            Err(error) => self.astray(node.span, &error),
        }
    }

    fn astray(&mut self, span: Span, error: &RouteError) -> Field<String> {
        let help =
            "see `placet integrations list`; `placet explain PL4070` says how a channel is led";
        self.report(codes::INTEGRATION, span, error.to_string(), help);
        Err(Reported)
    }
}
