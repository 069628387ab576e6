//! Contents through real processes: the issuer exports its bodies while it runs, and an auditor holds each against its
//! record and the body rules. A changed body is found, whoever changed it; an erased one is named.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use receipt_core::bundle::{Absence, BodyLine};
use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::issuer::v1::Wait;
use tallystick_tests::TestNetwork;

const RECEIPTS: usize = 6;

/// Runs `tallystick-issuer export-bodies`: whether it succeeded, and what it said.
async fn export(network: &TestNetwork, out: &Path) -> (bool, String) {
    let output = tokio::process::Command::new(&network.binaries().issuer)
        .args(["export-bodies", "--config"])
        .arg(network.layout().issuer_config(1))
        .arg("--out")
        .arg(out)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

/// Audits with these bodies: exit code and report.
async fn audit(network: &TestNetwork, bodies: &Path) -> (i32, String) {
    let mut arguments = network.audit_arguments(1, Caller::Auditor).unwrap();
    arguments.extend(["--bodies".to_owned(), bodies.display().to_string()]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    network.run_verifier(&arguments).await.unwrap()
}

/// The same file with its first line replaced.
fn with_first_line(path: &Path, bodies: &[u8], change: impl Fn(BodyLine) -> BodyLine) {
    let end = bodies.iter().position(|byte| *byte == b'\n').unwrap();
    let changed = change(BodyLine::decode(&bodies[..end]).unwrap());
    std::fs::write(path, [&changed.encode()[..], &bodies[end..]].concat()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn exported_bodies_are_audited_and_a_changed_one_is_found() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let receipts: Vec<_> = {
        let mut generator = network.receipts(1).unwrap();
        (0..RECEIPTS).map(|_| generator.mixed().unwrap()).collect()
    };
    for receipt in &receipts {
        let client = network.issuer_client(1, Caller::System(receipt.system_id)).await.unwrap();
        issue_one(client, receipt, Wait::Sealed).await.unwrap();
    }
    let plain = network.audit(1).await.unwrap();
    assert!(plain.contains("Content not checked"), "{plain}");

    // Beside the running issuer, for its owner alone, and never over another file.
    let dir = scratch::Directory::new();
    let file = dir.path().join("bodies");
    let (exported, said) = export(&network, &file).await;
    assert!(exported && said.contains("personal data"), "{said}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (again, said) = export(&network, &file).await;
    assert!(!again && said.contains("not overwritten"), "{said}");

    let (code, report) = audit(&network, &file).await;
    assert_eq!(code, 0, "{report}");
    assert!(
        report.contains(&format!("{RECEIPTS} good, 0 erased, 0 lost, 0 never held, 0 missing, 0 mismatches")),
        "{report}"
    );
    assert!(!report.contains("Content not checked"), "{report}");

    // A value changed: the salted values lead to another root than the unit signed.
    let bodies = std::fs::read(&file).unwrap();
    let changed = dir.path().join("changed");
    with_first_line(&changed, &bodies, |mut line| {
        let content = line.content.as_mut().unwrap();
        let value = content.values.iter_mut().find(|value| value.len() > 3).unwrap();
        value.push('0');
        line
    });
    let (code, report) = audit(&network, &changed).await;
    assert_eq!(code, 1, "{report}");
    assert!(report.contains("1 mismatches") && report.contains("line 1"), "{report}");

    let erased = dir.path().join("erased");
    with_first_line(&erased, &bodies, |line| BodyLine { content: Err(Absence::Erased), ..line });
    let (code, report) = audit(&network, &erased).await;
    assert_eq!(code, 2, "nobody can check what was erased: {report}");
    assert!(report.contains("1 erased") && report.contains("says that it was erased"), "{report}");

    let missing = dir.path().join("missing");
    let first = bodies.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    std::fs::write(&missing, &bodies[first..]).unwrap();
    let (code, report) = audit(&network, &missing).await;
    assert_eq!(code, 2, "{report}");
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
