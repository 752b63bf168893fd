//! For an author who looks at a workflow: what is drawn, and that nothing else can be.
//!
//! `BLESS=1 cargo nextest run -p placet-language graph` writes the pictures anew; look at them.

use std::path::{Path, PathBuf};

use placet_language::graph;
use placet_model::plan::Plan;

use crate::world::{World, fixtures};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/graphs").join(name)
}

fn plan(text: &str) -> Plan {
    let checked = World::new().check("graph.yaml", text);
    let findings = checked.diagnostics;
    checked.plan.unwrap_or_else(|| unreachable!("{findings:#?}"))
}

fn same(name: &str, actual: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path(name), actual).expect("writable fixtures");
    }
    let expected = std::fs::read_to_string(path(name)).unwrap_or_default();
    assert_eq!(actual, expected, "{name} differs");
}

fn pictures(name: &str) -> (String, String) {
    let world = World::new();
    let catalogue = world.environment().catalogue;
    let plan = plan(&std::fs::read_to_string(path(&format!("{name}.yaml"))).expect("a fixture"));
    (graph::mermaid(&plan, catalogue), graph::svg(&plan, catalogue))
}

#[test]
fn every_kind_of_task_is_drawn_and_calls_that_ask_are_gates() {
    let (mermaid, svg) = pictures("everything");
    same("everything.mmd", &mermaid);
    same("everything.svg", &svg);
    for gate in [
        "refund<br/>call stripe.refunds.create<br/>approval",
        "remind<br/>call slack.chat.postMessage<br/>approval",
    ] {
        assert!(mermaid.contains(&format!("{{{{\"{gate}\"}}}}:::gate")), "{gate}");
    }
    assert!(
        mermaid.contains("[\"look<br/>call slack.conversations.list<br/>"),
        "a read is no gate"
    );
    assert_eq!(svg.matches("class=\"asks\"").count(), 5, "refund, check, change, tell and remind");
    assert_eq!(svg.matches(">approval<").count(), 4);
    assert_eq!(svg.matches(">approval, unless the host is listed<").count(), 1);
}

#[test]
fn an_authors_text_ends_no_label_and_starts_no_markup() {
    let (mermaid, svg) = pictures("hostile");
    same("hostile.mmd", &mermaid);
    same("hostile.svg", &svg);
    assert!(!svg.contains("<script") && !svg.contains("<b>"), "{svg}");
    for line in mermaid.lines() {
        assert_eq!(line.matches('"').count() % 2, 0, "{line}");
        let outside: String = line.split('"').step_by(2).collect();
        assert!(!outside.contains("click") && !outside.contains("%%"), "{line}");
    }
    for picture in [&mermaid, &svg] {
        assert!(!picture.contains(['\u{202e}', '\u{7}']), "hidden characters");
    }
}

/// A number of an element's attribute.
fn number(element: &str, name: &str) -> i32 {
    let start = element.find(&format!(" {name}=\"")).expect("the attribute") + name.len() + 3;
    let rest = &element[start..];
    rest[..rest.find('"').expect("its end")].parse().expect("a whole number")
}

/// The right end of a box, if this line draws one.
fn box_end(line: &str) -> Option<i32> {
    if let Some(points) = line.strip_prefix("<polygon class=\"asks\" points=\"") {
        let x = |pair: &str| pair.split(',').next()?.parse::<i32>().ok();
        return points.split(' ').filter_map(x).max();
    }
    line.starts_with("<rect class").then(|| number(line, "x") + number(line, "width"))
}

/// Fails where a text is wider than the box that was drawn last, or anything than the picture.
fn fits(svg: &str, name: &str) {
    let wide = number(svg, "width");
    let (mut end, mut texts) = (wide, 0);
    for line in svg.lines() {
        if let Some(right) = box_end(line) {
            assert!(right <= wide, "{name}: {line}");
            end = right;
        }
        if line.starts_with("<text") {
            let right = number(line, "x") + number(line, "textLength");
            let bound = if line.contains("class=\"label\"") { wide } else { end };
            assert!(right <= bound, "{name}: {line}");
            texts += 1;
        }
    }
    assert!(texts > 0, "{name}");
}

#[test]
fn text_stays_in_its_box_and_everything_in_the_picture() {
    let world = World::new();
    for file in fixtures("ok") {
        let text = std::fs::read_to_string(&file).expect("a fixture");
        let plan = world.check("t.yaml", &text).plan.expect("a plan");
        fits(&graph::svg(&plan, world.environment().catalogue), &file.display().to_string());
    }
    for name in ["everything", "hostile"] {
        fits(&pictures(name).1, name);
    }
}

#[test]
fn the_same_plan_gives_the_same_picture() {
    for name in ["everything", "hostile"] {
        assert_eq!(pictures(name), pictures(name));
    }
}
