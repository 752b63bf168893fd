//! A connection that hears nothing any more is shown as such, in the list and on its own page, while what
//! goes through it is as good as before.

use crate::world::start;
use serde_json::json;

#[tokio::test]
async fn a_watch_that_has_ended_is_a_warning_beside_a_status_that_is_good() {
    let world = start().await;
    // given a mailbox whose watch ends at once
    let mailbox =
        json!({"emailAddress": "ops@example.com", "historyId": "1000", "expiration": "1000"});
    *world.live.answer.lock().unwrap() = mailbox;
    let gmail = json!({
        "name": "gmail", "provider": "gmail", "credential": {"access_token": "ya29-1"},
        "settings": {"push_topic": "projects/acme/topics/gmail"},
    });
    let made = world.post("/api/v1/integrations", &gmail).await.ok();
    assert_eq!(made["warnings"], json!([]), "{made:#}");
    world.handle.keep_credentials(&world.vault).unwrap();
    let on = json!({"on": true, "base": "https://placet.example"});
    world.post("/api/v1/integrations/gmail/hooks", &on).await.ok();

    let warning = json!([{
        "code": "subscription_lapsed", "resource": "", "since": "1970-01-01T00:00:01.000Z", "reason": null,
    }]);
    let shown = world.get("/api/v1/integrations/gmail").await.ok();
    assert_eq!((&shown["status"], &shown["warnings"]), (&json!("active"), &warning), "{shown:#}");
    let listed = world.get("/api/v1/integrations").await.ok();
    let rows = listed["integrations"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(row("gmail")["warnings"], warning);
}
