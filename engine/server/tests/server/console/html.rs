//! As much of HTML as our pages use, read strictly: a page that is not as strict is no page of ours.

use std::collections::BTreeMap;

/// A piece of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Open(Tag),
    Close(String),
    Text(String),
}

/// The beginning of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Tag {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// A form, filled as it was shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Form {
    /// With another value of a field.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The pieces of a page.
pub(crate) fn pieces(page: &str) -> Vec<Piece> {
    let (mut pieces, mut rest) = (vec![], page);
    while !rest.is_empty() {
        let Some(tag) = rest.strip_prefix('<') else {
            let end = rest.find('<').unwrap_or(rest.len());
            pieces.push(Piece::Text(plain(&rest[..end])));
            rest = &rest[end..];
            continue;
        };
        if let Some(after) = tag.strip_prefix('!') {
            rest = after.split_once('>').expect("a doctype ends").1;
        } else if let Some(closing) = tag.strip_prefix('/') {
            let (name, after) = closing.split_once('>').expect("a closing tag ends");
            pieces.push(Piece::Close(name.trim().to_owned()));
            rest = after;
        } else {
            let (tag, after) = open(tag);
            pieces.push(Piece::Open(tag));
            rest = after;
        }
    }
    pieces
}

/// A tag from behind its `<`, and what follows it.
fn open(text: &str) -> (Tag, &str) {
    let end = text.find(|c: char| c.is_whitespace() || c == '>').expect("a tag ends");
    let (name, mut rest) = text.split_at(end);
    assert!(name.bytes().all(|b| b.is_ascii_alphanumeric()), "no tag of ours: <{name}");
    let mut attributes = BTreeMap::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('>') {
            return (Tag { name: name.to_owned(), attributes }, after);
        }
        let end =
            rest.find(|c: char| c.is_whitespace() || c == '=' || c == '>').expect("a tag ends");
        let (key, after) = rest.split_at(end);
        let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        assert!(!key.is_empty() && key.bytes().all(is_name), "no attribute of ours: {key:?}");
        let mut value = String::new();
        rest = after;
        if let Some(after) = rest.strip_prefix('=') {
            let quote = after.chars().next().expect("a value");
            assert!(matches!(quote, '"' | '\''), "every value stands in quotes: {key}");
            let (text, after) = after[1..].split_once(quote).expect("a value ends");
            (value, rest) = (plain(text), after);
        }
        let before = attributes.insert(key.to_owned(), value);
        assert_eq!(before, None, "{key} stands once");
    }
}

/// Text as a reader sees it.
fn plain(text: &str) -> String {
    let known = [
        ("&lt;", "<"),
        ("&#60;", "<"),
        ("&gt;", ">"),
        ("&#62;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
        ("&#38;", "&"),
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let found = known.iter().find(|(entity, _)| rest.starts_with(entity));
        let (entity, letter) = found.unwrap_or_else(|| panic!("no entity of ours: {rest:.20}"));
        out.push_str(letter);
        rest = &rest[entity.len()..];
    }
    out + rest
}

/// Every tag of a page.
pub(crate) fn tags(page: &str) -> Vec<Tag> {
    let open = |piece| match piece {
        Piece::Open(tag) => Some(tag),
        Piece::Close(_) | Piece::Text(_) => None,
    };
    pieces(page).into_iter().filter_map(open).collect()
}

/// What a reader reads, white space made one.
pub(crate) fn words(page: &str) -> String {
    let texts = pieces(page).into_iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(text),
        Piece::Open(_) | Piece::Close(_) => None,
    });
    let all: String = texts.collect();
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every link of a page.
pub(crate) fn links(page: &str) -> Vec<String> {
    let tags = tags(page).into_iter().filter(|tag| tag.name == "a");
    tags.filter_map(|tag| tag.get("href").map(str::to_owned)).collect()
}

/// Every form of a page that is posted, as it was shown.
pub(crate) fn forms(page: &str) -> Vec<Form> {
    let (mut forms, mut form): (Vec<Form>, Option<Form>) = (vec![], None);
    // a select, and a field whose value is the text that comes next
    let (mut select, mut text) = (None::<String>, None::<String>);
    for piece in pieces(page) {
        match piece {
            Piece::Open(tag) if tag.name == "form" && tag.get("method") == Some("post") => {
                let action = tag.get("action").expect("a form says where it goes").to_owned();
                form = Some(Form { action, fields: vec![] });
            }
            Piece::Close(name) if name == "form" => forms.extend(form.take()),
            Piece::Open(tag) => {
                let Some(form) = &mut form else { continue };
                let name = tag.get("name").unwrap_or_default().to_owned();
                let value = tag.get("value").unwrap_or_default().to_owned();
                let checks = matches!(tag.get("type"), Some("checkbox" | "radio"));
                let is_off = tag.get("disabled").is_some();
                match tag.name.as_str() {
                    "input"
                        if !name.is_empty()
                            && !is_off
                            && (!checks || tag.get("checked").is_some()) =>
                    {
                        form.fields.push((name, value));
                    }
                    "select" => select = Some(name),
                    "textarea" => text = Some(name),
                    "option" if tag.get("selected").is_some() => {
                        let name = select.clone().expect("in a select");
                        match tag.get("value") {
                            Some(value) => form.fields.push((name, value.to_owned())),
                            None => text = Some(name),
                        }
                    }
                    _ => {}
                }
            }
            Piece::Text(found) => {
                if let (Some(form), Some(name)) = (&mut form, text.take()) {
                    form.fields.push((name, found.strip_prefix('\n').unwrap_or(&found).to_owned()));
                }
            }
            Piece::Close(_) => text = None,
        }
    }
    forms
}

/// The one form that goes to this place.
#[track_caller]
pub(crate) fn form(page: &str, action: &str) -> Form {
    let all = forms(page);
    let mut found = all.iter().filter(|form| form.action == action);
    let form = found.next().unwrap_or_else(|| panic!("no form to {action} among {all:#?}"));
    form.clone()
}
