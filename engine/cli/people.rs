//! The people of a `dev` project and of a run on trial: enough that everything works before
//! anything is configured. `serve` has none of them.

use placet_model::Principal;
use placet_model::actor::{PrincipalKind, Role};
use placet_model::plan::{Plan, TaskKind, TaskList};
use placet_model::policy::{Policy, PrincipalInfo};
use std::collections::{BTreeMap, BTreeSet};

/// Who deploys, starts and operates on this machine.
pub(crate) const AUTHOR: &str = "author";
/// People behind every approver whom nobody knows, in `run --approve`: as many as a quorum may ask.
const TEST_APPROVERS: usize = 16;

pub(crate) fn principal(name: &str) -> Principal {
    name.parse().expect("a built-in name is a principal's")
}

fn info(kind: PrincipalKind, roles: &[Role]) -> PrincipalInfo {
    PrincipalInfo { kind, roles: roles.iter().copied().collect() }
}

/// The principals of every `dev` project.
pub(crate) fn of_dev() -> BTreeMap<Principal, PrincipalInfo> {
    let user = PrincipalKind::User;
    [
        (AUTHOR, info(user, &[Role::Author, Role::Operator, Role::Admin])),
        ("approver", info(user, &[Role::Approver])),
        ("auditor", info(user, &[Role::Auditor])),
        ("agent", info(PrincipalKind::Agent, &[Role::Agent])),
    ]
    .map(|(name, info)| (principal(name), info))
    .into()
}

/// The principals of `dev`, and a user for every member of a group who is none yet.
pub(crate) fn with_members(
    groups: &BTreeMap<Principal, BTreeSet<Principal>>,
) -> BTreeMap<Principal, PrincipalInfo> {
    let mut people = of_dev();
    for member in groups.values().flatten() {
        people
            .entry(member.clone())
            .or_insert_with(|| info(PrincipalKind::User, &[Role::Approver]));
    }
    people
}

/// Adds test principals: approvers, who also stand behind every name that the plan asks for and
/// that the policy does not know.
pub(crate) fn add_test_approvers(policy: &mut Policy, plan: &Plan) {
    let people: BTreeSet<Principal> =
        (1..=TEST_APPROVERS).map(|n| principal(&format!("test-approver-{n}"))).collect();
    for person in &people {
        let approver = info(PrincipalKind::User, &[Role::Approver]);
        policy.principals.entry(person.clone()).or_insert(approver);
    }
    for name in approvers(&plan.tasks) {
        if !policy.principals.contains_key(&name) {
            policy.groups.entry(name).or_insert_with(|| people.clone());
        }
    }
}

/// Every user and group that the plan's tasks ask for.
fn approvers(tasks: &TaskList) -> BTreeSet<Principal> {
    let mut names = BTreeSet::new();
    for task in &tasks.0 {
        if let TaskKind::Call(call) = &task.kind
            && let Some(approval) = &call.approval
        {
            names.extend(approval.thresholds.iter().flat_map(|t| t.from.iter().cloned()));
        }
        for list in task.kind.lists() {
            names.extend(approvers(list));
        }
    }
    names
}
