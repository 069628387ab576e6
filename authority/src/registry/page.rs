//! The registry for people, and as JSON (`docs/spec/schemas/registry.schema.json`).

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use super::thing::spaced;
use super::{Class, Registry, Thing};
use crate::chain::Chain;
use crate::text::quoted;

/// Everything, class by class, and the next free number of each.
pub fn shown(registry: &Registry, chain: &Chain) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "REGISTRY of chain {}", quoted(&chain.genesis.chain_name));
    if chain.genesis.is_test {
        let _ = writeln!(text, "  TEST CHAIN    its receipts are specimens (测试样票)");
    }
    let _ = writeln!(text, "  chain id      {}", chain.id.0);
    let _ = match registry.replayed {
        None => writeln!(text, "  as of height  {}, as {} say alike", registry.height, registry.said_by.join(", ")),
        Some(seal) => {
            writeln!(text, "  as of height  {}, after the seal {seal}, as an audit replayed it", registry.height)
        }
    };
    let _ = writeln!(text, "  last message  {}, sequence {}", registry.id, registry.sequence);
    for class in Class::ALL {
        let things: Vec<&Thing> = registry.of(class).collect();
        let next = registry.next_free(class).map(|next| format!("; next free number {next}")).unwrap_or_default();
        let title = spaced(class.plural()).to_uppercase();
        let _ = writeln!(text, "\n{title}: {}{next}", things.len());
        for thing in things {
            write_thing(&mut text, thing);
        }
    }
    text
}

fn write_thing(text: &mut String, thing: &Thing) {
    let _ = writeln!(text, "  {} {}", thing.class.word(), thing.name);
    let fields: Vec<_> = thing.fields.iter().chain(&thing.moving).collect();
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in fields {
        let _ = writeln!(text, "    {:width$}  {}", spaced(name), value.words());
    }
}

/// The document that `registry --json` prints, without its head.
pub fn document(registry: &Registry, chain: &Chain) -> Json {
    let mut document = Map::new();
    document.insert("chain_name".to_owned(), chain.genesis.chain_name.as_str().into());
    document.insert("chain_id".to_owned(), chain.id.0.to_string().into());
    document.insert("height".to_owned(), registry.height.into());
    document.insert("said_by".to_owned(), registry.said_by.clone().into());
    document.insert("replayed_seal".to_owned(), registry.replayed.map(|seal| seal.to_string()).into());
    let (sequence, id) = (registry.sequence, registry.id.to_string());
    document.insert("last_message".to_owned(), json!({"sequence": sequence, "id": id}));
    let next_free = Class::ALL.into_iter().filter_map(|class| Some((class, registry.next_free(class)?)));
    let next_free = next_free.map(|(class, next)| (class.plural().to_owned(), next.into()));
    document.insert("next_free".to_owned(), Json::Object(next_free.collect()));
    for class in Class::ALL {
        document.insert(class.plural().to_owned(), registry.of(class).map(Thing::json).collect());
    }
    Json::Object(document)
}
