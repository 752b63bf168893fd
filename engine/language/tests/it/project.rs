//! For the operator: what a `placet.toml` means, and what is refused in it.

use placet_language::{
    Diagnostic, Environment, Override, Source, check_channels, check_project, check_project_with,
    project_keys, project_schema, unknown_override,
};
use placet_model::draft::Mode;
use placet_model::manifest::{Catalogue, Effect, OperationInfo};
use placet_model::project::{DataPolicy, ProjectConfig};
use placet_model::{Digest, Duration};
use placet_schemas::Registry;
use serde_json::{Value, json};

fn read(text: &str) -> (Option<ProjectConfig>, Vec<String>) {
    let (config, findings) = check_project(&Source::new("placet.toml", text));
    let line = |d: &Diagnostic| format!("{} {}:{} {}", d.code.id, d.line, d.column, d.message);
    (config, findings.iter().map(line).collect())
}

fn refused(text: &str, expected: &[&str]) {
    let (config, findings) = read(text);
    assert_eq!(findings, expected, "{text}");
    assert!(config.is_none(), "{text}");
}

#[test]
fn an_empty_file_has_every_default() {
    assert_eq!(read(""), (Some(ProjectConfig::default()), vec![]));
}

#[test]
fn egress_secrets_and_limits_are_read() {
    let (config, findings) = read(
        "project = \"acme\"\n\n[egress]\nread_hosts = [\"api.example.com\"]\nallow = [\"127.0.0.1:9000\", \"[::1]:80\"]\n\n\
         [secrets.api_token]\nenv = \"API_TOKEN\"\nhosts = [\"api.example.com\"]\n\n[limits]\nsteps_max = 50\n",
    );
    assert_eq!(findings, Vec::<String>::new());
    let config = config.expect("a configuration");
    assert_eq!(config.project, "acme");
    assert_eq!(config.read_hosts, ["api.example.com"]);
    assert_eq!(config.egress_allow, ["127.0.0.1:9000", "[::1]:80"]);
    assert_eq!(config.secrets["api_token"].env, "API_TOKEN");
    assert_eq!(config.secrets["api_token"].hosts, ["api.example.com"]);
    assert_eq!(config.limits.steps_max, 50);
    assert_eq!(config.limits.call_ms_max, ProjectConfig::default().limits.call_ms_max);
}

#[test]
fn mistakes_are_named_with_their_place_all_at_once() {
    refused(
        "project = \"Acme Inc\"\n[egres]\n",
        &[
            "PL1007 1:11 `project` cannot be `Acme Inc`",
            "PL1007 2:2 unknown key `egres` in placet.toml",
        ],
    );
    refused(
        "[egress]\nread_hosts = [\"https://a.example\", \"*.example.com\", \"A.example\"]\nallow = [\"localhost\"]\n",
        &[
            "PL1007 2:15 `https://a.example` cannot stand in `egress.read_hosts`",
            "PL1007 2:36 `*.example.com` cannot stand in `egress.read_hosts`",
            "PL1007 2:53 `A.example` cannot stand in `egress.read_hosts`",
            "PL1007 3:10 `localhost` cannot stand in `egress.allow`",
        ],
    );
    refused(
        "[secrets.a]\nenv = \"sk-live-1\"\nhosts = []\n[secrets.b]\n[limits]\nsteps_max = 0\ncall_ms_max = \"1s\"\n",
        &[
            "PL1007 2:7 `sk-live-1` is no name of an environment variable",
            "PL1007 3:9 `secrets.a` is bound to no host and would never be filled in",
            "PL1007 4:1 `secrets.b` lacks the key `env`",
            "PL1007 4:1 `secrets.b` lacks the key `hosts`",
            "PL1007 6:13 `limits.steps_max` must be a whole number from 1 to 1000000",
            "PL1007 7:15 `limits.call_ms_max` must be a whole number from 1 to 600000",
        ],
    );
}

