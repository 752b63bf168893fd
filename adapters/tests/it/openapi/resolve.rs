//! From a document to the one operation that a plan pins.

use super::{URL, call_of, resolved, three, two, with};
use placet_adapters::openapi::{self, DOCUMENT_BYTES_MAX, Error};
use placet_model::fault::FaultKind;
use placet_model::manifest::Document;
use placet_model::plan::{ApiForm, ApiOperation, ApiPlace, ApiStyle};
use serde_json::{Value, json};

fn url_of(document: &Value, at: &str) -> Result<String, String> {
    openapi::resolve(document, at, "op").map(|op| op.url).map_err(|error| error.to_string())
}

#[test]
fn host_base_path_and_scheme_of_2_0_come_from_the_documents_url_when_missing() {
    let check = |change: Value, at: &str, expect: &str| {
        let mut document =
            json!({"swagger": "2.0", "paths": {"/pets": {"get": {"operationId": "op"}}}});
        for (key, value) in change.as_object().unwrap() {
            document[key] = value.clone();
        }
        assert_eq!(url_of(&document, at).as_deref(), Ok(expect), "{change}");
    };
    check(
        json!({"host": "a.example", "basePath": "/v2", "schemes": ["https"]}),
        URL,
        "https://a.example/v2/pets",
    );
    check(json!({"host": "a.example", "basePath": "/v2/"}), URL, "https://a.example/v2/pets");
    check(json!({"host": "a.example", "basePath": "v2"}), URL, "https://a.example/v2/pets");
    check(
        json!({"basePath": "/v2"}),
        "https://d.example:8443/x.json",
        "https://d.example:8443/v2/pets",
    );
    check(json!({}), "http://127.0.0.1:9000/x/swagger.json", "http://127.0.0.1:9000/pets");
    check(json!({"host": "a.example"}), "http://d.example/x.json", "http://a.example/pets");
    check(
        json!({"host": "a.example", "schemes": ["http", "wss", "https"]}),
        URL,
        "https://a.example/pets",
    );
    check(json!({"host": "a.example", "schemes": ["ws", "http"]}), URL, "http://a.example/pets");
    check(json!({"host": "a.example"}), "file:api/swagger.json", "https://a.example/pets");
}

#[test]
fn an_operations_own_schemes_win() {
    let mut document = two("get", "/pets", &json!({"schemes": ["http"]}));
    assert_eq!(url_of(&document, URL).as_deref(), Ok("http://api.example/v1/pets"));
    document["schemes"] = json!(["ws"]);
    document["paths"]["/pets"]["get"]["schemes"] = Value::Null;
    assert!(
        url_of(&two("get", "/pets", &json!({"schemes": ["ws"]})), URL).unwrap_err().contains("ws")
    );
}

#[test]
fn the_first_server_of_3_x_is_taken_nearest_first_with_its_defaults() {
    let check = |document: &Value, at: &str, expect: &str| {
        assert_eq!(url_of(document, at).as_deref(), Ok(expect), "{document}");
    };
    let mut document = three("get", "/pets", &json!({}));
    check(&document, URL, "https://api.example/v1/pets");
    document["servers"] = json!([
        {"url": "https://{region}.api.example:{port}/{v}/", "variables": {
            "region": {"default": "eu"}, "port": {"default": 8443}, "v": {"default": "v3"}}},
        {"url": "http://other.example"},
    ]);
    check(&document, URL, "https://eu.api.example:8443/v3/pets");
    document["paths"]["/pets"]["servers"] = json!([{"url": "https://path.example"}]);
    check(&document, URL, "https://path.example/pets");
    document["paths"]["/pets"]["get"]["servers"] = json!([{"url": "https://own.example/x"}]);
    check(&document, URL, "https://own.example/x/pets");
}

