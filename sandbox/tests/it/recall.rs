//! A run's world is made again from the calls that its log tells, and answers on as the one that was
//! lost; each run has a world of its own (facts/mocking.md R3).

use crate::answers::call_under;
use futures_util::FutureExt as _;
use placet_adapters::{Answer, Call, OfRun, Past, Ticket, Transport as _};
use placet_model::{AttemptId, RunId};
use placet_sandbox::Sandbox;
use serde_json::{Value, json};
use std::sync::Arc;

/// The log of a run, as far as it goes.
#[derive(Debug)]
struct Told(Vec<(Ticket, Call)>);

impl Past for Told {
    fn calls(&self, _run: RunId) -> Vec<(Ticket, Call)> {
        self.0.clone()
    }
}

fn ticket(place: usize) -> Ticket {
    let attempt = AttemptId::from_bytes([u8::try_from(place).unwrap(); 16]);
    Ticket { attempt, number: 1, is_look_up: false }
}

const RUN: RunId = RunId::from_bytes([7; 16]);

/// Answers the call at this place of a run whose log holds the calls up to it.
fn answer_of(sandbox: &Sandbox, run: RunId, calls: &[Call], place: usize) -> Answer {
    let told = calls[..=place].iter().cloned().enumerate();
    let told = told.map(|(place, call)| (ticket(place), call)).collect();
    let of = OfRun { run, ticket: ticket(place), past: Arc::new(Told(told)) };
    sandbox.perform_of(of, calls[place].clone()).now_or_never().unwrap()
}

fn story() -> Vec<Call> {
    let asked = [
        ("stripe.customers.create", json!({"email": "ana@example.com", "name": "Ana"})),
        ("stripe.customers.create", json!({"email": "ben@example.com", "name": "Ben"})),
        ("stripe.customers.list", json!({})),
        ("stripe.payment_intents.create", json!({"amount": 1999, "currency": "eur"})),
        ("stripe.payment_intents.list", json!({})),
        ("stripe.customers.create", json!({"email": "ana@example.com", "name": "Ana"})),
        ("stripe.customers.list", json!({})),
    ];
    let calls = asked.iter().enumerate();
    calls.map(|(place, (name, input))| call_under(name, input, &format!("{place:a>40}"))).collect()
}

#[test]
fn wherever_a_process_is_killed_the_next_one_gives_the_answers_that_it_would_have_given() {
    let calls = story();
    let lasting = Sandbox::new(3);
    let uninterrupted: Vec<Answer> =
        (0..calls.len()).map(|place| answer_of(&lasting, RUN, &calls, place)).collect();
    for killed_before in 0..calls.len() {
        let next = Sandbox::new(3);
        for (place, expected) in uninterrupted.iter().enumerate().skip(killed_before) {
            let answer = answer_of(&next, RUN, &calls, place);
            assert_eq!(answer.unwrap().body, expected.clone().unwrap().body, "call {place}");
        }
    }
}

#[test]
fn a_call_that_had_begun_when_the_process_was_killed_is_done_once() {
    let calls = story();
    let next = Sandbox::new(3);
    // the log names it, and nobody knows whether it was answered: it is asked again
    answer_of(&next, RUN, &calls, 1).unwrap();
    let listed = answer_of(&next, RUN, &calls, 2).unwrap().json().unwrap();
    let names: Vec<&Value> =
        listed["data"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
    assert_eq!(names.iter().filter(|name| **name == "Ben").count(), 1, "{names:?}");
}

#[test]
fn a_run_does_not_see_what_another_has_made() {
    let sandbox = Sandbox::new(3);
    let calls = story();
    for place in 0..3 {
        answer_of(&sandbox, RUN, &calls, place).unwrap();
    }
    let alone = [calls[2].clone()];
    let other = answer_of(&sandbox, RunId::from_bytes([8; 16]), &alone, 0).unwrap();
    let text = String::from_utf8(other.body).unwrap();
    assert!(!text.contains("ana@example.com"), "{text}");
}

/// A log in which `PARENT` has ordered `CHILD`.
#[derive(Debug)]
struct Family;

const PARENT: RunId = RunId::from_bytes([1; 16]);
const CHILD: RunId = RunId::from_bytes([2; 16]);

impl Past for Family {
    fn calls(&self, _run: RunId) -> Vec<(Ticket, Call)> {
        vec![]
    }

    fn family(&self, run: RunId) -> RunId {
        if run == CHILD { PARENT } else { run }
    }
}

#[test]
fn a_run_sees_what_its_orderer_has_made_and_another_run_does_not() {
    let sandbox = Sandbox::new(0);
    let asked = |run: RunId, place: usize, name: &str, input: &Value| {
        let of = OfRun { run, ticket: ticket(place), past: Arc::new(Family) };
        let answer = sandbox.perform_of(of, call_under(name, input, &format!("{place:b>40}")));
        answer.now_or_never().unwrap().unwrap().json().unwrap()
    };
    let ana = json!({"email": "ana@example.com", "name": "Ana"});
    let made = asked(PARENT, 1, "stripe.customers.create", &ana);
    let read = asked(CHILD, 2, "stripe.customers.get", &json!({"id": made["id"]}));
    assert_eq!(read["name"], "Ana");
    let ben = json!({"email": "ben@example.com", "name": "Ben"});
    let bens = asked(CHILD, 3, "stripe.customers.create", &ben);
    let names = |run: RunId, place: usize| {
        let all = asked(run, place, "stripe.customers.list", &json!({}));
        let ids = all["data"].as_array().unwrap().iter().map(|one| one["id"].clone());
        ids.collect::<Vec<Value>>()
    };
    assert!(names(PARENT, 4).contains(&bens["id"]), "and the other way round");
    let others = names(RUN, 5);
    assert!(!others.contains(&made["id"]) && !others.contains(&bens["id"]), "{others:?}");
}

/// A log whose answers another version has made.
#[derive(Debug)]
struct Older;

impl Past for Older {
    fn calls(&self, _run: RunId) -> Vec<(Ticket, Call)> {
        vec![]
    }

    fn generator(&self, _run: RunId) -> Option<String> {
        Some("mock/0".to_owned())
    }
}

#[test]
fn a_run_that_another_generator_has_answered_is_not_answered_by_this_one() {
    let sandbox = Sandbox::new(0);
    let call = || call_under("stripe.customers.list", &json!({}), &"c".repeat(40));
    let of = OfRun { run: RUN, ticket: ticket(1), past: Arc::new(Older) };
    let refused = sandbox.perform_of(of, call()).now_or_never().unwrap().unwrap_err();
    assert!(format!("{refused:?}").contains("PL3083"), "{refused:?}");
    let of = OfRun { run: PARENT, ticket: ticket(1), past: Arc::new(Family) };
    let answered = sandbox.perform_of(of, call()).now_or_never().unwrap().unwrap();
    assert_eq!(answered.generator, Some(placet_sandbox::GENERATOR), "each answer says who made it");
}
