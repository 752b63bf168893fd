//! What agents ask for: actions by their key, open items by who caused them, and drafts that were
//! replaced.

use crate::make::*;
use crate::support::*;
use placet_model::decision::{Settlement, Verdict};
use placet_model::event::decision::ActionRequested;

#[test]
fn the_first_action_under_a_key_is_the_one_that_counts() {
    let mut world = World::new();
    let asked = |content| ActionRequested { key: digest("k"), content: digest(content) };
    world.run(run(1), [started(), asked("one").into()]);
    world.run(run(2), [started(), asked("two").into()]);
    let found = world.see(|views| views.action(digest("k")));
    assert_eq!(found, Some((run(1), digest("one"))));
    assert_eq!(world.see(|views| views.action(digest("another"))), None);
    world.check();
}

#[test]
fn open_items_are_counted_by_who_caused_them_until_they_are_settled() {
    let mut world = World::new();
    let open = |world: &World| world.see(|views| views.open_of(&who("agent"), 9));
    for n in 1..=3 {
        world.run(run(n), asking(decision(n)));
    }
    assert_eq!(open(&world), 3);
    world.run(run(1), [settled(decision(1), Settlement::Withdrawn)]);
    assert_eq!(open(&world), 2);
    // approved and unspent is still open
    world.run(
        run(2),
        [
            vote(decision(2), "ana", Verdict::Approve, None),
            settled(decision(2), Settlement::Approved),
        ],
    );
    assert_eq!(open(&world), 2);
    world.run(run(2), [tried(attempt(2), 1, Some(decision(2)))]);
    assert_eq!(open(&world), 1);
    world.run(run(2), [in_doubt(attempt(2), 1)]);
    assert_eq!(open(&world), 2, "a doubt waits for somebody");
    world.check();
}

#[test]
fn an_edit_is_known_by_what_it_replaced_and_its_editor_stands_with_what_followed() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    world.run(run(1), edited(decision(1), decision(2)));
    assert_eq!(world.see(|views| views.edited(digest("original"))), Some(decision(1)));
    let row = world.see(|views| views.decision(decision(2))).unwrap();
    assert_eq!((row.editor, row.draft_revision), (Some(who("ana")), 2));
    let row = world.see(|views| views.decision(decision(1))).unwrap();
    assert_eq!(row.editor, None);
    assert_eq!(world.see(|views| views.open_of(&who("agent"), 9)), 1);
    world.check();
}
