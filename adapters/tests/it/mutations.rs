//! Every shipped manifest, damaged in many seeded ways: each damage is refused with its place, by the
//! published schema or by the loader, or it is named here as one that does no harm.

use crate::support::ADAPTERS;
use placet_adapters::{LoadContext, Manifest, Origin, shipped_schema};
use placet_schemas::{Registry, Schema};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Damages of each manifest.
const EACH: usize = 48;
const SEED: u64 = 0x5eed_0006;

/// What is done to a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    DropKey,
    WrongType,
    UnknownKey,
    BadEnum,
    Dangling,
}

const KINDS: [Kind; 5] =
    [Kind::DropKey, Kind::WrongType, Kind::UnknownKey, Kind::BadEnum, Kind::Dangling];

/// Fields whose value is one of a few words.
const ENUMS: [&str; 14] = [
    "kind",
    "effect",
    "outcome",
    "else",
    "unit",
    "over",
    "alg",
    "encoding",
    "integrity",
    "absent",
    "direction",
    "scope",
    "rotates",
    "client_auth",
];
/// Fields that name something else of the manifest, or a schema.
const NAMES: [&str; 6] = ["op", "by", "refetch", "input_schema", "output_schema", "schema"];
/// Below these anything may stand: content of requests, answers of the mock, values to compare with.
const FREE: [&str; 9] =
    ["constants", "with", "is", "in", "body", "params", "vendor_dry_run", "reply", "one_of"];
/// Objects whose keys are names of somebody's own.
const MAPS: [&str; 22] = [
    "operations",
    "scopes",
    "headers",
    "query",
    "result",
    "data",
    "correlate",
    "ids",
    "echo",
    "constants",
    "time",
    "errors",
    "from",
    "prefix",
    "extra_headers",
    "decimals",
    "params",
    "parse",
    "with",
    "weight",
    "value",
    "body",
];
/// Keys without which a manifest says less, and is another one that is right.
const OPTIONAL: &str = "\
    title category planned credentials scopes test revoke limits inbound output_schema \
    any_of buys scopes_from store limited_when error_code detail message wait_from output \
    timeout_s undo pagination money currency decimals warn query headers body lists \
    reconcile since one_by read_lag_s needs_scopes result max_len scope ids echo constants \
    time status text max_s factor jitter weight ops mode page_size pages_max oauth from \
    api_version subscribe unsubscribe renew shared_with manual_url notify body_text evidence \
    correlate mock triggers steps assertion issued_before_s expires_unit remains auth";

struct Dice(u64);

impl Dice {
    /// `SplitMix64`: the same damages on every machine.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let at = usize::try_from(self.next() % u64::try_from(from.len().max(1)).unwrap()).unwrap();
        from.get(at)
    }
}

/// Every place of a document, as pointer, with the keys on the way.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
            fields.iter().map(|(key, field)| (format!("{at}/{}", escaped(key)), field)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, item)| (format!("{at}/{i}"), item)).collect()
        }
        _ => vec![],
    };
    for (place, field) in below {
        found.push(place.clone());
        places(field, &place, found);
    }
}

fn key(place: &str) -> &str {
    place.rsplit('/').next().unwrap()
}

