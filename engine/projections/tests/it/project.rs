//! The project: integrations, deployments, operations, policy, pauses.

use crate::make::*;
use crate::support::*;
use placet_model::event::governance::{
    OperationRegistered, OutboundPaused, OutboundResumed, PolicyChanged, WorkflowDeployed,
};
use placet_model::event::integration::{
    CredentialStored, CredentialUsed, HealthCheckFailed, IntegrationConnected, IntegrationDisabled,
    IntegrationDisconnected, IntegrationEnabled, IntegrationTested,
};
use placet_model::integration::{Identity, Integration, IntegrationStatus, UseScope};
use placet_model::{Event, PayloadRef, StreamId};
use placet_projections::{Located, Pauses};
use std::collections::BTreeSet;

fn identity(id: &str) -> Identity {
    Identity { id: id.into(), tenant: "T1".into() }
}

fn connected(n: u128, provider: &str, is_default: bool) -> Event {
    IntegrationConnected {
        integration: integration(n),
        name: format!("{provider}-{n}"),
        provider: provider.into(),
        settings: r#"{"region":"eu"}"#.into(),
        identity: identity("U1"),
        label: "Sales".into(),
        is_default,
    }
    .into()
}

fn stored(n: u128, version: u32) -> Event {
    let (lineage, fields) = ("l".into(), vec!["token".into()]);
    CredentialStored { integration: integration(n), version, lineage, fields }.into()
}

fn disabled(n: u128) -> Event {
    IntegrationDisabled { integration: integration(n) }.into()
}

fn enabled(n: u128) -> Event {
    IntegrationEnabled { integration: integration(n) }.into()
}

fn disconnected(n: u128) -> Event {
    IntegrationDisconnected { integration: integration(n) }.into()
}

fn failed(n: u128) -> Event {
    HealthCheckFailed { integration: integration(n), code: "invalid_auth".into() }.into()
}

fn tested(n: u128, id: &str) -> Event {
    let (identity, label) = (identity(id), "Sales team".into());
    let scopes = vec!["chat:write".into()];
    IntegrationTested { integration: integration(n), identity, label, scopes }.into()
}

fn of(n: u128) -> StreamId {
    StreamId::Integration(integration(n))
}

fn all(world: &World) -> Vec<Integration> {
    world.see(|views| views.integrations())
}

/// After the events integration 1 has this status and reason.
fn check(events: impl IntoIterator<Item = Event>, status: IntegrationStatus, reason: Option<&str>) {
    let mut world = World::new();
    world.append(of(1), events);
    let row = all(&world).remove(0);
    assert_eq!((row.status, row.reason.as_deref()), (status, reason));
    world.check();
}

#[test]
fn an_integration_carries_what_was_connected_tested_and_stored() {
    let mut world = World::new();
    let used = CredentialUsed { integration: integration(1), version: 1, operation: "x".into() };
    world.append(of(1), [stored(1, 1)]);
    assert_eq!(all(&world), []);
    world.append(of(1), [connected(1, "slack", true), stored(1, 2), tested(1, "U9"), used.into()]);
    let expected = Integration {
        id: integration(1),
        name: "slack-1".into(),
        provider: "slack".into(),
        settings: serde_json::json!({ "region": "eu" }),
        identity: identity("U9"),
        label: "Sales team".into(),
        status: IntegrationStatus::Active,
        reason: None,
        credential_version: 2,
        is_default: true,
        scopes: vec!["chat:write".into()],
        used_in: UseScope::default(),
    };
    assert_eq!(all(&world), [expected]);
    world.append(of(1), [connected(1, "slack", true)]);
    assert_eq!(all(&world)[0].credential_version, 2);
    world.append(of(1), [disconnected(1)]);
    let gone = &all(&world)[0];
    assert_eq!((gone.credential_version, gone.is_default), (0, false));
}

#[test]
fn the_status_of_an_integration_follows_who_said_what() {
    use IntegrationStatus::{Active, Disabled, Disconnected, Failed};
    let new = || connected(1, "slack", false);
    check([new()], Active, None);
    check([new(), failed(1)], Failed, Some("invalid_auth"));
    check([new(), failed(1), tested(1, "U1")], Active, None);
    check([new(), failed(1), enabled(1)], Active, None);
    check([new(), failed(1), new()], Active, None);
    check([new(), failed(1), stored(1, 2)], Failed, Some("invalid_auth"));
    check([new(), failed(1), disabled(1)], Disabled, None);
    check([new(), disabled(1), failed(1)], Disabled, None);
    check([new(), disabled(1), tested(1, "U1")], Disabled, None);
    check([new(), disabled(1), new()], Disabled, None);
    check([new(), disabled(1), enabled(1)], Active, None);
    check([new(), disconnected(1)], Disconnected, None);
    check([new(), disconnected(1), enabled(1), failed(1), disabled(1)], Disconnected, None);
    check([new(), disconnected(1), new()], Active, None);
}