#[test]
fn a_relative_server_of_3_x_is_relative_to_the_document() {
    let at = |server: Value| {
        let mut document = three("get", "/pets", &json!({}));
        document["servers"] = server;
        url_of(&document, URL)
    };
    assert_eq!(at(json!([{"url": "/v2"}])).as_deref(), Ok("https://docs.example/v2/pets"));
    assert_eq!(at(json!([{"url": "v2"}])).as_deref(), Ok("https://docs.example/api/v1/v2/pets"));
    assert_eq!(at(json!([{"url": "../v2/"}])).as_deref(), Ok("https://docs.example/api/v2/pets"));
    assert_eq!(at(json!([])).as_deref(), Ok("https://docs.example/pets"));
    assert_eq!(at(Value::Null).as_deref(), Ok("https://docs.example/pets"));
}

#[test]
fn a_document_that_does_not_say_where_the_api_is_is_an_error_that_says_so() {
    let refused = |server: &str, at: &str| {
        let mut document = three("get", "/pets", &json!({}));
        document["servers"] = json!([{"url": server}]);
        url_of(&document, at).unwrap_err()
    };
    for (server, at) in [
        ("/v1", "api/openapi.yaml"),
        ("https://{region}.example", URL),
        ("https://{open.example", URL),
        ("ftp://api.example", URL),
        ("https://user:pass@api.example", URL),
        ("https://api.example?key=1", URL),
    ] {
        let words = refused(server, at);
        assert!(words.contains("does not say where the API is"), "{server}: {words}");
    }
    let swagger = json!({"swagger": "2.0", "paths": {"/pets": {"get": {"operationId": "op"}}}});
    assert!(url_of(&swagger, "api/swagger.json").unwrap_err().contains("names no host"));
}

#[test]
fn an_unknown_operation_is_a_configuration_error_with_a_guess() {
    let document = json!({"openapi": "3.1.0", "paths": {
        "/pets": {"get": {"operationId": "findPets"}, "post": {"operationId": "addPet"}},
        "/twice": {"get": {"operationId": "twice"}, "put": {"operationId": "twice"}},
        "/trace": {"trace": {"operationId": "traced"}},
    }});
    let error = |id: &str| openapi::resolve(&document, URL, id).unwrap_err();
    assert_eq!(
        error("findPet").to_string(),
        "the document has no operation findPet; did you mean findPets?"
    );
    assert_eq!(error("nonsense").to_string(), "the document has no operation nonsense");
    assert_eq!(error("twice"), Error::Ambiguous { id: "twice".into() });
    assert_eq!(error("traced"), Error::Method { method: "TRACE".into() });
    for id in ["findPet", "twice", "traced"] {
        assert_eq!(error(id).fault_kind(), FaultKind::Configuration);
    }
}

#[test]
fn references_are_followed_within_the_document_and_circles_end() {
    let mut document = three(
        "get",
        "/pets/{id}",
        &json!({
            "parameters": [{"$ref": "#/components/parameters/Limit"}],
            "requestBody": {"$ref": "#/components/requestBodies/Pet"},
            "responses": {"200": {"$ref": "#/components/responses/Ok"}},
        }),
    );
    document["components"] = json!({
        "parameters": {"Limit": {"$ref": "#/components/parameters/Real"}, "Real": {"name": "limit", "in": "query"}},
        "requestBodies": {"Pet": {"required": true, "content": {"application/json": {}}}},
        "responses": {"Ok": {"content": {"text/csv": {}, "application/problem+json": {}}}},
    });
    let operation = resolved(&document).unwrap();
    let names: Vec<&str> = operation.parameters.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["limit", "id"]);
    assert!(operation.body.unwrap().required);
    assert_eq!(operation.accept.as_deref(), Some("application/problem+json"));
    for (reference, reason) in [
        ("#/components/parameters/Round", "circle"),
        ("#/nowhere", "nothing"),
        ("https://evil.example/p.json", "out of the document"),
        ("other.yaml#/p", "out of the document"),
    ] {
        document["components"]["parameters"]["Round"] =
            json!({"$ref": "#/components/parameters/Round"});
        document["components"]["parameters"]["Limit"] = json!({ "$ref": reference });
        let words = resolved(&document).unwrap_err().to_string();
        assert!(words.contains(reason) && words.contains(reference), "{words}");
    }
}

