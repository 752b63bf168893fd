//! A reply (RFC 5321 §4.2): lines with one code, the last one without a dash.

/// Bytes of all lines of a reply.
pub(super) const BYTES_MAX: usize = 64 << 10;

/// What a server said, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// The texts of the lines; printable ASCII, everything else a question mark.
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// The first digit.
    pub(super) const fn class(&self) -> u16 {
        self.code / 100
    }

    /// Code and words on one line.
    pub(super) fn text(&self) -> String {
        format!("{} {}", self.code, self.lines.join(" "))
    }

    /// `5.1.1`, where the words begin with one (RFC 2034 §4).
    pub(super) fn enhanced(&self) -> Option<&str> {
        let word = self.lines.first()?.split(' ').next()?;
        let mut parts = word.split('.');
        let number = |part: Option<&str>| {
            part.is_some_and(|part| (1..=3).contains(&part.len()) && part.parse::<u16>().is_ok())
        };
        let whole = number(parts.next()) && number(parts.next()) && number(parts.next());
        (whole && parts.next().is_none()).then_some(word)
    }
}

/// A whole reply at the head of the buffer and its length; none while it is not whole.
pub(super) fn parse(buffer: &[u8]) -> Result<Option<(Reply, usize)>, &'static str> {
    let (mut lines, mut code, mut read) = (Vec::new(), None, 0);
    loop {
        let Some(end) = buffer[read..].iter().position(|byte| *byte == b'\n') else {
            return if buffer.len() > BYTES_MAX { Err("a reply is too long") } else { Ok(None) };
        };
        let line = &buffer[read..read + end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        read += end + 1;
        if line.len() < 3 || !line[..3].iter().all(u8::is_ascii_digit) {
            return Err("what came is no SMTP reply");
        }
        let own = line[..3].iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        if !(200..600).contains(&own) || *code.get_or_insert(own) != own {
            return Err("what came is no SMTP reply");
        }
        lines.push(printable(line.get(4..).unwrap_or_default()));
        match line.get(3) {
            Some(b'-') => {}
            None | Some(b' ') => return Ok(Some((Reply { code: own, lines }, read))),
            Some(_) => return Err("what came is no SMTP reply"),
        }
        if read > BYTES_MAX {
            return Err("a reply is too long");
        }
    }
}

fn printable(bytes: &[u8]) -> String {
    let letter = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '?' };
    bytes.iter().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_whole_or_not_there_yet() {
        let (reply, read) = parse(b"250-mail.example\r\n250 SIZE 5\r\n250 more").unwrap().unwrap();
        assert_eq!((reply.code, reply.lines.len(), read), (250, 2, 30));
        for half in ["", "2", "250-a\r\n", "250-a\r\n250 b"] {
            assert_eq!(parse(half.as_bytes()), Ok(None), "{half:?}");
        }
        assert_eq!(parse(b"550 5.1.1 no\r\n").unwrap().unwrap().0.enhanced(), Some("5.1.1"));
        assert_eq!(parse(b"550 5.1 no\r\n").unwrap().unwrap().0.enhanced(), None);
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for bad in
            ["HTTP/1.1 200 OK\r\n", "250-a\r\n251 b\r\n", "99 x\r\n", "700 x\r\n", "250x\r\n"]
        {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(parse(&vec![b'2'; BYTES_MAX + 1]).is_err());
        assert!(parse("250-x\r\n".repeat(20_000).as_bytes()).is_err());
    }
}
