use std::collections::BTreeSet;

use prost::Message;
use receipt_core::ids::UnixMillis;

use super::*;
use crate::clock::FixedClock;
use crate::identity::{ChainName, IdentityError, Named, PeerIdentity};

fn connection(role: Role) -> ConnectionInfo {
    let identity = PeerIdentity { chain: ChainName::parse("demo").unwrap(), role, id: 1 };
    ConnectionInfo {
        remote: "127.0.0.1:1".parse().unwrap(),
        peer: Ok(Named { identity, valid_until: UnixMillis::new(1_000) }),
        session: [0; 32],
    }
}

fn reason(path: &str, connection: Option<&ConnectionInfo>, now: u64) -> Option<String> {
    reason_at(None, path, connection, now)
}

fn reason_at(services: Option<&[&str]>, path: &str, connection: Option<&ConnectionInfo>, now: u64) -> Option<String> {
    let refusal = judge(path, connection, &FixedClock::new(UnixMillis::new(now)), services).err()?;
    Some(refusal.reason.as_str().to_owned())
}

#[test]
fn the_table_has_every_method_once_and_no_other_of_ours() {
    let files = prost_types::FileDescriptorSet::decode(tallystick_proto::FILE_DESCRIPTOR_SET).unwrap();
    let (mut methods, mut streams) = (BTreeSet::new(), BTreeSet::new());
    for file in &files.file {
        for service in &file.service {
            let path = |method: &prost_types::MethodDescriptorProto| {
                format!("/{}.{}/{}", file.package(), service.name(), method.name())
            };
            methods.extend(service.method.iter().map(path));
            streams.extend(service.method.iter().filter(|method| method.server_streaming()).map(path));
        }
    }
    let ours = METHOD_RULES.iter().map(|rule| rule.path).filter(|path| path.starts_with("/tallystick."));
    let rows: Vec<String> = ours.map(str::to_owned).collect();
    assert_eq!(rows.len(), rows.iter().collect::<BTreeSet<_>>().len(), "a method stands twice");
    assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), methods);
    let ours = STREAMS.iter().filter(|path| path.starts_with("/tallystick.")).map(|path| (*path).to_owned());
    assert_eq!(ours.collect::<BTreeSet<_>>(), streams, "each stream ends with its caller's certificate");
}

#[test]
fn each_role_may_call_exactly_its_methods() {
    for rule in METHOD_RULES {
        for role in Role::ALL {
            let expected = if rule.roles.contains(role) { None } else { Some("NOT_PERMITTED".to_owned()) };
            assert_eq!(reason(rule.path, Some(&connection(*role)), 0), expected, "{role} {}", rule.path);
        }
    }
}

#[test]
fn what_each_role_must_never_reach() {
    let rows = [
        (Role::System, "/tallystick.ledger.v1.LedgerService/SubmitBatch"),
        (Role::System, "/tallystick.ledger.v1.LedgerService/GetBlock"),
        (Role::System, "/tallystick.peer.v1.PeerService/ForwardBatch"),
        (Role::Issuer, "/tallystick.issuer.v1.IssuerService/Issue"),
        (Role::Issuer, "/tallystick.peer.v1.PeerService/ExchangeCosignatures"),
        (Role::Validator, "/tallystick.issuer.v1.IssuerService/GetBundle"),
        (Role::Auditor, "/tallystick.issuer.v1.IssuerService/GetBundle"),
        (Role::Validator, "/tallystick.issuer.v1.IssuerService/GetDocument"),
        (Role::Auditor, "/tallystick.issuer.v1.IssuerService/GetDocument"),
        (Role::Operator, "/tallystick.issuer.v1.IssuerService/GetDocument"),
        (Role::Auditor, "/tallystick.admin.v1.AdminService/SubmitGovernance"),
        (Role::Auditor, "/tallystick.admin.v1.AdminService/TryGovernance"),
        (Role::System, "/tallystick.admin.v1.AdminService/ReadRegistry"),
        (Role::Operator, "/tallystick.issuer.v1.IssuerService/Issue"),
        (Role::Claimer, "/tallystick.ledger.v1.LedgerService/StreamBlocks"),
        (Role::Claimer, "/tallystick.portal.v1.PortalService/Fetch"),
        (Role::System, "/tallystick.portal.v1.PortalService/Fetch"),
        (Role::Auditor, "/tallystick.portal.v1.PortalService/Elements"),
        (Role::Validator, "/tallystick.portal.v1.PortalService/FetchByReference"),
        (Role::Portal, "/tallystick.issuer.v1.IssuerService/Issue"),
        (Role::Portal, "/tallystick.issuer.v1.IssuerService/GetReceipt"),
        (Role::Portal, "/tallystick.issuer.v1.IssuerService/GetBundle"),
        (Role::Portal, "/tallystick.ledger.v1.LedgerService/StreamBlocks"),
        (Role::Portal, "/tallystick.admin.v1.AdminService/ReadRegistry"),
        // Their windows are large, and a stream of requests may stay unread.
        (Role::Validator, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
        (Role::Issuer, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
        (Role::Issuer, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
    ];
    for (role, path) in rows {
        assert_eq!(reason(path, Some(&connection(role)), 0).as_deref(), Some("NOT_PERMITTED"), "{role} {path}");
    }
}

#[test]
fn an_unknown_method_is_unknown_to_everybody_with_a_certificate() {
    for path in ["/", "", "/tallystick.issuer.v1.IssuerService/", "/tallystick.issuer.v1.IssuerService/Erase"] {
        for role in Role::ALL {
            assert_eq!(reason(path, Some(&connection(*role)), 0).as_deref(), Some("METHOD_UNKNOWN"), "{path:?}");
        }
        assert_eq!(reason(path, None, 0).as_deref(), Some("NOT_AUTHENTICATED"), "{path:?}");
    }
}

#[test]
fn another_servers_method_is_unknown_whoever_calls() {
    let node: Option<&[&str]> = Some(&["tallystick.ledger.v1.LedgerService"]);
    for role in Role::ALL {
        let issue = reason_at(node, "/tallystick.issuer.v1.IssuerService/Issue", Some(&connection(*role)), 0);
        assert_eq!(issue.as_deref(), Some("METHOD_UNKNOWN"), "{role}");
        assert_eq!(reason_at(node, "/grpc.health.v1.Health/Check", Some(&connection(*role)), 0), None, "{role}");
    }
    let checkpoint = "/tallystick.ledger.v1.LedgerService/GetCheckpoint";
    assert_eq!(reason_at(node, checkpoint, Some(&connection(Role::Auditor)), 0), None);
}

#[test]
fn nobody_is_not_authenticated() {
    let path = "/tallystick.ledger.v1.LedgerService/GetCheckpoint";
    assert_eq!(reason(path, None, 0).as_deref(), Some("NOT_AUTHENTICATED"));
    let unnamed = ConnectionInfo { peer: Err(IdentityError::Count(0)), ..connection(Role::System) };
    assert_eq!(reason(path, Some(&unnamed), 0).as_deref(), Some("NOT_AUTHENTICATED"));
}

#[test]
fn a_certificate_that_expires_during_a_connection_ends_with_it() {
    let path = "/tallystick.ledger.v1.LedgerService/GetCheckpoint";
    assert_eq!(reason(path, Some(&connection(Role::System)), 1_000), None);
    assert_eq!(reason(path, Some(&connection(Role::System)), 1_001).as_deref(), Some("NOT_AUTHENTICATED"));
}
