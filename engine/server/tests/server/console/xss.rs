//! S17: whatever a provider, an agent, an author or a person writes is text on every page. The pages are
//! read as HTML, and no element and no attribute may be one that the corpus holds.

use super::html::{Tag, tags, words};
use super::surf::Browser;
use crate::world::{World, is_over, with_workflow};
use serde_json::{Value, json};

/// Texts that would do something, were they markup; each names `xss` somewhere.
const CORPUS: &[&str] = &[
    "<script>xss()</script>",
    "\"><script>xss()</script>",
    "' onmouseover='xss()",
    "\" onfocus=\"xss()\" autofocus=\"",
    "<img src=x onerror=xss()>",
    "<svg/onload=xss()>",
    "</textarea><script>xss()</script>",
    "</title><script>xss()</script>",
    "</bdi></dd></dl><iframe srcdoc='<script>xss()</script>'>",
    "javascript:xss()",
    "<a href=javascript:xss()>x</a>",
    "{{ xss }}{% xss %}",
    "<!--xss--><![CDATA[xss]]>",
    "&lt;script&gt;xss()&lt;/script&gt;",
    "<style>@import 'xss'</style>",
    "<meta http-equiv=refresh content=0;url=xss>",
    "<form action=//xss.example><input name=form_token>",
    "<template><xss></template>",
    "\u{202e}<xss>\u{2066}",
    "<b xss='`xss()`'>",
];

/// Elements that our pages have.
const OURS: &[&str] = &[
    "a", "bdi", "body", "button", "caption", "code", "dd", "del", "details", "dialog", "div", "dl",
    "dt", "em", "fieldset", "footer", "form", "g", "h1", "h2", "h3", "head", "header", "html",
    "iframe", "img", "input", "ins", "kbd", "label", "legend", "li", "line", "link", "main",
    "meta", "nav", "ol", "option", "p", "path", "pre", "progress", "rect", "s", "script",
    "section", "select", "span", "strong", "summary", "svg", "table", "tbody", "td", "text",
    "textarea", "th", "thead", "time", "title", "tr", "u", "ul",
];

fn percent(byte: u8) -> String {
    format!("%{byte:02X}")
}

/// Fails where a tag of the page is not one of ours.
#[track_caller]
fn harmless(place: &str, page: &str) {
    for tag in tags(page) {
        let Tag { name, attributes } = &tag;
        assert!(OURS.contains(&name.as_str()), "{place}: {tag:?}");
        for (key, value) in attributes {
            assert!(
                !key.contains("xss") && !key.starts_with("on") && key != "style" && key != "srcdoc",
                "{place}: {tag:?}"
            );
            let loads = ["href", "src", "action", "formaction", "hx-get", "hx-post"]
                .contains(&key.as_str());
            let stays =
                value.starts_with('/') && !value.starts_with("//") || value.starts_with('#');
            assert!(!loads || stays, "{place}: {tag:?}");
        }
        let is_picture = name == "img";
        assert!(
            !is_picture
                || attributes.get("src").is_some_and(|src| {
                    src.starts_with("/runs/") || src.starts_with("/workflows/")
                }),
            "{place}: {tag:?}"
        );
        let scripts = name == "script";
        assert!(
            !scripts || attributes.get("src").is_some_and(|src| src.starts_with("/assets/")),
            "{place}: {tag:?}"
        );
    }
}

