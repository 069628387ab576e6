//! The audit's report for people, as text.

use std::fmt::Write as _;

use receipt_core::shown::line;
use receipt_core::status::empty_root;

use super::bodies::BodiesReport;
use super::handover::{AuthorityChangeReport, HandoverReport};
use super::left_out::LeftOutOutcome;
use super::report::{AuditReport, AuditResult, LateReport};
use super::watch::Agreement;

impl AuditReport {
    /// The report for people.
    pub fn to_text(&self) -> String {
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut page);
        page
    }

    fn write(&self, page: &mut String) -> std::fmt::Result {
        let word = match self.result {
            AuditResult::Clean => "CLEAN",
            AuditResult::Refuted => "REFUTED",
            AuditResult::Incomplete => "INCOMPLETE",
        };
        writeln!(page, "{word}  {} ({})", line(&self.chain_name), line(&self.source))?;
        writeln!(page, "  chain          {}", self.chain)?;
        let height = self.height.map_or_else(|| "none".to_owned(), |height| height.to_string());
        writeln!(page, "  height         {height}, {} blocks, {} bytes", self.blocks, self.block_bytes)?;
        writeln!(page, "  log            {} leaves, root {}", self.log_size, self.log_root)?;
        let no_status = self.status_root == empty_root().to_string();
        writeln!(page, "  status root    {}", if no_status { "empty" } else { &self.status_root })?;
        writeln!(page, "  effects hash   {}", self.effects_hash)?;
        match &self.sealed {
            Some(sealed) => writeln!(
                page,
                "  sealed         height {}, {} leaves, as of {} by {}; {} blocks after it",
                sealed.height,
                sealed.tree_size,
                sealed.as_of_utc,
                sealed.signers.join(", "),
                self.unsealed_blocks
            )?,
            None => writeln!(page, "  sealed         nothing: no checkpoint was verified")?,
        }
        writeln!(page, "  checkpoints    {} verified, {} not reached", self.checkpoints, self.checkpoints_not_reached)?;
        writeln!(page, "  batches        {} taken, {} refused", self.batches_taken, self.batches_refused)?;
        for (reason, count) in &self.refusals {
            writeln!(page, "                 {count} records refused: {reason}")?;
        }
        let totals = &self.totals;
        writeln!(page, "  receipts       {} blue, {} yuan", totals.blue_count, totals.blue_yuan)?;
        writeln!(
            page,
            "                 {} red, {} yuan; {} reversed",
            totals.red_count, totals.red_yuan, self.reversed
        )?;
        writeln!(page, "                 net {} yuan", totals.net_yuan)?;
        self.write_changes(page)?;
        self.write_late(page)?;
        self.write_bodies(page)?;
        self.write_left_out(page)?;
        for text in &self.reservations {
            writeln!(page, "  INCOMPLETE     {}", line(text))?;
        }
        for text in &self.not_checked {
            writeln!(page, "  not checked    {}", line(text))?;
        }
        for finding in &self.findings {
            writeln!(
                page,
                "  FINDING        height {}: {}: {}",
                finding.height,
                finding.code.code(),
                line(&finding.detail)
            )?;
        }
        if let Some(error) = &self.source_error {
            writeln!(page, "  SOURCE         {}", line(error))?;
        }
        writeln!(page, "  {:.1} s, {:.0} records/s", self.seconds, self.records_per_second)
    }

    fn write_changes(&self, page: &mut String) -> std::fmt::Result {
        for handover in &self.handovers {
            let HandoverReport { height, first_tree_size, validators, quorum, .. } = handover;
            writeln!(page, "  handover       height {height}, size {first_tree_size}: {quorum} of {validators}")?;
        }
        for change in &self.authority_changes {
            let AuthorityChangeReport { height, first_leaf, authorities, threshold, joined, left } = change;
            writeln!(page, "  authorities    height {height}, leaf {first_leaf}: {threshold} of {authorities}")?;
            for (word, key) in joined.iter().map(|key| ("joined", key)).chain(left.iter().map(|key| ("left  ", key))) {
                writeln!(page, "                 {word} {key}")?;
            }
        }
        Ok(())
    }

    fn write_late(&self, page: &mut String) -> std::fmt::Result {
        if self.late.is_empty() {
            return writeln!(page, "  late           none: no record stands in a block later than its seal_by");
        }
        for LateReport { issuer, records, worst_ms } in &self.late {
            let seconds = worst_ms.div_ceil(1000);
            writeln!(
                page,
                "  late           issuer {issuer}: {records} records in blocks later than their seal_by, by up to {seconds} s"
            )?;
        }
        Ok(())
    }

    fn write_left_out(&self, page: &mut String) -> std::fmt::Result {
        for report in &self.left_out {
            let word = match report.outcome {
                LeftOutOutcome::LeftOut => "LEFT OUT",
                LeftOutOutcome::Late => "LATE",
                LeftOutOutcome::OnTime => "in time",
                LeftOutOutcome::Refused => "REFUSED",
                LeftOutOutcome::NotDue => "not due yet",
                LeftOutOutcome::KeyRevoked => "KEY REVOKED",
                LeftOutOutcome::NotSigned => "NOT SIGNED",
            };
            let file = line(&report.file);
            writeln!(page, "  {word:<14} {file}: {}", line(&report.detail))?;
            let checkpoint = match report.checkpoint {
                Agreement::Same => continue,
                Agreement::Beyond => "of a larger tree than was replayed: what came later was not seen",
                Agreement::Unsigned => "none of this ledger's: no quorum signed it",
                Agreement::Contradicts => "of ANOTHER history: see the findings",
            };
            writeln!(page, "                 the report's checkpoint is {checkpoint}")?;
        }
        Ok(())
    }

    fn write_bodies(&self, page: &mut String) -> std::fmt::Result {
        let Some(bodies) = &self.bodies else { return Ok(()) };
        let BodiesReport { good, erased, lost, never_held, missing, mismatches, repeated, .. } = bodies;
        writeln!(
            page,
            "  content        {good} good, {erased} erased, {lost} lost, {never_held} never held, {missing} missing, \
             {mismatches} mismatches, {repeated} repeated"
        )?;
        for (rule, count) in &bodies.broken_rules {
            writeln!(page, "                 {count} times {rule} broken")?;
        }
        for receipt in &bodies.erased_receipts {
            writeln!(page, "  ERASED         {receipt}")?;
        }
        for receipt in &bodies.lost_receipts {
            writeln!(page, "  LOST           {receipt}")?;
        }
        for problem in &bodies.problems {
            writeln!(page, "  CONTENT        {}", line(problem))?;
        }
        Ok(())
    }
}
