//! What holds of all `.proto` files together.

use std::collections::BTreeSet;

use prost::Message;
use prost_types::FileDescriptorSet;

fn files() -> FileDescriptorSet {
    FileDescriptorSet::decode(crate::FILE_DESCRIPTOR_SET).unwrap()
}

#[test]
fn the_descriptor_set_holds_every_service() {
    let files = files();
    let services: BTreeSet<String> = files
        .file
        .iter()
        .flat_map(|file| file.service.iter().map(|service| format!("{}.{}", file.package(), service.name())))
        .collect();
    let expected = [
        "tallystick.admin.v1.AdminService",
        "tallystick.issuer.v1.IssuerService",
        "tallystick.ledger.v1.LedgerService",
        "tallystick.peer.v1.PeerService",
        "tallystick.portal.v1.PortalService",
        "tallystick.verifier.v1.VerifierService",
    ];
    assert_eq!(services, expected.map(str::to_owned).into());
}

#[test]
fn every_package_says_where_generated_code_goes() {
    for file in files().file.iter().filter(|file| file.package().starts_with("tallystick.")) {
        let options = file.options.clone().unwrap_or_default();
        assert_eq!(options.java_package(), format!("org.{}", file.package()));
        assert!(options.java_multiple_files(), "{}", file.name());
        let path = file.package().replace('.', "/");
        assert!(options.go_package().starts_with(&format!("{path};")), "{}", options.go_package());
    }
}

#[test]
fn every_list_has_pages_and_a_snapshot() {
    let mut lists = 0;
    for file in &files().file {
        let fields = |name: &str| -> BTreeSet<String> {
            let short = name.rsplit('.').next().unwrap();
            let message = file.message_type.iter().find(|message| message.name() == short).unwrap();
            message.field.iter().map(|field| field.name().to_owned()).collect()
        };
        for method in file.service.iter().flat_map(|service| &service.method) {
            if !method.name().starts_with("List") {
                continue;
            }
            lists += 1;
            let (request, response) = (fields(method.input_type()), fields(method.output_type()));
            let nested = request.contains("page") && response.contains("page");
            let flat = request.contains("page_token")
                && request.contains("page_limit")
                && response.contains("next_page_token")
                && response.contains("snapshot_height");
            assert!(nested || flat, "{} has no pages", method.name());
        }
    }
    assert_eq!(lists, 6);
}

#[test]
fn every_message_field_and_value_has_a_comment() {
    for file in &files().file {
        let commented: BTreeSet<Vec<i32>> = file
            .source_code_info
            .iter()
            .flat_map(|info| &info.location)
            .filter(|location| !location.leading_comments().trim().is_empty())
            .map(|location| location.path.clone())
            .collect();
        let mut paths = Vec::new();
        for (m, message) in (0..).zip(&file.message_type) {
            paths.push((vec![4, m], message.name().to_owned()));
            let fields = (0..).zip(&message.field);
            paths.extend(fields.map(|(f, field)| (vec![4, m, 2, f], format!("{}.{}", message.name(), field.name()))));
        }
        for (e, each) in (0..).zip(&file.enum_type) {
            paths.push((vec![5, e], each.name().to_owned()));
            paths.extend((0..).zip(&each.value).map(|(v, value)| (vec![5, e, 2, v], value.name().to_owned())));
        }
        for (s, service) in (0..).zip(&file.service) {
            paths.push((vec![6, s], service.name().to_owned()));
            paths.extend((0..).zip(&service.method).map(|(m, method)| (vec![6, s, 2, m], method.name().to_owned())));
        }
        assert!(!paths.is_empty());
        for (path, name) in paths {
            assert!(commented.contains(&path), "{}: {name} has no comment", file.name());
        }
    }
}
