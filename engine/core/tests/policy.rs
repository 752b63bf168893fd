//! Requirements: policy and metadata, the strictest of each kind; metadata can only tighten
//! (language 8.2, GATE.md §4).
//!
//! covers: T4, T16

use placet_core::policy::{Electorate, Moment, Resolved, Signals, Subject, stricter};
use placet_core::test_util::{default_policy, name, quorum, requirement, threshold};
use placet_model::approval::{
    ApprovalMetadata, DEFAULT_EXPIRY_DAYS, ReasonRequired, Requirement, SelfApproval,
};
use placet_model::manifest::Effect;
use placet_model::policy::{Match, Policy, Require, Rule};
use placet_model::{Duration, Timestamp};

const SEND: Subject<'static> = Subject {
    effect: Effect::Send,
    provider: "slack",
    operation: "slack.chat.postMessage",
    via: None,
    integration: Some("sales-slack"),
    workflow: "sales/follow-up",
    signals: &NOTHING,
};

static NOTHING: Signals = Signals::unknown();

/// A moment at which nothing depends on the time.
const MOMENT: Moment = Moment::fresh(Timestamp::EPOCH);

fn rule(name: &str, matches: Match, require: Require) -> Rule {
    Rule { name: name.to_owned(), matches, require, ..Rule::default() }
}

fn resolve(policy: &Policy, subject: Subject<'_>, meta: Option<&ApprovalMetadata>) -> Requirement {
    let Resolved { requirement, refused_by, notes } =
        placet_core::policy::resolve(policy, subject, meta);
    assert_eq!((refused_by, notes), (vec![], vec![]), "nothing else is said");
    requirement
}

fn policy(rules: Vec<Rule>) -> Policy {
    Policy { rules, ..default_policy() }
}

fn days(days: i64) -> Duration {
    Duration::from_days(days)
}

#[test]
fn t16_without_a_policy_one_approver_who_is_not_the_requester_has_seven_days() {
    let found = resolve(&Policy::default(), SEND, None);
    assert_eq!(found, Requirement::default_for_project());
    assert_eq!(found.valid_for, days(7));
    assert_eq!(found.self_approval, SelfApproval::Refused);
    assert_eq!(found.thresholds, vec![threshold(&[], 1, 1)]);
}

#[test]
fn every_given_member_of_a_match_must_match() {
    let text = |word: &str| vec![word.to_owned()];
    let cases = [
        ("an empty match", Match::default(), true),
        ("effect", Match { effect: vec![Effect::Send], ..Match::default() }, true),
        ("other effect", Match { effect: vec![Effect::Write], ..Match::default() }, false),
        ("provider", Match { provider: text("slack"), ..Match::default() }, true),
        ("other provider", Match { provider: text("gmail"), ..Match::default() }, false),
        (
            "operation",
            Match { operation: text("slack.chat.postMessage"), ..Match::default() },
            true,
        ),
        ("other operation", Match { operation: text("slack.chat"), ..Match::default() }, false),
        ("integration", Match { integration: text("sales-slack"), ..Match::default() }, true),
        ("other integration", Match { integration: text("x"), ..Match::default() }, false),
        ("workflow", Match { workflow: text("sales/follow-up"), ..Match::default() }, true),
        ("other workflow", Match { workflow: text("sales"), ..Match::default() }, false),
        (
            "one of two members",
            Match { provider: text("slack"), effect: vec![Effect::Read], ..Match::default() },
            false,
        ),
    ];
    for (case, matches, expected) in cases {
        let require = Require { expires: Some(days(1)), ..Require::default() };
        let found = resolve(&policy(vec![rule("r", matches, require)]), SEND, None);
        assert_eq!(found.valid_for == days(1), expected, "{case}");
    }
}

#[test]
fn a_match_on_an_integration_leaves_calls_without_one_alone() {
    let matches = Match { integration: vec!["sales-slack".to_owned()], ..Match::default() };
    let require = Require { expires: Some(days(1)), ..Require::default() };
    let subject = Subject { integration: None, ..SEND };
    let found = resolve(&policy(vec![rule("r", matches, require)]), subject, None);
    assert_eq!(found.valid_for, days(DEFAULT_EXPIRY_DAYS));
}

