//! What the tests of the command line share.

use placet_test_support::dirs::{Project, fixture};
use placet_test_support::process::{Placet, Running};
use serde_json::Value;

/// Input of `slack-notify`.
pub(crate) const INPUT: &str = r#"{"channel":"C0SALES","text":"Hello"}"#;

/// The binary under test, in this project.
pub(crate) fn placet(project: &Project) -> Placet {
    Placet::new(env!("CARGO_BIN_EXE_placet"), project)
}

/// The path of the workflow that posts one message.
pub(crate) fn slack_notify() -> String {
    fixture("workflows/ok/slack-notify.yaml").display().to_string()
}

/// A `dev` engine on a free port.
pub(crate) struct Dev<'p> {
    pub(crate) project: &'p Project,
    pub(crate) running: Running,
    pub(crate) url: String,
    pub(crate) login: String,
}

impl<'p> Dev<'p> {
    /// Starts it, and waits for the login link.
    pub(crate) fn start(project: &'p Project, more: &[&str]) -> Self {
        let args = ["dev", ".", "--listen", "127.0.0.1:0"].into_iter().chain(more.iter().copied());
        let running = placet(project).args(args).start();
        let login = running.stdout_line(|line| line.starts_with("http://"));
        let (url, _) = login.split_once("/login?token=").expect("the first url is the login link");
        Self { project, url: url.to_owned(), login: login.clone(), running }
    }

    /// A command that finds the engine by its data, run by a user.
    pub(crate) fn command(&self, user: &str, args: &[&str]) -> Placet {
        placet(self.project).args(args.iter().copied().chain(["--as", user]))
    }

    /// The one open item of an inbox, once there is one.
    pub(crate) fn item(&self, user: &str) -> Value {
        let list = self.command(user, &["inbox", "list", "--json"]).run().expect_code(0).json();
        assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
        list["items"][0].clone()
    }
}
