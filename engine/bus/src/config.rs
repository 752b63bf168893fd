//! The server's configuration for one engine and its people: accounts, imports, and what each key may
//! do. `deploy/nats/server.conf` is this text with placeholders, held by a test.

use std::fmt::Write as _;

use placet_model::Principal;

use crate::subjects;
use crate::words::Word;

/// Somebody who has a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub name: Principal,
    /// Their public key.
    pub key: String,
    /// What they do.
    pub does: Does,
}

/// What somebody does on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Reads and decides what is in their inbox.
    Decide,
    /// As well follows runs live, and looks at connections.
    DecideAndFollow,
    /// As well does with connections what operators do.
    Operate,
    /// Drafts actions, and never votes.
    Act,
}

/// What the configuration is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Name of the project in subjects.
    pub project: String,
    /// `HOST:PORT` to listen on.
    pub listen: String,
    /// Where the server keeps streams.
    pub store_dir: String,
    /// The engine's public key.
    pub engine: String,
    /// Everybody else.
    pub people: Vec<Person>,
}

const HEAD: &str = "\
# nats-server for one Placet engine and its people. Needs nats-server 2.12 or later.
# Printed by `placet nats config`: print it again when keys change, then `nats-server --signal reload`.
#
# The keys are public user nkeys (U...), made with `placet keys new`; the seeds stay with their owners. Nobody but the
# engine may be in the account ENGINE: a user of that account could pretend to be anybody.

server_name: placet
";

