//! Forms of texts in a `placet.toml`. Each says no with what to write instead.

/// Whether a text has the form, or what to do.
pub(super) type Fits = fn(&str) -> Result<(), &'static str>;

/// `host` or `host:port`, lower case, nothing matched by suffix.
pub(super) fn is_host(text: &str) -> Result<(), &'static str> {
    if text.contains("://") || text.contains('/') {
        return Err("write the host alone, without scheme and path");
    }
    if text.contains('*') {
        return Err("hosts are matched whole: name each one");
    }
    let (host, port) = split_port(text);
    let byte = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-')
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let named = !host.is_empty() && host.bytes().all(byte);
    if (bracketed || named) && port.is_none_or(is_port) {
        Ok(())
    } else {
        Err("write a host such as api.example.com, in lower case, or host:port")
    }
}

/// A host alone: a secret goes to it whatever the port, so a port would promise what nobody keeps.
pub(super) fn is_bare_host(text: &str) -> Result<(), &'static str> {
    is_host(text)?;
    match split_port(text).1 {
        None => Ok(()),
        Some(_) => Err("leave out the port: a secret is bound to the host alone"),
    }
}

/// `HOST:PORT`.
pub(super) fn is_target(text: &str) -> Result<(), &'static str> {
    is_host(text)?;
    if split_port(text).1.is_some() {
        Ok(())
    } else {
        Err("write HOST:PORT, such as 127.0.0.1:8080")
    }
}

/// `AGENT:INTEGRATION`, each a name or `*`.
pub(super) fn is_grant(text: &str) -> Result<(), &'static str> {
    let is_name = |text: &str| text == "*" || text.parse::<placet_model::Principal>().is_ok();
    match text.split_once(':') {
        Some((agent, integration)) if is_name(agent) && is_name(integration) => Ok(()),
        Some(_) | None => Err("write AGENT:INTEGRATION, such as agent:sales-slack or *:http"),
    }
}

/// `PROVIDER:PERCENT`, at most a hundred times the declared rate.
pub(super) fn is_rate(text: &str) -> Result<(), &'static str> {
    let is_provider = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let is_percent = |text: &str| text.parse::<u32>().is_ok_and(|percent| percent <= 10_000);
    match text.split_once(':') {
        Some((provider, percent)) if is_provider(provider) && is_percent(percent) => Ok(()),
        Some(_) | None => Err("write PROVIDER:PERCENT, such as github:300 or slack:50"),
    }
}

/// Name of an environment variable.
pub(super) fn is_variable(text: &str) -> Result<(), &'static str> {
    let start = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if start && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        Ok(())
    } else {
        Err("name the variable that holds the secret; never write the secret itself")
    }
}

/// An address that a NATS client takes; the bus looks at the rest of it.
pub(super) fn is_nats_url(text: &str) -> Result<(), &'static str> {
    let rest = ["nats://", "tls://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(char::is_whitespace) => Ok(()),
        Some(_) | None => Err("write it as nats://HOST:4222"),
    }
}

/// A page that people open: where the inbox is, and nothing that could decide.
pub(super) fn is_link(text: &str) -> Result<(), &'static str> {
    let rest = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let plain = |rest: &str| {
        let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'@' | b'<');
        !rest.is_empty() && rest.bytes().all(fits)
    };
    match rest {
        Some(rest) if plain(rest) => Ok(()),
        Some(_) | None => Err("write it as https://HOST/, without a query"),
    }
}

/// A file.
pub(super) fn is_path(text: &str) -> Result<(), &'static str> {
    if text.trim().is_empty() { Err("name a file") } else { Ok(()) }
}

/// One word.
pub(super) fn is_word(text: &str) -> Result<(), &'static str> {
    let fits = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    if fits { Ok(()) } else { Err("write one word, without spaces") }
}

/// What a login server says of somebody, and who that is here.
pub(super) fn is_person(text: &str) -> Result<(), &'static str> {
    let is_name = |text: &str| text.parse::<placet_model::Principal>().is_ok();
    match text.rsplit_once('=') {
        Some((value, principal)) if is_word(value).is_ok() && is_name(principal) => Ok(()),
        Some(_) | None => Err("write VALUE=PRINCIPAL, such as ana.lee@example.com=ana"),
    }
}

/// Where a witness listens, and the key that its signatures are checked with.
pub(super) fn is_witness(text: &str) -> Result<(), &'static str> {
    const FORM: &str = "write `URL KEY`, with the key that `placet witness key` prints";
    let (url, key) = text.split_once(' ').ok_or(FORM)?;
    let is_url = ["http://", "https://"]
        .iter()
        .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    let parts: Vec<&str> = key.splitn(3, '+').collect();
    let [name, id, public] = parts[..] else { return Err(FORM) };
    let is_id = id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_whole = !name.is_empty() && !public.is_empty() && !key.contains(char::is_whitespace);
    if is_url && is_id && is_whole { Ok(()) } else { Err(FORM) }
}

/// A workflow, or every workflow of a namespace.
pub(super) fn is_workflows(text: &str) -> Result<(), &'static str> {
    let word = |word: &str| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !word.is_empty() && word.bytes().all(fits)
    };
    match text.split_once('/') {
        Some((namespace, name)) if word(namespace) && (name == "*" || word(name)) => Ok(()),
        Some(_) | None => Err("write namespace/name of a workflow, or namespace/*"),
    }
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        Some(_) | None => (text, None),
    }
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}
