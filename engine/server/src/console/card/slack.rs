//! A message as Slack shows it: its marks (`*bold*`, `_italic_`, `~struck~`, code), links with the
//! address that they lead to, and mentions, of which those that call everybody are told apart. Blocks
//! that are not known are said to be: the table below has all of them.

use crate::console::text::Block;
use serde_json::Value;

/// A message, ready for a template.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) paragraphs: Vec<Vec<Span>>,
    /// Kinds of blocks that are not drawn.
    pub(super) undrawn: Vec<Block>,
    /// Whether it calls everybody in the channel.
    pub(super) calls_all: bool,
}

/// A piece of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Span {
    Text(Block),
    Bold(Block),
    Italic(Block),
    Struck(Block),
    Code(Block),
    /// What it reads, and where it leads.
    Link(Block, Block),
    Mention(Block),
    Everybody(Block),
}

impl Message {
    /// None where the body has neither text nor blocks.
    pub(super) fn of(body: &Value) -> Option<Self> {
        let (mut paragraphs, mut undrawn) = (vec![], vec![]);
        match body["blocks"].as_array().filter(|blocks| !blocks.is_empty()) {
            None => {
                let text = body["text"].as_str()?;
                // Slack reads marks unless it is told not to
                if body["mrkdwn"] == false {
                    paragraphs.extend(text.lines().map(plain));
                } else {
                    paragraphs.extend(lines(text));
                }
            }
            Some(blocks) => {
                for block in blocks {
                    draw(block, &mut paragraphs, &mut undrawn);
                }
            }
        }
        let calls = |span: &Span| matches!(span, Span::Everybody(_));
        let calls_all = paragraphs.iter().flatten().any(calls);
        Some(Self { paragraphs, undrawn, calls_all })
    }
}

fn draw(block: &Value, paragraphs: &mut Vec<Vec<Span>>, undrawn: &mut Vec<Block>) {
    let mut text = |text: &Value| match (&text["text"], &text["type"]) {
        (Value::String(words), kind) if kind == "mrkdwn" => paragraphs.extend(lines(words)),
        (Value::String(words), _) => paragraphs.extend(words.lines().map(plain)),
        (_, _) => {}
    };
    match block["type"].as_str() {
        Some("section" | "header") if block["text"].is_object() => {
            text(&block["text"]);
            block["fields"].as_array().into_iter().flatten().for_each(&mut text);
            if block.get("accessory").is_some() {
                undrawn.push(Block::new("an element beside a section"));
            }
        }
        Some("context") => {
            let elements = block["elements"].as_array().into_iter().flatten();
            let (words, others): (Vec<_>, Vec<_>) =
                elements.partition(|one| one["text"].is_string());
            words.into_iter().for_each(&mut text);
            undrawn.extend(others.into_iter().map(|one| Block::of(&one["type"])));
        }
        Some("divider") => paragraphs.push(vec![Span::Text(Block::new("———"))]),
        _ => undrawn.push(Block::of(&block["type"])),
    }
}

fn plain(line: &str) -> Vec<Span> {
    vec![Span::Text(Block::new(&unescaped(line)))]
}

/// Lines of marked text; what stands between three backticks is code as it is.
fn lines(text: &str) -> Vec<Vec<Span>> {
    let mut found = vec![];
    for (place, piece) in text.split("```").enumerate() {
        if place % 2 == 1 {
            found.push(vec![Span::Code(Block::new(&unescaped(piece.trim_matches('\n'))))]);
        } else {
            found.extend(piece.lines().filter(|line| !line.is_empty()).map(spans));
        }
    }
    found
}

