//! What a nonce was used for, for ever: of a key where a vote was signed, else of the voter.

use crate::make::*;
use crate::support::*;
use placet_model::decision::Verdict;
use placet_model::event::decision::{SignedVote, VoteCast};
use placet_model::nkey::UserKey;
use placet_model::signed::{Act, DecisionDocument, Draft, Item, Said};
use placet_model::{DecisionId, Event};
use placet_projections::Views;

fn document(verdict: Verdict) -> SignedVote {
    let document = DecisionDocument::new(Draft {
        items: [1, 2].map(|n| Item::new(decision(n), digest("draft"))).to_vec(),
        said: Said::Vote(verdict),
        user: who("ana"),
        key: UserKey::from_ed25519([7; 32]).into(),
        nonce: [1; 16],
        origin: "placet/0/sales".to_owned(),
        issued_at: at(0),
        expires_at: at(0).plus_millis(60_000),
        reason: None,
        with: None,
    });
    SignedVote { document: document.unwrap().message(), signature: String::new() }
}

fn signed(id: DecisionId, signed: &SignedVote) -> Event {
    let Event::VoteCast(cast) = vote(id, "ana", Verdict::Approve, None) else {
        unreachable!("a vote")
    };
    VoteCast { signed: Some(signed.clone()), nonce: "n".to_owned(), ..cast }.into()
}

#[test]
fn a_nonce_is_good_for_every_item_of_its_document_once_and_for_nothing_else() {
    let mut world = World::new();
    for n in [1, 2, 3] {
        world.run(run(n), asking(decision(n)));
    }
    let (mine, other) = (document(Verdict::Approve), document(Verdict::Reject));
    world.run(run(1), [signed(decision(1), &mine)]);

    let view = world.view();
    let views = Views::new(&view).unwrap();
    let act = |form: &SignedVote| Act::of(&who("ana"), Some(form));
    let spent = views.spent(&act(&mine), "n").unwrap().unwrap();
    assert!(spent.is_used_again(&act(&mine), decision(1)), "the same vote again");
    assert!(!spent.is_used_again(&act(&mine), decision(2)), "the other item of the act");
    assert!(spent.is_used_again(&act(&other), decision(2)), "another document");
    let unsigned = Act::of(&who("ana"), None);
    assert_eq!(views.spent(&unsigned, "n").unwrap(), None, "a key's nonces are not its owner's");

    world.run(run(2), [signed(decision(2), &mine)]);
    let view = world.view();
    let spent = Views::new(&view).unwrap().spent(&act(&mine), "n").unwrap().unwrap();
    assert_eq!(spent.decisions, [decision(1), decision(2)]);
    world.check();
}

#[test]
fn the_nonce_of_an_unsigned_vote_is_its_voters_and_good_for_one_vote() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    world.run(run(1), [vote(decision(1), "ana", Verdict::Approve, None)]);
    let view = world.view();
    let views = Views::new(&view).unwrap();
    let act = |name| Act::of(&who(name), None);
    let spent = views.spent(&act("ana"), "ana").unwrap().unwrap();
    assert!(spent.is_used_again(&act("ana"), decision(2)));
    assert_eq!(views.spent(&act("ben"), "ana").unwrap(), None);
}
