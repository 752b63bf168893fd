//! The table of constructs in the README, made from what a check says about each of them.
//!
//! `BLESS=1 cargo nextest run -p placet-language table` writes it anew.

use std::fmt::Write;
use std::path::Path;

use super::super::outside::{self, Refuse};
use super::next::check;

const START: &str = "<!-- constructs: made by a test, see src/parse/tests/table.rs -->\n";
const END: &str = "<!-- end of constructs -->\n";

/// A construct as authors know it, and a document that uses it: the rest of one whose header is
/// given, or of one whose `do` list is given where it starts with `- `.
const CONSTRUCTS: &[(&str, &[(&str, &str)])] = &[
    (
        "Document",
        &[
            ("`document.metadata`, `tags`, `title`, `summary`", "do: []"),
            (
                "`input`, `output` with `schema`, `from`, `as`",
                "input: { schema: { document: { type: object } }, from: .a }\noutput: { as: { b: '${ . }' }, schema: { document: true } }\ndo: []",
            ),
            (
                "`schema.resource`",
                "input: { schema: { resource: { endpoint: 'https://example.com/s.json' } } }\ndo: []",
            ),
            ("`timeout` of the run", "timeout: { after: PT1H }\ndo: []"),
            (
                "`evaluate.language: jq`, `mode: strict`",
                "evaluate: { language: jq, mode: strict }\ndo: []",
            ),
            ("`evaluate.language: js`", "evaluate: { language: js }\ndo: []"),
            ("`evaluate.mode: loose`", "evaluate: { mode: loose }\ndo: []"),
            ("`schedule.every`", "schedule: { every: PT1H }\ndo: []"),
            ("`schedule.cron`", "schedule: { cron: '0 8 * * MON-FRI' }\ndo: []"),
            ("`schedule.after`", "schedule: { after: PT1H }\ndo: []"),
            (
                "`schedule.on`, `read`",
                "schedule: { on: { one: { with: { type: a } } }, read: envelope }\ndo: []",
            ),
            ("an unknown root key", "extra: 1\ndo: []"),
        ],
    ),
    (
        "Every task",
        &[
            (
                "`if`, `input`, `output`, `export`, `then`, `metadata`",
                "- a: { if: .x, input: { from: .y }, set: { z: 1 }, output: { as: .z }, export: { as: '$context + { z: . }' }, then: end, metadata: { owner: me } }",
            ),
            (
                "`timeout: { after }`, a name of `use.timeouts`",
                "use: { timeouts: { quick: { after: PT5S } } }\ndo: [{ a: { wait: PT1S, timeout: quick } }, { b: { wait: PT1S, timeout: { after: PT5S } } }]",
            ),
            (
                "an expression in a `timeout`",
                "- a: { wait: PT1S, timeout: { after: '${ .limit }' } }",
            ),
        ],
    ),
    (
        "Tasks",
        &[
            ("`do`", "- a: { do: [{ b: { set: { x: 1 } } }] }"),
            ("`set`", "- a: { set: { x: '${ .y }' } }"),
            (
                "`switch`",
                "- a: { switch: [{ b: { when: .x, then: exit } }, { c: { then: end } }] }",
            ),
            ("`wait`", "- a: { wait: { minutes: 5 } }"),
            (
                "`for`, `while`",
                "- a: { for: { each: x, in: .xs, at: i }, while: '$i < 5', do: [{ b: { set: { y: '${ $x }' } } }] }",
            ),
            (
                "`fork`, `compete`",
                "- a: { fork: { compete: true, branches: [{ b: { wait: PT1S } }, { c: { wait: PT2S } }] } }",
            ),
            (
                "`try`, `catch` with `errors`, `as`, `when`, `exceptWhen`, `do`, `then`",
                "- a: { try: [{ b: { set: { x: 1 } } }], catch: { errors: { with: { status: 500 } }, as: e, when: '$e.status == 500', exceptWhen: 'false', do: [{ c: { set: { y: 1 } } }], then: end } }",
            ),
            (
                "`catch.retry` with `delay`, `backoff`, `jitter`, `limit`",
                "- a: { try: [{ b: { call: slack.auth.test } }], catch: { retry: { delay: PT1S, backoff: { exponential: {} }, jitter: { from: PT0S, to: PT1S }, limit: { attempt: { count: 3, duration: PT1M }, duration: PT1H } } } }",
            ),
            (
                "`raise`",
                "- a: { raise: { error: { type: 'https://example.com/e', status: 500 } } }",
            ),
            ("`emit`", "- a: { emit: { event: { with: { type: a, data: { x: 1 } } } } }"),
            (
                "`listen` to `one`, `all`, `any`, `until`",
                "- a: { listen: { to: { any: [{ with: { type: a } }], until: 'length > 2' }, read: envelope } }",
            ),
            (
                "`listen` with `correlate`",
                "- a: { listen: { to: { one: { with: { type: a }, correlate: { k: { from: .data.k, expect: '${ .k }' } } } } } }",
            ),
            (
                "`listen` with `foreach`",
                "- a: { listen: { to: { any: [{ with: { type: a } }] } }, foreach: { item: e, at: i, do: [{ b: { set: { x: '${ $e }' } } }] } }",
            ),
            (
                "`run.workflow`",
                "- a: { run: { workflow: { namespace: a, name: b, version: latest, input: { x: 1 } }, await: false } }",
            ),
            ("`run.container`", "- a: { run: { container: { image: x } } }"),
            ("`run.script`", "- a: { run: { script: { language: js, code: x } } }"),
            ("`run.shell`", "- a: { run: { shell: { command: ls } } }"),
        ],
    ),
    (
        "Calls",
        &[
            ("an operation, `provider.resource.operation`", "- a: { call: slack.auth.test }"),
            (
                "its alias, `provider-resource-operation:1.0.0@default`",
                "- a: { call: 'slack-auth-test:1.0.0@default' }",
            ),
            (
                "`call: http`",
                "- a: { call: http, with: { method: GET, endpoint: 'https://example.com/{id}', output: response } }",
            ),
            (
                "`call: openapi`",
                "- a: { call: openapi, with: { document: { endpoint: 'https://pets.example/openapi.json' }, operationId: addPet, parameters: { body: {} } } }",
            ),
            (
                "`document` of `call: openapi` behind authentication",
                "use: { secrets: [s] }\ndo: [{ a: { call: openapi, with: { document: { endpoint: { uri: 'https://pets.example/openapi.json', authentication: { bearer: { token: '${ $secrets.s }' } } } }, operationId: addPet, parameters: { body: {} } } } }]",
            ),
            (
                "a function of `use.functions`",
                "use: { functions: { f: { set: { x: 1 } } } }\ndo: [{ a: { call: f } }]",
            ),
            (
                "a function of a catalog on disk, `name:version@catalog`",
                "use: { catalogs: { c: { endpoint: 'file:catalog' } } }\ndo: [{ a: { call: 'stamp:1.0.0@c' } }]",
            ),
            (
                "a function that calls itself",
                "use: { functions: { f: { call: f } } }\ndo: [{ a: { call: f } }]",
            ),
            (
                "a remote catalog",
                "use: { catalogs: { c: { endpoint: 'https://example.com/c' } } }\ndo: [{ a: { call: 'f:1.0.0@c' } }]",
            ),
            ("`call` by URL", "- a: { call: 'https://example.com/f.yaml' }"),
            ("`inbox.ask` and other reserved providers", "- a: { call: inbox.ask }"),
            ("`call: grpc`", "- a: { call: grpc, with: {} }"),
            ("`call: mcp`", "- a: { call: mcp, with: {} }"),
            ("`call: a2a`", "- a: { call: a2a, with: {} }"),
            ("`call: asyncapi`", "- a: { call: asyncapi, with: {} }"),
        ],
    ),
    (
        "`use`",
        &[
            (
                "`errors`, `retries`, `timeouts`, `secrets`, `functions`, `catalogs`",
                "use: { errors: { e: { type: 'https://example.com/e', status: 500 } }, secrets: [s] }\ndo: [{ a: { raise: { error: e } } }]",
            ),
            ("`extensions`", "use: { extensions: [] }\ndo: []"),
            (
                "`authentications`: basic, bearer",
                "use: { secrets: [s], authentications: { b: { bearer: { token: '${ $secrets.s }' } }, c: { basic: { username: '${ $secrets.s }', password: '${ $secrets.s }' } } } }\ndo: []",
            ),
            (
                "basic from one secret, `{ use: name }`",
                "use: { secrets: [s], authentications: { b: { basic: { use: s } } } }\ndo: []",
            ),
            (
                "`oauth2`: client_credentials, refresh_token, password",
                "use: { authentications: { o: { oauth2: { authority: 'https://login.example', grant: client_credentials } } } }\ndo: []",
            ),
            (
                "`oidc`",
                "use: { authentications: { o: { oidc: { authority: 'https://login.example', grant: client_credentials } } } }\ndo: []",
            ),
            (
                "`oauth2` with authorization_code or token exchange",
                "use: { authentications: { o: { oauth2: { authority: 'https://login.example', grant: authorization_code } } } }\ndo: []",
            ),
            (
                "`digest`",
                "use: { authentications: { d: { digest: { username: a, password: b } } } }\ndo: []",
            ),
        ],
    ),
    (
        "Expressions",
        &[
            ("`${ … }` as a whole string", "- a: { set: { x: '${ .y }' } }"),
            ("`${ … }` inside a longer string", "- a: { set: { x: 'Hello ${ .y }' } }"),
            (
                "`$context`, `$input`, `$output`, `$task`, `$workflow`, `$runtime`",
                "- a: { set: { x: '${ [$context, $input, $task, $workflow, $runtime] }' }, export: { as: '{ a: $output }' } }",
            ),
            ("`$steps` (ours)", "- a: { set: { x: 1 } }\n- b: { set: { y: '${ $steps.a.x }' } }"),
            (
                "`$secrets` in an authentication",
                "use: { secrets: [s] }\ndo: [{ a: { call: http, with: { method: GET, endpoint: { uri: 'https://example.com', authentication: { bearer: { token: '${ $secrets.s }' } } } } } }]",
            ),
            (
                "`$secrets` in headers, query and body of a request",
                "use: { secrets: [s] }\ndo: [{ a: { call: http, with: { method: GET, endpoint: 'https://example.com', headers: { x-key: '${ $secrets.s }' } } } }]",
            ),
            (
                "`$secrets` elsewhere",
                "use: { secrets: [s] }\ndo: [{ a: { set: { x: '${ $secrets.s }' } } }]",
            ),
            ("`$authorization`", "- a: { set: { x: '${ $authorization.scheme }' } }"),
            ("`def`", "- a: { set: { x: '${ def f: 1; f }' } }"),
            (
                "`range`, `until`, `while`, `repeat`, `limit`, `recurse(f)`, `combinations`",
                "- a: { set: { x: '${ [range(3)] }' } }",
            ),
            ("`now`, `env`, `input`, `debug`, `halt`", "- a: { set: { x: '${ now }' } }"),
        ],
    ),
    (
        "`metadata.approval` (ours)",
        &[
            (
                "`approvers`, `quorum`, `expires`, `reasonRequired`, `selfApproval`, `summary`, `inherit`",
                "- a: { call: slack.chat.postMessage, with: { channel: C0SALES, text: hi }, metadata: { approval: { approvers: [ana, { from: [sales-leads], approve: 2 }], quorum: 1, expires: P1D, reasonRequired: always, selfApproval: false, summary: Hello } } }",
            ),
            (
                "`none`",
                "- a: { call: slack.chat.postMessage, with: { channel: C0SALES, text: hi }, metadata: { approval: none } }",
            ),
            (
                "`policy`",
                "- a: { call: slack.chat.postMessage, with: { channel: C0SALES, text: hi }, metadata: { approval: { policy: outbound } } }",
            ),
            (
                "`escalate`",
                "- a: { call: slack.chat.postMessage, with: { channel: C0SALES, text: hi }, metadata: { approval: { approvers: [ana], escalate: { after: PT1H, to: [ben] } } } }",
            ),
            (
                "`remind`",
                "- a: { call: slack.chat.postMessage, with: { channel: C0SALES, text: hi }, metadata: { approval: { remind: { every: PT1H } } } }",
            ),
            (
                "`approvers` by an expression",
                "- a: { call: slack.chat.postMessage, with: { channel: C0SALES, text: hi }, metadata: { approval: { approvers: '${ [.lead] }' } } }",
            ),
        ],
    ),
];