fn spans(line: &str) -> Vec<Span> {
    let (mut found, mut text, mut rest) = (vec![], String::new(), line);
    while let Some(letter) = rest.chars().next() {
        let before = text.chars().last();
        let opens = before.is_none_or(|letter| !letter.is_alphanumeric());
        let taken = match letter {
            '<' => angle(rest),
            '*' | '_' | '~' | '`' if opens => mark(rest, letter),
            _ => None,
        };
        if let Some((span, after)) = taken {
            if !text.is_empty() {
                found.push(Span::Text(Block::new(&unescaped(&std::mem::take(&mut text)))));
            }
            found.push(span);
            rest = after;
        } else {
            text.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    if !text.is_empty() {
        found.push(Span::Text(Block::new(&unescaped(&text))));
    }
    found
}

/// `*bold*` and its kin: not around spaces, and not within a word.
fn mark(text: &str, sign: char) -> Option<(Span, &str)> {
    let inner = &text[1..];
    let end = inner.find(sign).filter(|end| *end > 0)?;
    let (inside, after) = (&inner[..end], &inner[end + 1..]);
    let tight = !inside.starts_with(' ') && !inside.ends_with(' ');
    // a link within keeps its address only where it is read as a link
    let reads = tight && !inside.contains('<') && !after.starts_with(char::is_alphanumeric);
    let block = Block::new(&unescaped(inside));
    let span = match sign {
        '*' => Span::Bold(block),
        '_' => Span::Italic(block),
        '~' => Span::Struck(block),
        _ => Span::Code(block),
    };
    reads.then_some((span, after))
}

/// `<https://…|words>`, `<@U…>`, `<#C…>`, `<!channel>`.
fn angle(text: &str) -> Option<(Span, &str)> {
    let (inside, after) = text.strip_prefix('<')?.split_once('>')?;
    let (what, words) = inside.split_once('|').unwrap_or((inside, inside));
    let (to, reads) = (Block::new(&unescaped(what)), Block::new(&unescaped(words)));
    let span = match what.chars().next()? {
        '!' if ["!channel", "!here", "!everyone"].contains(&what) => {
            Span::Everybody(Block::new(&format!("@{}", &what[1..])))
        }
        '@' | '#' | '!' => Span::Mention(to),
        _ => Span::Link(reads, to),
    };
    Some((span, after))
}

/// Slack's three entities.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn block(text: &str) -> Block {
        Block::new(text)
    }

    #[test]
    fn marks_links_and_mentions_are_told_apart() {
        let text = "*now* a_b_c <https://evil.example|bank.example> <@U1> <!channel> `x < y`";
        let message = Message::of(&json!({ "text": text })).unwrap();
        let expected = [
            Span::Bold(block("now")),
            Span::Text(block(" a_b_c ")),
            Span::Link(block("bank.example"), block("https://evil.example")),
            Span::Text(block(" ")),
            Span::Mention(block("@U1")),
            Span::Text(block(" ")),
            Span::Everybody(block("@channel")),
        ];
        assert_eq!(message.paragraphs[0][..7], expected);
        assert!(message.calls_all);
    }

    #[test]
    fn text_that_is_told_to_be_plain_has_no_marks_and_entities_are_read() {
        let message = Message::of(&json!({"text": "*a* &lt;b&gt;", "mrkdwn": false})).unwrap();
        assert_eq!(message.paragraphs, [vec![Span::Text(block("*a* <b>"))]]);
        let code = Message::of(&json!({"text": "x\n```\n*a*\n```"})).unwrap();
        assert_eq!(code.paragraphs[1], [Span::Code(block("*a*"))]);
    }

    #[test]
    fn blocks_take_the_place_of_the_text_and_what_is_not_drawn_is_said() {
        let body = json!({"text": "fallback", "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "*Hi*"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "*bold*"}},
            {"type": "actions", "elements": []},
        ]});
        let message = Message::of(&body).unwrap();
        assert_eq!(
            message.paragraphs,
            [vec![Span::Text(block("*Hi*"))], vec![Span::Bold(block("bold"))]]
        );
        assert_eq!(message.undrawn, [block("actions")]);
        assert!(Message::of(&json!({"channel": "C1"})).is_none());
    }
}
