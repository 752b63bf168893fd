//! Manifests that were spoilt on the way: each is refused with its places, or loads, and nothing
//! panics. `PLACET_SEED=… PLACET_INPUTS=…` repeats or widens.

use placet_adapters::{Adapters, ManifestFile};
use placet_test_support::random::Random;
use placet_test_support::spoil::{budget, spoil};
use std::collections::BTreeSet;

const MANIFESTS: [&str; 2] =
    [include_str!("../../manifests/slack.yaml"), include_str!("../../manifests/webhook.yaml")];

#[test]
fn spoilt_manifests_are_refused_with_their_places_or_load() {
    let (seed, inputs) = budget(40);
    let mut random = Random::new(seed);
    let mut loaded = 0;
    for _ in 0..inputs {
        let text = random.pick(&MANIFESTS).replacen("provider: ", "provider: my-", 1);
        let text = String::from_utf8_lossy(&spoil(&mut random, text.as_bytes())).into_owned();
        let file = ManifestFile { path: "adapters/my.yaml".into(), text };
        match Adapters::with_project(std::slice::from_ref(&file), &|_| None, &BTreeSet::new()) {
            Ok(_) => loaded += 1,
            Err(errors) => {
                let said = errors.iter().all(|error| !error.problems.is_empty());
                assert!(said, "PLACET_SEED={seed}: refused without a word: {}", file.text);
            }
        }
    }
    println!("{loaded} of {inputs} load all the same");
}
