//! What an agent can and cannot do over NATS, with a key of its own and the configuration that is printed for it.
//!
//! covers: S8, T15, T26, A6

use futures_util::StreamExt;
use placet_model::decision::Verdict;
use placet_model::signed::Said;
use placet_test_support::DEADLINE;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Office, action, ask, inbox, is_kept_from, post, runtime};

const FEW: &str = "agent_minute_max = 3";

#[test]
fn the_quota_of_a_minute_outlives_a_killed_engine_and_says_when_there_is_room_again() {
    let name = "the_quota_of_a_minute_outlives_a_killed_engine_and_says_when_there_is_room_again";
    let Some(mut office) = Office::open(name, FEW) else { return };
    let runtime = runtime();
    // given an agent that has asked for all that it may within a minute, by two doors
    let asked = runtime.block_on(async {
        let robot = office.client("robot").await;
        let mut asked = Vec::new();
        for key in ["k1", "k2"] {
            asked.push(ask(&robot, "placet.v1.act.robot", &action(key), key).await);
        }
        let door = (office.address(), office.tokens["robot"].clone());
        let (status, _, third) =
            post((&door.0, &door.1), "/actions", (&action("k3"), "k3")).await.expect("an answer");
        assert_eq!(status, 200, "{third}");
        asked
    });
    // when the engine is killed
    office.kill_9();
    office.start();
    office.ready();
    // then another one knows how much it was
    runtime.block_on(async {
        let robot = office.client("robot").await;
        let fourth = ask(&robot, "placet.v1.act.robot", &action("k4"), "k4").await;
        assert_eq!(fourth["error"]["code"], "PL4040", "{fourth}");
        let detail = fourth["error"]["detail"].as_str().expect("words");
        assert!(detail.contains("again in ") && detail.ends_with(" s"), "{detail}");
        let door = (office.address(), office.tokens["robot"].clone());
        let (status, head, _) =
            post((&door.0, &door.1), "/actions", (&action("k4"), "k4")).await.expect("an answer");
        assert_eq!(status, 429);
        let retry = head.lines().find_map(|line| line.strip_prefix("retry-after: "));
        let retry: u64 = retry.expect("when to come back").parse().expect("seconds");
        assert!((2..=60).contains(&retry), "{retry} s");
        // what was asked for before has its answer all the same
        let again = ask(&robot, "placet.v1.act.robot", &action("k1"), "again").await;
        assert_eq!(again, asked[0]);
    });
}

#[test]
fn an_agent_hears_what_came_of_its_action_with_the_permissions_that_are_printed_for_it() {
    let name =
        "an_agent_hears_what_came_of_its_action_with_the_permissions_that_are_printed_for_it";
    let Some(office) = Office::open(name, "") else { return };
    runtime().block_on(async {
        let robot = office.client("robot").await;
        let mut told = robot.subscribe("placet.v1.act.robot.event").await.expect("it may hear");
        robot.flush().await.expect("the server has it");
        let mut next = async || -> Value {
            let message =
                timeout(DEADLINE, told.next()).await.expect("in time").expect("it goes on");
            serde_json::from_slice(&message.payload).expect("JSON")
        };
        let (run, decision) = office.asked("k1").await;
        let card = office.card("ana", &decision).await;
        let decided = office.decide("ana", &card, Said::Vote(Verdict::Approve)).await;
        assert_eq!(decided["state"], "approved", "{decided}");
        let event = next().await;
        assert_eq!((&event["run"], &event["status"]), (&json!(run), &json!("completed")));
        // it takes back its own, which nobody has to sign, and votes on nothing
        let (_, second) = office.asked("k2").await;
        let body = json!({ "decision": second, "reason": "no longer needed" });
        let taken = ask(&robot, "placet.v1.act.robot.withdraw", &body, "w1").await;
        assert_eq!(taken["state"], "withdrawn", "{taken}");
        assert_eq!(next().await["error"]["type"], "urn:placet:errors:approval-withdrawn");
        let refused = is_kept_from(&robot, inbox("robot", "decide"), "{}".to_owned()).await;
        assert!(refused, "the server lets an agent ask for no decision");
    });
}
