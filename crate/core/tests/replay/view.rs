//! What an application makes of patches, as they cross to it.

use std::collections::BTreeMap;

use eyot_core::automerge::ScalarValue;
use eyot_core::document::value::{Value, decode_value};

/// What stands in a text for what is no text.
const OBJECT: &str = "\u{fffc}";

type Fields = BTreeMap<String, Value>;

/// The value that these patches make of one; none where they do not fit it.
pub fn patched(mut value: Value, patches: &[u8]) -> Option<Value> {
    let Value::List(patches) = decode_value(patches).unwrap() else { panic!("patches are an array") };
    for patch in &patches {
        let Value::Map(patch) = patch else { panic!("a patch is a map") };
        // Marks are not in the value.
        if text(&patch["action"])? == "mark" {
            continue;
        }
        let Value::List(path) = &patch["path"] else { panic!("a path is an array") };
        let (last, before) = path.split_last()?;
        let mut inside = &mut value;
        let mut is_in_block = false;
        for to in before {
            // What is in a block of a text is not in the value.
            is_in_block |= matches!(inside, Value::Text(_));
            if !is_in_block {
                inside = step(inside, to)?;
            }
        }
        match inside {
            _ if is_in_block => {}
            Value::Map(map) => in_map(map, text(last)?, patch)?,
            Value::List(list) => in_list(list, number(last)? as usize, patch)?,
            Value::Text(text) => *text = in_text(text, number(last)? as usize, patch)?,
            Value::Scalar(_) => return None,
        }
    }
    Some(value)
}

fn step<'a>(inside: &'a mut Value, to: &Value) -> Option<&'a mut Value> {
    match inside {
        Value::Map(map) => map.get_mut(text(to)?),
        Value::List(list) => list.get_mut(number(to)? as usize),
        Value::Text(_) | Value::Scalar(_) => None,
    }
}

fn in_map(map: &mut Fields, key: &str, patch: &Fields) -> Option<()> {
    match text(&patch["action"])? {
        "put" => drop(map.insert(key.into(), patch["value"].clone())),
        "del" => drop(map.remove(key)?),
        "inc" => increment(map.get_mut(key)?, patch)?,
        _ => return None,
    }
    Some(())
}

fn in_list(list: &mut Vec<Value>, at: usize, patch: &Fields) -> Option<()> {
    match text(&patch["action"])? {
        "put" => *list.get_mut(at)? = patch["value"].clone(),
        "del" => {
            let end = at + number(&patch["length"])? as usize;
            list.get(at..end)?;
            list.drain(at..end);
        }
        "inc" => increment(list.get_mut(at)?, patch)?,
        "insert" => {
            list.get(at..)?;
            list.splice(at..at, values(patch)?);
        }
        _ => return None,
    }
    Some(())
}

fn in_text(before: &str, at: usize, patch: &Fields) -> Option<String> {
    let mut units: Vec<u16> = before.encode_utf16().collect();
    units.get(at..)?;
    match text(&patch["action"])? {
        "splice" => drop(units.splice(at..at, text(&patch["value"])?.encode_utf16())),
        "del" => {
            let end = at + number(&patch["length"])? as usize;
            units.get(at..end)?;
            units.drain(at..end);
        }
        "insert" => drop(units.splice(at..at, OBJECT.repeat(values(patch)?.len()).encode_utf16())),
        _ => return None,
    }
    String::from_utf16(&units).ok()
}

fn increment(counter: &mut Value, patch: &Fields) -> Option<()> {
    let Value::Scalar(ScalarValue::Counter(before)) = counter else { return None };
    *counter = Value::Scalar(ScalarValue::counter(i64::from(&*before) + number(&patch["value"])?));
    Some(())
}

fn values(patch: &Fields) -> Option<Vec<Value>> {
    let Value::List(values) = &patch["values"] else { return None };
    Some(values.clone())
}

fn text(value: &Value) -> Option<&str> {
    let Value::Text(text) = value else { return None };
    Some(text)
}

fn number(value: &Value) -> Option<i64> {
    let Value::Scalar(ScalarValue::Int(number)) = value else { return None };
    Some(*number)
}
