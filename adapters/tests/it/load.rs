//! A manifest file is refused with its place, or it is right (facts/manifest.md §6).

use placet_adapters::{Adapters, LoadContext, Manifest, ManifestFile, Origin};
use placet_schemas::Registry;
use std::collections::BTreeSet;

pub(crate) const GOOD: &str = r#"manifest: 1
provider: acme
title: Acme
hosts: [api.acme.example]
auth: {kind: bearer, placement: {header: Authorization, value: "Bearer {secret:token}"}}
operations:
  notes.create:
    effect: write
    input_schema: any.json
    output_schema: any.json
    target: {grammar: '^(?<id>[a-z0-9]+)$', format: "{id}", examples: [n1]}
    request: {method: POST, url: "https://api.acme.example/notes/{target.id}", body: {kind: json, value: {text: "{input./text}"}}}
    text_limits: none
    preview: {title: "Note {target}", fields: [/text]}
    classify:
      - {when: {status: 2xx}, outcome: sent}
      - {else: in_doubt}
    result: {message_id: "{/id}"}
    store: [/id]
    delivery: {kind: none}
    vendor_dry_run: none
    mock: {errors: {rate_limited: {status: 429}, not_found: {status: 404}, validation: {status: 400}, auth: {status: 401}, timeout_in_doubt: {transport: after_send, happened: false}}}
  notes.get:
    effect: read
    input_schema: any.json
    request: {method: GET, url: "https://api.acme.example/notes/{input./id}"}
    classify: [{when: {status: 200}, outcome: sent}, {else: refused_retry}]
"#;