const ENGINE: &str = "\
            allow: \">\"
            # the stream refuses deletes and purges; removing or changing the stream itself is refused here
            deny: [\"$JS.API.STREAM.DELETE.>\", \"$JS.API.STREAM.UPDATE.>\", \"$JS.API.STREAM.PURGE.>\", \"$JS.API.STREAM.RESTORE.>\"]
";

/// Services of the engine that people ask, and streams that they hear.
const SERVICES: [&str; 6] = [
    "placet.v1.inbox.*.list",
    "placet.v1.inbox.*.get",
    "placet.v1.inbox.*.decide",
    "placet.v1.inbox.*.stats",
    "placet.v1.act.*",
    "placet.v1.act.*.withdraw",
];
/// What the engine may ask the servers themselves: whether they sync what they acknowledge.
const SYSTEM: &str = subjects::SERVER_JETSTREAM;
const STREAMS: [&str; 4] = [
    "placet.v1.inbox.*.event",
    "placet.v1.act.*.event",
    "placet.v1.integrations.*.event",
    "placet.v1.trace.>",
];

impl ServerConfig {
    /// The configuration file.
    pub fn text(&self) -> String {
        let mut text = String::from(HEAD);
        let (listen, store) = (quoted(&self.listen), quoted(&self.store_dir));
        text.extend(["listen: ", &listen, "\n\njetstream {\n  store_dir: ", &store, "\n"]);
        text += "  # the default syncs every two minutes: a power failure would lose what was acknowledged in between\n";
        text += "  sync_interval: always\n}\n\naccounts {\n  ENGINE {\n    jetstream: enabled\n    users = [\n";
        let engine = quoted(&self.engine);
        let user = [
            "      {\n        nkey: ",
            &engine,
            "\n        permissions: {\n          publish: {\n",
            ENGINE,
        ];
        text.extend(user);
        text += "          }\n        }\n      }\n    ]\n";
        text += "    exports = [\n";
        for (kind, subject) in exports() {
            line(&mut text, &format!("{{ {kind}: \"{subject}\", accounts: [PEOPLE] }}"));
        }
        text += "    ]\n    imports = [\n      # whether the servers sync what they acknowledge: status shows it\n";
        let asks = format!("{{ service: {{ account: SYS, subject: \"{SYSTEM}\" }} }}");
        line(&mut text, &asks);
        text += "    ]\n  }\n\n  PEOPLE {\n    # publish only in one's own name, replies only to one's own inbox prefix\n    users = [\n";
        for person in &self.people {
            text += &self.person(person);
        }
        text += "    ]\n    imports = [\n      # share: the engine sees which user asked, as the server knows it\n";
        for (kind, subject) in exports() {
            let share = if kind == "service" { ", share: true" } else { "" };
            let import =
                format!("{{ {kind}: {{ account: ENGINE, subject: \"{subject}\" }}{share} }}");
            line(&mut text, &import);
        }
        text += "    ]\n  }\n\n  SYS {\n    exports = [\n";
        let told =
            format!("{{ service: \"{SYSTEM}\", accounts: [ENGINE], response_type: stream }}");
        line(&mut text, &told);
        text += "    ]\n  }\n}\n\nsystem_account: SYS\n";
        text
    }

    fn person(&self, person: &Person) -> String {
        let Person { name, key, does } = person;
        let inbox = |verb: &str| format!("placet.v1.inbox.{name}.{verb}");
        let deciding = || ["list", "get", "decide", "stats"].map(inbox).to_vec();
        let mut hear = vec![format!("_INBOX_{key}.>"), inbox("event")];
        let publish = match does {
            Does::Decide => deciding(),
            Does::DecideAndFollow | Does::Operate => {
                hear.push(format!("placet.v1.trace.{}.>", self.project));
                let operates = *does == Does::Operate;
                if operates {
                    hear.push(format!("placet.v1.integrations.{name}.event"));
                }
                let words = Word::ALL.into_iter().filter(|word| operates || word.is_reading());
                let words = words.map(|word| subjects::integrations(name.as_str(), word));
                deciding().into_iter().chain(words).collect()
            }
            Does::Act => {
                let act = format!("placet.v1.act.{name}");
                hear.push(format!("{act}.event"));
                vec![act.clone(), format!("{act}.withdraw"), inbox("list"), inbox("get")]
            }
        };
        let list = |subjects: &[String]| {
            let quoted: Vec<String> = subjects.iter().map(|subject| quoted(subject)).collect();
            quoted.join(", ")
        };
        format!(
            "      {{ # {name}\n        nkey: {}\n        permissions: {{\n          publish: {{ allow: [{}] }}\n          subscribe: {{ allow: [{}] }}\n        }}\n      }}\n",
            quoted(key),
            list(&publish),
            list(&hear),
        )
    }
}

fn exports() -> impl Iterator<Item = (&'static str, String)> {
    let words = Word::ALL.into_iter().map(|word| subjects::integrations("*", word));
    let services = SERVICES.iter().map(|subject| (*subject).to_owned()).chain(words);
    let streams = STREAMS.iter().map(|subject| ("stream", (*subject).to_owned()));
    services.map(|subject| ("service", subject)).chain(streams)
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "      {line}").expect("writing to a string cannot fail");
}

/// A string of the configuration's language: nothing in it can end it.
fn quoted(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_what_is_printed_with_placeholders() {
        let person = |name: &str, does| Person {
            name: name.parse().unwrap(),
            key: format!("<{name}>"),
            does,
        };
        let config = ServerConfig {
            project: "acme".to_owned(),
            listen: "127.0.0.1:4222".to_owned(),
            store_dir: "/var/lib/nats".to_owned(),
            engine: "<engine>".to_owned(),
            people: vec![
                person("ana", Does::Decide),
                person("eve", Does::DecideAndFollow),
                person("wendy", Does::Operate),
                person("robot", Does::Act),
            ],
        };
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/nats/server.conf");
        if std::env::var_os("PLACET_WRITE_GOLDENS").is_some() {
            std::fs::write(file, config.text()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(file).unwrap(), config.text());
    }

    #[test]
    fn text_in_quotes_stays_in_quotes() {
        assert_eq!(quoted("a\"} users = [{\n"), "\"a\\\"} users = [{\"");
    }
}
