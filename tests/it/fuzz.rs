//! What comes over NATS from somebody else: decision documents that were spoilt on the way are refused with a code, or
//! mean what they say, and the engine goes on. `PLACET_SEED=… PLACET_INPUTS=…` repeats or widens.

use placet_test_support::nats::NatsServer;
use placet_test_support::random::Random;
use placet_test_support::spoil::{budget, spoil};

use crate::world::{Desk, Live, ballot};

#[test]
fn spoilt_decision_documents_are_refused_with_a_code_and_decide_nothing() {
    let name = "spoilt_decision_documents_are_refused_with_a_code_and_decide_nothing";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let (seed, inputs) = budget(300);
    let mut random = Random::new(seed);
    let live = Live::on_nats(&server, None);
    let desk = Desk::at(&server);
    let asked = live.ask("Hello");
    let digest = live.card(&asked.decision)["digest"].clone();
    let mut decided = 0;
    for number in 0..inputs {
        // nobody who decides for good: the request stays open for the next one
        let document = ballot(&asked.decision, &digest, "approve").to_string();
        let document = spoil(&mut random, document.as_bytes());
        let answer = desk.ask_bytes(("auditor", "decide"), document, &format!("spoilt-{number}"));
        let code = answer["error"]["code"].as_str();
        assert!(code.is_some_and(|code| code != "PL9001"), "PLACET_SEED={seed}: {answer}");
        decided += usize::from(code.is_none());
    }
    assert_eq!(decided, 0, "an auditor decides nothing");
    live.approve(&asked);
    live.until(&asked.run, "RunCompleted");
    assert_eq!(live.posts().len(), 1);
}