#[test]
fn a_path_item_may_be_a_reference_and_share_parameters_which_an_operation_overrides() {
    let document = json!({"openapi": "3.1.0", "servers": [{"url": "https://api.example"}],
        "paths": {"/a/{id}": {"$ref": "#/components/pathItems/A"}},
        "components": {"pathItems": {"A": {
            "parameters": [{"name": "id", "in": "path", "required": true}, {"name": "n", "in": "query", "required": true}],
            "get": {"operationId": "op", "parameters": [{"name": "n", "in": "query"}, {"name": "n", "in": "header"}]},
        }}},
    });
    let operation = resolved(&document).unwrap();
    let found: Vec<(&str, ApiPlace, bool)> =
        operation.parameters.iter().map(|p| (p.name.as_str(), p.place, p.required)).collect();
    assert_eq!(
        found,
        [
            ("id", ApiPlace::Path, true),
            ("n", ApiPlace::Query, false),
            ("n", ApiPlace::Header, false),
        ]
    );
}

#[test]
fn styles_have_the_defaults_of_their_places_and_collection_formats_are_styles() {
    let form = |document: &Value| resolved(document).unwrap().parameters[0].form;
    let style = |style, explode| ApiForm::Style { style, explode };
    let three = |parameter: Value| form(&three("get", "/{p}", &json!({"parameters": [parameter]})));
    assert_eq!(three(json!({"name": "p", "in": "query"})), style(ApiStyle::Form, true));
    assert_eq!(
        three(json!({"name": "p", "in": "query", "explode": false})),
        style(ApiStyle::Form, false)
    );
    assert_eq!(
        three(json!({"name": "p", "in": "query", "style": "pipeDelimited"})),
        style(ApiStyle::PipeDelimited, false)
    );
    assert_eq!(
        three(json!({"name": "p", "in": "path", "required": true})),
        style(ApiStyle::Simple, false)
    );
    assert_eq!(three(json!({"name": "p", "in": "header"})), style(ApiStyle::Simple, false));
    assert_eq!(three(json!({"name": "p", "in": "cookie"})), style(ApiStyle::Form, true));
    assert_eq!(
        three(json!({"name": "p", "in": "query", "content": {"application/json": {}}})),
        ApiForm::Json
    );
    let two = |parameter: Value| form(&two("get", "/{p}", &json!({"parameters": [parameter]})));
    for (format, expect) in [
        ("csv", style(ApiStyle::Form, false)),
        ("ssv", style(ApiStyle::SpaceDelimited, false)),
        ("tsv", style(ApiStyle::TabDelimited, false)),
        ("pipes", style(ApiStyle::PipeDelimited, false)),
        ("multi", style(ApiStyle::Form, true)),
    ] {
        assert_eq!(two(json!({"name": "p", "in": "query", "collectionFormat": format})), expect);
    }
    assert_eq!(two(json!({"name": "p", "in": "path"})), style(ApiStyle::Simple, false));
}

#[test]
fn a_parameter_that_cannot_be_sent_stops_its_operation_and_names_it() {
    for parameter in [
        json!({"name": "p", "in": "matrix"}),
        json!({"name": "p", "in": "query", "style": "curly"}),
        json!({"name": "p\r\nX: 1", "in": "header"}),
        json!({"name": "a b", "in": "cookie"}),
    ] {
        let error =
            resolved(&three("get", "/x", &json!({ "parameters": [parameter] }))).unwrap_err();
        assert!(matches!(error, Error::Parameter { .. }), "{error}");
        assert!(!error.to_string().contains('\n'));
    }
    let clash =
        json!({"parameters": [{"name": "body", "in": "query"}], "requestBody": {"content": {}}});
    assert!(resolved(&three("post", "/x", &clash)).is_err());
}

#[test]
fn headers_that_3_x_describes_elsewhere_are_no_parameters_and_those_of_2_0_are() {
    let parameters = json!({"parameters": [
        {"name": "Accept", "in": "header"}, {"name": "authorization", "in": "header"},
        {"name": "Content-Type", "in": "header"}, {"name": "X-Own", "in": "header"},
    ]});
    let count = |document: &Value| resolved(document).unwrap().parameters.len();
    assert_eq!(count(&three("get", "/x", &parameters)), 1);
    assert_eq!(count(&two("get", "/x", &parameters)), 4);
}