#[test]
fn of_every_matching_rule_the_strictest_of_each_kind_wins() {
    let first = Require {
        thresholds: vec![threshold(&["leads"], 1, 1)],
        expires: Some(days(3)),
        reason_required: Some(ReasonRequired::Never),
        self_approval: Some(SelfApproval::Allowed),
        ..Require::default()
    };
    let second = Require {
        thresholds: vec![threshold(&[], 2, 1)],
        expires: Some(days(9)),
        reason_required: Some(ReasonRequired::Always),
        self_approval: Some(SelfApproval::Refused),
        ..Require::default()
    };
    let rules = vec![rule("a", Match::default(), first), rule("b", Match::default(), second)];
    let found = resolve(&policy(rules), SEND, None);
    assert_eq!(
        found,
        Requirement {
            thresholds: vec![threshold(&[], 2, 1), threshold(&["leads"], 1, 1)],
            valid_for: days(3),
            reason_required: ReasonRequired::Always,
            self_approval: SelfApproval::Refused,
            rules: vec!["a".to_owned(), "b".to_owned()],
            ..Requirement::default_for_project()
        }
    );
}

#[test]
fn metadata_can_only_tighten_what_the_policy_or_the_default_says() {
    let policies = [
        ("no policy", vec![]),
        (
            "a policy",
            vec![rule(
                "r",
                Match::default(),
                Require {
                    thresholds: vec![threshold(&["leads"], 1, 1)],
                    expires: Some(days(2)),
                    reason_required: Some(ReasonRequired::OnReject),
                    self_approval: Some(SelfApproval::Allowed),
                    ..Require::default()
                },
            )],
        ),
        ("a rule that says little", vec![rule("r", Match::default(), Require::default())]),
    ];
    for (case, rules) in policies {
        let policy = policy(rules);
        let without = resolve(&policy, SEND, None);
        for expires in [None, Some(days(1)), Some(days(30))] {
            for reason_required in [None, Some(ReasonRequired::Never), Some(ReasonRequired::Always)]
            {
                for self_approval in
                    [None, Some(SelfApproval::Allowed), Some(SelfApproval::Refused)]
                {
                    let thresholds = vec![threshold(&["ben"], 1, 1)];
                    let summary = None;
                    let metadata = ApprovalMetadata {
                        thresholds,
                        expires,
                        reason_required,
                        self_approval,
                        summary,
                        ..ApprovalMetadata::default()
                    };
                    let with = resolve(&policy, SEND, Some(&metadata));
                    assert_no_looser(&without, &with, &format!("{case}: {metadata:?}"));
                }
            }
        }
    }
}

fn assert_no_looser(then: &Requirement, now: &Requirement, case: &str) {
    assert!(then.thresholds.iter().all(|t| now.thresholds.contains(t)), "{case}: thresholds");
    assert!(now.valid_for <= then.valid_for, "{case}: {} > {}", now.valid_for, then.valid_for);
    assert!(now.reason_required >= then.reason_required, "{case}: reasons");
    assert!(now.self_approval <= then.self_approval, "{case}: self-approval");
}

#[test]
fn the_stricter_of_two_is_at_least_as_strict_as_either() {
    let all = [
        Requirement::default_for_project(),
        quorum(2),
        requirement(vec![threshold(&["leads"], 1, 1), threshold(&[], 1, 2)]),
        Requirement { valid_for: days(1), ..quorum(1) },
        Requirement { reason_required: ReasonRequired::Always, ..quorum(1) },
        Requirement { self_approval: SelfApproval::Allowed, ..quorum(1) },
    ];
    for then in &all {
        for now in &all {
            let found = stricter(then, now);
            assert_no_looser(then, &found, "then");
            assert_no_looser(now, &found, "now");
            assert_eq!(stricter(&found, now), found, "once is enough");
        }
    }
}

#[test]
fn a_request_that_nobody_but_the_requester_could_grant_is_named_at_once() {
    let alone = requirement(vec![threshold(&["req"], 1, 1)]);
    let (policy, requester) = (default_policy(), name("req"));
    let of = |requirement| Electorate {
        policy: &policy,
        requirement,
        requester: &requester,
        editor: None,
        assigned: &[],
        moment: MOMENT,
    };
    assert_eq!(
        of(&alone).out_of_reach(),
        vec!["1 approval of req, and only 0 could give it".to_owned()]
    );
    let many = quorum(5);
    assert_eq!(
        of(&many).out_of_reach(),
        vec!["5 approvals by any approver, and only 4 could give it".to_owned()]
    );
    assert_eq!(of(&quorum(4)).out_of_reach(), Vec::<String>::new());
}

#[test]
fn a_threshold_of_none_still_takes_one() {
    let none = requirement(vec![threshold(&[], 0, 0)]);
    let (policy, requester) = (default_policy(), name("req"));
    let electorate = Electorate {
        policy: &policy,
        requirement: &none,
        requester: &requester,
        editor: None,
        assigned: &[],
        moment: MOMENT,
    };
    assert_eq!(electorate.tally(&[]).missing, vec!["1 approval by any approver".to_owned()]);
    assert!(!electorate.tally(&[]).denied);
}