#[test]
fn a_secret_is_bound_to_hosts_without_ports_for_the_vault_compares_nothing_else() {
    refused(
        "[secrets.a]\nenv = \"A\"\nhosts = [\"api.example.com:8443\", \"[::1]:80\", \"[::1]\"]\n",
        &[
            "PL1007 3:10 `api.example.com:8443` cannot stand in `secrets.a`",
            "PL1007 3:34 `[::1]:80` cannot stand in `secrets.a`",
        ],
    );
}

#[test]
fn broken_toml_is_reported_where_it_breaks() {
    let (config, findings) = read("project = \n");
    assert!(config.is_none());
    assert!(findings[0].starts_with("PL1007 1:"), "{findings:?}");
}

#[test]
fn what_serve_and_nats_need_is_read() {
    let (config, findings) = read(
        "[nats]\nurl = \"nats://127.0.0.1:4222\"\nseed_env = \"ENGINE_SEED\"\nreplicas = 3\n\n\
         [serve]\nlisten = \"0.0.0.0:8080\"\nhosts = [\"placet.example.com\"]\nmode = \"live\"\n\n\
         [data]\npolicy = \"full\"\n",
    );
    assert_eq!(findings, Vec::<String>::new());
    let config = config.expect("a configuration");
    assert_eq!(config.nats.url.as_deref(), Some("nats://127.0.0.1:4222"));
    assert_eq!((config.nats.seed_env.as_deref(), config.nats.replicas), (Some("ENGINE_SEED"), 3));
    assert_eq!(config.serve.listen, "0.0.0.0:8080");
    assert_eq!(
        (config.serve.hosts, config.serve.mode),
        (vec!["placet.example.com".into()], Mode::Live)
    );
}

#[test]
fn what_is_not_built_is_refused_by_name_and_never_taken_in_silence() {
    refused(
        "[data]\nintegrations = {}\n[nats]\naccount = \"a\"\n[serve]\ntls = {}\n",
        &[
            "PL1007 2:1 `data.integrations` of placet.toml is not built yet",
            "PL1007 4:1 `nats.account` of placet.toml is not built yet",
            "PL1007 6:1 `serve.tls` of placet.toml is not built yet",
        ],
    );
}

#[test]
fn retention_and_the_data_policy_are_read() {
    let (config, findings) = read(
        "[data]\npolicy = \"metadata_only\"\nkeep = [\"sales/offer\", \"ops/*\"]\n\
         [retention]\nruns = \"P90D\"\nevents = \"PT12H\"\ncompleted = \"P7D\"\n\
         faulted = \"P365D\"\ncancelled = \"P1D\"\n",
    );
    assert_eq!(findings, Vec::<String>::new());
    let config = config.expect("a configuration");
    assert_eq!(config.data.policy, DataPolicy::MetadataOnly);
    assert_eq!(config.data.keep, ["sales/offer", "ops/*"]);
    assert_eq!(config.retention.runs, Some(Duration::from_days(90)));
    assert_eq!(config.retention.events, Some(Duration::from_millis(12 * 3_600_000)));
    assert_eq!(config.retention.completed, Some(Duration::from_days(7)));
    assert_eq!(config.retention.faulted, Some(Duration::from_days(365)));
    assert_eq!(config.retention.cancelled, Some(Duration::from_days(1)));
    assert_eq!(config.retention.backups, Some(Duration::from_days(30)), "unless it is said");
    refused(
        "[data]\nkeep = [\"offer\"]\n[retention]\nruns = \"PT0S\"\nevents = \"90\"\n\
         faulted = 3\ncanceled = \"P1D\"\n",
        &[
            "PL1007 2:9 `offer` cannot stand in `data.keep`",
            "PL1007 4:8 `retention.runs` cannot be `PT0S`",
            "PL1007 5:10 `retention.events` cannot be `90`",
            "PL1007 6:11 `retention.faulted` must be a string, this is a number",
            "PL1007 7:1 unknown key `canceled` in `retention`",
        ],
    );
}

