//! The exam of the security page, at the doors that people and programs use: real processes, a real NATS server. The
//! tests of the other traps stand with their matter, under their numbers: `t01_…` is of trap 1 (`tests/tidy/exam.rs`
//! holds that each has one). Of trap 3, the columns *console* and *MCP* come with those doors; until then HTTP is what a
//! console would use. Of trap 16, what expired unseen is counted by the figures of the inbox.
//!
//! The acceptance list, and the tests that answer it:
//! - A1: `t19_each_bound_field_that_differs_voids_the_approval_and_is_named`, `t08_an_edit_changes_no_operation_and_must_fit_its_schema`
//! - A2: `each_row_of_the_claim_holds_asks_again_or_refuses`, `a_stricter_policy_asks_for_the_missing_vote_and_keeps_the_first`
//! - A3: `t17_silence_sends_nothing_and_is_no_value_of_the_step`, `t11_a_gated_send_survives_every_crash_and_leaves_once`, `what_cannot_be_read_is_refused_before_the_engine`
//! - A4: `without_a_seed_with_a_stranger_s_or_with_a_revoked_one_nothing_is_decided`, `nobody_asks_in_anothers_name`
//! - A5: `one_rejection_ends_it_whatever_was_said_before`, `a_deny_threshold_of_two_takes_two_rejections`
//! - A6: `the_same_request_id_gets_the_same_answer_and_changes_nothing`, `t26_a_vote_whose_answer_was_lost_is_one_vote_when_it_comes_again`
//! - A7: `a_hundred_votes_over_nats_and_http_settle_a_request_once`, `a_hundred_votes_at_once_settle_once_and_the_others_are_told_so`
//! - A8: `consuming_and_starting_are_one_event_and_nothing_else_consumes`, `t11_a_kill_between_settlement_and_claim_keeps_the_approval_and_spends_it_once`
//! - A9: `t07_a_story_says_who_did_what_on_which_digest_and_what_bore_on_it`, `the_log_tells_the_story_of_a_message_in_order`
//! - A10: `an_agent_never_votes`, `t03_whoever_caused_it_decides_it_at_no_door_whatever_their_role`
//! - A11: `t19_each_bound_field_that_differs_voids_the_approval_and_is_named`, `each_row_of_the_claim_holds_asks_again_or_refuses`
//!
//! covers: S5, S6, S7, T3, T4, T14, T21, T26, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11

mod doors;
mod kinds;
mod mail;
mod providers;
mod race;
