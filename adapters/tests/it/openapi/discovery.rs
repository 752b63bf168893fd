//! `adapters import` of a small discovery document of Google's form: what is written, and what is assumed.

use placet_adapters::openapi::{Error, Imported, Wanted, import};
use placet_adapters::{Adapters, ManifestFile, RenderInput, render};
use placet_model::Timestamp;
use placet_model::manifest::Effect;
use placet_model::request::Body;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SEND_ID: &str = "abcdefghijklmnopqrstuvwxyzabcdefghijklmn";

fn notes() -> Value {
    let note = json!({"id": "Note", "type": "object", "properties": {
        "id": {"type": "string", "required": true},
        "size": {"type": "string", "format": "int64", "readOnly": true},
        "raw": {"type": "string", "format": "byte"},
        "made": {"type": "string", "format": "google-datetime", "readOnly": true},
        "parent": {"$ref": "Note"},
        "labels": {"type": "object", "additionalProperties": {"type": "any"}},
    }});
    let list = json!({"id": "Notes", "type": "object", "properties": {
        "notes": {"type": "array", "items": {"$ref": "Note"}}, "nextPageToken": {"type": "string"}}});
    let path = |name: &str| json!({name: {"type": "string", "location": "path", "required": true}});
    let scope = |name: &str| format!("https://auth.example/{name}");
    let whole_topic = json!({"topic": {"type": "string", "location": "path", "required": true, "pattern": "^a/[^/]+$"}});
    json!({
        "kind": "discovery#restDescription", "name": "notes", "title": "Notes API", "version": "v1", "revision": "20260101",
        "rootUrl": "https://notes.example/", "servicePath": "notes/v1/",
        "parameters": {"alt": {"type": "string", "location": "query"}},
        "auth": {"oauth2": {"scopes": {scope("all"): {"description": "All"}, scope("notes.readonly"): {"description": "Read"}}}},
        "schemas": {"Note": note, "Notes": list},
        "resources": {"users": {"resources": {"notes": {"methods": {
            "list": {"id": "notes.users.notes.list", "httpMethod": "GET", "path": "users/{userId}/notes",
                "parameters": {"userId": path("userId")["userId"], "max": {"type": "integer", "location": "query", "minimum": "1", "maximum": "50", "default": "10"},
                    "tag": {"type": "string", "location": "query", "repeated": true}},
                "response": {"$ref": "Notes"}, "scopes": [scope("all"), scope("meta"), scope("notes.readonly")]},
            "send": {"id": "notes.users.notes.send", "httpMethod": "POST", "path": "users/{userId}/notes/send", "parameters": path("userId"),
                "request": {"$ref": "Note"}, "response": {"$ref": "Note"}, "supportsMediaUpload": true,
                "scopes": [scope("all"), scope("notes.addons.current.send"), scope("notes.send")]},
            "drop": {"id": "notes.users.notes.drop", "httpMethod": "DELETE", "path": "users/{userId}/notes/{id}",
                "parameters": {"userId": path("userId")["userId"], "id": path("id")["id"]}, "scopes": [scope("all")]},
            "tell": {"id": "notes.users.notes.tell", "httpMethod": "POST", "path": "v1/{+topic}:tell", "flatPath": "v1/a/{aId}:tell",
                "parameters": whole_topic, "request": {"$ref": "Note"}, "scopes": [scope("all")]},
            "lost": {"id": "notes.users.notes.lost", "httpMethod": "POST", "path": "v1/{+topic}:lost", "parameters": whole_topic},
        }}}}},
    })
}

fn of(operations: &[&str]) -> Result<Imported, Error> {
    let operations: Vec<String> = operations.iter().map(|name| (*name).to_owned()).collect();
    let wanted =
        Wanted { url: "https://notes.example/rest", provider: None, operations: &operations };
    import(&notes().to_string(), wanted)
}

fn adapters(imported: &Imported) -> Adapters {
    let (path, text) = imported.manifest.clone();
    let files = |path: &str| imported.schemas.get(path).cloned();
    Adapters::with_project(&[ManifestFile { path, text }], &files, &BTreeSet::new()).unwrap()
}

fn rendered(adapters: &Adapters, operation: &str, input: &Value) -> (String, String, String) {
    let given = RenderInput {
        settings: &json!({}),
        input,
        send_id: SEND_ID,
        draft_time: Timestamp::EPOCH,
        authentication: None,
    };
    let request = render(adapters.operation(operation).unwrap(), given).unwrap().request;
    let body = match &request.body {
        Body::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        Body::Empty | Body::Text(_) => String::new(),
    };
    (request.method.clone(), request.url.to_string(), body)
}

