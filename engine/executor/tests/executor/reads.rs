//! What goes out without a vote: only reads, and only to where the operator, or a manifest of ours,
//! lets them go (GATE.md §1).
//!
//! covers: S4, S14

use crate::world::{Recorder, World, open_log, start_parts};
use placet_adapters::{Adapters, Cause, Failed, ManifestFile, Redirects, Transport};
use placet_executor::Clock;
use placet_executor::govern::Connect;
use placet_model::draft::Mode;
use placet_model::integration::Identity;
use placet_model::manifest::Effect;
use placet_model::project::ProjectConfig;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

const MANIFEST: &str = r#"manifest: 1
provider: acme
title: Acme
hosts: [api.acme.example]
auth: {kind: bearer, placement: {header: Authorization, value: "Bearer {secret:token}"}}
operations:
  notes.get:
    effect: read
    input_schema: any.json
    request: {method: GET, url: "https://api.acme.example/notes/{input./id}"}
    classify: [{when: {status: 200}, outcome: sent}, {else: refused_retry}]
"#;

async fn world(read_hosts: &[&str]) -> World {
    let schemas = |path: &str| (path == "any.json").then(|| "{}".to_owned());
    let file = ManifestFile { path: "adapters/acme.yaml".into(), text: MANIFEST.into() };
    let adapters = Adapters::with_project(&[file], &schemas, &BTreeSet::new()).unwrap();
    let config = ProjectConfig {
        project: "test".into(),
        read_hosts: read_hosts.iter().map(|host| (*host).to_owned()).collect(),
        ..ProjectConfig::default()
    };
    let recorder = Arc::new(Recorder::default());
    let live = Arc::clone(&recorder) as Arc<dyn Transport>;
    let place = (open_log(None), Clock::virtual_start());
    let world = start_parts((config, Arc::new(adapters)), place, live, recorder).await.unwrap();
    world.furnish().await;
    let connect = Connect {
        name: "acme".into(),
        provider: "acme".into(),
        settings: Value::Null,
        identity: Identity { id: "a".into(), tenant: "t".into() },
        label: "Acme".into(),
        is_default: true,
        credential: None,
        scopes: None,
    };
    let id = world.handle.integration_id("acme");
    world.handle.connect(&crate::world::name("author"), id, connect).await.unwrap();
    world
}

fn document(task: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }}\ndo:\n  - look: {task}\n"
    )
}

const NOTE: &str = "{ call: acme.notes.get, with: { id: n1 } }";
const PAGE: &str = "{ call: http, with: { method: get, endpoint: 'https://api.acme.example/x' } }";

#[tokio::test]
async fn a_read_goes_ungated_to_a_listed_host_and_is_gated_towards_any_other() {
    for task in [NOTE, PAGE] {
        let mut open = world(&["api.acme.example"]).await;
        let run = open.run(&document(task), Value::Null, Mode::Live).await;
        open.settled(run).await;
        assert!(open.open_items().is_empty(), "{task}");
        assert!(open.recorder.count() > 0, "{task}");

        for hosts in [&[][..], &["acme.example"], &["api.acme.example.evil.example"]] {
            let mut gated = world(hosts).await;
            let run = gated.run(&document(task), json!({}), Mode::Live).await;
            gated.settled(run).await;
            assert_eq!(gated.open_items()[0].effect, Effect::Write, "{task} {hosts:?}");
            assert_eq!(gated.recorder.count(), 0, "{task} {hosts:?}");
        }
    }
}

#[tokio::test]
async fn no_redirect_leads_the_authors_own_request_off_the_listed_hosts() {
    let mut world = world(&["api.acme.example"]).await;
    let run = world.run(&document(PAGE), Value::Null, Mode::Live).await;
    world.finished(run).await;
    assert_eq!(*world.recorder.redirects.lock().unwrap(), [Redirects::FollowListed]);
}

#[tokio::test]
async fn a_read_that_was_put_off_is_read_again_however_late_it_is() {
    let mut world = crate::world::start().await;
    world.clock.hold_at(Some(world.clock.now()));
    world.recorder.fail(Failed::before(Cause::Connect, "nobody listens"));
    let answer = json!({"ok": true, "url": "https://t.slack.com/", "team": "T", "user": "u", "team_id": "T1", "user_id": "U1"});
    world.recorder.answer(200, &answer);
    let run = world.run(&document("{ call: slack.auth.test }"), Value::Null, Mode::Live).await;
    // it is recorded as put off before the day is over
    world.settled(run).await;
    assert_eq!(world.recorder.count(), 1);
    world.advance_to(world.clock.now().plus_millis(24 * 60 * 60 * 1000));
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    assert_eq!(world.recorder.count(), 2);
}
