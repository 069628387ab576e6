//! A whole proposal in words: nothing is signed that was not shown.

use std::fmt::Write as _;

use receipt_core::governance::Governance;

use crate::chain::Chain;
use crate::proposal::Proposal;
use crate::text::quoted;
use crate::words::{Words, of_action, of_credential};

/// Everything that a signature covers, and who has signed.
pub fn shown(proposal: &Proposal, chain: &Chain) -> String {
    let mut text = String::new();
    let genesis = &chain.genesis;
    // Writing to a String cannot fail.
    let _ = writeln!(text, "PROPOSAL for chain {}", quoted(&genesis.chain_name));
    if genesis.is_test {
        let _ = writeln!(
            text,
            "  TEST CHAIN its receipts are specimens (测试样票): what this changes is worth nothing elsewhere"
        );
    }
    let _ = writeln!(text, "  chain id   {}", chain.id.0);
    let _ = writeln!(text, "  digest     {}", proposal.digest(chain));
    write_signers(&mut text, proposal, chain);
    let offset = genesis.utc_offset_minutes;
    match proposal.governance() {
        Some(message) => write_governance(&mut text, message, offset),
        None => text.push_str("\nNOTHING CHANGES ON THE LEDGER: the proposal has credentials only.\n"),
    }
    let credentials: Vec<Words> = proposal.credentials().map(|credential| of_credential(credential, offset)).collect();
    if !credentials.is_empty() {
        text.push_str("\nCREDENTIALS for issuers, by which verifiers believe a unit's key:\n");
        write_list(&mut text, &credentials);
    }
    text
}

fn write_signers(text: &mut String, proposal: &Proposal, chain: &Chain) {
    let count = proposal.count(chain);
    let enough = if count.is_enough() { "enough" } else { "not enough yet" };
    let _ = writeln!(text, "  signed     {count}: {enough}");
    for (number, key) in (1_u32..).zip(proposal.signatories(chain)) {
        let has_signed = if proposal.is_signed_by(&key) { "signed" } else { "not signed" };
        let new = if proposal.authorities(chain).has(&key) { "" } else { "new " };
        let _ = writeln!(text, "    {new}authority {number} ({}) {has_signed}", hex::encode(key.0));
    }
}

fn write_governance(text: &mut String, message: &Governance, utc_offset_minutes: i32) {
    text.push_str("\nCHANGES ON THE LEDGER, all of them in this order, or none:\n");
    if let Some(area) = message.area {
        let _ = writeln!(text, "  area       {area}: by its authorities, and it reaches no further");
    }
    let _ = writeln!(text, "  sequence   {}", message.sequence);
    let _ = writeln!(text, "  follows    {}", message.previous);
    let _ = writeln!(text, "  id         {}", message.id());
    let _ = writeln!(text, "  expires    after height {}", message.expiry);
    let words: Vec<Words> = message.actions.iter().map(|action| of_action(action, utc_offset_minutes)).collect();
    write_list(text, &words);
}

fn write_list(text: &mut String, list: &[Words]) {
    for (number, words) in (1..).zip(list) {
        let _ = writeln!(text, "\n  {number}. {}", words.title);
        let width = words.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in &words.rows {
            let _ = writeln!(text, "     {name:width$}  {value}");
        }
    }
}
