use serde_json::Value;

use super::*;
use crate::figures::Latency;
use crate::floor::Floor;
use crate::machine::Machine;
use crate::offline::LiveBytes;
use crate::processes::CpuUse;
use crate::report::{Conditions, FailoverReport, LoadReport, ReplayReport, Report, Verdict, WanReport};
use crate::slope::Minute;

#[path = "../../../verifier/tests/common/schema.rs"]
mod schema;

/// Asserts that the report, as it is written, fits the schema and has the head, and that the schema describes all of it.
pub(crate) fn assert_fits(schema: &str, report: &impl Serialize) {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let document: Value = serde_json::from_str(&to_json(report, UnixMillis::new(1_793_577_600_000)).unwrap()).unwrap();
    let mut found = Vec::new();
    schema::breaks(&schema, &document, "$", &mut found);
    undescribed(&schema, &document, "$", &mut found);
    assert_eq!(found, Vec::<String>::new(), "{document}");
    assert_eq!((&document["format_version"], &document["program"]), (&1.into(), &"tallystick-bench".into()));
    assert_eq!(document["program_version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["made_at"], "2026-11-02T00:00:00Z");
}

/// Fields that the schema does not name. An object without `properties` is a map of figures by name.
fn undescribed(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for (index, row) in value.as_array().into_iter().flatten().enumerate() {
        undescribed(&schema["items"], row, &format!("{at}[{index}]"), found);
    }
    let Some(described) = schema["properties"].as_object() else { return };
    for (name, value) in value.as_object().into_iter().flatten() {
        match described.get(name) {
            Some(schema) => undescribed(schema, value, &format!("{at}.{name}"), found),
            None => found.push(format!("{at}.{name} is not in the schema")),
        }
    }
}

pub(crate) fn machine() -> Machine {
    Machine {
        cores: 4,
        cpu_model: "a processor".to_owned(),
        cpu_mhz: "2100.0".to_owned(),
        kernel: "6.1".to_owned(),
        memory_mib: 1,
        load_average_before: "0.00 0.00 0.00".to_owned(),
    }
}

fn named() -> std::collections::BTreeMap<String, u64> {
    [("node-1".to_owned(), 1)].into()
}

fn load() -> LoadReport {
    LoadReport {
        name: "closed loop".to_owned(),
        cpu: CpuUse { by_process: named(), ..CpuUse::default() },
        cpu_micros_per_receipt: named(),
        peak_memory_mib: named(),
        minutes: vec![Minute {
            sealed_per_second: 1,
            block_gap_max_micros: 2,
            cpu_micros_per_receipt: named(),
            memory_mib: named(),
            work_nanos: 3,
        }],
        problems: vec!["one".to_owned()],
        ..LoadReport::default()
    }
}

fn failover() -> FailoverReport {
    FailoverReport {
        load: "closed loop".to_owned(),
        killed_validator: 1,
        pause_micros: 0,
        gaps_above_one_second: 0,
        height_before_micros: 0,
        height_after_micros: 0,
        extra_per_height_micros: 0,
        further_rounds_before: 0,
        further_rounds_after: 0,
        receipts_acknowledged: 0,
        receipts_sealed: 0,
        receipts_unsealed: 0,
        acknowledgement_after: Latency::default(),
        receipts_overloaded: 0,
        problems: vec!["one".to_owned()],
    }
}

/// With nothing measured, and with everything.
#[test]
fn a_report_has_the_head_of_every_report_and_fits_its_schema() {
    let schema = include_str!("../../../docs/spec/schemas/bench.schema.json");
    let mut report = Report::new(Conditions {
        machine: machine(),
        command: "load".to_owned(),
        validators: 4,
        issuers: 1,
        batch_age_ms: 100,
        fsync: true,
        payload: "outpatient".to_owned(),
    });
    assert_fits(schema, &report);
    report.loads = vec![load()];
    report.floor = Some(Floor {
        validators: 4,
        sign_nanos: 1,
        verify_of_4096_nanos: 1,
        verify_of_250_nanos: 1,
        hash_nanos: 1,
        sync_nanos: 1,
        receipt_nanos: 1,
    });
    report.live_bytes = Some(LiveBytes { receipts: 1, total: 2, tables: named() });
    report.replay = Some(ReplayReport {
        receipts: 1,
        export_bytes: 2,
        elapsed_micros: 3,
        receipts_per_second: 4,
        cpu_micros: 5,
        report: "CLEAN".to_owned(),
    });
    report.failover = Some(failover());
    let wan = WanReport {
        delay_ms: 0,
        light_per_second: 5,
        light_sealed: Latency::default(),
        light_further_rounds: 0,
        light_delays_hundredths: None,
        full: None,
    };
    report.wan = vec![wan.clone(), WanReport { light_delays_hundredths: Some(480), full: Some(load()), ..wan }];
    report.endurance = Some(Verdict {
        last_by_first_permille: Some(950),
        at_one_speed_permille: Some(960),
        block_gap_max_micros: 1,
        peak_memory_mib: named(),
        write_stall_millis: named(),
        write_amplification_hundredths: named(),
        broken: vec!["one".to_owned()],
    });
    assert_fits(schema, &report);
}

#[test]
fn it_is_written_as_a_whole_document_with_the_time_of_this_machine() {
    let folder = scratch::Directory::new();
    let path = folder.path().join("report.json");
    save(&failover(), &path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert!(text.ends_with("}\n") && document["made_at"].as_str().unwrap() > "2026", "{text}");
}
