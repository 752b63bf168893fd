//! For the admin: every word of a policy, what each means, and what is refused with its place.
//!
//! covers: T4, T13

use placet_language::{Severity, Source, check_policy};
use placet_model::decision::Assurance;
use placet_model::plan::Expression;
use placet_model::policy::{Permission, Policy, Reversibility, RuleMode, Signal};
use placet_model::{Duration, Principal};

use crate::world::policy as project;

fn read(text: &str) -> (Option<Policy>, Vec<String>) {
    let (policy, findings) =
        check_policy(&Source::new("policy.yaml", text), Some(&project().principals));
    let line = |d: &placet_language::Diagnostic| {
        let weight = if d.severity == Severity::Error { "" } else { "warning " };
        format!("{weight}{}:{} {}", d.line, d.column, d.message)
    };
    (policy, findings.iter().map(line).collect())
}

fn finds(text: &str, expected: &[&str]) {
    assert_eq!(read(text).1, expected, "{text}");
}

fn name(text: &str) -> Principal {
    text.parse().expect("a name")
}

#[test]
fn a_rule_matches_by_the_bytes_and_asks_in_every_word() {
    let (policy, findings) = read(
        r"
allowLists: { team: ['@example.com', ana@example.org] }
rules:
  - name: money
    set: pii
    mode: shadow
    match:
      target: C1
      when: .with.amount > 10000
      firstContact: true
      outsideAllowList: team
      secretsFound: true
      cardNumbersFound: true
      sizeOver: 65536
      reversibility: [cannot-be-undone, change]
    require:
      approvers: [ana]
      signature: passkey
      remind: { every: PT1H }
      escalate: { after: P1D, to: [ben] }
  - match: { when: '${ .with.amount < 0 }' }
    require: { deny: true }
  - require: { quorum: 1, signature: required }
",
    );
    let policy = policy.unwrap_or_else(|| unreachable!("{findings:?}"));
    let [money, negative, signed] = policy.rules.as_slice() else { unreachable!("{policy:?}") };
    assert_eq!((money.mode, money.set.as_deref()), (RuleMode::Shadow, Some("pii")));
    let found = &money.matches;
    assert_eq!(found.target, ["C1"]);
    assert_eq!(found.when, Some(Expression(".with.amount > 10000".to_owned())));
    assert_eq!((found.first_contact, found.secrets_found), (Signal::Present, Signal::Present));
    assert_eq!(found.outside_allow_list.as_deref(), Some("team"));
    assert_eq!((found.card_numbers_found, found.size_over), (Signal::Present, Some(65536)));
    assert_eq!(found.reversibility, [Reversibility::CannotBeUndone, Reversibility::Change]);
    assert_eq!(money.require.assurance, Some(Assurance::Passkey));
    assert_eq!(money.require.remind, Some(Duration::from_millis(60 * 60 * 1000)));
    let escalate = money.require.escalate.as_ref().map(|more| (more.after, more.to.clone()));
    assert_eq!(escalate, Some((Duration::from_days(1), vec![name("ben")])));
    assert_eq!(negative.matches.when, Some(Expression(".with.amount < 0".to_owned())));
    assert_eq!(negative.require.permission, Permission::Refused);
    assert_eq!(signed.require.assurance, Some(Assurance::Nkey));
    assert_eq!(policy.allow_lists["team"].len(), 2);
}

#[test]
fn what_is_settled_beforehand_is_narrow_and_ends() {
    let (policy, findings) = read(
        r"
standing:
  - name: heartbeat
    match: { operation: slack.chat.postMessage, target: C0STATUS }
    until: 2027-01-01T00:00:00Z
    maxPerDay: 50
    grantedBy: cho
delegations:
  - { from: ana, to: ben, since: 2026-12-01T00:00:00Z, until: 2026-12-24T00:00:00Z }
breakGlass: { who: [ana], signature: nkey, review: [ben, cho] }
",
    );
    assert_eq!(
        findings,
        ["warning 7:5 `grantedBy` is not read: a vote is given by who applies the policy"]
    );
    let policy = policy.expect("warnings only");
    let [standing] = policy.standing.as_slice() else { unreachable!("{policy:?}") };
    assert_eq!((standing.name.as_str(), standing.max_per_day), ("heartbeat", 50));
    assert_eq!(policy.delegations[0].to, name("ben"));
    let glass = policy.break_glass.expect("it is there");
    assert_eq!((glass.assurance, glass.review.len()), (Assurance::Nkey, 2));
}

#[test]
fn a_standing_approval_without_bounds_is_refused() {
    finds(
        "standing:\n  - match: { effect: send }\n    until: 2027-01-01T00:00:00Z\n    maxPerDay: 5\n",
        &[
            "2:12 a standing approval is too wide: it names an operation, and a target or a workflow",
        ],
    );
    finds(
        "standing:\n  - match: { operation: a.b, target: x }\n",
        &[
            "2:5 a standing approval lacks the key `maxPerDay`",
            "2:5 a standing approval lacks the key `until`",
        ],
    );
    finds(
        "standing: [{ match: { operation: a.b, target: x }, until: soon, maxPerDay: 0 }]",
        &["1:59 this is no moment", "1:76 `maxPerDay` must be a whole number from 1 to 10000"],
    );
}

#[test]
fn each_mistake_is_named_with_its_place() {
    for (text, expected) in [
        (
            "rules: [{ match: { firstContat: true }, require: {} }]",
            "1:20 unknown key `firstContat` in `match`",
        ),
        (
            "rules: [{ match: { firstContact: false }, require: {} }]",
            "1:34 `firstContact: false` matches nothing in particular",
        ),
        (
            "rules: [{ match: { outsideAllowList: team }, require: {} }]",
            "1:38 there is no allow list named `team`",
        ),
        (
            "rules: [{ match: { sizeOver: big }, require: {} }]",
            "1:30 `sizeOver` is a number of bytes, from 0",
        ),
        ("rules: [{ require: { signature: maybe } }]", "1:33 `signature` cannot be `maybe`"),
        (
            "rules: [{ require: { deny: false } }]",
            "1:28 `deny` is true: nobody may send what the rule matches",
        ),
        (
            "rules: [{ require: { remind: { every: PT1M } } }]",
            "1:39 `remind.every` must be at least five minutes",
        ),
        (
            "rules: [{ require: { escalate: { after: P1D, to: [ben] } } }]",
            "1:22 `escalate` widens the approvers of its rule, and it names none",
        ),
        ("rules: [{ mode: dark, require: {} }]", "1:17 `mode` cannot be `dark`"),
        (
            "rules: [{ match: { when: $input.x }, require: {} }]",
            "1:26 the variable `$input` is not defined here",
        ),
        (
            "delegations: [{ from: ana, to: ana, since: 2026-01-01T00:00:00Z, until: 2026-01-02T00:00:00Z }]",
            "1:15 nobody stands in for themselves",
        ),
        (
            "breakGlass: { who: [ana], review: [ana] }",
            "1:35 somebody could break the glass whom nobody else could review",
        ),
    ] {
        finds(text, &[expected]);
    }
}

#[test]
fn a_rule_whose_own_approvers_could_not_be_served_is_warned_of() {
    finds(
        "rules: [{ require: { approvers: [ana] } }]",
        &["warning 1:20 nobody could approve what one of these has caused: ana"],
    );
    finds("rules: [{ require: { approvers: [ana, ben] } }]", &[]);
    finds("rules: [{ require: { approvers: [ana], selfApproval: true } }]", &[]);
}