pub(crate) fn load(text: &str) -> Result<Adapters, String> {
    let schemas = |path: &str| (path == "any.json").then(|| "{}".to_owned());
    let file = ManifestFile { path: "adapters/acme.yaml".to_owned(), text: text.to_owned() };
    Adapters::with_project(&[file], &schemas, &BTreeSet::new())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// Loading `GOOD` with this delivery is refused with these words.
fn no_delivery(by: &str, words: &str) {
    refused("delivery: {kind: none}", &format!("delivery: {by}"), "20:15", words);
}

#[test]
fn what_makes_a_second_time_harmless_is_stated_whole_and_stands_in_the_request() {
    no_delivery("{kind: client_id}", "needs format");
    no_delivery("{kind: client_id, field: /id, format: uuid}", "needs conflict");
    no_delivery(
        "{kind: client_id, field: /id, format: uuid, lookup_first: true}",
        "needs reconcile",
    );
    no_delivery("{kind: client_id, field: /id, format: uuid, conflict: 409}", "has no \"/id\"");
    no_delivery("{kind: client_id, field: /text, format: uuid, conflict: 409}", "not the send id");
    no_delivery("{kind: version_guard, field: /text}", "needs moved_on");
    no_delivery(
        "{kind: version_guard, field: \"header:If-Match\", moved_on: 412}",
        "the request has no",
    );
    no_delivery("{kind: natural_key}", "needs field");
    no_delivery("{kind: natural_key, field: url}", "a POST to the same url makes another one");
    no_delivery("{kind: natural_key, field: /text, moved_on: 412}", "has no moved_on");
    no_delivery("{kind: none, field: /text}", "has no field");
    let optional = GOOD.replacen("{input./text}\"}}}", "{input./text?}\"}}}", 1);
    let by = "delivery: {kind: natural_key, field: /text}";
    let error = load(&optional.replacen("delivery: {kind: none}", by, 1)).unwrap_err();
    assert!(error.contains("may be left out"), "{error}");
    load(&GOOD.replacen("delivery: {kind: none}", by, 1)).unwrap();
}

#[test]
fn what_is_not_final_is_looked_up_and_a_read_has_no_such_thing() {
    let said = "    text_limits: none\n    final_when: {at: /status, is: done}";
    refused("    text_limits: none", said, "14:17", "needs delivery.reconcile");
}

#[test]
fn what_only_tells_of_our_own_sends_says_of_which() {
    let inbound = "inbound:
  verify: {alg: shared_secret, key: {secret: token}, header: X-Secret, integrity: shared_secret}
  events:
    - {when: {body: {at: /type, is: note}}, key: acme.echo, event_key: notes.note.echoed, dedupe: /id}
  carries_content: true
  ack: {ok: 200, duplicate: 200, unknown_connection: 200, bad_signature: 401, retry_later: 503}
  never_return: []
  deadline_ms: 3000
operations:";
    let error = load(&GOOD.replacen("operations:", inbound, 1)).unwrap_err();
    assert!(error.contains("needs evidence"), "{error}");
    let told = inbound.replace("dedupe: /id}", "dedupe: /id, evidence: {send_id: /mark}}");
    let adapters = load(&GOOD.replacen("operations:", &told, 1)).unwrap();
    let inbound = adapters.manifest("acme").unwrap().inbound().unwrap();
    assert_eq!(inbound.evidence_keys().collect::<Vec<_>>(), ["acme.echo"]);
}

/// Loading `GOOD` with one piece replaced is refused at this place with these words.
fn refused(piece: &str, by: &str, place: &str, words: &str) {
    assert!(GOOD.contains(piece), "{piece}");
    let error =
        load(&GOOD.replacen(piece, by, 1)).err().unwrap_or_else(|| panic!("{by} was taken"));
    assert!(error.contains(words), "{by}: {error}");
    assert!(error.contains(&format!(" {place}: ")), "{by}: {error}");
}

#[test]
fn a_project_manifest_joins_the_shipped_ones() {
    let adapters = load(GOOD).unwrap();
    assert!(adapters.operation("acme.notes.create").is_some());
    assert!(adapters.operation("slack.chat.postMessage").is_some());
    assert!(adapters.catalogue().get("acme.notes.get").is_some());
}

#[test]
fn an_unknown_field_is_refused_with_its_line() {
    refused("    effect: write\n", "    effect: write\n    colour: red\n", "9:5", "colour");
    refused("title: Acme", "titel: Acme", "3:1", "titel");
}

#[test]
fn a_key_that_is_given_twice_is_refused() {
    refused("title: Acme", "title: Acme\ntitle: Acme", "4:1", "title");
    refused("  notes.get:\n", "  notes.create:\n", "23:3", "duplicate mapping key: notes.create");
}

#[test]
fn a_place_is_said_once_and_in_our_words() {
    let error = load(&GOOD.replacen("title: Acme", "title: Acme\ntitle: Acme", 1)).unwrap_err();
    assert!(!error.contains("at line") && !error.contains("Options"), "{error}");
}

#[test]
fn a_field_of_a_later_capability_is_refused_as_not_built() {
    refused("kind: json, value", "kind: graphql, value", "12:14", "mime are built so far");
}

#[test]
fn whoever_gets_a_copy_is_named_as_a_recipient() {
    let letter = r#"{"properties": {"text": {}, "mail": {"items": {"properties": {"cc": {}}}}}}"#;
    let load = |text: &str| {
        let schemas = |path: &str| match path {
            "any.json" => Some("{}".to_owned()),
            "letter.json" => Some(letter.to_owned()),
            _ => None,
        };
        let file = ManifestFile { path: "adapters/acme.yaml".to_owned(), text: text.to_owned() };
        Adapters::with_project(&[file], &schemas, &BTreeSet::new())
    };
    let text = GOOD.replacen("input_schema: any.json", "input_schema: letter.json", 1);
    let errors = load(&text).unwrap_err();
    let error = errors.iter().map(ToString::to_string).collect::<String>();
    assert!(error.contains("/mail/*/cc holds people whom this reaches"), "{error}");

    let named =
        text.replacen("text_limits: none", "recipients: [/mail/*/cc]\n    text_limits: none", 1);
    let adapters = load(&named).unwrap();
    let operation = adapters.operation("acme.notes.create").unwrap();
    let input = serde_json::json!({"text": "x@y", "mail": [{"cc": ["a@b", {"email": "c@d"}]}, {"cc": "e@f"}, {}]});
    assert_eq!(operation.reached_beside(&input), ["a@b", "c@d", "e@f"]);
}

#[test]
fn everything_but_a_read_ends_in_doubt() {
    refused(
        "      - {else: in_doubt}\n",
        "      - {else: refused_retry}\n",
        "17:9",
        "else: in_doubt",
    );
    refused("      - {else: in_doubt}\n", "", "16:9", "the last rule is `else`");
    refused(
        "      - {when: {status: 2xx}, outcome: sent}\n",
        "      - {when: {transport: after_send}, outcome: refused_retry}\n",
        "16:9",
        "transport after_send is in_doubt",
    );
    refused(
        "      - {when: {status: 2xx}",
        "      - {else: in_doubt}\n      - {when: {status: 2xx}",
        "16:9",
        "never reached",
    );
}

#[test]
fn an_operation_that_writes_says_everything_about_itself() {
    for field in [
        "target",
        "preview",
        "text_limits",
        "result",
        "store",
        "delivery",
        "mock",
        "vendor_dry_run",
    ] {
        let write = GOOD.split("  notes.get:").next().unwrap();
        let line = write.lines().find(|line| line.starts_with(&format!("    {field}:"))).unwrap();
        let error = load(&GOOD.replacen(&format!("{line}\n"), "", 1)).unwrap_err();
        assert!(error.contains(&format!("needs {field}")), "{field}: {error}");
    }
    refused("auth: {status: 401}, ", "", "22:11", "mock.errors needs auth");
}

#[test]
fn a_host_that_is_not_listed_is_refused() {
    refused(
        "https://api.acme.example/notes/{t",
        "https://evil.example/notes/{t",
        "12:14",
        "evil.example is not in hosts",
    );
    refused(
        "https://api.acme.example/notes/{t",
        "http://api.acme.example/notes/{t",
        "12:14",
        "https://",
    );
    refused(
        "https://api.acme.example/notes/{t",
        "{input./url}/{t",
        "12:14",
        "https:// or a setting",
    );
    refused(
        "hosts: [api.acme.example]",
        "hosts: [\"https://api.acme.example\"]",
        "4:9",
        "a host is a lower-case name",
    );
}

#[test]
fn a_secret_stands_in_a_header_or_as_a_text_of_a_json_body_and_nowhere_else() {
    let body = "{text: \"{input./text}\"}";
    for hidden in ["{text: {first_of: [\"{secret:token}\"]}}", "{merge: \"{secret:token}\", a: b}"]
    {
        refused(body, hidden, "12:14", "stands in a header, or as a text of a JSON body");
    }
    refused(
        "title: \"Note {target}\"",
        "title: \"Note {secret:token}\"",
        "14:14",
        "a preview names no secret",
    );
    refused("store: [/id]", "store: [/id, /access_token]", "19:18", "providers put secrets");
    refused("Bearer {secret:token}", "Bearer me", "5:33", "names no secret");
}

/// `GOOD` with a preview that asks the provider first.
fn asks_first(lookup: &str, fields: &str) -> String {
    let by = format!("preview: {{title: \"Note {{target}}\", lookup: {lookup}, fields: {fields}}}");
    GOOD.replacen("preview: {title: \"Note {target}\", fields: [/text]}", &by, 1)
}

#[test]
fn what_a_card_asks_a_provider_first_is_a_read_with_what_the_draft_is_made_of() {
    let fine = r#"{op: notes.get, with: {id: "{target.id}"}}"#;
    load(&asks_first(fine, "[/text, lookup./title]")).unwrap();
    for (lookup, fields, words) in [
        ("{op: notes.none, with: {}}", "[lookup./title]", "there is no operation acme.notes.none"),
        ("{op: notes.create, with: {}}", "[lookup./title]", "acme.notes.create is no read"),
        (r#"{op: notes.get, with: {id: "{secret:token}"}}"#, "[lookup./title]", "is made of"),
        (r#"{op: notes.get, with: {id: "{target.none}"}}"#, "[lookup./title]", "has no part none"),
        (fine, "[/text]", "nothing of its answer is shown"),
        (fine, "[lookup./access_token]", "providers put secrets"),
        (fine, "[lookup.title]", "title"),
        (
            r#"{op: notes.get, with: {id: "{target.id}"}, amounts: [/title]}"#,
            "[lookup./title]",
            "need the currency",
        ),
        (
            r#"{op: notes.get, with: {id: "{target.id}"}, currency: /title, amounts: [/title]}"#,
            "[lookup./title]",
            "the operation says no money",
        ),
    ] {
        let error = load(&asks_first(lookup, fields)).expect_err(words);
        assert!(error.contains(words), "{lookup} {fields}: {error}");
        assert!(error.contains(" 14:"), "with its place: {error}");
    }
    let title = GOOD.replacen("\"Note {target}\"", "\"Note {lookup./title}\"", 1);
    let error = load(&title).expect_err("a title of what was read");
    assert!(error.contains("a title is made from the bytes"), "{error}");
    let none = GOOD.replacen("fields: [/text]", "fields: [lookup./title]", 1);
    let error = load(&none).expect_err("fields without a lookup");
    assert!(error.contains("the preview has none"), "{error}");
}

#[test]
fn a_project_cannot_call_a_post_a_read() {
    refused(
        "request: {method: GET",
        "request: {method: POST",
        "24:13",
        "no read in a project's manifest",
    );
    let schemas = |path: &str| (path == "any.json").then(|| "{}".to_owned());
    let text = GOOD.replacen("request: {method: GET", "request: {method: POST", 1);
    let file = ManifestFile { path: "acme.yaml".to_owned(), text };
    let trusted = BTreeSet::from(["acme.notes.get".to_owned()]);
    assert!(Adapters::with_project(&[file], &schemas, &trusted).is_ok());
}

#[test]
fn a_target_whose_examples_do_not_come_back_is_refused() {
    refused("examples: [n1]", "examples: [N1]", "11:13", "no target");
    refused("format: \"{id}\"", "format: \"{name}\"", "11:13", "the grammar does not have");
    refused("examples: [n1]", "examples: []", "11:13", "needs examples");
}

#[test]
fn a_key_that_is_promised_must_be_sent() {
    refused(
        "delivery: {kind: none}",
        "delivery: {kind: key_header, header: Idempotency-Key, ttl_s: 86400}",
        "20:15",
        "does not send {send_id}",
    );
    refused("delivery: {kind: none}", "delivery: {kind: key_header}", "20:15", "needs ttl_s");
    refused(
        "delivery: {kind: none}",
        "delivery: {kind: marker_lookup}",
        "20:15",
        "needs reconcile",
    );
}

#[test]
fn a_taken_or_reserved_provider_is_refused() {
    for provider in ["slack", "agent", "context", "inbox"] {
        let error = load(&GOOD.replacen("provider: acme", &format!("provider: {provider}"), 1))
            .unwrap_err();
        assert!(error.contains(provider), "{error}");
    }
}

#[test]
fn a_schema_that_is_missing_is_refused() {
    refused(
        "input_schema: any.json",
        "input_schema: none.json",
        "9:19",
        "there is no schema none.json",
    );
}

#[test]
fn broken_yaml_is_refused_with_its_line_and_never_panics() {
    for (text, words) in
        [("", ""), ("manifest: [", ""), ("a: b: c", ""), ("- x", ""), ("manifest: 2\n", "")]
    {
        let error = load(text).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
    let (registry, none) = (Registry::new(), BTreeSet::new());
    let origin = Origin::Project { trusted_reads: &none };
    let context =
        LoadContext { registry: &registry, schema_files: &|_| Some("{}".to_owned()), origin };
    for cut in (0..GOOD.len()).step_by(3).filter(|cut| GOOD.is_char_boundary(*cut)) {
        drop(Manifest::load("cut.yaml", &GOOD[..cut], context));
    }
}

#[test]
fn a_title_does_not_change_the_semantic_digest_and_a_rule_does() {
    let digest = |text: &str| load(text).unwrap().operation("acme.notes.create").unwrap().digest();
    let base = digest(GOOD);
    for (piece, by) in [
        ("title: Acme", "title: ACME"),
        ("title: \"Note {target}\"", "title: \"Notice {target}\""),
        ("text_limits: none", "text_limits: [{path: /text, unit: chars, max: 10, over: refuse}]"),
        ("store: [/id]", "store: []"),
    ] {
        assert_eq!(digest(&GOOD.replacen(piece, by, 1)), base, "{by}");
    }
    for (piece, by) in [
        ("{status: 2xx}", "{status: 200}"),
        ("method: POST", "method: PUT"),
        ("/notes/{target.id}", "/notes/{target.id}/x"),
        ("hosts: [api.acme.example]", "hosts: [api.acme.example, b.example]"),
        ("[a-z0-9]+", "[a-z0-9]{1,9}"),
        ("Bearer {secret:token}", "Bearer {secret:other}"),
        ("effect: write", "effect: send"),
    ] {
        assert_ne!(digest(&GOOD.replacen(piece, by, 1)), base, "{by}");
    }
}

#[test]
fn shipped_and_good_manifests_match_the_published_schema_and_strangers_do_not() {
    let schema = Registry::new().shipped(placet_schemas::MANIFEST).unwrap();
    let read = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).unwrap();
    for manifest in crate::support::ADAPTERS.manifests().values() {
        schema
            .validate(&read(manifest.source()))
            .unwrap_or_else(|broken| panic!("{}: {broken}", manifest.provider()));
    }
    schema.validate(&read(GOOD)).unwrap();
    assert!(!schema.is_valid(&read(&GOOD.replacen("title: Acme", "titel: Acme", 1))));
    assert!(!schema.is_valid(&read(&GOOD.replacen("effect: write", "effect: wirte", 1))));
}

/// An `inbound` that loads.
const INBOUND: &str = r"inbound:
  verify: {alg: hmac-sha256, key: {secret: hook_secret}, header: X-Sig, signed: [raw_body], encoding: hex, integrity: body_signed}
  events:
    - {when: {body: {at: /type, is: note}}, key: acme.note, event_key: acme.note.made, dedupe: /id, correlate: {message_id: /re}, store: [/id], data: {id: /id, re: /re}}
  carries_content: true
  ack: {ok: 200, duplicate: 200, unknown_connection: 200, bad_signature: 401, retry_later: 503}
  never_return: [410]
  deadline_ms: 3000
operations:";

/// A manifest whose `inbound` has one piece replaced is refused with these words.
fn inbound_refused(piece: &str, by: &str, words: &str) {
    assert!(INBOUND.contains(piece), "{piece}");
    let text = GOOD.replacen("operations:", &INBOUND.replacen(piece, by, 1), 1);
    let error = load(&text).err().unwrap_or_else(|| panic!("{by} was taken"));
    assert!(error.contains(words), "{by}: {error}");
}

#[test]
fn what_comes_in_is_declared_whole_or_refused() {
    load(&GOOD.replacen("operations:", INBOUND, 1)).unwrap();
    inbound_refused("data: {id: /id, re: /re}", "data: {id: /id}", "data does not name /re");
    inbound_refused("re: /re}}", "re: /re, text: /text}}", "data names /text");
    inbound_refused("bad_signature: 401", "bad_signature: 410", "never_return forbids");
    inbound_refused("ok: 200, ", "", "ok");
    inbound_refused("store: [/id]", "store: [/id, /token]", "providers put secrets");
    inbound_refused("key: acme.note", "key: other.note", "a key starts with acme.");
    inbound_refused("dedupe: /id", "dedupe: []", "at least one place");
    inbound_refused("deadline_ms: 3000", "deadline_ms: 0", "a deadline");
    let own = r#"ignore_own: [{at: sender/id, is: "{connection.id}"}], dedupe: /id"#;
    inbound_refused("dedupe: /id", own, "ignore_own.at is a place");
    inbound_refused(
        "store: [/id]",
        "refetch: {op: notes.none, with: {}}, store: [/id]",
        "refetch names no operation",
    );
    for (refetch, words) in [
        ("{op: notes.create, with: {}}", "does not read"),
        ("{op: notes.get, with: {id: \"{input./none}\"}}", "asked with the event's data"),
        ("{op: notes.get, with: {id: \"{input./id}\"}}", "said in refetch.correlate"),
    ] {
        let by = format!("refetch: {refetch}, store: [/id]");
        inbound_refused("store: [/id]", &by, words);
    }
}

#[test]
fn what_starts_runs_by_default_is_an_event_that_there_is_and_news() {
    let stated = |list: &str| {
        let field = format!("  triggers: {list}\n  carries_content");
        GOOD.replacen("operations:", &INBOUND.replacen("  carries_content", &field, 1), 1)
    };
    let line = GOOD.lines().position(|line| line == "operations:").unwrap() + 5;
    for (list, column, words) in [
        ("[acme.nope]", 14, "there is no event acme.nope (its events are acme.note)"),
        ("[acme.note, acme.note]", 25, "acme.note stands there twice"),
    ] {
        let error = load(&stated(list)).unwrap_err();
        assert!(error.contains(&format!("{line}:{column}: inbound.triggers: {words}")), "{error}");
    }
    let of = |text: &str| -> Vec<(String, bool)> {
        let adapters = load(text).unwrap();
        let inbound = adapters.manifest("acme").unwrap().inbound().unwrap();
        inbound.triggers().map(|(key, starts)| (key.to_owned(), starts)).collect()
    };
    assert_eq!(of(&stated("[]")), [("acme.note".to_owned(), false)]);
    assert_eq!(of(&stated("[acme.note]")), [("acme.note".to_owned(), true)]);
    let silent = GOOD.replacen("operations:", INBOUND, 1);
    assert_eq!(of(&silent), [("acme.note".to_owned(), true)], "who says nothing means all");
    // a provider says it once, and what only tells of our own sends is nobody's news
    let slack = crate::support::ADAPTERS.manifest("slack").unwrap().inbound().unwrap();
    let slack: Vec<_> = slack.triggers().collect();
    assert_eq!(slack, [("slack.message", true), ("slack.revoked", false)]);
    for manifest in crate::support::ADAPTERS.manifests().values() {
        if manifest.inbound().is_some() {
            assert!(manifest.source().contains("\n  triggers: ["), "{}", manifest.provider());
        }
    }
}

#[test]
fn a_signature_that_could_be_read_in_two_ways_or_proves_nothing_is_refused() {
    inbound_refused("signed: [raw_body], ", "", "what is signed");
    inbound_refused("encoding: hex, ", "", "needs encoding");
    inbound_refused("header: X-Sig, ", "", "a signature stands in header");
    inbound_refused(
        "signed: [raw_body]",
        "signed: [\"v0:\", {header: X-T}]",
        "body_signed exactly",
    );
    inbound_refused("signed: [raw_body]", "signed: [url_and_form, raw_body]", "stands alone");
    inbound_refused(
        "signed: [raw_body]",
        "signed: [{part: timestamp}, raw_body]",
        "needs verify.parse",
    );
    inbound_refused("encoding: hex", "encoding: hex, skew_s: 300", "go together");
    inbound_refused("secret: hook_secret", "secret: \"\"", "names no field");
    inbound_refused("alg: hmac-sha256", "alg: shared_secret", "signs nothing");
    inbound_refused("alg: hmac-sha256", "alg: ecdsa-p256-sha256", "form spki");
}

#[test]
fn a_secret_in_a_url_stands_where_the_placement_says_so_and_once() {
    let placed = GOOD
        .replacen(
            "{header: Authorization, value: \"Bearer {secret:token}\"}",
            "{path: \"bot{secret:token}\"}",
            1,
        )
        .replace("acme.example/notes", "acme.example/bot{secret:token}/notes");
    load(&placed).unwrap();
    for (piece, by, words) in [
        ("/bot{secret:token}/notes/{t", "/notes/{t", "needs the segment bot{secret:token} once"),
        (
            "/bot{secret:token}/notes/{t",
            "/bot{secret:token}/{secret:token}/{t",
            "needs the segment",
        ),
        ("path: \"bot{secret:token}\"", "path: \"bot\"", "one segment that names a secret"),
    ] {
        let error = load(&placed.replacen(piece, by, 1)).unwrap_err();
        assert!(error.contains(words), "{by}: {error}");
    }
    refused(
        "/notes/{target.id}",
        "/{secret:token}/{target.id}",
        "12:14",
        "needs auth.placement.path",
    );
}

#[test]
fn limits_name_operations_and_let_something_through() {
    let limits = |entry: &str| format!("limits: [{entry}]\noperations:");
    let bad = |entry: &str, words: &str| {
        let column = 10 + entry.find("BAD").unwrap();
        let entry = entry.replacen("BAD", "", 1);
        refused("operations:", &limits(&entry), &format!("6:{column}"), words);
    };
    bad("{scope: account, rate: BAD0, window_s: 1}", "a rate of 0 lets nothing through");
    bad("{scope: account, rate: 1, window_s: BAD0}", "window_s is 1 to 86400");
    bad("{scope: account, rate: 1, window_s: BAD86401}", "window_s is 1 to 86400");
    bad("{scope: account, rate: 5, window_s: 1, ops: [BADnotes.put]}", "no operation notes.put");
    bad("{scope: account, rate: 5, window_s: 1, weight: BAD6}", "what weighs more could never go");
    bad(
        "{scope: account, rate: 5, window_s: 1, weight: BAD{notes.put: 2}}",
        "no operation notes.put",
    );
    bad("{scope: account, rate: 5, window_s: 1, mode: BADlive}", "a mode of auth.mode_from");
    bad("BAD{scope: channel, rate: 1, window_s: 1, ops: [notes.get]}", "no target to count by");
    bad("{scope: BADplanet, rate: 1, window_s: 1}", "planet");
}

#[test]
fn an_operation_knows_what_it_counts_in() {
    let limits = "limits:\n  - {scope: channel, rate: 1, window_s: 1}\n  - {scope: account, rate: 200, window_s: 60, weight: {notes.create: 2}}\n  - {scope: method, rate: 50, window_s: 60, ops: [notes.get]}\noperations:";
    let adapters = load(&GOOD.replacen("operations:", limits, 1)).unwrap();
    let said = |name: &str| {
        let operation = adapters.operation(name).unwrap();
        operation.limits().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(
        said("acme.notes.create"),
        "1 in 1 s per channel; 200 in 60 s per account, counts 2"
    );
    assert_eq!(said("acme.notes.get"), "200 in 60 s per account; 50 in 60 s per method");
}

#[test]
fn what_takes_an_operation_back_is_an_operation_that_changes_something() {
    let undo = |by: &str| format!("    effect: write\n    undo: {{is: reversible, by: {by}}}\n");
    refused("    effect: write\n", &undo("notes.put"), "9:32", "no operation notes.put");
    refused("    effect: write\n", &undo("notes.get"), "9:32", "notes.get reads");
    refused(
        "    effect: read\n",
        "    effect: read\n    undo: {is: compensable, by: notes.create}\n",
        "25:11",
        "a read has nothing to undo",
    );
    let adapters = load(&GOOD.replacen("    effect: write\n", &undo("notes.create"), 1)).unwrap();
    let said = |name: &str| adapters.operation(name).unwrap().reversibility().to_string();
    assert_eq!(said("acme.notes.create"), "can be taken back by acme.notes.create");
    assert_eq!(said("acme.notes.get"), "changes nothing");
    assert_eq!(
        said("stripe.payment_intents.capture"),
        "can be made up for by stripe.refunds.create"
    );
    assert_eq!(said("slack.chat.postMessage"), "cannot be undone", "what nobody says cannot be");
}

#[test]
fn the_badge_of_a_provider_is_what_its_operations_are_and_no_word_of_its_own() {
    let badge = |text: &str| load(text).unwrap().manifest("acme").unwrap().badge().word();
    assert_eq!(badge(GOOD), "active");
    let from = GOOD.find("  notes.create:").unwrap();
    let reads = GOOD.find("  notes.get:").unwrap();
    let read_only = format!("{}{}", &GOOD[..from], &GOOD[reads..]);
    assert_eq!(badge(&read_only), "read-only");
    let empty = GOOD[..from].replacen("operations:\n", "", 1);
    assert_eq!(badge(&empty), "planned", "it need not say so");
    assert_eq!(badge(&empty.replacen("title: Acme", "title: Acme\nplanned: true", 1)), "planned");
    refused("title: Acme", "title: Acme\nplanned: true", "9:5", "without operations");
    refused("title: Acme", "title: Acme\nstatus: active", "4:1", "status");
}
