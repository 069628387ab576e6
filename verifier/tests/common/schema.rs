//! Whether a document fits a schema of docs/spec/schemas. Other crates' tests take this file in by its path.

use serde_json::Value;

/// The part of JSON Schema that ours use: `type`, `enum`, `required`, `properties`, `items`.
pub(crate) fn breaks(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{at}: the schema has the unknown type {other}"),
    };
    let kinds = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap()).collect(),
        other => panic!("{at}: no type but {other}"),
    };
    if !kinds.into_iter().any(is) {
        found.push(format!("{at} is {value}"));
    }
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        found.push(format!("{at} is none of the values: {value}"));
    }
    let Some(fields) = value.as_object() else {
        let rows = value.as_array().into_iter().flatten().enumerate();
        rows.for_each(|(index, row)| breaks(&schema["items"], row, &format!("{at}[{index}]"), found));
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap()) {
        if !fields.contains_key(name) {
            found.push(format!("{at}.{name} is missing"));
        }
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = fields.get(name) {
            breaks(schema, value, &format!("{at}.{name}"), found);
        }
    }
}
