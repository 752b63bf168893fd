//! Rules in any order and any number: the strictest of each kind wins, a rule that is added never
//! loosens what others say, and what cannot be known tightens.
//!
//! covers: T4, T13

use placet_core::policy::{Resolved, Signals, Subject, Truth, covers, resolve, stricter};
use placet_core::test_util::{default_policy, threshold};
use placet_model::Duration;
use placet_model::approval::{
    ApprovalMetadata, Escalation, ReasonRequired, Requirement, SelfApproval,
};
use placet_model::decision::Assurance;
use placet_model::manifest::Effect;
use placet_model::plan::Expression;
use placet_model::policy::{
    Match, Permission, Policy, Require, Reversibility, Rule, RuleMode, Signal,
};
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::{collection, option, prop_oneof, sample};

const WHEN: &str = ".with.amount > 10";

fn signals() -> Signals {
    Signals {
        target: Some("C1".to_owned()),
        recipients: vec!["C1".to_owned()],
        beside: vec![],
        first_contact: Truth::No,
        secrets: Truth::No,
        card_numbers: Truth::No,
        bytes: Some(100),
        when: [(WHEN.to_owned(), Truth::No)].into(),
    }
}

fn subject(signals: &Signals) -> Subject<'_> {
    Subject {
        effect: Effect::Send,
        provider: "slack",
        operation: "slack.chat.postMessage",
        via: None,
        integration: Some("sales-slack"),
        workflow: "sales/follow-up",
        signals,
    }
}

fn of(rules: &[Rule], signals: &Signals) -> Resolved {
    let policy = Policy { rules: rules.to_vec(), ..default_policy() };
    resolve(&policy, subject(signals), None)
}

fn requires() -> impl Strategy<Value = Require> {
    let thresholds = sample::subsequence(
        vec![threshold(&["leads"], 1, 1), threshold(&["ben"], 1, 1), threshold(&[], 2, 1)],
        1..=2,
    );
    let days = option::of((1..20i64).prop_map(Duration::from_days));
    let escalate = option::of(Just(Escalation {
        after: Duration::from_days(1),
        to: vec!["cara".parse().expect("a name")],
    }));
    (
        thresholds,
        days.clone(),
        option::of(sample::select(ReasonRequired::ALL)),
        option::of(sample::select(SelfApproval::ALL)),
        option::of(sample::select(Assurance::ALL)),
        days,
        (escalate, sample::select(Permission::ALL)),
    )
        .prop_map(
            |(thresholds, expires, reason, own, assurance, remind, (escalate, permission))| {
                Require {
                    thresholds,
                    expires,
                    reason_required: reason,
                    self_approval: own,
                    assurance,
                    remind,
                    escalate,
                    permission,
                }
            },
        )
}

fn matches() -> impl Strategy<Value = Match> {
    let when = |text: &str| Match { when: Some(Expression(text.to_owned())), ..Match::default() };
    prop_oneof![
        Just(Match::default()),
        Just(Match { provider: vec!["slack".to_owned()], ..Match::default() }),
        Just(Match { provider: vec!["gmail".to_owned()], ..Match::default() }),
        Just(when(WHEN)),
        Just(when("error")),
        Just(Match { first_contact: Signal::Present, ..Match::default() }),
    ]
}

/// Rules, each with a name of its own.
fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let mode = prop_oneof![4 => Just(RuleMode::Enforce), 1 => Just(RuleMode::Shadow)];
    collection::vec((matches(), requires(), mode), 0..6).prop_map(|rules| {
        let rule = |(index, (matches, require, mode)): (usize, (Match, Require, RuleMode))| Rule {
            name: format!("rule {index}"),
            matches,
            require,
            mode,
            set: None,
        };
        rules.into_iter().enumerate().map(rule).collect()
    })
}

fn requirements() -> impl Strategy<Value = Requirement> {
    rules().prop_map(|rules| of(&rules, &signals()).requirement)
}

/// A rule that says of every kind what holds without any rule: with it, the default is one opinion
/// among others, and nothing that a rule says takes its place.
fn base() -> Rule {
    let default = Requirement::default_for_project();
    let require = Require {
        thresholds: default.thresholds,
        expires: Some(default.valid_for),
        reason_required: Some(default.reason_required),
        self_approval: Some(SelfApproval::Allowed),
        ..Require::default()
    };
    Rule { name: "base".to_owned(), require, ..Rule::default() }
}

fn is_no_looser(then: &Resolved, now: &Resolved) -> bool {
    let (before, after) = (&then.requirement, &now.requirement);
    stricter(before, after) == *after
        && then.refused_by.iter().all(|rule| now.refused_by.contains(rule))
}

