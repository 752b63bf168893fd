//! The schemas that ship inside the binary, by the path that manifests name them with.

/// What editors check workflows with, before a project's operations are put in.
pub const WORKFLOW: &str = "schemas/profile/workflow.json";
/// The manifest format's own JSON Schema.
pub const MANIFEST: &str = "schemas/manifest.json";

/// The JSON Schema of `*.test.yaml`, for editors.
pub const TEST: &str = "schemas/test.json";
/// The JSON Schema of a `placet.toml`.
pub const PROJECT: &str = "schemas/project.json";

macro_rules! embed {
    ($($path:literal),+ $(,)?) => {
        /// Sorted by path: looked up by binary search.
        const FILES: &[(&str, &str)] = &[
            $((concat!("schemas/", $path), include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)))),+
        ];
    };
}

embed! {
    "manifest.json",
    "profile/workflow.json",
    "project.json",
    "providers/github/comments.list.input.json",
    "providers/github/comments.list.output.json",
    "providers/github/config.json",
    "providers/github/credentials.json",
    "providers/github/hooks.create.input.json",
    "providers/github/hooks.create.output.json",
    "providers/github/hooks.delete.input.json",
    "providers/github/hooks.list.input.json",
    "providers/github/hooks.list.output.json",
    "providers/github/installation.get.input.json",
    "providers/github/installation.get.output.json",
    "providers/github/issues.comment.input.json",
    "providers/github/issues.comment.output.json",
    "providers/github/issues.create.input.json",
    "providers/github/issues.create.output.json",
    "providers/github/issues.list.input.json",
    "providers/github/issues.list.output.json",
    "providers/github/user.get.input.json",
    "providers/github/user.get.output.json",
    "providers/gmail/config.json",
    "providers/gmail/credentials.json",
    "providers/gmail/history.list.input.json",
    "providers/gmail/history.list.output.json",
    "providers/gmail/message.output.json",
    "providers/gmail/messages.get.input.json",
    "providers/gmail/messages.list.input.json",
    "providers/gmail/messages.list.output.json",
    "providers/gmail/messages.send.input.json",
    "providers/gmail/messages.send.output.json",
    "providers/gmail/profile.get.input.json",
    "providers/gmail/profile.get.output.json",
    "providers/gmail/thread.output.json",
    "providers/gmail/threads.get.input.json",
    "providers/gmail/watch.start.input.json",
    "providers/gmail/watch.start.output.json",
    "providers/gmail/watch.stop.input.json",
    "providers/helpscout/config.json",
    "providers/helpscout/conversations.create.input.json",
    "providers/helpscout/conversations.note.input.json",
    "providers/helpscout/conversations.reply.input.json",
    "providers/helpscout/credentials.json",
    "providers/helpscout/mailboxes.list.input.json",
    "providers/helpscout/mailboxes.list.output.json",
    "providers/helpscout/threads.list.input.json",
    "providers/helpscout/threads.list.output.json",
    "providers/helpscout/users.me.input.json",
    "providers/helpscout/users.me.output.json",
    "providers/http/request.input.json",
    "providers/intercom/config.json",
    "providers/intercom/conversation.output.json",
    "providers/intercom/conversations.get.input.json",
    "providers/intercom/conversations.reply.input.json",
    "providers/intercom/credentials.json",
    "providers/intercom/me.get.input.json",
    "providers/intercom/me.get.output.json",
    "providers/intercom/messages.create.input.json",
    "providers/intercom/messages.create.output.json",
    "providers/mailgun/config.json",
    "providers/mailgun/credentials.json",
    "providers/mailgun/domains.get.input.json",
    "providers/mailgun/domains.get.output.json",
    "providers/mailgun/events.list.input.json",
    "providers/mailgun/events.list.output.json",
    "providers/mailgun/messages.mime.input.json",
    "providers/mailgun/messages.send.input.json",
    "providers/mailgun/messages.send.output.json",
    "providers/mailgun/routes.create.input.json",
    "providers/mailgun/routes.create.output.json",
    "providers/mailgun/routes.delete.input.json",
    "providers/mailgun/routes.delete.output.json",
    "providers/mailgun/routes.list.input.json",
    "providers/mailgun/routes.list.output.json",
    "providers/notify/send.input.json",
    "providers/postmark/config.json",
    "providers/postmark/credentials.json",
    "providers/postmark/email.send.input.json",
    "providers/postmark/email.send.output.json",
    "providers/postmark/messages.outbound.input.json",
    "providers/postmark/messages.outbound.output.json",
    "providers/postmark/server.get.input.json",
    "providers/postmark/server.get.output.json",
    "providers/postmark/webhooks.create.input.json",
    "providers/postmark/webhooks.create.output.json",
    "providers/postmark/webhooks.delete.input.json",
    "providers/postmark/webhooks.delete.output.json",
    "providers/postmark/webhooks.list.input.json",
    "providers/postmark/webhooks.list.output.json",
    "providers/resend/config.json",
    "providers/resend/credentials.json",
    "providers/resend/domains.list.output.json",
    "providers/resend/email.output.json",
    "providers/resend/emails.get.input.json",
    "providers/resend/emails.list.output.json",
    "providers/resend/emails.send.input.json",
    "providers/resend/emails.send.output.json",
    "providers/resend/page.input.json",
    "providers/resend/receiving.get.output.json",
    "providers/resend/webhooks.create.input.json",
    "providers/resend/webhooks.create.output.json",
    "providers/resend/webhooks.delete.input.json",
    "providers/resend/webhooks.delete.output.json",
    "providers/resend/webhooks.list.output.json",
    "providers/sendgrid/config.json",
    "providers/sendgrid/credentials.json",
    "providers/sendgrid/mail.send.input.json",
    "providers/sendgrid/messages.list.input.json",
    "providers/sendgrid/messages.list.output.json",
    "providers/sendgrid/scopes.list.input.json",
    "providers/sendgrid/scopes.list.output.json",
    "providers/slack/auth.revoke.input.json",
    "providers/slack/auth.revoke.output.json",
    "providers/slack/auth.test.input.json",
    "providers/slack/auth.test.output.json",
    "providers/slack/chat.postMessage.input.json",
    "providers/slack/chat.postMessage.output.json",
    "providers/slack/config.json",
    "providers/slack/conversations.history.input.json",
    "providers/slack/conversations.history.output.json",
    "providers/slack/conversations.list.input.json",
    "providers/slack/conversations.list.output.json",
    "providers/slack/conversations.open.input.json",
    "providers/slack/conversations.open.output.json",
    "providers/slack/conversations.replies.input.json",
    "providers/slack/credentials.json",
    "providers/slack/user.output.json",
    "providers/slack/users.info.input.json",
    "providers/slack/users.list.input.json",
    "providers/slack/users.list.output.json",
    "providers/slack/users.lookupByEmail.input.json",
    "providers/smtp/config.json",
    "providers/smtp/credentials.json",
    "providers/smtp/messages.send.input.json",
    "providers/smtp/messages.send.output.json",
    "providers/smtp/session.check.input.json",
    "providers/smtp/session.check.output.json",
    "providers/stripe/account.get.input.json",
    "providers/stripe/account.get.output.json",
    "providers/stripe/config.json",
    "providers/stripe/credentials.json",
    "providers/stripe/customers.create.input.json",
    "providers/stripe/customers.create.output.json",
    "providers/stripe/customers.get.input.json",
    "providers/stripe/customers.get.output.json",
    "providers/stripe/customers.list.input.json",
    "providers/stripe/customers.list.output.json",
    "providers/stripe/events.list.input.json",
    "providers/stripe/events.list.output.json",
    "providers/stripe/payment_intents.cancel.input.json",
    "providers/stripe/payment_intents.cancel.output.json",
    "providers/stripe/payment_intents.capture.input.json",
    "providers/stripe/payment_intents.capture.output.json",
    "providers/stripe/payment_intents.confirm.input.json",
    "providers/stripe/payment_intents.confirm.output.json",
    "providers/stripe/payment_intents.create.input.json",
    "providers/stripe/payment_intents.create.output.json",
    "providers/stripe/payment_intents.get.input.json",
    "providers/stripe/payment_intents.get.output.json",
    "providers/stripe/payment_intents.list.input.json",
    "providers/stripe/payment_intents.list.output.json",
    "providers/stripe/refunds.create.input.json",
    "providers/stripe/refunds.create.output.json",
    "providers/stripe/refunds.get.input.json",
    "providers/stripe/refunds.get.output.json",
    "providers/stripe/refunds.list.input.json",
    "providers/stripe/refunds.list.output.json",
    "providers/stripe/webhook_endpoints.create.input.json",
    "providers/stripe/webhook_endpoints.create.output.json",
    "providers/stripe/webhook_endpoints.delete.input.json",
    "providers/stripe/webhook_endpoints.delete.output.json",
    "providers/stripe/webhook_endpoints.list.input.json",
    "providers/stripe/webhook_endpoints.list.output.json",
    "providers/telegram/config.json",
    "providers/telegram/credentials.json",
    "providers/telegram/deleteWebhook.input.json",
    "providers/telegram/done.output.json",
    "providers/telegram/getMe.output.json",
    "providers/telegram/getWebhookInfo.output.json",
    "providers/telegram/none.input.json",
    "providers/telegram/sendMessage.input.json",
    "providers/telegram/sendMessage.output.json",
    "providers/telegram/setWebhook.input.json",
    "providers/twilio/account.get.input.json",
    "providers/twilio/account.get.output.json",
    "providers/twilio/calls.create.input.json",
    "providers/twilio/calls.create.output.json",
    "providers/twilio/calls.list.input.json",
    "providers/twilio/calls.list.output.json",
    "providers/twilio/config.json",
    "providers/twilio/credentials.json",
    "providers/twilio/messages.create.input.json",
    "providers/twilio/messages.create.output.json",
    "providers/twilio/messages.list.input.json",
    "providers/twilio/messages.list.output.json",
    "providers/webhook/config.json",
    "providers/webhook/credentials.json",
    "providers/webhook/event.send.input.json",
    "test.json",
}

/// The text of a shipped schema, by its path from the repository's root
/// (`schemas/providers/slack/config.json`).
pub fn embedded(path: &str) -> Option<&'static str> {
    FILES.binary_search_by_key(&path, |(name, _)| name).ok().map(|found| FILES[found].1)
}

/// Every shipped path, sorted.
pub fn embedded_paths() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(path, _)| *path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    fn json_files(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                json_files(&path, into);
            } else if path.extension().is_some_and(|ext| ext == "json") {
                into.push(path);
            }
        }
    }

    #[test]
    fn every_schema_file_is_embedded_and_no_other() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        json_files(root, &mut found);
        let mut found: Vec<String> = found
            .iter()
            .map(|path| format!("schemas/{}", path.strip_prefix(root).unwrap().display()))
            .collect();
        found.sort();
        assert_eq!(found, embedded_paths().collect::<Vec<_>>());
    }

    #[test]
    fn a_shipped_schema_is_found_by_its_path_and_an_unknown_one_is_not() {
        assert!(embedded("schemas/providers/slack/config.json").unwrap().contains("api_base"));
        assert_eq!(embedded("schemas/providers/slack/nothing.json"), None);
    }
}
