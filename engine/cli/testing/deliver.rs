//! What comes from outside in a test. The engine takes no events in yet, so a test that has some is
//! refused by name instead of running without them.

use super::Failure;
use placet_language::test_file::TestCase;

/// The first event of the test, as the reason why it cannot be run.
pub(crate) fn not_built(test: &TestCase) -> Option<Failure> {
    let first = test.events.first()?;
    let message = "`events` of a test are not built yet: the engine takes no events from outside";
    Some(Failure::new("events", first.span, message))
}
