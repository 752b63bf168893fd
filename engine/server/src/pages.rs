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

const PASSKEY_SCRIPT: &str = include_str!("../assets/passkey.js");

/// `GET /passkey.js`: the browser's part of passkeys.
pub(crate) async fn passkey_script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], PASSKEY_SCRIPT)
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
    if let (None, Some(login)) = (params.text("token"), &app.login) {
        let host = escape(login.oidc.host());
        let text = format!("<p><a href=\"/login/oidc\">Log in with {host}</a></p>");
        return Ok(page("Log in", &text).into_response());
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
    made(title, text, "")
}

/// A page that a browser leaves by itself; `next` is a path of this server, escaped. A redirect would not
/// do: after another site has sent the browser here, it would come without its new cookie.
pub(crate) fn page_leading_on(title: &str, text: &str, next: &str) -> Html<String> {
    made(title, text, &format!("<meta http-equiv=\"refresh\" content=\"0;url={next}\">"))
}

fn made(title: &str, text: &str, head: &str) -> Html<String> {
    let (title, style) = (escape(title), assets::path("console.css"));
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"{style}\">{head}</head>\
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
