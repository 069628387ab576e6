use rcgen::{CertificateParams, KeyPair, SanType};

use super::*;

fn chain() -> ChainName {
    ChainName::parse("demo-2026").unwrap()
}

fn certificate(uris: &[&str]) -> Vec<u8> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
    params.not_after = time::OffsetDateTime::from_unix_timestamp(1_900_000_000).unwrap();
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

#[test]
fn a_name_reads_back_as_it_prints() {
    for role in Role::ALL {
        for id in [0, 1, u32::MAX] {
            let identity = PeerIdentity { chain: chain(), role: *role, id };
            assert_eq!(PeerIdentity::parse(&identity.to_string()), Ok(identity));
        }
    }
}

#[test]
fn only_the_exact_form_is_a_name() {
    for uri in [
        "",
        "tallystick://",
        "tallystick://demo/system",
        "tallystick://demo/system/",
        "tallystick://demo/system/1/",
        "tallystick://demo/system/1/2",
        "tallystick://demo/system/01",
        "tallystick://demo/system/+1",
        "tallystick://demo/system/-1",
        "tallystick://demo/system/4294967296",
        "tallystick://demo/System/1",
        "tallystick://demo/king/1",
        "tallystick:///system/1",
        "tallystick://Demo/system/1",
        "tallystick://de mo/system/1",
        "tallystick://demo/system/1?x",
        "TALLYSTICK://demo/system/1",
        "https://demo/system/1",
    ] {
        assert!(PeerIdentity::parse(uri).is_err(), "{uri:?}");
    }
}

#[test]
fn a_certificate_names_its_holder_and_its_end() {
    let named = read_certificate(&certificate(&["tallystick://demo-2026/system/17"]), &chain()).unwrap();
    assert_eq!(named.identity, PeerIdentity { chain: chain(), role: Role::System, id: 17 });
    assert_eq!(named.valid_until, UnixMillis::new(1_900_000_000_999));
}

#[test]
fn a_certificate_with_another_name_or_none_names_nobody() {
    let of = |uris: &[&str]| read_certificate(&certificate(uris), &chain()).unwrap_err();
    let good = "tallystick://demo-2026/system/17";
    assert_eq!(of(&[]), IdentityError::Count(0));
    assert_eq!(of(&["https://demo-2026/system/17"]), IdentityError::Count(0));
    assert_eq!(of(&[good, "tallystick://demo-2026/validator/1"]), IdentityError::Count(2));
    assert_eq!(of(&["tallystick://demo-2026/root/1"]), IdentityError::Form("tallystick://demo-2026/root/1".to_owned()));
    let error = of(&["tallystick://other/system/17"]);
    assert_eq!(error.to_string(), "the certificate is for chain other, not demo-2026");
}

#[test]
fn junk_is_no_certificate() {
    let good = certificate(&["tallystick://demo-2026/system/17"]);
    let extended = [&good[..], b"x"].concat();
    for der in [&b""[..], b"junk", &good[..good.len() / 2], &extended] {
        assert_eq!(read_certificate(der, &chain()), Err(IdentityError::Certificate));
    }
}