#[test]
fn every_wrong_value_is_told_with_its_place_and_what_to_write() {
    refused(
        "[data]\npolicy = \"all\"\n[nats]\nurl = \"localhost\"\nseed_env = \"SU-1\"\nreplicas = 6\n\
         [serve]\nlisten = \"here\"\nmode = \"lve\"\n[limits]\niterations_max = -1\nsteps_mx = 2\n",
        &[
            "PL1007 2:10 `data.policy` cannot be `all`",
            "PL1007 4:7 `nats.url` cannot be `localhost`",
            "PL1007 5:12 `nats.seed_env` cannot be `SU-1`",
            "PL1007 6:12 `nats.replicas` must be a whole number from 1 to 5",
            "PL1007 8:10 `serve.listen` cannot be `here`",
            "PL1007 9:8 `serve.mode` cannot be `lve`",
            "PL1007 11:18 `limits.iterations_max` must be a whole number from 1 to 1000000",
            "PL1007 12:1 unknown key `steps_mx` in `limits`",
        ],
    );
    let (_, findings) = check_project(&Source::new(
        "placet.toml",
        "[limits]\nsteps_mx = 2\n[serve]\nmode = \"lve\"\n",
    ));
    let helps: Vec<&str> = findings.iter().map(|found| found.help.as_str()).collect();
    assert_eq!(helps, ["did you mean `steps_max`?", "did you mean `live`?"]);
}

fn override_of(key: &str, text: &str) -> Override {
    let key = project_keys().find(|known| known.path == key).expect("a key").path;
    Override { key, source: Source::new(format!("VARIABLE_OF_{key}"), text) }
}

#[test]
fn an_override_takes_the_place_of_a_key() {
    let source =
        Source::new("placet.toml", "[limits]\nsteps_max = 50\n[egress]\nallow = [\"a:1\"]\n");
    let overrides = [
        override_of("limits.steps_max", "70"),
        override_of("egress.allow", "b:2, c:3"),
        override_of("serve.mode", "live"),
    ];
    let config = check_project_with(&source, &overrides).config.expect("a configuration");
    assert_eq!(config.limits.steps_max, 70);
    assert_eq!(config.egress_allow, ["b:2", "c:3"]);
    assert_eq!(config.serve.mode, Mode::Live);
}

#[test]
fn a_bad_override_is_told_by_its_own_name_and_place_and_hides_no_mistake_of_the_file() {
    let source = Source::new("placet.toml", "[limits]\nsteps_max = 0\n");
    let overrides =
        [override_of("limits.steps_max", "many"), override_of("egress.allow", "b:2, c")];
    let checked = check_project_with(&source, &overrides);
    assert!(checked.config.is_none());
    let line = |d: &Diagnostic| format!("{}:{}:{} {}", d.file, d.line, d.column, d.message);
    let told: Vec<String> =
        checked.diagnostics.iter().chain(checked.overridden.iter().flatten()).map(line).collect();
    assert_eq!(
        told,
        [
            "placet.toml:2:13 `limits.steps_max` must be a whole number from 1 to 1000000",
            "VARIABLE_OF_limits.steps_max:1:1 `limits.steps_max` must be a whole number from 1 to 1000000",
            "VARIABLE_OF_egress.allow:1:6 `c` cannot stand in `egress.allow`",
        ]
    );
}

#[test]
fn a_variable_with_a_typing_mistake_is_warned_of_with_the_nearest_name() {
    let found = unknown_override(
        &Source::new("PLACET_LIMITS_STEPSMAX", "5"),
        &["PLACET_LIMITS_STEPS_MAX".to_owned()],
    );
    assert!(!found.is_error());
    assert_eq!(found.help, "did you mean `PLACET_LIMITS_STEPS_MAX`?");
    assert!(found.message.contains("PLACET_LIMITS_STEPSMAX"), "{}", found.message);
}

