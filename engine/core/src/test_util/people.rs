//! The people of every scene, and requirements in few words.

use placet_model::Principal;
use placet_model::actor::{PrincipalKind, Role};
use placet_model::approval::{Requirement, Threshold};
use placet_model::policy::{Policy, PrincipalInfo};

/// The principal with this name.
///
/// # Panics
/// Where it is no name.
pub fn name(text: &str) -> Principal {
    text.parse().expect("tests use good names")
}

/// Who is who: `ana`, `ben`, `cara` approve, and `req`, who causes every run, could; `lead` is in
/// the group `leads` with `ana`; `op` operates, `root` administers, `eve` is an auditor only, and
/// `bot` is an agent that somebody has given the role approver.
///
/// # Panics
/// Never.
pub fn default_policy() -> Policy {
    use PrincipalKind::{Agent, User};
    let people: &[(&str, PrincipalKind, &[Role])] = &[
        ("ana", User, &[Role::Approver]),
        ("ben", User, &[Role::Approver]),
        ("cara", User, &[Role::Approver]),
        ("lead", User, &[Role::Approver]),
        ("req", User, &[Role::Author, Role::Approver]),
        ("op", User, &[Role::Operator]),
        ("root", User, &[Role::Admin]),
        ("eve", User, &[Role::Auditor]),
        ("bot", Agent, &[Role::Agent, Role::Approver, Role::Operator]),
    ];
    let info =
        |kind, roles: &[Role]| PrincipalInfo { kind, roles: roles.iter().copied().collect() };
    Policy {
        principals: people
            .iter()
            .map(|(who, kind, roles)| (name(who), info(*kind, roles)))
            .collect(),
        groups: [(name("leads"), [name("ana"), name("lead")].into())].into(),
        ..Policy::default()
    }
}

/// `approve` approvals, or `deny` rejections, of these people and groups.
pub fn threshold(from: &[&str], approve: u16, deny: u16) -> Threshold {
    Threshold { from: from.iter().map(|who| name(who)).collect(), approve, deny, escalate: None }
}

/// The default requirement with these thresholds.
pub fn requirement(thresholds: Vec<Threshold>) -> Requirement {
    Requirement { thresholds, ..Requirement::default_for_project() }
}

/// The default requirement with a quorum of any approvers.
pub fn quorum(approve: u16) -> Requirement {
    requirement(vec![threshold(&[], approve, 1)])
}
