//! An integration's settings: checked against the manifest's `config` schema, defaults filled in.

use placet_schemas::{Registry, Schema, Violations};
use serde_json::{Map, Value, json};

/// # Errors
/// What the schema refuses. Without a schema there is nothing to set.
pub(crate) fn checked(schema: Option<&Schema>, given: &Value) -> Result<Value, Violations> {
    let mut settings = match given {
        Value::Null => Value::Object(Map::new()),
        given => given.clone(),
    };
    let Some(schema) = schema else {
        nothing_but_an_empty_object(&settings)?;
        return Ok(settings);
    };
    fill_defaults(schema.document(), &mut settings);
    schema.validate(&settings)?;
    Ok(settings)
}

fn fill_defaults(schema: &Value, settings: &mut Value) {
    let Some(fields) = settings.as_object_mut() else { return };
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(default) = property.get("default") {
            fields.entry(name.clone()).or_insert_with(|| default.clone());
        }
    }
}

fn nothing_but_an_empty_object(settings: &Value) -> Result<(), Violations> {
    Registry::new()
        .register(&json!({"type": "object", "additionalProperties": false}))
        .expect("the empty object's schema compiles")
        .validate(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_filled_in_and_given_values_win() {
        let schema = Registry::new().shipped("schemas/providers/slack/config.json").unwrap();
        let settings = checked(Some(&schema), &Value::Null).unwrap();
        assert_eq!(settings["api_base"], "https://slack.com/api");
        let given = json!({"api_base": "http://127.0.0.1:9000/api"});
        assert_eq!(checked(Some(&schema), &given).unwrap(), given);
    }

    #[test]
    fn a_host_of_somebody_else_is_no_api_base() {
        let schema = Registry::new().shipped("schemas/providers/slack/config.json").unwrap();
        for base in [
            "https://evil.example/api",
            "https://slack.com.evil.example/api",
            "http://slack.com/api",
            "http://10.0.0.1:80/api",
            "https://slack.com/api/../x",
            "http://127.0.0.1:9000/api?x=",
            "http://localhost:9000@evil.example/",
            "https://slack.com/api\n",
        ] {
            assert!(checked(Some(&schema), &json!({ "api_base": base })).is_err(), "{base}");
        }
    }

    #[test]
    fn a_provider_without_settings_takes_none() {
        assert_eq!(checked(None, &Value::Null).unwrap(), json!({}));
        assert!(checked(None, &json!({"x": 1})).is_err());
    }
}