#[test]
fn a_provider_has_at_most_one_default() {
    let mut world = World::new();
    let defaults = |world: &World| {
        let rows = all(world).into_iter().filter(|row| row.is_default);
        rows.map(|row| row.name).collect::<Vec<_>>()
    };
    world.append(of(1), [connected(1, "slack", true)]);
    world.append(of(2), [connected(2, "gmail", true)]);
    world.append(of(3), [connected(3, "slack", false)]);
    assert_eq!(defaults(&world), ["slack-1", "gmail-2"]);
    world.append(of(3), [connected(3, "slack", true)]);
    assert_eq!(defaults(&world), ["gmail-2", "slack-3"]);
    let both = [(4, "slack"), (5, "slack")]
        .map(|(n, provider)| (of(n), vec![connected(n, provider, true)]));
    world.append_all(both.into());
    assert_eq!(defaults(&world), ["gmail-2", "slack-5"]);
    world.check();
}

fn deployed(name: &str, version: &str, plan: &str) -> Event {
    let mut workflow = workflow(name);
    workflow.version = version.into();
    WorkflowDeployed {
        workflow,
        plan_digest: digest(plan),
        plan: PayloadRef::new(content(1).revision, 0),
        source_digest: digest("source"),
        source: PayloadRef::new(content(1).revision, 1),
    }
    .into()
}

#[test]
fn deployments_are_listed_by_family_the_latest_first_and_found_by_plan() {
    let mut world = World::new();
    let stream = |name: &str| StreamId::Workflow(format!("sales/{name}"));
    for (second, name, version, plan) in [
        (1, "b", "1.0.0", "b1"),
        (2, "a", "1.0.0", "a1"),
        (3, "b", "0.9.0", "b0"),
        (4, "ab", "1.0.0", "ab"),
    ] {
        world.now = at(second);
        world.append(stream(name), [deployed(name, version, plan)]);
    }
    let rows = world.see(|views| views.workflows());
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.family.as_str(), row.version.as_str(), row.plan_digest, row.deployed_at))
        .collect();
    let expected = [
        ("sales/a", "1.0.0", digest("a1"), at(2)),
        ("sales/ab", "1.0.0", digest("ab"), at(4)),
        ("sales/b", "0.9.0", digest("b0"), at(3)),
        ("sales/b", "1.0.0", digest("b1"), at(1)),
    ];
    assert_eq!(rows, expected);
    let plan = world.see(|views| views.plan(digest("a1"))).unwrap();
    assert_eq!(plan, Located { stream: stream("a"), payload: content(1) });
    let source = world.see(|views| views.source(digest("a1"))).unwrap();
    assert_eq!(source.payload.index, 1);
    assert_eq!(world.see(|views| views.plan(digest("other"))), None);
    assert_eq!(world.see(|views| views.operation(digest("a1"))), None);
}

#[test]
fn an_operation_stays_where_it_was_first_registered() {
    let mut world = World::new();
    let slack = StreamId::Adapter("slack".into());
    for revision in [1, 2] {
        let document = content(revision);
        let (operation, digest) = ("slack.chat.postMessage".into(), digest("operation"));
        world.append(slack.clone(), [OperationRegistered { operation, digest, document }.into()]);
    }
    let located = world.see(|views| views.operation(digest("operation")));
    assert_eq!(located, Some(Located { stream: slack, payload: content(1) }));
}

#[test]
fn the_last_policy_is_in_force() {
    let mut world = World::new();
    assert_eq!(world.see(|views| views.policy()), None);
    for (text, revision) in [("one", 1), ("two", 2)] {
        let policy = content(revision);
        world.append(StreamId::Policy, [PolicyChanged { digest: digest(text), policy }.into()]);
    }
    let located = Located { stream: StreamId::Policy, payload: content(2) };
    assert_eq!(world.see(|views| views.policy()), Some((digest("two"), located)));
}

#[test]
fn pausing_the_project_and_pausing_an_integration_are_apart() {
    let mut world = World::new();
    let pauses = |world: &World| world.see(|views| views.pauses());
    let paused = |n: Option<u128>| Event::from(OutboundPaused { integration: n.map(integration) });
    let resumed =
        |n: Option<u128>| Event::from(OutboundResumed { integration: n.map(integration) });
    assert_eq!(pauses(&world), Pauses::default());
    world.append(StreamId::Project, [paused(None), paused(Some(1)), paused(Some(2))]);
    world.append(StreamId::Project, [resumed(None), resumed(Some(2)), resumed(Some(3))]);
    let integrations = BTreeSet::from([integration(1)]);
    assert_eq!(pauses(&world), Pauses { project: false, integrations });
    world.check();
}
