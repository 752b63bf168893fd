//! Turns over real sockets: a host that does not answer holds up nobody else, and a crowd of one
//! connection takes no more than its share of a host.

use crate::common::{Behaviour, StandIn, call, request};
use placet_adapters::{Answer, CallIntegration, Redirects, Transport as _};
use placet_egress::{Egress, EgressConfig, TurnLimits};
use placet_model::IntegrationId;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

fn integration(name: &str) -> CallIntegration {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    CallIntegration {
        id: IntegrationId::from_bytes(bytes),
        name: name.to_owned(),
        credential_version: 1,
    }
}

fn egress_to(stand_ins: &[&StandIn], turns: TurnLimits) -> Egress {
    let listed = stand_ins.iter().map(|at| at.address.to_string().parse().unwrap());
    let rules = EgressConfig { turns, ..EgressConfig::allowing(listed) };
    Egress::new(crate::common::live(), rules, Arc::new(crate::common::Secrets::default()))
}

/// As the executor does: a turn first, then the call, and the turn until it has ended.
async fn called(egress: Egress, url: String, of: CallIntegration) -> Answer {
    let _turn = egress.turn(&url, Some(&of)).await;
    let mut call = call(request("POST", &url, "{}"), Redirects::Never);
    call.integration = Some(of);
    call.timeout = Duration::from_mins(1);
    egress.perform(call).await
}

#[tokio::test]
async fn a_host_that_never_answers_holds_up_only_its_own_calls() {
    let slow = StandIn::on("127.0.0.1:0", Behaviour::Silence).await;
    let quick = StandIn::answering("200 OK", "", "").await;
    let egress = egress_to(&[&slow, &quick], TurnLimits { host: 4, credential: 4 });
    let mut stuck = JoinSet::new();
    for _ in 0..50 {
        stuck.spawn(called(egress.clone(), slow.url("/"), integration("slow")));
    }
    for _ in 0..20 {
        let answer = called(egress.clone(), quick.url("/"), integration("quick")).await;
        assert_eq!(answer.unwrap().status, 200);
    }
    assert_eq!(quick.connects(), 20);
    assert!(slow.connects() <= 4, "{} of 50 towards a host that takes four", slow.connects());
}

#[tokio::test]
async fn a_crowd_of_one_connection_lets_another_in_after_one_call() {
    let host = StandIn::answering("200 OK", "", "").await;
    let egress = egress_to(&[&host], TurnLimits { host: 1, credential: 1 });
    let (done, mut finished) = mpsc::unbounded_channel();
    // somebody is on the way, so that everybody has to wait; the crowd comes before the one
    let first = egress.turn(&host.url("/"), Some(&integration("first"))).await;
    let mut waiting = JoinSet::new();
    for (name, calls) in [("crowd", 40), ("one", 1)] {
        for _ in 0..calls {
            let (egress, done, url) = (egress.clone(), done.clone(), host.url("/"));
            waiting.spawn(async move {
                called(egress, url, integration(name)).await.unwrap();
                done.send(name).unwrap();
            });
            // it is in the queue before the next one comes
            tokio::task::yield_now().await;
        }
    }
    drop((first, done));
    let mut order = Vec::new();
    while let Some(name) = finished.recv().await {
        order.push(name);
    }
    let place = order.iter().position(|name| *name == "one").unwrap();
    println!("{} calls of a crowd came first, {place} went first", order.len() - 1);
    assert!(place <= 1 && order.len() == 41 && host.connects() == 41, "{order:?}");
}

#[tokio::test]
async fn a_call_that_is_given_up_while_it_waits_leaves_its_turn_to_the_next() {
    let host = StandIn::answering("200 OK", "", "").await;
    let egress = egress_to(&[&host], TurnLimits { host: 1, credential: 1 });
    let held = egress.turn(&host.url("/"), None).await;
    let url = host.url("/");
    let given_up = tokio::spawn({
        let (egress, url) = (egress.clone(), url.clone());
        async move { called(egress, url, integration("gone")).await }
    });
    tokio::task::yield_now().await;
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    drop(held);
    assert_eq!(called(egress, url, integration("next")).await.unwrap().status, 200);
    assert_eq!(host.connects(), 1);
}