#[test]
fn methods_are_operations_under_their_own_names_and_are_rendered_as_the_document_says() {
    let adapters = adapters(&of(&[]).unwrap());
    let operations = adapters.manifest("notes").unwrap().operations();
    let effects: Vec<(&str, Effect)> =
        operations.iter().map(|(name, one)| (&**name, one.effect())).collect();
    assert_eq!(
        effects,
        [
            ("notes.users.notes.drop", Effect::Destructive),
            ("notes.users.notes.list", Effect::Read),
            ("notes.users.notes.send", Effect::Send),
            ("notes.users.notes.tell", Effect::Write),
        ]
    );
    let list = json!({"userId": "me", "max": 5, "tag": ["a", "b"]});
    let (method, url, _) = rendered(&adapters, "notes.users.notes.list", &list);
    assert_eq!(
        (&*method, &*url),
        ("GET", "https://notes.example/notes/v1/users/me/notes?max=5&tag=a&tag=b")
    );
    let send = json!({"userId": "me", "body": {"id": "n", "raw": "aGk="}});
    let (_, url, body) = rendered(&adapters, "notes.users.notes.send", &send);
    assert_eq!(url, "https://notes.example/notes/v1/users/me/notes/send");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), send["body"]);
    // a name of several segments is given segment by segment
    let tell = json!({"aId": "7", "body": {"id": "n"}});
    let (_, url, _) = rendered(&adapters, "notes.users.notes.tell", &tell);
    assert_eq!(url, "https://notes.example/notes/v1/v1/a/7:tell");
}

#[test]
fn texts_of_numbers_and_formats_of_googles_own_become_json_schema() {
    let adapters = adapters(&of(&[]).unwrap());
    let list = adapters.operation("notes.users.notes.list").unwrap();
    let (input, output) = (list.input_schema().unwrap(), list.output_schema().unwrap());
    assert!(input.is_valid(&json!({"userId": "me", "max": 50})));
    for wrong in
        [json!({"userId": "me", "max": 51}), json!({"userId": "me", "max": "5"}), json!({})]
    {
        assert!(!input.is_valid(&wrong), "{wrong}");
    }
    let of_one = |note: Value| output.is_valid(&json!({ "notes": [note] }));
    assert!(of_one(
        json!({"id": "n", "size": "12", "made": "2026-01-01T00:00:00Z", "labels": {"a": 1}})
    ));
    for wrong in [json!({}), json!({"id": "n", "size": 12}), json!({"id": "n", "made": "today"})] {
        assert!(!of_one(wrong.clone()), "{wrong}");
    }
}

#[test]
fn the_report_says_what_was_assumed_and_what_was_left_out() {
    let imported = of(&[]).unwrap();
    let left: Vec<(&str, &str)> =
        imported.report.left_out.iter().map(|left| (&*left.name, &*left.reason)).collect();
    assert_eq!(
        left,
        [("users.notes.lost", "its path has a name of several segments, and no flatPath")]
    );
    let assumed = imported.report.assumptions.join("\n");
    for words in [
        "a discovery document",
        "every method takes (alt",
        "1 methods also take a file",
        "segment by segment",
        "of the scopes that open a method one",
    ] {
        assert!(assumed.contains(words), "{words}: {assumed}");
    }
    // one scope for each: that for reading, the narrowest that is no add-on's
    let manifest = &imported.manifest.1;
    for (scope, is_asked) in [
        ("notes.readonly", true),
        ("notes.send", true),
        ("/all", true),
        ("/meta", false),
        ("addons", false),
    ] {
        assert_eq!(manifest.contains(scope), is_asked, "{scope}: {manifest}");
    }
}

#[test]
fn a_method_is_asked_for_by_its_name_there_or_here() {
    for name in ["notes.users.notes.send", "users.notes.send"] {
        let imported = of(&[name]).unwrap();
        let names: Vec<&str> = imported.report.operations.iter().map(|done| &*done.name).collect();
        assert_eq!(names, ["users.notes.send"]);
        assert!(!imported.manifest.1.contains("/all"), "what it needs and no more");
    }
    let gone = of(&["notes.users.notes.lost"]).unwrap_err().to_string();
    assert!(gone.contains("no flatPath"), "{gone}");
    let unknown = of(&["users.notes.sned"]).unwrap_err().to_string();
    assert!(unknown.contains("users.notes.send"), "{unknown}");
}
