//! Charts: pictures that are part of the page, and tables that say the same.

use super::html::{Piece, pieces, tags, words};
use super::surf::Browser;
use crate::figures::some_decided;
use crate::world::with_workflow;

#[tokio::test]
async fn charts_show_what_was_decided_and_sent_and_say_it_in_tables_too() {
    let world = some_decided().await;
    let mut browser = Browser::logged_in(&world).await;
    let page = browser.page("/charts").await;
    let said = words(&page);
    for text in [
        "3 asked for · 2 decided by people",
        "0 sent live, 1 in the sandbox",
        "1 wait for a vote, the oldest since",
        "No call has failed in this time.",
        "under 15 min",
        "3 d and more",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
    let all = tags(&page);
    let pictures: Vec<_> = all.iter().filter(|tag| tag.name == "svg").collect();
    assert_eq!(pictures.len(), 4, "nothing has failed, so there is no fifth");
    let ids: Vec<_> = all.iter().filter_map(|tag| tag.get("id")).collect();
    for picture in pictures {
        assert_eq!(picture.get("role"), Some("img"));
        assert!(ids.contains(&picture.get("aria-labelledby").unwrap()), "{picture:?}");
    }
    assert!(all.iter().all(|tag| tag.get("style").is_none()), "the style sheet alone colours");
    let tables = all.iter().filter(|tag| tag.name == "table").count();
    assert_eq!(tables, 4, "each picture has a table");
    // the piece of a bar says what it is, and the table has the same
    let titles = pieces(&page)
        .windows(2)
        .filter_map(|two| match two {
            [Piece::Open(tag), Piece::Text(text)] if tag.name == "title" => Some(text.clone()),
            _ => None,
        })
        .collect::<Vec<_>>();
    for piece in [": 1 sandbox", ": 1 approved", ": 1 rejected or sent back", "half within"] {
        assert!(titles.iter().any(|title| title.contains(piece)), "{piece}: {titles:?}");
    }
    assert!(all.iter().any(|tag| tag.name == "a"
        && tag.get("href") == Some("/charts")
        && tag.get("aria-current") == Some("page")));
    // what a script fetches again is the part alone
    let live = browser.live("/charts?span=hours").await;
    assert!(live.status == 200 && !live.body.contains("<html"), "{live:?}");
}

#[tokio::test]
async fn every_span_has_a_page_and_an_empty_project_says_that_it_is_empty() {
    let world = with_workflow().await;
    let mut browser = Browser::logged_in(&world).await;
    for span in ["hours", "day", "week", "month", "year"] {
        let page = browser.page(&format!("/charts?span={span}")).await;
        let said = words(&page);
        assert!(said.contains("Nobody has decided anything in this time."), "{span}: {said}");
        assert!(said.contains("Nothing waits for a vote."), "{span}: {said}");
        let chosen = tags(&page).into_iter().filter(|tag| tag.get("aria-current") == Some("true"));
        let chosen: Vec<_> = chosen.filter_map(|tag| tag.get("href").map(str::to_owned)).collect();
        assert_eq!(chosen, [format!("/charts?span={span}")]);
    }
    assert_eq!(browser.get("/charts?span=eternity").await.status, 400);
}
