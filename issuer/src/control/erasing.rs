//! `tallystick-issuer erase-bodies`: erases what receipts say of persons, asked of the running issuer or done in a stopped one's
//! journal. Not here: what erasing is (`crate::erasure`).

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use receipt_core::ids::ReceiptKey;
use tallystick_service::clock::{Clock as _, SystemClock};

use super::{ControlParts, ask, connect, open_stopped};
use crate::config::Settings;
use crate::erasure::{ErasedList, Erasure, RECEIPTS_MAX, Wish, parse_key, scrub};

const DESPITE_RETENTION: &str = "despite-retention";

impl ControlParts {
    /// Erases all of the named bodies, or none.
    pub(super) async fn erase_bodies(&self, words: &str) -> Result<String> {
        let (despite_retention, words) = match words.split_once(' ') {
            Some((DESPITE_RETENTION, words)) => (true, words),
            _ => (false, words),
        };
        let keys = words.split(' ').map(|word| parse_key(word).with_context(|| format!("{word} is no code-number")));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let wish = wish(&self.settings, keys, despite_retention);
        let list = ErasedList::new(&self.settings.erased_file, self.journal.identity());
        let erased = self.queue.errand(move |sequencer| sequencer.erase(&list, &wish)).await??;
        let journal = Arc::clone(&self.journal);
        tokio::task::spawn_blocking(move || {
            scrub(&journal, &erased)?;
            anyhow::Ok(summary(&erased))
        })
        .await?
    }
}

fn wish(settings: &Settings, keys: Vec<ReceiptKey>, despite_retention: bool) -> Wish {
    Wish { keys, now: SystemClock.now(), retention_days: settings.bodies.retention_days, despite_retention }
}

fn summary(erased: &[Erasure]) -> String {
    let before = erased.iter().filter(|erasure| erasure.repeated).count();
    let new = erased.len() - before;
    format!("{new} bodies erased, {before} had been erased before; backups made before now still hold them")
}

/// Erases bodies by the running issuer; if none runs, in its journal.
pub async fn request_erasure(settings: &Settings, receipts: &[String], despite_retention: bool) -> Result<String> {
    ensure!(!receipts.is_empty(), "name at least one receipt as `--receipt CODE-NUMBER`");
    ensure!(receipts.len() <= RECEIPTS_MAX, "one request erases at most {RECEIPTS_MAX} bodies; make several");
    let read = |text: &String| {
        parse_key(text)
            .with_context(|| format!("{text} is no receipt; write its code, a hyphen, its number: 99060126-0000000001"))
    };
    let keys = receipts.iter().map(read).collect::<Result<Vec<_>>>()?;
    if let Some(stream) = connect(settings).await? {
        let words: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let despite = if despite_retention { format!("{DESPITE_RETENTION} ") } else { String::new() };
        return ask(stream, &format!("erase-bodies {despite}{}", words.join(" "))).await;
    }
    let journal = open_stopped(settings)?;
    let list = ErasedList::new(&settings.erased_file, journal.identity());
    let erased = list.erase(&journal, &wish(settings, keys, despite_retention))?;
    scrub(&journal, &erased)?;
    Ok(summary(&erased))
}
