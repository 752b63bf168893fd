//! Documents that a workflow names: a check says which, and asks nobody for them.

use crate::world::World;
use placet_language::{Diagnostic, DocumentAt};

fn line(d: &Diagnostic) -> String {
    format!("{} {} {}:{} {}", d.severity.as_str(), d.code.id, d.line, d.column, d.message)
}

#[test]
fn documents_are_named_with_their_places_and_a_missing_one_stops_nothing_else() {
    let text = "document: { dsl: '1.0.3', namespace: test, name: a, version: '1.0.0' }\n\
                input: { schema: { resource: { endpoint: './schemas/in.yaml' } } }\n\
                do:\n  - a: { call: openapi, with: { document: { endpoint: 'https://other.example/a.json' }, \
                operationId: x, parameters: { whatever: 1 } } }\n  - b: { call: openapi, with: { document: \
                { endpoint: 'https://pets.example/openapi.json' }, operationId: dropPets } }\n";
    let checked = World::new().check("a.yaml", text);
    let named: Vec<_> =
        checked.documents.iter().map(|d| (&*d.name, &d.at, d.is_known, d.line, d.column)).collect();
    let url = |text: &str| DocumentAt::Url(text.to_owned());
    assert_eq!(
        named,
        [
            ("./schemas/in.yaml", &DocumentAt::File("schemas/in.yaml".to_owned()), false, 2, 42),
            ("https://other.example/a.json", &url("https://other.example/a.json"), false, 4, 55),
            (
                "https://pets.example/openapi.json",
                &url("https://pets.example/openapi.json"),
                true,
                5,
                55
            ),
        ]
    );
    assert_eq!(checked.missing_documents().count(), 2);
    assert_eq!(
        checked.diagnostics.iter().map(line).collect::<Vec<_>>(),
        [
            "warning PL2102 2:30 ./schemas/in.yaml has not been fetched, so what depends on it is not checked",
            "warning PL2102 4:43 https://other.example/a.json has not been fetched, so what depends on it is not checked",
        ]
    );
    let plan = checked.plan.expect("warnings stop nothing").to_json().unwrap();
    // what is not known yet lets nothing through
    assert_eq!(plan["input"]["schema"], false);
    assert_eq!(plan["tasks"][0]["kind"]["openapi"].get("resolved"), None);
    assert_eq!(plan["tasks"][1]["kind"]["openapi"]["resolved"]["method"], "DELETE");
}

#[test]
fn functions_of_catalogs_are_named_with_their_files_known_or_not() {
    let text = "document: { dsl: '1.0.3', namespace: test, name: a, version: '1.0.0' }\n\
                use: { catalogs: { shared: { endpoint: 'file:catalog' } } }\n\
                do:\n  - a: { call: 'stamp:1.0.0@shared' }\n  - b: { call: 'gone:1.0.0@shared' }\n  \
                - c: { set: { x: '${ $steps.b.x }' } }\n";
    let checked = World::new().check("a.yaml", text);
    let named: Vec<_> =
        checked.documents.iter().map(|d| (&*d.name, d.is_known, d.line, d.column)).collect();
    assert_eq!(
        named,
        [
            ("catalog/functions/stamp/1.0.0/function.yaml", true, 4, 16),
            ("functions/log/2.1.0/function.yaml", true, 4, 16),
            ("catalog/functions/gone/1.0.0/function.yaml", false, 5, 16),
        ]
    );
    let missing: Vec<&str> = checked.missing_functions().map(|(_, path)| path).collect();
    assert_eq!(missing, ["catalog/functions/gone/1.0.0/function.yaml"]);
    assert_eq!(checked.missing_documents().count(), 0, "they are no documents");
    let found: Vec<String> = checked.diagnostics.iter().map(line).collect();
    assert_eq!(found.len(), 1, "what reads its output is not told as well: {found:#?}");
    assert!(found[0].starts_with("error PL2102 5:16"), "{found:?}");
}