/// What a check says about a construct: its errors, each with its help.
fn verdict(snippet: &str) -> Vec<(String, String)> {
    let header = "document: { dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }\n";
    let body =
        if snippet.starts_with("- ") { format!("do:\n{snippet}") } else { snippet.to_owned() };
    let checked = check(&format!("{header}{body}\n"), Path::new("t.yaml"), Refuse::NotBuilt);
    let errors = checked.diagnostics.into_iter().filter(super::super::Diagnostic::is_error);
    errors.map(|error| (format!("{} ({})", error.message, error.code.id), error.help)).collect()
}

/// A cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn table() -> String {
    let mut out = String::new();
    for (heading, rows) in CONSTRUCTS {
        writeln!(out, "\n### {heading}\n").unwrap();
        out.push_str("| construct | | what a check says | instead |\n| --- | --- | --- | --- |\n");
        for (construct, snippet) in *rows {
            let (word, says, helps) = match verdict(snippet).into_iter().next() {
                None => ("supported", String::new(), String::new()),
                Some((says, helps)) => ("refused", says, helps),
            };
            let (construct, says, helps) = (cell(construct), cell(&says), cell(&helps));
            writeln!(out, "| {construct} | {word} | {says} | {helps} |").unwrap();
        }
    }
    out.push('\n');
    out
}

#[test]
fn the_readme_lists_every_construct_as_a_check_takes_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).expect("the README");
    let start = readme.find(START).expect("the start of the table") + START.len();
    let end = readme.find(END).expect("the end of the table");
    let written = table();
    if std::env::var_os("BLESS").is_some() {
        let whole = format!("{}{written}{}", &readme[..start], &readme[end..]);
        std::fs::write(&path, whole).expect("a writable README");
        return;
    }
    assert_eq!(&readme[start..end], written, "BLESS=1 writes the table anew");
}

#[test]
fn every_construct_that_is_refused_by_name_stands_in_the_table() {
    let said: Vec<String> = CONSTRUCTS
        .iter()
        .flat_map(|(_, rows)| rows.iter())
        .flat_map(|(_, snippet)| verdict(snippet))
        .map(|(says, _)| says)
        .collect();
    let (parsed, unread) = outside::rows();
    let missing: Vec<&String> = parsed
        .iter()
        .chain(&unread)
        .filter(|words| !said.iter().any(|says| says.starts_with(words.as_str())))
        .collect();
    assert_eq!(missing, Vec::<&String>::new());
}