#[test]
fn every_bound_of_the_model_is_a_key_with_its_default() {
    let defaults = serde_json::to_value(ProjectConfig::default().limits).expect("limits are JSON");
    let keys: Vec<(String, Value)> = project_keys()
        .filter_map(|key| Some((key.path.strip_prefix("limits.")?.to_owned(), key.default())))
        .collect();
    assert_eq!(keys.len(), defaults.as_object().expect("a map").len());
    for (key, default) in keys {
        assert_eq!(defaults[&key], default, "{key}");
    }
}

/// The file in `schemas/` is what `project_schema` makes.
#[test]
fn the_published_schema_is_the_one_of_the_keys() {
    let published = placet_schemas::embedded(placet_schemas::PROJECT).expect("it is published");
    let made = serde_json::to_string_pretty(&project_schema()).expect("a schema is JSON") + "\n";
    assert!(published == made, "schemas/project.json must be\n{made}");
}

#[test]
fn the_schema_and_the_check_agree() {
    let schema = Registry::new().register(&project_schema()).expect("it compiles");
    for (text, document) in [
        ("", json!({})),
        ("project = \"acme\"\n", json!({"project": "acme"})),
        ("project = \"Acme\"\n", json!({"project": "Acme"})),
        ("[limits]\nsteps_max = 5\n", json!({"limits": {"steps_max": 5}})),
        ("[limits]\nsteps_max = 0\n", json!({"limits": {"steps_max": 0}})),
        ("[limits]\nsteps = 5\n", json!({"limits": {"steps": 5}})),
        ("[egress]\nallow = [\"a\"]\n", json!({"egress": {"allow": ["a"]}})),
        ("[egress]\nallow = [\"a:1\"]\n", json!({"egress": {"allow": ["a:1"]}})),
        (
            "[secrets.a]\nenv = \"A\"\nhosts = []\n",
            json!({"secrets": {"a": {"env": "A", "hosts": []}}}),
        ),
        (
            "[secrets.a]\nenv = \"A\"\nhosts = [\"h\"]\n",
            json!({"secrets": {"a": {"env": "A", "hosts": ["h"]}}}),
        ),
        ("[serve]\nmode = \"live\"\n", json!({"serve": {"mode": "live"}})),
        ("[data]\npolicy = \"metadata_only\"\n", json!({"data": {"policy": "metadata_only"}})),
        ("[retention]\n", json!({"retention": {}})),
        ("[retention]\nruns = \"90\"\n", json!({"retention": {"runs": "90"}})),
        ("[data]\nkeep = [\"offer\"]\n", json!({"data": {"keep": ["offer"]}})),
    ] {
        let checked = read(text).0.is_some();
        assert_eq!(schema.validate(&document).is_ok(), checked, "{text}");
    }
}

#[test]
fn checkpoints_and_witnesses_are_read_and_a_half_named_witness_is_refused() {
    let key = "witness.example/w1+5de99dc8+BJDdg50b/YmOlTnBZEmfROUo6QYfq0BYBenICzZafE5A";
    let (config, findings) = read(&format!(
        "[audit]\ncheckpoint_events = 100\ncheckpoint_seconds = 5\ncheckpoint_file = \"/mnt/worm/checkpoint\"\n\
         witnesses = [\"https://witness.example/w1 {key}\"]\n"
    ));
    assert_eq!(findings, Vec::<String>::new());
    let audit = config.expect("a configuration").audit;
    assert_eq!((audit.checkpoint_events, audit.checkpoint_seconds), (100, 5));
    assert_eq!(audit.checkpoint_file.as_deref(), Some("/mnt/worm/checkpoint"));
    assert_eq!(audit.witnesses, [format!("https://witness.example/w1 {key}")]);
    refused(
        "[audit]\ncheckpoint_seconds = 0\ncheckpoint_file = \"\"\n\
         witnesses = [\"https://witness.example\", \"witness.example a+12345678+b\"]\n",
        &[
            "PL1007 2:22 `audit.checkpoint_seconds` must be a whole number from 1 to 86400",
            "PL1007 3:19 `audit.checkpoint_file` cannot be ``",
            "PL1007 4:14 `https://witness.example` cannot stand in `audit.witnesses`",
            "PL1007 4:41 `witness.example a+12345678+b` cannot stand in `audit.witnesses`",
        ],
    );
}