fn parent(place: &str) -> &str {
    place.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn is_index(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_free(place: &str) -> bool {
    let below_body = place.contains("/request/body/value");
    below_body
        || place.split('/').any(|key| FREE.contains(&key) && key != "body")
        || place.contains("/errors/") && place.contains("/body")
}

/// One damage of this kind, and where; none where the dice have found no place for it.
fn damaged(manifest: &Value, kind: Kind, dice: &mut Dice) -> Option<(String, Value)> {
    let mut all = vec![];
    places(manifest, "", &mut all);
    let at = |place: &String| manifest.pointer(place).unwrap();
    let fits = |place: &&String| match kind {
        Kind::DropKey => !is_index(key(place)),
        Kind::WrongType => true,
        Kind::UnknownKey => at(place).is_object(),
        Kind::BadEnum => ENUMS.contains(&key(place)) && at(place).is_string(),
        Kind::Dangling => {
            let names = NAMES.contains(&key(place)) && at(place).is_string();
            names || at(place).as_str().is_some_and(|text| placeholder(text).is_some())
        }
    };
    let fitting: Vec<String> = all.iter().filter(fits).cloned().collect();
    let place = dice.pick(&fitting)?.clone();
    let mut damaged = manifest.clone();
    match kind {
        Kind::DropKey => {
            damaged
                .pointer_mut(parent(&place))?
                .as_object_mut()?
                .remove(&key(&place).replace("~1", "/").replace("~0", "~"));
        }
        Kind::WrongType => {
            let value = damaged.pointer_mut(&place)?;
            *value = match value {
                Value::Object(_) => json!(["zz"]),
                Value::Array(_) => json!({"zz": 1}),
                _ => json!([{"zz": 1}]),
            };
        }
        Kind::UnknownKey => {
            damaged.pointer_mut(&place)?.as_object_mut()?.insert("zz_unknown".to_owned(), json!(1));
        }
        Kind::BadEnum => *damaged.pointer_mut(&place)? = json!("zz_no_word"),
        Kind::Dangling => {
            let value = damaged.pointer_mut(&place)?;
            let text = value.as_str()?.to_owned();
            *value = json!(placeholder(&text).unwrap_or_else(|| "zz_gone".to_owned()));
        }
    }
    Some((place, damaged))
}

/// The text with one placeholder that leads nowhere any more.
fn placeholder(text: &str) -> Option<String> {
    ["{config.", "{secret:", "{target.", "{input./"].iter().find_map(|begins| {
        let (before, after) = text.split_once(begins)?;
        let (_, after) = after.split_once('}')?;
        Some(format!("{before}{begins}zz_gone}}{after}"))
    })
}

/// Why a damage that is taken does no harm.
fn harmless(kind: Kind, provider: &str, place: &str) -> Option<&'static str> {
    let (key, above) = (key(place), key(parent(place)));
    if is_free(place) {
        return Some("content: anything may stand there");
    }
    match kind {
        Kind::Dangling if provider == "http" => Some("its input is the caller's own words"),
        Kind::DropKey if MAPS.contains(&above) => Some("an entry of a map of one's own names"),
        Kind::DropKey if OPTIONAL.split_whitespace().any(|known| known == key) => {
            Some("a key that need not be there")
        }
        Kind::UnknownKey if MAPS.contains(&key) => Some("an entry of a map of one's own names"),
        Kind::BadEnum if place.ends_with("/delivery/scope") => Some("words for people"),
        _ => None,
    }
}

enum Judged {
    ByTheSchema,
    ByTheLoader,
    Taken,
}

fn judged(schema: &Schema, registry: &Registry, damaged: &Value) -> Judged {
    if let Err(broken) = schema.validate(damaged) {
        assert!(!broken.as_slice().is_empty(), "a refusal names its place");
        return Judged::ByTheSchema;
    }
    let origin = Origin::Shipped;
    let context = LoadContext { registry, schema_files: &shipped_schema, origin };
    // JSON is YAML: the loader reads it, and names line and column
    let text = serde_json::to_string_pretty(damaged).unwrap();
    match Manifest::load("damaged.yaml", &text, context) {
        Ok(_) => Judged::Taken,
        Err(error) => {
            for problem in &error.problems {
                assert!(problem.line > 0 && problem.column > 0, "without a place: {problem}");
            }
            Judged::ByTheLoader
        }
    }
}

#[test]
fn every_damage_of_a_shipped_manifest_is_refused_with_its_place_or_is_known_to_do_no_harm() {
    let registry = Registry::new();
    let schema: Arc<Schema> = registry.shipped(placet_schemas::MANIFEST).unwrap();
    let (mut counts, mut reasons, mut taken) = (BTreeMap::new(), BTreeMap::new(), vec![]);
    for manifest in ADAPTERS.manifests().values() {
        let whole: Value = serde_saphyr::from_str(manifest.source()).unwrap();
        assert!(matches!(judged(&schema, &registry, &whole), Judged::Taken), "undamaged");
        let mut dice = Dice(SEED ^ manifest.provider().len() as u64);
        for number in 0..EACH {
            let kind = KINDS[number % KINDS.len()];
            let Some((place, damaged)) = damaged(&whole, kind, &mut dice) else { continue };
            let tally: &mut [usize; 3] = counts.entry(kind).or_default();
            match judged(&schema, &registry, &damaged) {
                Judged::ByTheSchema => tally[0] += 1,
                Judged::ByTheLoader => tally[1] += 1,
                Judged::Taken => match harmless(kind, manifest.provider(), &place) {
                    Some(why) => {
                        tally[2] += 1;
                        *reasons.entry(why).or_insert(0_usize) += 1;
                    }
                    None => taken.push(format!("{} {kind:?} {place}", manifest.provider())),
                },
            }
        }
    }
    for (kind, [by_schema, by_loader, harmless]) in &counts {
        println!(
            "{kind:?}: {by_schema} by the schema, {by_loader} by the loader, {harmless} harmless"
        );
    }
    for (why, count) in &reasons {
        println!("harmless: {count} {why}");
    }
    assert!(taken.is_empty(), "{} were taken:\n{}", taken.len(), taken.join("\n"));
    let refused: usize = counts.values().map(|[schema, loader, _]| schema + loader).sum();
    assert!(refused > ADAPTERS.manifests().len() * EACH / 2, "{refused} were refused");
}