/// Writes the corpus wherever others can write; gives the places that show it.
async fn planted(world: &mut World) -> Vec<String> {
    let mut places = vec![];
    for (number, text) in CORPUS.iter().enumerate() {
        let channel = format!("C0{number:03}");
        let with = json!({"channel": channel, "text": text, "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}, {"type": text.chars().take(40).collect::<String>()}]});
        let (run, decision) = super::card::asked(world, "slack.chat.postMessage", &with).await;
        let card = world.get_as("approver", &format!("/api/v1/decisions/{decision}")).await.ok();
        let digest = card["digest"].clone();
        // a person's words too, and an edit with a difference
        let place = format!("/api/v1/decisions/{decision}/votes");
        let vote = match number % 3 {
            0 => json!({"verdict": "reject", "digest": digest, "reason": text}),
            1 => json!({"verdict": "respond", "digest": digest, "reason": text}),
            _ => {
                json!({"verdict": "edit", "digest": digest, "reason": text, "with": {"channel": channel, "text": format!("{text} more")}})
            }
        };
        let voted = world.post_as("approver", &place, &vote).await.ok();
        places.extend(voted["successor"].as_str().map(|next| format!("/inbox/{next}")));
        places.push(format!("/inbox/{decision}"));
        places.push(format!("/inbox/{decision}/edit"));
        places.push(format!("/runs/{run}"));
    }
    places
}

/// What providers and authors write: answers that refuse, the account's name, titles of workflows.
async fn planted_by_providers(world: &mut World, browser: &mut Browser) -> Vec<String> {
    let mut places = vec![];
    for (number, text) in CORPUS.iter().enumerate() {
        // an account that calls itself so
        *world.live.answer.lock().unwrap() = json!({"ok": true, "user_id": "U1", "team_id": "T1", "user": text, "team": text, "url": text});
        let name = format!("named-{number}");
        let body =
            json!({"name": name, "provider": "slack", "credential": {"access_token": "xoxb-1"}});
        let connected = world.post("/api/v1/integrations", &body).await;
        assert!(connected.status < 300, "{connected:?}");
        places.push(format!("/integrations/{name}"));
        // a workflow of this title, whose call is refused in these words
        let family = format!("titled-{number}");
        let source = json!({
            "document": {"dsl": "1.0.3", "namespace": "ops", "name": family, "version": "1.0.0", "title": text, "summary": text},
            "do": [{"it": {"call": "slack.chat.postMessage", "with": {"channel": format!("C1{number:03}"), "text": "hi"}}}],
        });
        let deploy = json!({"source": source.to_string(), "file": "titled.yaml"});
        world.post("/api/v1/workflows", &deploy).await.ok();
        *world.live.answer.lock().unwrap() = json!({"ok": false, "error": text});
        let start = json!({"workflow": format!("ops/{family}"), "input": {}, "mode": "live"});
        let run = world.post("/api/v1/runs", &start).await.ok()["run"].as_str().unwrap().to_owned();
        let waiting = world.settled(&run).await;
        let decision = waiting["waiting_for"]["decision"]
            .as_str()
            .unwrap_or_else(|| panic!("{waiting:#}"))
            .to_owned();
        let card = browser.page(&format!("/inbox/{decision}")).await;
        browser.submitted(&super::card::verdict(&card, &decision, "approve")).await;
        let doubt_or_end =
            |report: &Value| is_over(report) || report["waiting_for"]["kind"] == "in_doubt";
        world.until(&run, doubt_or_end).await;
        places.extend([
            format!("/workflows/ops/{family}"),
            format!("/runs/{run}"),
            format!("/inbox/{decision}"),
            format!("/audit/story/{run}"),
        ]);
    }
    places
}

#[tokio::test]
async fn s17_what_providers_and_authors_write_is_text_too() {
    let mut world = with_workflow().await;
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("approver").await;
    let mut places = planted_by_providers(&mut world, &mut browser).await;
    let lists =
        ["/integrations", "/workflows", "/runs", "/audit", "/audit?view=records", "/charts"];
    places.extend(lists.map(str::to_owned));
    let mut seen = 0;
    for place in &places {
        let page = browser.page(place).await;
        harmless(place, &page);
        seen += words(&page).matches("xss").count();
    }
    assert!(seen > 100, "the texts are there to be read: {seen}");
}

#[tokio::test]
async fn s17_what_others_write_is_text_on_every_page() {
    let mut world = with_workflow().await;
    let mut places = planted(&mut world).await;
    let agent = json!({"operation": "slack.chat.postMessage", "with": {"channel": "C0999", "text": CORPUS[0]}, "idempotency_key": "k1", "reason": CORPUS.join(" ")});
    let acted: Value = world.post_as("agent", "/api/v1/actions", &agent).await.ok();
    let run = acted["run"].as_str().unwrap();
    world.settled(run).await;
    let agents = world.get_as("approver", "/api/v1/inbox").await.ok();
    let agents = agents["items"].as_array().unwrap().iter().filter(|item| item["run"] == run);
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("approver").await;
    let lists = ["/inbox", "/inbox?group=true", "/inbox?filter=all", "/runs"];
    places.extend(lists.map(str::to_owned));
    places.extend(agents.map(|item| format!("/inbox/{}", item["id"].as_str().unwrap())));
    places.push(format!("/runs/{run}"));
    let mut seen = 0;
    for place in &places {
        let page = browser.page(place).await;
        harmless(place, &page);
        seen += words(&page).matches("xss").count();
    }
    assert!(seen > 100, "the texts are there to be read: {seen}");
    // what a query holds comes back in the page
    for text in CORPUS {
        let escaped: String = text.bytes().map(percent).collect();
        for list in ["/inbox?operation", "/inbox?workflow", "/runs?workflow", "/runs?version"] {
            let place = format!("{list}={escaped}");
            let answer = browser.get(&place).await;
            assert_eq!(answer.status, 200, "{place}: {answer:?}");
            harmless(&place, &answer.body);
        }
        for place in [
            format!("/inbox/{escaped}"),
            format!("/inbox?{escaped}=1"),
            format!("/{escaped}"),
            format!("/inbox?state={escaped}"),
            format!("/console/state?here={escaped}"),
        ] {
            let answer = browser.get(&place).await;
            assert!(answer.status < 500, "{place}: {answer:?}");
            harmless(&place, &answer.body);
        }
    }
}