proptest! {
    #[test]
    fn the_order_of_the_rules_does_not_matter(rules in rules(), seed in any::<u64>()) {
        let mut shuffled = rules.clone();
        shuffled.sort_by_key(|rule| {
            placet_model::Digest::of(format!("{seed}{}", rule.name).as_bytes())
        });
        let (one, mut other) = (of(&rules, &signals()), of(&shuffled, &signals()));
        prop_assert_eq!(&one.requirement, &other.requirement);
        let sorted = |mut names: Vec<String>| { names.sort(); names };
        prop_assert_eq!(sorted(one.refused_by), sorted(std::mem::take(&mut other.refused_by)));
        prop_assert_eq!(sorted(one.notes), sorted(other.notes));
    }

    #[test]
    fn a_rule_that_is_added_never_loosens(rules in rules(), more in rules()) {
        let mut known = vec![base()];
        known.extend(rules);
        let then = of(&known, &signals());
        for (index, mut rule) in more.into_iter().enumerate() {
            rule.name = format!("more {index}");
            known.push(rule);
            let now = of(&known, &signals());
            prop_assert!(is_no_looser(&then, &now), "{then:?}\n{now:?}");
        }
    }

    #[test]
    fn stricter_is_a_join(a in requirements(), b in requirements(), c in requirements()) {
        prop_assert_eq!(stricter(&a, &b), stricter(&b, &a), "in any order");
        prop_assert_eq!(&stricter(&a, &a), &a, "once is enough");
        let (left, right) = (stricter(&stricter(&a, &b), &c), stricter(&a, &stricter(&b, &c)));
        prop_assert_eq!(left, right, "in any grouping");
    }

    #[test]
    fn what_nobody_can_tell_never_loosens(rules in rules()) {
        let known = of(&rules, &signals());
        let unknown = Signals {
            first_contact: Truth::Unknown,
            when: [].into(),
            ..signals()
        };
        prop_assert!(is_no_looser(&known, &of(&rules, &unknown)));
    }

    #[test]
    fn a_rule_in_shadow_mode_changes_nothing_and_is_shown(rules in rules(), shadow in rules()) {
        let without = of(&rules, &signals());
        let mut all = rules;
        all.extend(shadow.into_iter().enumerate().map(|(index, rule)| Rule {
            name: format!("shadow {index}"),
            matches: Match::default(),
            mode: RuleMode::Shadow,
            ..rule
        }));
        let count = all.iter().filter(|rule| rule.name.starts_with("shadow")).count();
        let with = of(&all, &signals());
        prop_assert_eq!(&with.requirement, &without.requirement);
        prop_assert_eq!(&with.refused_by, &without.refused_by);
        let shown = with.notes.iter().filter(|note| note.starts_with("rule \"shadow")).count();
        prop_assert_eq!(shown, count);
    }
}

#[test]
fn an_expression_that_fails_makes_its_rule_apply_and_says_so() {
    let require = Require { thresholds: vec![threshold(&["leads"], 1, 1)], ..Require::default() };
    let matches = Match { when: Some(Expression("error".to_owned())), ..Match::default() };
    let rule = Rule { name: "large".to_owned(), matches, require, ..Rule::default() };
    let found = of(&[rule], &signals());
    // the default stays beside it: nobody knows that the rule takes its place
    assert_eq!(
        found.requirement.thresholds,
        vec![threshold(&[], 1, 1), threshold(&["leads"], 1, 1)]
    );
    assert_eq!(found.notes, ["rule \"large\" applies: nobody can tell that it does not"]);
}

#[test]
fn each_signal_is_matched_by_its_word_alone() {
    type Spoil = fn(&mut Signals);
    let default = Match::default;
    let cases: Vec<(&str, Match, Spoil)> = vec![
        ("first contact", Match { first_contact: Signal::Present, ..default() }, |s| {
            s.first_contact = Truth::Yes;
        }),
        ("secrets", Match { secrets_found: Signal::Present, ..default() }, |s| {
            s.secrets = Truth::Yes;
        }),
        ("cards", Match { card_numbers_found: Signal::Present, ..default() }, |s| {
            s.card_numbers = Truth::Yes;
        }),
        ("size", Match { size_over: Some(100), ..default() }, |s| s.bytes = Some(101)),
        ("target", Match { target: vec!["C2".to_owned()], ..default() }, |s| {
            s.recipients.push("C2".to_owned());
        }),
        ("when", Match { when: Some(Expression(WHEN.to_owned())), ..default() }, |s| {
            s.when.insert(WHEN.to_owned(), Truth::Yes);
        }),
        ("a stranger", Match { outside_allow_list: Some("team".to_owned()), ..default() }, |s| {
            s.recipients.push("eve@example.org".to_owned());
        }),
    ];
    for (case, matches, spoil) in &cases {
        let require = Require { permission: Permission::Refused, ..Require::default() };
        let rules = vec![Rule {
            name: "r".to_owned(),
            matches: matches.clone(),
            require,
            ..Rule::default()
        }];
        let list = ["C1", "@example.com"].map(str::to_owned).into();
        let policy =
            Policy { rules, allow_lists: [("team".to_owned(), list)].into(), ..default_policy() };
        let refused =
            |signals: &Signals| !resolve(&policy, subject(signals), None).refused_by.is_empty();
        assert!(!refused(&signals()), "{case}: it is not there");
        let mut there = signals();
        spoil(&mut there);
        assert!(refused(&there), "{case}: it is there");
        assert!(refused(&Signals::unknown()), "{case}: nobody can tell");
    }
    let class = |class| Match { reversibility: vec![class], ..default() };
    let rule = |matches| Rule {
        matches,
        require: Require { permission: Permission::Refused, ..Require::default() },
        ..Rule::default()
    };
    for (found, expected) in [
        (Reversibility::CannotBeUnsent, 1),
        (Reversibility::CannotBeUndone, 0),
        (Reversibility::Change, 0),
    ] {
        assert_eq!(of(&[rule(class(found))], &signals()).refused_by.len(), expected, "{found}");
    }
}

