//! `adapters import` on small documents: what is written, and what is refused.

use placet_adapters::openapi::{Error, Imported, Wanted, import};
use placet_adapters::{Adapters, ManifestFile, RenderInput, Rendered, render};
use placet_model::Timestamp;
use placet_model::manifest::Effect;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SEND_ID: &str = "abcdefghijklmnopqrstuvwxyzabcdefghijklmn";

fn shop() -> Value {
    let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}});
    let order = json!({"type": "object", "required": ["id"], "properties": {
        "id": {"type": "string", "readOnly": true},
        "note": {"type": "string", "maxLength": 40, "nullable": true},
        "cc": {"type": "array", "items": {"type": "string"}},
        "pin": {"type": "string", "writeOnly": true},
        "parent": {"$ref": "#/components/schemas/Order"},
    }});
    let answer = |schema: Value| json!({"description": "", "content": {"application/json": {"schema": schema}}});
    let one = json!({"$ref": "#/components/schemas/Order"});
    let error = answer(
        json!({"type": "object", "properties": {"code": {"type": "string"}, "message": {"type": "string"}}}),
    );
    json!({
        "openapi": "3.0.3",
        "info": {"title": "Shop API", "version": "1"},
        "servers": [{"url": "https://{region}.shop.example/v1", "variables": {"region": {"default": "eu", "enum": ["eu", "us"]}}}],
        "security": [{"key": []}],
        "components": {"schemas": {"Order": order}, "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
        "paths": {
            "/orders": {
                "get": {"operationId": "orders/list", "parameters": [
                    {"name": "created", "in": "query", "style": "deepObject", "explode": true, "schema": {"type": "object", "properties": {"gte": {"type": "integer"}}}},
                    {"name": "cursor", "in": "query", "schema": {"type": "string"}},
                    {"name": "ids", "in": "query", "explode": false, "schema": {"type": "array", "items": {"type": "string"}}},
                ], "responses": {"200": answer(json!({"type": "object", "properties": {"data": {"type": "array", "items": one}}}))}},
                "post": {"operationId": "orders/create", "requestBody": {"required": true, "content": {"application/json": {"schema": one}}},
                    "responses": {"201": answer(one), "422": error}},
            },
            "/orders/{id}": {
                "parameters": [id],
                "delete": {"operationId": "orders/delete", "responses": {"204": {"description": ""}}},
                "put": {"operationId": "orders/put", "requestBody": {"content": {"text/csv": {"schema": {"type": "string"}}}}, "responses": {"200": {"description": ""}}},
            },
        },
    })
}

fn wanted(operations: &[String]) -> Wanted<'_> {
    Wanted { url: "https://shop.example/openapi.json", provider: None, operations }
}

fn imported(document: &Value) -> Imported {
    import(&document.to_string(), wanted(&[])).unwrap()
}

fn adapters(imported: &Imported) -> Adapters {
    let (path, text) = imported.manifest.clone();
    let schema = |path: &str| imported.schemas.get(path).cloned();
    Adapters::with_project(&[ManifestFile { path, text }], &schema, &BTreeSet::new()).unwrap()
}

fn rendered(adapters: &Adapters, operation: &str, input: &Value) -> Rendered {
    let given = RenderInput {
        settings: &json!({"api_base": "https://us.shop.example/v1"}),
        input,
        send_id: SEND_ID,
        draft_time: Timestamp::EPOCH,
        authentication: None,
    };
    render(adapters.operation(operation).unwrap(), given).unwrap()
}

#[test]
fn effects_follow_the_method_and_requests_are_what_the_document_says() {
    let adapters = adapters(&imported(&shop()));
    let effect = |name: &str| adapters.operation(name).unwrap().effect();
    assert_eq!(effect("shop.orders.list"), Effect::Read);
    assert_eq!(effect("shop.orders.create"), Effect::Write);
    assert_eq!(effect("shop.orders.delete"), Effect::Destructive);

    let list = rendered(&adapters, "shop.orders.list", &json!({"created": {"gte": 7}}));
    assert_eq!(
        list.request.url.to_string(),
        "https://us.shop.example/v1/orders?created%5Bgte%5D=7"
    );
    let delete = rendered(&adapters, "shop.orders.delete", &json!({"id": "o 1"}));
    assert_eq!(delete.request.url.to_string(), "https://us.shop.example/v1/orders/o%201");
    assert_eq!(delete.target.unwrap().text(), "o 1");
    assert!(delete.request.headers.iter().any(|(name, _)| name == "X-Key"));
}

