//! For the operator: what a `placet.toml` means, and what is refused in it.

use placet_language::{Diagnostic, Source, check_project};
use placet_model::project::ProjectConfig;

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