#[test]
fn an_allow_list_knows_people_and_domains_and_nothing_that_only_looks_like_them() {
    let list = ["ana@example.org", "@example.com"].map(str::to_owned).into();
    let matches = Match { outside_allow_list: Some("team".to_owned()), ..Match::default() };
    let require = Require { permission: Permission::Refused, ..Require::default() };
    let rules = vec![Rule { matches, require, ..Rule::default() }];
    let policy =
        Policy { rules, allow_lists: [("team".to_owned(), list)].into(), ..default_policy() };
    for (recipient, inside) in [
        ("ana@example.org", true),
        ("ben@example.com", true),
        ("example.com", true),
        ("ben@example.org", false),
        ("ben@mail.example.com", false),
        ("ben@notexample.com", false),
        ("example.com@evil.test", false),
    ] {
        let signals = Signals { recipients: vec![recipient.to_owned()], ..signals() };
        let refused = !resolve(&policy, subject(&signals), None).refused_by.is_empty();
        assert_eq!(!refused, inside, "{recipient}");
    }
}

#[test]
fn a_standing_approval_covers_what_it_names_and_nothing_beside_or_unknown() {
    let policy = default_policy();
    let narrow = Match {
        operation: vec!["slack.chat.postMessage".to_owned()],
        target: vec!["C1".to_owned(), "C2".to_owned()],
        when: Some(Expression(WHEN.to_owned())),
        ..Match::default()
    };
    let good = Signals { when: [(WHEN.to_owned(), Truth::Yes)].into(), ..signals() };
    let of = |recipients: &[&str]| Signals {
        target: None,
        recipients: recipients.iter().map(|&who| who.to_owned()).collect(),
        ..good.clone()
    };
    let beside = |who: &str| Signals {
        target: Some("C1".to_owned()),
        beside: vec![who.to_owned()],
        ..of(&["C1", who])
    };
    for (case, signals, expected) in [
        ("exactly it", good.clone(), true),
        ("several that it names", of(&["C1", "C2"]), true),
        ("one that it does not name", of(&["C1", "C3"]), false),
        ("nobody knows whom", of(&[]), false),
        ("its target, and somebody beside whom it names", beside("C2"), true),
        ("its target, and somebody beside whom it does not name", beside("C3"), false),
        ("the expression says no", signals(), false),
        ("the expression fails", Signals { when: [].into(), ..good.clone() }, false),
    ] {
        assert_eq!(covers(&policy, &narrow, subject(&signals)), expected, "{case}");
    }
    let other = Subject { operation: "slack.chat.update", ..subject(&good) };
    assert!(!covers(&policy, &narrow, other), "another operation");
}

#[test]
fn a_set_of_rules_that_an_author_asks_for_and_the_policy_no_longer_has_lets_nothing_out() {
    let two = Rule {
        name: "two".to_owned(),
        set: Some("money".to_owned()),
        require: Require { thresholds: vec![threshold(&[], 2, 1)], ..Require::default() },
        ..Rule::default()
    };
    let asks = ApprovalMetadata { policy: Some("money".to_owned()), ..ApprovalMetadata::default() };
    let signals = signals();
    let under = |rules: Vec<Rule>| {
        resolve(&Policy { rules, ..default_policy() }, subject(&signals), Some(&asks))
    };
    let kept = under(vec![two]);
    assert!(kept.refused_by.is_empty() && kept.requirement.rules.contains(&"two".to_owned()));
    let lost = under(vec![]);
    assert!(lost.refused_by[0].contains("money"), "{:?}", lost.refused_by);
}