#[test]
fn a_document_is_json_or_yaml_and_what_is_pinned_does_not_depend_on_which() {
    let document = three(
        "get",
        "/pets",
        &json!({"responses": {"200": {"content": {"application/json": {
        "schema": {"type": "integer", "maximum": 9_223_372_036_854_775_807_i64}}}}}}),
    );
    let yaml = "openapi: 3.0.3\nservers: [ { url: 'https://api.example/v1' } ]\npaths:\n  /pets:\n    get:\n      \
                responses:\n        200:\n          content:\n            application/json:\n              schema: \
                { type: integer, maximum: 9223372036854775807 }\n      operationId: op\n";
    let read = |text: &str| match openapi::document(URL, text).unwrap() {
        Document::Api(api) => api,
        Document::Json(other) => panic!("{other}"),
    };
    let (json, yaml) = (read(&document.to_string()), read(yaml));
    assert_eq!(json, yaml);
    assert_eq!(json.operations["op"].as_ref().unwrap().url, "https://api.example/v1/pets");
    assert_eq!(json.operations["op"], resolved(&document).map_err(|error| error.to_string()));
    let mut other = document;
    other["info"] = json!({"title": "x"});
    assert_ne!(read(&other.to_string()).digest, json.digest);
}

#[test]
fn what_is_wrong_with_one_operation_is_kept_beside_it() {
    let document = json!({"openapi": "3.0.0", "servers": [{"url": "https://api.example"}], "paths": {
        "/a": {"get": {"operationId": "good"}},
        "/b": {"get": {"operationId": "bad", "parameters": [{"$ref": "x.json"}]}},
    }});
    let Document::Api(api) = openapi::document(URL, &document.to_string()).unwrap() else {
        panic!()
    };
    assert!(api.operations["good"].is_ok());
    assert!(api.operations["bad"].as_ref().unwrap_err().contains("out of the document"));
}

#[test]
fn a_document_of_another_kind_is_json_and_one_that_cannot_be_read_is_refused() {
    let schema = json!({"type": "object"});
    assert_eq!(openapi::document(URL, &schema.to_string()), Ok(Document::Json(schema)));
    let refused = |text: &str| openapi::document(URL, text).unwrap_err().to_string();
    assert!(refused("{\"swagger\": ").contains("neither JSON nor YAML"));
    assert!(refused("a: [1\nb: }").contains("neither JSON nor YAML"));
    assert!(refused("swagger: '1.2'").contains("version 1.2"));
    assert!(refused("openapi: 4.0.0").contains("version 4.0.0"));
    assert!(refused(&" ".repeat(DOCUMENT_BYTES_MAX + 1)).contains("the most is 4194304"));
    assert!(openapi::document(URL, "swagger: 2.0\npaths: {}").is_ok());
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
                g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n";
    assert!(refused(bomb).contains("neither JSON nor YAML"));
    assert!(refused(&"[".repeat(100_000)).contains("neither JSON nor YAML"));
}

#[test]
fn what_is_pinned_reads_back_and_is_small() {
    let document = three(
        "get",
        "/pets/{id}",
        &json!({"parameters": [
        {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}, "description": "x".repeat(10_000)}]}),
    );
    let operation = resolved(&document).unwrap();
    let text = serde_json::to_string(&operation).unwrap();
    assert_eq!(serde_json::from_str::<ApiOperation>(&text).unwrap(), operation);
    assert!(text.len() < 300, "{text}");
}

#[test]
fn without_the_document_nothing_can_be_called() {
    let mut call = call_of(resolved(&three("get", "/x", &json!({}))).unwrap());
    call.resolved = None;
    let error = openapi::with(&call, &json!({})).unwrap_err();
    assert_eq!(error.fault_kind(), FaultKind::Configuration);
    assert!(error.to_string().contains(URL));
    assert!(with(&three("get", "/x", &json!({})), &Value::Null).is_ok());
}
