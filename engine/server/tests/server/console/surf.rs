//! A browser without scripts: it keeps cookies, follows links and sends forms.

use super::html::{Form, form};
use crate::http::{Answer, Ask};
use crate::world::World;
use std::net::SocketAddr;

/// Percent-encodes as a form does.
fn encoded(fields: &[(String, String)]) -> String {
    let one = |text: &str| -> String {
        let letter = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            byte => format!("%{byte:02X}"),
        };
        text.bytes().map(letter).collect()
    };
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", one(name), one(value)));
    pairs.collect::<Vec<_>>().join("&")
}

#[derive(Debug, Clone)]
pub(crate) struct Browser {
    pub(crate) server: SocketAddr,
    cookies: Vec<(String, String)>,
}

impl Browser {
    pub(crate) const fn stranger(world: &World) -> Self {
        Self { server: world.server, cookies: vec![] }
    }

    /// With the login link of the world used up.
    pub(crate) async fn logged_in(world: &World) -> Self {
        let mut browser = Self::stranger(world);
        let page = browser.get(&format!("/login?token={}", world.login.expose())).await;
        assert_eq!(page.status, 200, "{page:?}");
        browser
    }

    fn ask(&self, method: &str, target: &str) -> Ask {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies = pairs.collect::<Vec<_>>().join("; ");
        let ask = Ask::new(method, target).header("Accept", "text/html,application/xhtml+xml");
        if cookies.is_empty() { ask } else { ask.header("Cookie", &cookies) }
    }

    async fn sent(&mut self, ask: Ask) -> Answer {
        let answer = ask.send(self.server).await;
        if let Some(cookie) = answer.header("set-cookie") {
            let pair = cookie.split(';').next().expect("a pair");
            let (name, value) = pair.split_once('=').expect("a pair");
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        answer
    }

    pub(crate) async fn get(&mut self, target: &str) -> Answer {
        let ask = self.ask("GET", target);
        self.sent(ask).await
    }

    /// The page there; it must be one.
    pub(crate) async fn page(&mut self, target: &str) -> String {
        let answer = self.get(target).await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        answer.body
    }

    /// As a script of the page fetches its live part again.
    pub(crate) async fn live(&mut self, target: &str) -> Answer {
        let ask = self.ask("GET", target).header("HX-Request", "true").header("HX-Target", "live");
        self.sent(ask).await
    }

    /// As a script of a page posts.
    pub(crate) fn script(&self, target: &str) -> Ask {
        self.ask("POST", target)
    }

    /// A form's request from any origin.
    pub(crate) fn request(&self, form: &Form, origin: Option<&str>) -> Ask {
        let ask = self.ask("POST", &form.action);
        let ask = ask.header("Content-Type", "application/x-www-form-urlencoded");
        let ask = match origin {
            Some(origin) => ask.header("Origin", origin),
            None => ask,
        };
        ask.body(encoded(&form.fields))
    }

    pub(crate) async fn submit(&mut self, form: &Form) -> Answer {
        let ask = self.request(form, Some(&format!("http://{}", self.server)));
        self.sent(ask).await
    }

    /// Sends a form and gives the place that it leads to.
    #[track_caller]
    pub(crate) fn submitted(&mut self, form: &Form) -> impl Future<Output = String> {
        let form = form.clone();
        async move {
            let answer = self.submit(&form).await;
            assert_eq!(answer.status, 303, "{form:?}: {answer:?}");
            answer.header("location").expect("a place").to_owned()
        }
    }

    /// Acts as this one from now on.
    pub(crate) async fn act_as(&mut self, user: &str) {
        let page = self.page("/inbox").await;
        let choose = form(&page, "/console/as").with("user", user);
        self.submitted(&choose).await;
    }
}
