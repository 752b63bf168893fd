//! What sends have left behind where their look-ups look: a send whose answer was lost is found there,
//! as it would be at the provider.

use crate::generate::generate;
use crate::overlay::Overlay;
use placet_adapters::Trail;
use placet_model::Digest;
use serde_json::Value;

/// Trails that are kept; the oldest make room.
const TRAILS_MAX: usize = 10_000;

/// The trails of one sandbox.
#[derive(Debug, Default)]
pub(crate) struct Trails(Vec<Left>);

#[derive(Debug)]
struct Left {
    integration: String,
    /// Where the thing itself is remembered, if it is.
    store: Option<String>,
    trail: Trail,
}

impl Trails {
    pub(crate) fn leave(&mut self, integration: &str, store: Option<String>, trail: Trail) {
        if self.0.len() >= TRAILS_MAX {
            self.0.remove(0);
        }
        self.0.push(Left { integration: integration.to_owned(), store, trail });
    }

    /// Those that this read shows, of sends whose things it does not list anyway.
    pub(crate) fn shown_by(
        &self,
        (operation, integration): (&str, &str),
        input: &Value,
        store: Option<&String>,
    ) -> Vec<&Trail> {
        let shown = self.0.iter().filter(|left| {
            left.integration == integration
                && (left.store.is_none() || left.store.as_ref() != store)
                && left.trail.is_shown_by(operation, input)
        });
        shown.map(|left| &left.trail).collect()
    }
}

/// The answer of a read with what sends have left there.
pub(crate) fn shown(overlay: &Overlay<'_>, body: &mut Value, trails: &[&Trail], seed: &Digest) {
    for (place, trail) in trails.iter().enumerate() {
        let Some(at) = trail.list() else {
            trail.put_on_shown(body);
            continue;
        };
        // each item is another, so each has a seed of its own
        let seed = Digest::of_parts(&[seed.as_bytes(), b"trail", &place.to_be_bytes()]);
        let Ok(plain) = generate(overlay.schema, &seed, overlay.now) else { continue };
        let listed = |from: &Value| at.get(from).and_then(Value::as_array).cloned();
        let form = listed(&plain).unwrap_or_default().into_iter().next();
        let mut item = form.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        trail.put_on(&mut item);
        let mut items = vec![item];
        items.extend(listed(body).unwrap_or_default());
        overlay.put_list(body, at, items, form.as_ref());
        overlay.close_page(body, at, false);
    }
}
