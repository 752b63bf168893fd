//! The JSON Schema of `policy.yaml`, for editors. What only a check can know it leaves out: whether a
//! name is known, whether enough people are left.

use placet_model::actor::{PrincipalKind, Role};
use placet_model::manifest::Effect;
use placet_model::policy::{NoticePayload, Reversibility, RuleMode};
use serde_json::{Value, json};

use super::rules::SIGNATURE;

const NAME: &str = "^[a-z0-9][a-z0-9_-]{0,62}$";

/// The schema of a policy.
pub fn policy_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Placet policy",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "groups": { "type": "object", "propertyNames": name(), "additionalProperties": names(1000) },
            "principals": { "type": "object", "propertyNames": name(), "additionalProperties": principal() },
            "blocked": words(),
            "allowLists": { "type": "object", "additionalProperties": words() },
            "rules": { "type": "array", "items": rule() },
            "standing": { "type": "array", "items": standing() },
            "delegations": { "type": "array", "items": delegation() },
            "breakGlass": break_glass(),
            "notify": notify(),
        },
    })
}

fn name() -> Value {
    json!({ "type": "string", "pattern": NAME })
}

fn names(most: u32) -> Value {
    json!({ "type": "array", "minItems": 1, "maxItems": most, "items": name() })
}

fn words() -> Value {
    let word = json!({ "type": "string" });
    json!({ "oneOf": [word, { "type": "array", "minItems": 1, "items": word }] })
}

fn one_of<T: std::fmt::Display>(all: &[T]) -> Value {
    json!({ "enum": all.iter().map(ToString::to_string).collect::<Vec<_>>() })
}

fn some_of<T: std::fmt::Display>(all: &[T]) -> Value {
    let one = one_of(all);
    json!({ "oneOf": [one, { "type": "array", "items": one }] })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": 16 })
}

fn duration() -> Value {
    json!({ "type": ["string", "object"] })
}

fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn signature() -> Value {
    let mut levels: Vec<String> = SIGNATURE.iter().map(ToString::to_string).collect();
    levels.push("required".to_owned());
    json!({ "enum": levels })
}

fn principal() -> Value {
    let roles = json!({ "type": "array", "items": one_of(Role::ALL) });
    json!({ "oneOf": [
        roles,
        {
            "type": "object",
            "additionalProperties": false,
            "properties": { "kind": one_of(PrincipalKind::ALL), "roles": roles },
        },
    ] })
}

fn matched() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "effect": some_of(Effect::ALL),
            "provider": words(),
            "operation": words(),
            "integration": words(),
            "workflow": words(),
            "target": words(),
            "when": { "type": "string" },
            "firstContact": { "const": true },
            "outsideAllowList": { "type": "string" },
            "secretsFound": { "const": true },
            "cardNumbersFound": { "const": true },
            "sizeOver": { "type": "integer", "minimum": 0 },
            "reversibility": some_of(Reversibility::ALL),
        },
    })
}

fn required() -> Value {
    let threshold = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["from"],
        "properties": { "from": names(16), "approve": count(), "deny": count() },
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "approvers": {
                "type": "array",
                "minItems": 1,
                "maxItems": 16,
                "items": { "oneOf": [name(), threshold] },
            },
            "quorum": count(),
            "expires": duration(),
            "reasonRequired": { "enum": ["never", "on-reject", "always", true, false] },
            "selfApproval": { "type": "boolean" },
            "signature": signature(),
            "remind": {
                "type": "object",
                "additionalProperties": false,
                "required": ["every"],
                "properties": { "every": duration() },
            },
            "escalate": {
                "type": "object",
                "additionalProperties": false,
                "required": ["after", "to"],
                "properties": { "after": duration(), "to": names(16) },
            },
            "deny": { "const": true },
        },
    })
}

fn rule() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["require"],
        "properties": {
            "name": { "type": "string" },
            "set": { "type": "string" },
            "mode": one_of(RuleMode::ALL),
            "match": matched(),
            "require": required(),
        },
    })
}

fn standing() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["match", "until", "maxPerDay"],
        "properties": {
            "name": { "type": "string" },
            "match": matched(),
            "until": moment(),
            "maxPerDay": { "type": "integer", "minimum": 1, "maximum": 10_000 },
            "grantedBy": { "deprecated": true },
        },
    })
}

fn delegation() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["from", "to", "since", "until"],
        "properties": { "from": name(), "to": name(), "since": moment(), "until": moment() },
    })
}

fn break_glass() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["who", "review"],
        "properties": { "who": names(16), "signature": signature(), "review": names(16) },
    })
}

fn notify() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": { "payload": one_of(NoticePayload::ALL) },
    })
}

#[cfg(test)]
mod tests {
    use super::super::advance::{BREAK_GLASS, DELEGATION, STANDING};
    use super::super::rules::{MATCH, REQUIRE, RULE};
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_schema_has_the_keys_that_the_check_knows_and_no_others() {
        let schema = policy_schema();
        let rule = "/properties/rules/items";
        for (place, known) in [
            ("", super::super::ROOT),
            (rule, RULE),
            ("/properties/rules/items/properties/match", MATCH),
            ("/properties/rules/items/properties/require", REQUIRE),
            ("/properties/standing/items", STANDING),
            ("/properties/delegations/items", DELEGATION),
            ("/properties/breakGlass", BREAK_GLASS),
            ("/properties/notify", super::super::NOTIFY),
        ] {
            let properties = &schema.pointer(place).unwrap()["properties"];
            let keys: BTreeSet<&str> =
                properties.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(keys, known.iter().copied().collect(), "{place}");
        }
    }
}