#[test]
fn what_goes_one_way_only_stands_in_one_schema_only() {
    let imported = imported(&shop());
    let schema = |which: &str| -> Value {
        let path = format!("schemas/shop/orders.create.{which}.json");
        serde_json::from_str(&imported.schemas[&path]).unwrap()
    };
    let (input, output) = (schema("input"), schema("output"));
    let body = &input["properties"]["body"]["properties"];
    assert!(body.get("id").is_none() && body.get("pin").is_some(), "{body}");
    assert!(output["properties"].get("pin").is_none() && output["properties"].get("id").is_some());
    assert_eq!(body["note"]["type"], json!(["string", "null"]));
    assert_eq!(
        output["properties"]["parent"],
        json!({"$ref": "#/$defs/Order"}),
        "a cycle stays one"
    );
}

#[test]
fn what_cannot_be_derived_is_written_as_none_and_the_report_says_what_was_left_out() {
    let imported = imported(&shop());
    let text = &imported.manifest.1;
    for said in [
        "delivery: {kind: none}",
        "# delivery.reconcile: none",
        "# inbound: none",
        "# pagination: ",
        "recipients: [/body/cc]",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    assert!(text.contains("{path: /body/note, unit: chars, max: 40, over: refuse}"), "{text}");
    assert!(text.contains("validation: {status: 422"), "{text}");
    assert!(text.contains("else: in_doubt"), "{text}");
    let left = &imported.report.left_out;
    assert_eq!((left.len(), left[0].at.as_str()), (1, "/paths/~1orders~1{id}/put"));
    assert!(left[0].reason.contains("text/csv"), "{}", left[0].reason);
    let list = imported.report.operations.iter().find(|done| done.name == "orders.list").unwrap();
    assert!(list.notes.iter().any(|note| note.contains("ids is left out")), "{:?}", list.notes);
}

#[test]
fn a_server_is_one_of_the_documents_and_no_other() {
    let adapters = adapters(&imported(&shop()));
    let manifest = adapters.manifest("shop").unwrap();
    assert_eq!(manifest.settings(&json!({})).unwrap()["api_base"], "https://eu.shop.example/v1");
    for bad in [
        "https://evil.example/v1",
        "https://eu.shop.example.evil.example/v1",
        "http://eu.shop.example/v1",
    ] {
        assert!(manifest.settings(&json!({"api_base": bad})).is_err(), "{bad}");
    }
}

#[test]
fn only_the_operations_that_were_asked_for_are_imported() {
    let one = ["orders/delete".to_owned()];
    let imported = import(&shop().to_string(), wanted(&one)).unwrap();
    assert_eq!(imported.report.operations.len(), 1);
    let unknown = ["orders/destroy".to_owned()];
    let error = import(&shop().to_string(), wanted(&unknown)).unwrap_err();
    assert!(matches!(error, Error::UnknownOperation { .. }), "{error}");
}

#[test]
fn references_out_of_the_document_and_in_circles_stop_their_operation_alone() {
    for bad in
        ["https://else.example/x.json", "other.yaml#/a", "#/components/schemas/Loop", "#/none"]
    {
        let mut document = shop();
        document["components"]["schemas"]["Loop"] = json!({"$ref": "#/components/schemas/Loop"});
        document["paths"]["/orders"]["post"]["requestBody"]["content"]["application/json"]["schema"] =
            json!({"type": "object", "properties": {"x": {"$ref": bad}}});
        let imported = imported(&document);
        let left = imported.report.left_out.iter().find(|left| left.name == "orders.create");
        assert!(left.is_some_and(|left| left.reason.contains(bad)), "{bad}");
        assert_eq!(imported.report.operations.len(), 2, "{bad}");
    }
}

#[test]
fn a_document_that_is_no_description_or_too_large_is_refused() {
    for bad in ["{}", "[", r#"{"openapi": "4.0.0"}"#, r#"{"openapi": "3.0.0", "paths": {}}"#] {
        assert!(import(bad, wanted(&[])).is_err(), "{bad}");
    }
    let large = " ".repeat(placet_adapters::openapi::IMPORT_BYTES_MAX + 1);
    assert!(matches!(import(&large, wanted(&[])), Err(Error::TooLarge { .. })));
}
