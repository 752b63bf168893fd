//! A mail on a card: every header, every text, every attachment by its name, type and size.

use super::mime::{Message, PartOf};
use crate::console::text::{Block, Line};

/// A mail, ready for a template.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) headers: Vec<(Line, Block)>,
    pub(super) texts: Vec<Block>,
    pub(super) attachments: Vec<Attachment>,
    /// Whether there is a plain text beside the HTML.
    pub(super) only_html: bool,
}

#[derive(Debug)]
pub(super) struct Attachment {
    pub(super) name: Line,
    pub(super) media: Line,
    pub(super) bytes: usize,
}

impl Mail {
    pub(super) fn of(message: &Message) -> Self {
        let of = |wanted: &'static str| {
            message.parts.iter().filter(move |part| part.media == wanted && part.name.is_none())
        };
        let texts: Vec<Block> = of("text/plain").map(|part| Block::new(&part.text)).collect();
        let is_attachment = |part: &&PartOf| {
            part.name.is_some() || !matches!(part.media.as_str(), "text/plain" | "text/html")
        };
        let attachments = message.parts.iter().filter(is_attachment).map(|part| Attachment {
            name: Line::new(part.name.as_deref().unwrap_or("(no name)")),
            media: Line::new(&part.media),
            bytes: part.bytes,
        });
        let headers = message.headers.iter();
        Self {
            headers: headers.map(|(name, value)| (Line::new(name), Block::new(value))).collect(),
            only_html: texts.is_empty() && of("text/html").next().is_some(),
            texts,
            attachments: attachments.collect(),
        }
    }
}
