//! The few pages around the console: logging in, what a code means, what an authorization came to.
//! Plain HTML made here, every value escaped, no scripts, no forms.

use crate::app::App;
use crate::console::assets;
use crate::extract::{Params, Place};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use placet_model::code;
use std::sync::Arc;

const STYLE: &str = include_str!("style.css");
const PASSKEY_SCRIPT: &str = include_str!("assets/passkey.js");

/// How to go on from here.
const COMMANDS: &[(&str, &str)] = &[
    ("placet inbox list", "what waits for you"),
    ("placet inbox show ID", "the whole request, as it would leave"),
    ("placet inbox approve ID", "let exactly these bytes leave, once"),
    ("placet inbox reject ID --reason TEXT", "send nothing"),
    ("placet runs list", "what has run, and what waits"),
    ("placet runs show RUN", "what a run did, task by task"),
    ("placet pause", "stop everything outbound"),
    ("placet audit verify", "check the whole log"),
];

const LINKS: &[(&str, &str)] = &[
    ("/api/v1/status", "status"),
    ("/api/v1/inbox?filter=all", "inbox"),
    ("/api/v1/runs", "runs"),
    ("/api/v1/workflows", "workflows"),
    ("/api/v1/integrations", "integrations"),
    ("/api/v1/audit/events", "events"),
    ("/api/v1/openapi.json", "the description of the API"),
];

/// `GET /style.css`.
pub(crate) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

/// `GET /passkey.js`: the browser's part of passkeys.
pub(crate) async fn passkey_script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], PASSKEY_SCRIPT)
}

/// `GET /`: what there is, for somebody who is logged in.
pub(crate) async fn home(
    State(app): State<Arc<App>>,
    caller: Result<Caller, Problem>,
) -> Result<Response, Problem> {
    let Ok(_caller) = caller else {
        let text = if app.access.is_dev() {
            "<p>Open the link that <code>placet dev</code> printed: it logs this browser in.</p>"
        } else {
            "<p>Logging in comes with a later release: use the command line with a token.</p>"
        };
        return Ok((StatusCode::UNAUTHORIZED, page("Not logged in", text)).into_response());
    };
    let (project, paused, counts) = reading(&app, |app| {
        let project = app.handle.log().project().to_owned();
        Ok((project, app.handle.world().paused, counts(app)?))
    })
    .await?;
    Ok(page("Placet", &home_text(&project, paused, counts)).into_response())
}

fn home_text(project: &str, paused: bool, counts: Counts) -> String {
    let mut text = format!(
        "<p>Project <b>{}</b>. The console comes with a later release; the command line does all of it.</p>",
        escape(project)
    );
    if paused {
        text.push_str("<p class=\"warn\">Everything outbound is paused.</p>");
    }
    text.push_str("<table>");
    for (name, count) in [
        ("decisions open", counts.open_decisions),
        ("runs in doubt", counts.in_doubt),
        ("runs not over", counts.live_runs),
        ("workflows", counts.workflows),
        ("integrations", counts.integrations),
    ] {
        row(&mut text, &count.to_string(), name);
    }
    text.push_str("</table><h2>Commands</h2><table>");
    for (command, what) in COMMANDS {
        row(&mut text, &format!("<code>{}</code>", escape(command)), what);
    }
    text.push_str("</table><h2>As JSON</h2><ul>");
    for (link, name) in LINKS {
        add(&mut text, format_args!("<li><a href=\"{link}\">{name}</a></li>"));
    }
    text.push_str("</ul>");
    text
}

fn row(text: &mut String, left: &str, right: &str) {
    add(text, format_args!("<tr><td>{left}</td><td>{right}</td></tr>"));
}

fn add(text: &mut String, piece: std::fmt::Arguments<'_>) {
    text.write_fmt(piece).expect("a String takes all text");
}

/// `GET /login?token=…`: begins a session, once. It decides nothing and writes nothing to the log;
/// HEAD, as sent by those who only look at a link, does not use it up.
pub(crate) async fn login(
    State(app): State<Arc<App>>,
    method: Method,
    params: Params,
) -> Result<Response, Problem> {
    let params = params.only(&["token"])?;
    if method == Method::HEAD {
        return Ok(StatusCode::OK.into_response());
    }
    let Some(cookie) = params.text("token").and_then(|token| app.sessions.log_in(token)) else {
        let text = "<p>This link is not good, or was used before. Start <code>placet dev</code> again for a new one; \
                    the command line needs none.</p>";
        return Ok((StatusCode::UNAUTHORIZED, page("Not logged in", text)).into_response());
    };
    let text = "<p>This browser is logged in. <a href=\"/\">Go on</a>.</p>";
    Ok(([(header::SET_COOKIE, cookie)], page("Logged in", text)).into_response())
}

/// `GET /errors/{code}`: what a code means and what to do.
pub(crate) async fn error_page(Place(name): Place<String>) -> Result<Html<String>, Problem> {
    let code = code::find(&name).ok_or_else(|| Problem::new("PL4012", "there is no such code"))?;
    let paragraphs = [
        code.what.to_owned(),
        format!("What to do: {}.", code.help),
        code.next.to_owned(),
        format!("Where: {}.", code.at),
    ];
    let head = format!("<p><strong>{}</strong></p>", escape(code.title));
    let text = paragraphs.iter().fold(head, |text, words| text + "<p>" + &escape(words) + "</p>");
    Ok(page(code.name, &text))
}

/// A page; `text` is HTML that was made here.
pub(crate) fn page(title: &str, text: &str) -> Html<String> {
    let (title, style) = (escape(title), assets::path("console.css"));
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"{style}\"></head>\
         <body><main class=\"plain\"><h1>{title}</h1>{text}</main></body></html>\n"
    ))
}

pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_text_and_never_markup() {
        let text = escape("<script>alert('x')</script>\"&");
        assert_eq!(text, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;");
    }
}
