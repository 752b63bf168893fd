//! Forms with files (RFC 7578), as mail is posted: the fields that are texts, never the files.

/// Parts of one form that are looked at.
const PARTS_MAX: usize = 1000;

/// The boundary that a `Content-Type` names; none where it is no such form.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (media, parameters) = content_type.split_once(';')?;
    if !media.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let named = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"').to_owned())
    });
    named.filter(|boundary| (1..=70).contains(&boundary.len()))
}

/// The text fields in the order sent; a part that is no text, or has a file name, is left out.
pub(super) fn fields(body: &[u8], boundary: &str) -> Vec<(String, String)> {
    let line = [b"\r\n--", boundary.as_bytes()].concat();
    // the first boundary has no line before it
    let body = [b"\r\n", body].concat();
    let mut found = Vec::new();
    let Some(mut rest) = after(&body, &line) else { return found };
    for _part in 0..PARTS_MAX {
        if rest.starts_with(b"--") {
            break;
        }
        let Some(end) = find(rest, &line) else { break };
        found.extend(field(&rest[..end]));
        rest = &rest[end + line.len()..];
    }
    found
}

/// A part, from the end of its boundary on: headers, an empty line, the value.
fn field(part: &[u8]) -> Option<(String, String)> {
    let at = find(part, b"\r\n\r\n")?;
    let (head, value) = (std::str::from_utf8(&part[..at]).ok()?, &part[at + 4..]);
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let parameter = |wanted: &str| {
        disposition.split(';').skip(1).find_map(|parameter| {
            let (name, value) = parameter.trim().split_once('=')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim_matches('"').to_owned())
        })
    };
    if parameter("filename").is_some() {
        return None;
    }
    Some((parameter("name")?, String::from_utf8(value.to_vec()).ok()?))
}

fn after<'b>(bytes: &'b [u8], wanted: &[u8]) -> Option<&'b [u8]> {
    find(bytes, wanted).map(|at| &bytes[at + wanted.len()..])
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_a_form_are_read_and_its_files_are_not() {
        let body = "--b1\r\nContent-Disposition: form-data; name=\"subject\"\r\n\r\nRe: --b1 of\r\nours\r\n\
                    --b1\r\nContent-Disposition: form-data; name=\"attachment-1\"; filename=\"a.txt\"\r\n\
                    Content-Type: text/plain\r\n\r\nsecret\r\n--b1\r\ncontent-disposition: form-data; \
                    name=token\r\n\r\n\r\n--b1--\r\n";
        let found = fields(body.as_bytes(), "b1");
        let expected = [("subject", "Re: --b1 of\r\nours"), ("token", "")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_cut_off_or_has_no_boundary_has_no_fields() {
        for body in ["", "--b1", "--b1\r\nContent-Disposition: form-data; name=a\r\n\r\nx", "junk"]
        {
            assert_eq!(fields(body.as_bytes(), "b1"), [], "{body:?}");
        }
        for (media, wanted) in [
            ("multipart/form-data; boundary=b1", Some("b1")),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"b 1\"", Some("b 1")),
            ("multipart/mixed; boundary=b1", None),
            ("multipart/form-data; boundary=", None),
            ("application/json", None),
        ] {
            assert_eq!(boundary(media).as_deref(), wanted, "{media}");
        }
    }
}
