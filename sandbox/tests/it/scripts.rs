//! M7: what a provider's state does, of one that has all of it and of every shipped one as far as it has it.

use crate::measure::{Verdict, m7_scripts};

#[test]
fn what_was_made_is_read_listed_changed_and_deleted_and_then_it_is_not_found() {
    let figure = m7_scripts();
    println!("{}", figure.line());
    assert_eq!(figure.verdict, Verdict::Pass, "{figure:#?}");
}
