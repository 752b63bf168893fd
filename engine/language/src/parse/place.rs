//! `document.metadata.place`: where a workflow stands in the project, and with that which integrations
//! it may use.

use super::reader::Reader;
use crate::codes;
use crate::syntax::Node;
use placet_model::Principal;
use placet_model::integration::WorkflowPlace;

const PLACE: &[&str] = &["workstream", "space", "visibility", "agent"];

impl Reader<'_> {
    /// `document.metadata.place`: where the workflow stands in the project.
    pub(super) fn place(&mut self, node: &Node) -> Option<WorkflowPlace> {
        if !self.map(node, "`document.metadata.place`", PLACE) {
            return None;
        }
        let workstream = self.place_name(node, "workstream");
        let space = self.place_name(node, "space");
        let agent = self.place_name(node, "agent");
        if let (Some(value), None) = (node.get("space"), node.get("workstream")) {
            let help = "name the workstream too: place: { workstream: sales, space: leads }";
            self.report(codes::SHAPE, value.span, "a space stands in a workstream", help);
        }
        let visibility = node.get("visibility").and_then(|value| {
            let parsed = self.text(value, "`place.visibility`")?.parse();
            if parsed.is_err() {
                let help = "one of internal, shared, client";
                self.report(codes::SHAPE, value.span, "no such visibility", help);
            }
            parsed.ok()
        });
        let agent = agent.and_then(|name| name.parse().ok());
        Some(WorkflowPlace { workstream, space, visibility: visibility.unwrap_or_default(), agent })
    }

    fn place_name(&mut self, node: &Node, key: &str) -> Option<String> {
        let value = node.get(key)?;
        let text = self.text(value, &format!("`place.{key}`"))?;
        if text.parse::<Principal>().is_ok() {
            return Some(text.to_owned());
        }
        let help = "1 to 63 of a-z, 0-9, _ and -, starting with a letter or digit";
        self.report(codes::SHAPE, value.span, format!("`{text}` is no name of a {key}"), help);
        None
    }
}
