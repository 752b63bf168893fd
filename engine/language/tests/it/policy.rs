//! For the admin: what a `policy.yaml` means, and what is refused in it.

use placet_language::{Source, check_policy};
use placet_model::approval::{ReasonRequired, SelfApproval, Threshold};
use placet_model::manifest::Effect;
use placet_model::policy::Policy;
use placet_model::{Duration, Principal};

use crate::world::policy as project;

fn read(text: &str) -> (Option<Policy>, Vec<String>) {
    let (policy, findings) =
        check_policy(&Source::new("policy.yaml", text), Some(&project().principals));
    let line = |d: &placet_language::Diagnostic| {
        format!("{} {}:{} {}", d.code.id, d.line, d.column, d.message)
    };
    (policy, findings.iter().map(line).collect())
}

fn refused(text: &str, expected: &[&str]) {
    let (policy, findings) = read(text);
    assert_eq!(findings, expected, "{text}");
    assert!(policy.is_none(), "{text}");
}

fn name(text: &str) -> Principal {
    text.parse().expect("a name")
}

#[test]
fn a_policy_holds_groups_and_rules() {
    let (policy, findings) = read(
        "groups:\n  leads: [ana, ben]\nrules:\n  - name: mail\n    match: { effect: send, provider: [slack, \
         gmail], workflow: sales/notify }\n    require:\n      approvers: [leads, { from: [cho], deny: 1 }]\n      \
         quorum: 2\n      expires: P1D\n      reasonRequired: on-reject\n      selfApproval: false\n  - require: { quorum: 3 }\n",
    );
    // warnings only, for the project has no more people
    let alone = "nobody could approve what one of these has caused:";
    assert_eq!(
        findings,
        [
            format!("PL2401 7:7 {alone} ana, ben"),
            format!("PL2401 7:7 {alone} cho"),
            format!("PL2401 12:14 {alone} ana, ben, cho"),
        ]
    );
    let policy = policy.expect("a policy");
    assert_eq!(policy.people(&[name("leads")]).len(), 2);
    let [mail, all] = policy.rules.as_slice() else { unreachable!("two rules: {policy:?}") };
    assert_eq!(mail.matches.effect, [Effect::Send]);
    assert_eq!(mail.matches.provider, ["slack", "gmail"]);
    assert_eq!(mail.matches.workflow, ["sales/notify"]);
    assert_eq!(mail.require.expires, Some(Duration::from_days(1)));
    assert_eq!(mail.require.reason_required, Some(ReasonRequired::OnReject));
    assert_eq!(mail.require.self_approval, Some(SelfApproval::Refused));
    assert_eq!(
        mail.require.thresholds,
        [Threshold::of(vec![name("leads")], 2), Threshold::of(vec![name("cho")], 1),]
    );
    assert_eq!(all.name, "rule 2");
    assert_eq!(all.require.thresholds, [Threshold::of(vec![], 3)]);
}

#[test]
fn principals_of_the_file_join_those_of_the_project() {
    let (policy, findings) = read(
        "principals:\n  dan: [approver]\n  clock: { kind: service, roles: [operator] }\ngroups: { all: [dan, ana] }\n",
    );
    assert_eq!(findings, Vec::<String>::new());
    let policy = policy.expect("a policy");
    assert!(policy.may_approve(&name("dan")) && policy.may_approve(&name("ana")));
    assert!(!policy.may_approve(&name("clock")));
}

#[test]
fn unknown_people_and_keys_are_named_with_their_place() {
    refused(
        "groups:\n  leads: [ana, bin]\nrules:\n  - match: { providr: slack }\n    require: { approvers: [lead] }\n",
        &[
            "PL2401 2:16 there is no principal named `bin`",
            "PL2401 4:14 unknown key `providr` in `match`",
            "PL2401 5:28 the project has no user or group named `lead`",
        ],
    );
    refused(
        "rules:\n  - match: { effect: sned }\n    require: {}\n",
        &["PL2401 2:22 an effect cannot be `sned`"],
    );
    refused("rules:\n  - match: {}\n", &["PL2401 2:5 a rule lacks the key `require`"]);
    refused(
        "rules: [{ match: { operation: [] }, require: {} }]",
        &["PL2401 1:31 operation is an empty list"],
    );
}

#[test]
fn what_nobody_could_meet_is_refused_at_once() {
    refused(
        "rules: [{ require: { quorum: 4 } }]",
        &["PL2401 1:30 4 must approve, but only 3 of them may"],
    );
    refused(
        "groups: { bots: [bot] }\nrules: [{ require: { approvers: [bots] } }]",
        &["PL2401 2:33 1 must approve, but only 0 of them may"],
    );
    refused(
        "principals: { robo: { kind: agent, roles: [approver] } }",
        &["PL2401 1:21 an agent can never approve"],
    );
}

#[test]
fn the_forms_that_yaml_would_hide_are_refused_here_too() {
    refused(
        "groups: { a: [ana], a: [ben] }",
        &["PL2002 1:21 the key `a` stands twice in this map"],
    );
    refused(
        "rules:\n\t- x",
        &[
            "PL2001 2:2 the YAML cannot be read: tabs disallowed within this context (block indentation)",
        ],
    );
}
