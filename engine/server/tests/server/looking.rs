//! Looking changes nothing: every address that can be met in answers and pages is asked for again and
//! again, as mail scanners and chat previews do.

use crate::world::{World, ask, with_workflow};
use serde_json::Value;
use std::collections::BTreeSet;

/// Each looks at every address twice, by GET and by HEAD: a hundred looks.
const ROUNDS: usize = 50;

/// The pages, and what their forms are sent to, asked for by those who only look.
fn of_the_console(run: &str, decision: &str, digest: &str) -> Vec<String> {
    let mut addresses =
        vec!["/runs".to_owned(), format!("/inbox/bulk?verdict=approve&item={decision}%20{digest}")];
    for rest in ["", "?verdict=approve", "/raw", "/part/0", "/edit", "/check"] {
        addresses.push(format!("/inbox/{decision}{rest}"));
    }
    for rest in ["", "?story=all", "/graph.svg", "/cancel", "/retry", "/signal?type=x"] {
        addresses.push(format!("/runs/{run}{rest}"));
    }
    addresses
}

/// Every address to look at: the routes, with the ids that there are, and what pages link to.
async fn addresses(world: &World, run: &str, card: &Value) -> BTreeSet<String> {
    let decision = card["id"].as_str().unwrap();
    let mut addresses: BTreeSet<String> = [
        "/",
        "/healthz",
        "/readyz",
        "/inbox",
        "/inbox?filter=all&group=true",
        "/first",
        "/console/state",
        "/console/pause",
        "/console/resume",
        "/console/as?user=approver",
        "/login",
        "/login?token=guess",
        "/errors/PL4001",
        "/nothing",
        "/api/v1/status",
        "/api/v1/inbox",
        "/api/v1/inbox?filter=all",
        "/api/v1/runs",
        "/api/v1/workflows",
        "/api/v1/integrations",
        "/api/v1/audit/events",
        "/api/v1/audit/replay",
        "/api/v1/audit/replay?at=1",
        "/api/v1/audit/events?order=desc&since=PT1H&integration=slack",
        "/api/v1/audit/story/1",
        "/api/v1/projections",
        // what changes something, asked for by those who only look
        "/api/v1/actions",
        "/api/v1/actions?operation=slack.chat.postMessage&idempotency_key=k&reason=r",
        "/api/v1/decisions/votes",
        "/api/v1/decisions/votes?verdict=approve",
        "/api/v1/pause",
        "/api/v1/resume",
        "/api/v1/policy",
        "/api/v1/audit/verify",
        "/api/v1/projections/rebuild",
        "/api/v1/projections/rebuild/cancel",
        "/api/v1/integrations/slack/disable",
        "/api/v1/integrations/slack/disconnect",
    ]
    .map(str::to_owned)
    .into();
    for rest in ["", "/cancel", "/cancel?reason=x"] {
        addresses.insert(format!("/api/v1/runs/{run}{rest}"));
    }
    addresses.insert(format!("/api/v1/audit/story/{run}"));
    addresses.insert(format!("/api/v1/audit/story/{decision}"));
    addresses.insert(format!("/api/v1/actions/{decision}/withdraw"));
    let digest = card["digest"].as_str().unwrap();
    for rest in [
        "",
        "/votes",
        "/votes?verdict=edit",
        &format!("/votes?verdict=approve&digest={digest}"),
        "?verdict=approve",
    ] {
        addresses.insert(format!("/api/v1/decisions/{decision}{rest}"));
    }
    addresses.extend(of_the_console(run, decision, digest));
    let inbox = world.get("/inbox").await.body;
    let links = inbox.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    addresses.extend(links.map(|link| link.replace("&amp;", "&")));
    addresses
}

#[tokio::test]
async fn t01_get_and_head_decide_and_change_nothing() {
    let mut world = with_workflow().await;
    let (run, card) = world.waiting().await;
    let addresses = addresses(&world, &run, &card).await;
    let head = world.handle.view().unwrap().head().to_owned();
    for _ in 0..ROUNDS {
        for address in &addresses {
            for (method, user) in [("GET", "author"), ("HEAD", "approver")] {
                let answer =
                    ask(method, address).header("Placet-As", user).send(world.server).await;
                assert!(answer.status < 500, "{method} {address}: {answer:?}");
            }
        }
    }
    assert_eq!(*world.handle.view().unwrap().head(), head);
    let again = world
        .get_as("approver", &format!("/api/v1/decisions/{}", card["id"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(again["state"], "requested");
}
