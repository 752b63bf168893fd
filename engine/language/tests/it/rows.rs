//! For the author: each row of the table of findings, in the fixture that shows it.

use std::path::Path;

use placet_language::{Diagnostic, Severity, codes};

use crate::world::World;

/// A finding of a fixture: code, weight, `line:column`, and what its message and its help say.
struct Row {
    fixture: &'static str,
    finding: (&'static str, Severity, &'static str),
    says: &'static str,
    helps: &'static str,
}

fn found(fixture: &str) -> Vec<Diagnostic> {
    let path = format!("../../fixtures/workflows/{fixture}.yaml");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(&path).expect("the fixture");
    World::new().check(fixture, &text).diagnostics
}

fn holds(row: &Row) {
    let (code, severity, place) = row.finding;
    let findings = found(row.fixture);
    let here = |d: &&Diagnostic| {
        (d.code.id, d.severity) == (code, severity)
            && format!("{}:{}", d.line, d.column) == place
            && d.message.contains(row.says)
            && d.help.contains(row.helps)
    };
    assert!(findings.iter().any(|d| here(&d)), "{findings:#?}");
    let table = codes::ALL.iter().find(|known| known.id == code).expect("a code of the table");
    assert_eq!(table.severity, severity, "the weight of {code}");
}

macro_rules! rows {
    ($($name:ident: $fixture:literal $severity:ident $place:literal $says:literal => $helps:literal;)+) => {
        $(
            #[test]
            fn $name() {
                let code = stringify!($name).get(..6).expect("a code").to_uppercase();
                let code = codes::ALL.iter().find(|known| known.id == code).expect("known").id;
                let finding = (code, Severity::$severity, $place);
                holds(&Row { fixture: $fixture, finding, says: $says, helps: $helps });
            }
        )+

        const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

rows! {
    pl2001_an_unquoted_expression_breaks_the_yaml: "err/unquoted-expression" Error "5:17" "the YAML cannot be read" => "single quotes";
    pl2001_an_expression_in_double_quotes_breaks_the_yaml: "err/bad-escape" Error "4:22" "the YAML cannot be read" => "single quotes";
    pl2001_broken_yaml_is_reported_where_it_breaks: "err/broken-yaml" Error "5:6" "the YAML cannot be read" => "line above";
    pl2002_a_key_stands_once: "err/yaml-forms" Error "3:23" "stands twice" => "line 3";
    pl2002_a_tag_is_refused: "err/yaml-forms" Error "4:26" "the tag `!!str`" => "";
    pl2002_a_merge_key_is_refused: "err/yaml-forms" Error "8:14" "merge keys" => "the keys themselves";
    pl2002_a_key_is_a_string: "err/yaml-forms" Error "8:25" "a key must be a string" => "quotes";
    pl2002_a_file_holds_one_document: "err/two-documents" Error "4:1" "a second document" => "one workflow";
    pl2003_an_unknown_key_is_refused_with_its_neighbour: "err/unknown-key" Error "5:7" "unknown key `wth`" => "did you mean `with`?";
    pl2003_an_unknown_root_key_is_refused: "err/unknown-key" Error "9:1" "unknown key `timeot`" => "did you mean `timeout`?";
    pl2003_the_keyword_is_read_first: "err/keywords" Error "3:10" "unknown task keyword `cal`" => "did you mean `call`?";
    pl2003_url_means_endpoint: "err/habits" Error "4:43" "unknown key `url`" => "did you mean `endpoint`?";
    pl2003_details_means_detail: "err/habits" Error "6:72" "unknown key `details`" => "did you mean `detail`?";
    pl2003_params_means_with: "err/habits" Error "11:40" "unknown key `params`" => "did you mean `with`?";
    pl2003_steps_means_do: "err/habits" Error "12:10" "unknown task keyword `steps`" => "did you mean `do`?";
    pl2004_another_version_of_the_language_is_refused: "err/header" Error "1:18" "version `2.0.0`" => "1.0.3";
    pl2101_what_is_outside_the_profile_is_refused_by_name: "err/outside-the-profile" Error "6:16" "`call: mcp` is outside the profile" => "call: http";
    pl2102_an_unknown_operation_has_its_neighbour: "err/unknown-operation" Error "3:16" "unknown operation" => "did you mean `slack.chat.postMessage`?";
    pl2102_a_call_by_url_is_refused: "err/outside-the-profile" Error "9:16" "a call by URL" => "call: http";
    pl2102_an_unknown_function_of_a_catalog_is_refused: "err/functions" Error "12:16" "which does not exist" => "stamp/1.0.0";
    pl2103_an_unknown_target_is_refused: "err/targets" Error "3:35" "names no task of this list" => "did you mean `second`?";
    pl2103_a_target_in_another_list_is_refused: "err/targets" Error "6:41" "names no task of this list" => "the same list";
    pl2103_a_branch_of_a_fork_names_no_target: "err/fork" Error "8:42" "stands alone" => "continue, exit or end";
    pl2104_a_name_stands_once_in_a_list: "err/targets" Error "7:5" "stands twice in this list" => "line 4";
    pl2105_an_unknown_timeout: "err/use-names" Error "8:31" "no timeout named `quik`" => "did you mean `quick`?";
    pl2105_an_unknown_error: "err/use-names" Error "9:26" "no error named `gon`" => "did you mean `gone`?";
    pl2105_an_unknown_authentication: "err/use-names" Error "13:89" "no authentication named" => "";
    pl2105_an_unknown_secret: "err/use-names" Error "16:105" "not listed in use.secrets" => "did you mean `token`?";
    pl2105_an_unknown_retry: "err/retry" Error "12:23" "no retry named `endles`" => "did you mean `endless`?";
    pl2106_only_jq_and_strict: "err/evaluate" Error "2:23" "`evaluate.language: js`" => "only jq";
    pl2107_the_grammar_of_approvals_is_checked: "err/approval" Error "6:31" "quorm" => "did you mean `quorum`?";
    pl2108_with_is_checked_against_the_operation: "err/with" Error "3:48" "takes no key `chanel`" => "did you mean `channel`?";
    pl2109_two_default_cases: "err/targets" Error "12:11" "at most one case without `when`" => "add `when`";
    pl2109_read_without_on: "err/schedule" Error "2:54" "there is no `on`" => "remove it";
    pl2109_a_chain_of_functions_ends: "err/recursive-function" Error "11:26" "`countdown` calls `countdown`" => "`while`";
    pl2110_an_unknown_integration: "err/missing-integration" Error "3:61" "no integration named" => "did you mean `sales-slack`?";
    pl2201_jq_that_does_not_parse: "err/expressions" Error "3:29" "does not parse" => "single quotes";
    pl2201_a_fenced_name: "err/expressions" Error "3:40" "`now` is not available" => "startedAt";
    pl2201_an_expression_without_a_result: "err/results" Error "3:15" "never gives a result" => "null";
    pl2202_a_piece_of_a_longer_string: "err/interpolation" Error "3:30" "inside a longer string" => "Hello \\(.name)";
    pl2202_an_expression_cut_by_a_comment: "err/cut-expression" Error "5:12" "starts a comment" => "single quotes";
    pl2203_a_variable_that_is_not_defined_here: "err/variables" Error "4:40" "`$contxt`" => "did you mean `$context`?";
    pl2203_secrets_outside_their_places: "err/secrets" Error "4:27" "`$secrets` is not allowed here" => "headers, query and body";
    pl2203_an_ambiguous_step: "err/variables" Error "10:55" "several tasks" => "different names";
    pl2203_an_unknown_step: "err/variables" Error "7:24" "no task `nope`" => "";
    pl2203_data_of_another_tool_means_steps: "err/habits" Error "5:24" "`$data`" => "did you mean `$steps`?";
    pl2204_an_expression_that_yaml_may_change: "warn/quoting" Warning "6:12" "YAML may change" => "single quotes";
    pl2205_a_literal_that_looks_like_an_expression: "warn/literals" Warning "3:27" "looks like an expression" => "${ .customer }";
    pl2206_double_braces: "warn/literals" Warning "3:59" "`{{ }}` is not evaluated" => "${ … }";
    pl2206_double_braces_with_a_dollar: "warn/yaml-1-1" Warning "5:20" "`${{ }}`" => "${ … }";
    pl2301_a_duration_of_another_tool: "err/durations" Error "5:16" "`30m`" => "PT30M";
    pl2301_a_fraction_in_an_object: "err/durations" Error "7:16" "whole numbers" => "PT1.5H";
    pl2302_a_timeout_that_is_a_name: "err/durations" Error "8:31" "the timeout named `P2D`" => "{ after: P2D }";
    pl2303_an_export_that_drops_the_context: "warn/export-drops" Warning "5:39" "drops what the context held" => "$context + ";
    pl2304_a_retry_without_a_limit: "warn/retry" Warning "5:16" "has no limit" => "count";
    pl2304_a_retry_of_a_gated_call: "warn/retry" Warning "8:16" "asks again" => "errors.with";
    pl2305_a_status_that_is_ambiguous: "warn/status-408" Warning "6:42" "timeouts and expired approvals" => "approval-expired";
    pl2306_an_export_inside_a_fork: "warn/events" Warning "4:68" "inside a fork" => "output";
    pl2306_a_wait_that_never_ends: "warn/events" Warning "5:41" "can never end" => "timeout";
    pl2307_data_of_data: "warn/events" Warning "6:27" "already the `data`" => "envelope";
    pl2308_a_literal_secret: "warn/plain-http" Warning "7:87" "literal secret" => "";
    pl2308_plain_http: "warn/plain-http" Warning "3:53" "plain http" => "https";
    pl2309_runs_that_may_overlap: "warn/events" Hint "2:13" "still going" => "after";
    pl2309_an_entry_that_nothing_uses: "warn/unused" Hint "3:13" "nothing uses" => "remove";
    pl2309_a_task_that_nothing_leads_to: "warn/unused" Hint "7:5" "nothing leads to" => "then";
    pl2416_a_trigger_that_is_off: "warn/trigger-off" Warning "2:40" "starts no run" => "placet triggers set stripe-eu stripe.refund on";
    pl3080_nothing_is_read_of_an_answer_that_nothing_describes: "err/outputs" Error "4:47" "nothing says what `find` answers" => "output: { schema:";
    pl3080_a_field_that_the_schema_excludes: "err/outputs" Error "14:47" "has no `.idd`" => "declared there: id";
    pl2310_a_key_that_became_a_boolean: "warn/yaml-1-1" Warning "3:3" "the key `on`" => "'on':";
}

#[test]
fn every_code_of_a_workflow_has_its_row() {
    let elsewhere = [codes::POLICY, codes::PROJECT, codes::CHANNEL, codes::EXAMPLE];
    let missing: Vec<&str> = codes::ALL
        .iter()
        .filter(|code| !elsewhere.contains(code))
        .map(|code| code.id)
        .filter(|id| !NAMES.iter().any(|name| name.starts_with(&id.to_lowercase())))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn mistakes_of_every_kind_are_found_at_once() {
    let text = "document: { dsl: '3.0.0', namespace: test, name: t, version: '1.0.0' }\n\
        evaluate: { mode: loose }\n\
        tiemout: { after: P1D }\n\
        use: { secrets: [s], extensions: [] }\n\
        do:\n\
        \x20 - a: { call: slack.chat.postMesage }\n\
        \x20 - a: { call: slack.chat.postMessage, with: { text: 'Hi ${ .x }' }, then: nowhere }\n\
        \x20 - b: { set: { x: '${ now }', y: '${ $nope }', z: .z, w: '{{ w }}' }, timeout: PT5M }\n\
        \x20 - c: { wait: 30m, timeout: nobody }\n\
        \x20 - d: { switch: [{ e: { then: end } }, { f: { then: end } }] }\n";
    let checked = World::new().check("t.yaml", text);
    let mut codes: Vec<&str> = checked.diagnostics.iter().map(|d| d.code.id).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(
        codes,
        [
            "PL2003", "PL2004", "PL2101", "PL2102", "PL2103", "PL2104", "PL2105", "PL2106",
            "PL2108", "PL2109", "PL2201", "PL2202", "PL2203", "PL2205", "PL2206", "PL2301",
            "PL2302",
        ],
    );
}
