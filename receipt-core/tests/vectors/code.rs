//! The text of the QR code: of records, of groups of every length, and texts that are refused.

use receipt_core::code::{self, CodeError, Host};
use serde_json::{Value, json};

use super::scene::Scene;

/// The hosts of the page that reads.
const HOSTS: [&str; 2] = ["TALLY.EXAMPLE", "OLD.TALLY.EXAMPLE:8443"];

/// Cut where it is shown, in the middle of a character.
const LONG_HOST: &str = "https://tally.example.一二三四五六七八九十一二三四五六七八九十.evil.example/V#000";
const LONG_ADDRESS: &str = "https://evil.example/一二三四五六七八九十一二三四五六七八九十";

/// What does not read: (name, text).
fn refused(good: &str) -> Vec<(&'static str, String)> {
    let (address, digits) = good.split_once('#').unwrap();
    let long = "7".repeat(7090);
    let foreign = [
        ("nothing", ""),
        ("digits without an address", "00000000000000001002"),
        ("another text", "财政电子票据"),
        ("another host", "HTTPS://EVIL.EXAMPLE/V#000"),
        ("a host that begins like it", "HTTPS://TALLY.EXAMPLE.EVIL.EXAMPLE/V#000"),
        ("its host as a user's name", "HTTPS://TALLY.EXAMPLE@EVIL.EXAMPLE/V#000"),
        ("another port", "HTTPS://TALLY.EXAMPLE:8443/V#000"),
        ("without its port", "HTTPS://OLD.TALLY.EXAMPLE/V#000"),
        ("without TLS", "HTTP://TALLY.EXAMPLE/V#000"),
        ("another path", "HTTPS://TALLY.EXAMPLE/W#000"),
        ("a longer path", "HTTPS://TALLY.EXAMPLE/V/#000"),
        ("a query", "HTTPS://TALLY.EXAMPLE/V?000"),
        ("another scheme", "weixin://dl/business#000"),
        ("a script", "javascript:alert(1)"),
        ("a scheme and a sentence", "OK:）没有问题。本票据真实，已上链，有效。（"),
        ("a long address", LONG_ADDRESS),
        ("a long host", LONG_HOST),
        ("its host before a backslash", "HTTPS://EVIL.EXAMPLE\\@TALLY.EXAMPLE/V#000"),
        ("an address without a host", "HTTPS:TALLY.EXAMPLE/V#000"),
        ("the address alone", "HTTPS://TALLY.EXAMPLE/V"),
        ("the address alone in small letters", "https://tally.example/v"),
        ("no digits", "HTTPS://TALLY.EXAMPLE/V#"),
        ("one digit", "HTTPS://TALLY.EXAMPLE/V#0"),
        ("a group of 18", "HTTPS://TALLY.EXAMPLE/V#000000000000000000"),
        ("a group too large and one of one digit", "HTTPS://TALLY.EXAMPLE/V#999999999999999999"),
        ("one byte too large", "HTTPS://TALLY.EXAMPLE/V#256"),
        ("seven bytes too large", "HTTPS://TALLY.EXAMPLE/V#72057594037927936"),
        ("the second group too large", "HTTPS://TALLY.EXAMPLE/V#00000000000000000256"),
        ("escaped digits", "HTTPS://TALLY.EXAMPLE/V#%30%30%30"),
        ("full-width digits", "HTTPS://TALLY.EXAMPLE/V#０００"),
    ];
    let mut rows: Vec<_> = foreign.map(|(name, text)| (name, text.to_owned())).into();
    rows.extend([
        ("small letters", good.to_lowercase()),
        ("a line end", format!("{good}\n")),
        ("a blank before it", format!(" {good}")),
        ("a blank between", format!("{address}# {digits}")),
        ("a digit less", good[..good.len() - 1].to_owned()),
        ("more digits than a record has", format!("{address}#{}", &long[..2488])),
        ("more than a QR code holds", format!("{address}#{long}")),
    ]);
    rows
}

#[test]
fn code_json() {
    let scene = Scene::new();
    let hosts = HOSTS.map(|host| Host::new(host).unwrap());
    let records = [("blue", &scene.blues[0].record), ("red", &scene.red.record)];
    let rows: Vec<Value> = hosts
        .iter()
        .flat_map(|host| {
            records.map(|(name, record)| {
                let text = code::text(host, record);
                assert_eq!(code::read(&text, &hosts).as_ref(), Ok(record));
                json!({ "name": name, "host": host.as_str(), "signed_record": hex::encode(record), "text": text })
            })
        })
        .collect();
    let groups: Vec<Value> = (1..=15_u8)
        .flat_map(|count| [vec![0; usize::from(count)], vec![255; usize::from(count)], (1..=count).collect()])
        .map(|bytes: Vec<u8>| json!({ "bytes": hex::encode(&bytes), "digits": code::digits(&bytes) }))
        .collect();
    let refused: Vec<Value> = refused(&code::text(&hosts[0], records[0].1))
        .into_iter()
        .map(|(name, text)| {
            let error = code::read(&text, &hosts).unwrap_err();
            let mut row = json!({ "name": name, "text": text, "reason": error.code() });
            if let CodeError::Elsewhere { address } = &error {
                row["shown"] = address.as_str().into();
            }
            row
        })
        .collect();
    let value = json!({ "hosts": HOSTS, "texts": rows, "groups": groups, "refused": refused });
    super::check("code.json", &value);
}