#[test]
fn a_table_within_a_table_is_read_and_overridden_and_a_mistake_in_it_has_its_place() {
    let text = "[login.oidc]\nissuer = \"https://login.example\"\nclient_id = \"placet\"\n\
                people = [\"ana.lee@example.com=ana\"]\n";
    let source = Source::new("placet.toml", text);
    let overrides = [override_of("login.oidc.client_id", "other")];
    let oidc = check_project_with(&source, &overrides).config.expect("a configuration").login.oidc;
    assert_eq!(oidc.issuer.as_deref(), Some("https://login.example"));
    assert_eq!(oidc.client_id.as_deref(), Some("other"));
    assert_eq!(oidc.people, ["ana.lee@example.com=ana"]);
    let wrong = "[login]\noidcs = 1\n[login.oidc]\nissuer = \"login.example\"\nclaims = \"a\"\n\
                 people = [\"ana\"]\n";
    let (config, findings) = check_project(&Source::new("placet.toml", wrong));
    assert!(config.is_none());
    let told: Vec<String> = findings.iter().map(|d| format!("{} {}", d.line, d.help)).collect();
    assert_eq!(
        told,
        [
            "2 did you mean `oidc`?",
            "4 write it as https://HOST/, without a query",
            "5 did you mean `claim`?",
            "6 write VALUE=PRINCIPAL, such as ana.lee@example.com=ana",
        ]
    );
    let schema = project_schema();
    let oidc = &schema["properties"]["login"]["properties"]["oidc"];
    assert_eq!(oidc["additionalProperties"], false);
    assert_eq!(oidc["properties"]["issuer"]["type"], "string", "{schema}");
}

#[test]
fn a_channel_leads_to_an_operation_that_sends_and_a_connection_of_its_provider() {
    let operation = |name: &str, effect| {
        let provider = name.split('.').next().unwrap_or_default().to_owned();
        let info = OperationInfo {
            name: name.to_owned(),
            provider,
            effect,
            digest: Digest::of(b"operation"),
            input_schema: json!({}),
            output_schema: None,
            output_kept: None,
            output_named: vec![],
            title: name.to_owned(),
        };
        (name.to_owned(), info)
    };
    let operations =
        [operation("chat.post", Effect::Send), operation("chat.list", Effect::Read)].into();
    let catalogue = Catalogue { operations, ..Catalogue::default() };
    let integrations = [("team", "chat"), ("box", "mail")];
    let integrations = integrations.map(|(name, of)| (name.to_owned(), of.to_owned())).into();
    let schemas = Registry::new();
    let environment = Environment {
        catalogue: &catalogue,
        integrations: Some(&integrations),
        scopes: None,
        silent: None,
        policy: None,
        schemas: &schemas,
    };
    for (operation, integration, expected) in [
        ("chat.post", "team", ""),
        ("chat.gone", "team", "PL2415 error 3:13 there is no operation chat.gone"),
        (
            "chat.list",
            "team",
            "PL2415 error 3:13 chat.list has the effect read: a notice only sends",
        ),
        ("chat.post", "box", "PL2415 error 4:15 the connection box is of mail, not of chat"),
        ("chat.post", "later", "PL2415 warning 4:15 there is no connection named later"),
    ] {
        let text = format!(
            "[channels.ops]\nto = [\"ana\"]\noperation = \"{operation}\"\nintegration = \"{integration}\"\nwith = {{ text = \"{{text}}\" }}\n"
        );
        assert_eq!(read(&text).1, Vec::<String>::new(), "its form is good");
        let found = check_channels(&Source::new("placet.toml", &text), &environment);
        let line = |d: &Diagnostic| {
            let severity = if d.is_error() { "error" } else { "warning" };
            format!("{} {severity} {}:{} {}", d.code.id, d.line, d.column, d.message)
        };
        let found: Vec<String> = found.iter().map(line).collect();
        assert_eq!(found.join("; "), expected, "{text}");
    }
}
