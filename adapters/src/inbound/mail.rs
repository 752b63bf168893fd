//! The headers of a mail that a provider hands on as text (RFC 5322 2.2).

use crate::send_forms;
use serde_json::Value;

/// Bytes of a mail in which its headers are looked for.
const HEADERS_MAX: usize = 256 << 10;

/// The first header with this name, of a mail as text, of a list of `{Name, Value}`, or of a map.
pub(super) fn named(mail: &Value, name: &str) -> Option<String> {
    if let Some(text) = mail.as_str() {
        return header(text, name);
    }
    if let Some(headers) = mail.as_object() {
        let mine = headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        return mine?.1.as_str().filter(|value| !value.is_empty()).map(str::to_owned);
    }
    let mine = mail
        .as_array()?
        .iter()
        .find(|one| one["Name"].as_str().is_some_and(|other| other.eq_ignore_ascii_case(name)));
    mine?["Value"].as_str().filter(|value| !value.is_empty()).map(str::to_owned)
}

/// The first header with this name, unfolded; none where it is empty or the headers have ended.
pub(super) fn header(mail: &str, name: &str) -> Option<String> {
    let mut lines = mail.get(..HEADERS_MAX).unwrap_or(mail).lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            return None;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        if !key.trim_end().eq_ignore_ascii_case(name) {
            continue;
        }
        let mut whole = value.trim().to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with([' ', '\t'])) {
            whole.push(' ');
            whole.push_str(more.trim());
        }
        let whole = whole.trim();
        return (!whole.is_empty()).then(|| whole.to_owned());
    }
    None
}

/// The first mark behind a plus in the addresses of a text, or of the texts of a list; a text that is a
/// mark and nothing else is one too.
pub(super) fn tag(addresses: &Value) -> Option<String> {
    if let Some(list) = addresses.as_array() {
        return list.iter().find_map(tag);
    }
    let text = addresses.as_str()?.to_ascii_lowercase();
    let text = text.get(..HEADERS_MAX).unwrap_or(&text);
    if send_forms::is_send_id(text) {
        return Some(text.to_owned());
    }
    let mut tags = text.split('+').skip(1).filter_map(|rest| Some(rest.split_once('@')?.0));
    tags.find(|tag| send_forms::is_send_id(tag)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_whatever_its_case_and_folding_and_never_in_the_text() {
        let mail = "Received: by x\r\n\tid 1\r\nmessage-ID:\r\n <1@mail.example>\r\nSubject: a\r\n b\r\n\r\nIn-Reply-To: <2@mail.example>\r\n";
        assert_eq!(header(mail, "Message-ID").as_deref(), Some("<1@mail.example>"));
        assert_eq!(header(mail, "Subject").as_deref(), Some("a b"));
        for none in ["In-Reply-To", "id 1", ""] {
            assert_eq!(header(mail, none), None, "{none}");
        }
        assert_eq!(header("Empty:\n\n", "Empty"), None);
        let list = serde_json::json!([{"Name": "X", "Value": ""}, {"Name": "in-reply-to", "Value": "<2@a>"}]);
        assert_eq!(named(&list, "In-Reply-To").as_deref(), Some("<2@a>"));
        assert_eq!((named(&list, "X"), named(&serde_json::json!({}), "X")), (None, None));
    }

    #[test]
    fn a_mark_is_found_behind_a_plus_whatever_its_case_and_nothing_else_is_taken_for_one() {
        let mark = "abcdefghijklmnopqrstuvwxyz234567abcdefgh";
        let upper = mark.to_ascii_uppercase();
        for (text, found) in [
            (format!("reply+{mark}@in.example.com"), true),
            (format!("\"Acme\" <Reply+{upper}@in.example.com>, ana@example.com"), true),
            (format!(r#"{{"to":["reply+x@a.example","reply+{mark}@in.example.com"]}}"#), true),
            (mark.to_owned(), true),
            (format!("reply+{mark}"), false),
            (format!("{mark}@in.example.com"), false),
            (format!("reply+{mark}a@in.example.com"), false),
            ("reply+t1@in.example.com".to_owned(), false),
        ] {
            let expected = found.then(|| mark.to_owned());
            assert_eq!(tag(&serde_json::json!(text)), expected, "{text}");
            assert_eq!(tag(&serde_json::json!(["a@example.com", text])), expected, "{text}");
        }
        assert_eq!(tag(&serde_json::json!(7)), None);
    }
}
