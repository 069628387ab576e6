//! What people without a script are told of a receipt whose five elements they gave: each thing with whose word it is, and as of when.
//!
//! ```text
//! the issuer's system   what became of it; why it was refused
//! the ledger            of when the proof beside it is; without a proof, what a node answers, and of when
//! this site             that it hands these on and judges nothing; where they can be verified
//! ```
//! Sentences are the verdict's where it has them (`receipt_core::verdict`). Not here: any verdict. A portal that verified would be believed (ADR 38).

use std::sync::Arc;

use receipt_core::answer::Answer;
use receipt_core::bundle::Bundle;
use receipt_core::code::digits;
use receipt_core::note::{PosixSeconds, SignedNote, TlogProof};
use receipt_core::reason::Reason;
use receipt_core::record::{SignedRecord, status_key};
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{Finding, Parameters, Phrase, Said, Sentence, Value, said};
use tallystick_proto::issuer::v1::{ReceiptState, Standing};
use tallystick_proto::portal::v1::Genuine;
use tallystick_service::clock::Clock;

use crate::nodes::Question;
use crate::pages::escaped;
use crate::reply::ProblemKind;

/// Tells people what issuers and nodes say.
#[derive(Debug)]
pub(crate) struct Teller {
    trust: TrustFile,
    clock: Arc<dyn Clock>,
}

impl Teller {
    /// By this trust file checkpoints are dated.
    pub(crate) fn new(trust: TrustFile, clock: Arc<dyn Clock>) -> Self {
        Self { trust, clock }
    }

    /// What is to be asked of the ledger about a receipt that has no proof beside it.
    pub(crate) fn question(&self, genuine: &Genuine) -> Option<Question> {
        let signed = SignedRecord::decode(&genuine.signed_record).ok().filter(|_| genuine.bundle.is_empty())?;
        let status_key = status_key(self.trust.suite(), &genuine.signed_record);
        Some(Question { key: signed.record.key, status_key })
    }

    /// The issuer's word, the ledger's and this site's, as markup. `answer` is what a node said to [`Self::question`].
    pub(crate) fn tell(&self, genuine: &Genuine, answer: Option<&Answer>) -> String {
        let mut told = "<dl>".to_owned();
        let by_issuer = self.by_issuer(genuine);
        row(&mut told, ("开票单位的系统说", "The issuer’s system says"), &by_issuer);
        let has_proof = !genuine.bundle.is_empty();
        if has_proof {
            row(&mut told, ("所附证明的时间", "The proof beside it is of"), &self.dated(proof_note(genuine)));
        } else if let Some(answer) = answer {
            row(&mut told, ("账本的节点答复", "A node of the ledger answers"), &self.by_node(genuine, answer));
        } else {
            let missing = Said { zh: ProblemKind::NoNode.zh().to_owned(), en: ProblemKind::NoNode.en().to_owned() };
            row(&mut told, ("账本", "The ledger"), &[missing]);
        }
        let own = match has_proof {
            true => plain(
                "只转述，不作判断；下面的文件自带证明。",
                "It hands this on and judges nothing; the file below brings its proof.",
            ),
            false => plain("只转述，不作判断。", "It hands this on and judges nothing."),
        };
        row(&mut told, ("本站", "This site"), &[own]);
        told += "</dl>";
        if !has_proof {
            told += &format!(
                "<p class=\"links\"><a href=\"/V#{}\">用能运行脚本的浏览器核验这张票据的码 \
                 <span lang=\"en\">Verify this receipt’s code in a browser that runs scripts</span></a></p>",
                digits(&genuine.signed_record)
            );
        }
        told
    }

    fn by_issuer(&self, genuine: &Genuine) -> Vec<Said> {
        let fit = |zh: &str, en: &str| plain(&format!("五项相符{zh}"), &format!("All five fit{en}"));
        match (genuine.state(), genuine.standing()) {
            (ReceiptState::Refused, _) => {
                let reason = Reason::parse(&genuine.refused_reason);
                let refused = reason.map(|reason| Parameters::of([("reason", Value::Reason(reason))]));
                let why = refused.map(|values| self.words(Finding::Refused.sentence(), &values));
                let bare = plain("账本没有接受这张票据。", "The ledger refused the receipt.");
                vec![fit("。", "."), why.unwrap_or(bare), self.words(Finding::Refused.advice(), &Parameters::NONE)]
            }
            (ReceiptState::Sealed, Standing::Reversed) => {
                let red =
                    genuine.reversed_by.as_ref().map(|key| format!("{}-{}", key.receipt_code, key.receipt_number));
                let red = red.map(|red| plain(&format!("红字票据：{red}"), &format!("Red receipt: {red}")));
                let reversed =
                    fit("，但票据已被冲红，不再有效。", ", but the receipt was reversed and is not in force.");
                let advice = self.words(Finding::Reversed.advice(), &Parameters::NONE);
                std::iter::once(reversed).chain(red).chain([advice]).collect()
            }
            (ReceiptState::Sealed, Standing::PaperOut) => {
                vec![fit("，票据已换开纸质票据。", ", and the receipt was exchanged to paper.")]
            }
            (ReceiptState::Sealed, _) => {
                vec![fit("，票据已上链，没有冲红。", "; the receipt is anchored and not reversed.")]
            }
            _ => vec![fit("，票据正在上链。", "; the receipt is being anchored.")],
        }
    }

    fn by_node(&self, genuine: &Genuine, answer: &Answer) -> Vec<Said> {
        let note = match answer {
            Answer::Taken { status, .. } => note_of(&status.proof),
            Answer::Refused { checkpoint, .. } | Answer::Absent { checkpoint } => {
                SignedNote::parse(checkpoint.as_bytes()).ok()
            }
        };
        let as_of = note.as_ref().and_then(|note| self.as_of(note));
        let mut told = self.dated(note);
        told.push(match answer {
            Answer::Taken { status, .. } if status.value.is_some() => plain(
                "票据已上链，此后另有记载（例如冲红）。",
                "The receipt is anchored, and something was recorded of it since, for example a reversal.",
            ),
            Answer::Taken { .. } => plain("票据已上链，没有冲红。", "The receipt is anchored and not reversed."),
            Answer::Refused { replaced_by: Some(key), .. } => plain(
                &format!("账本没有收下这张票据；同一业务的票据是{key}。"),
                &format!("The ledger did not take the receipt; that of the same transaction is {key}."),
            ),
            Answer::Refused { .. } | Answer::Absent { .. } => {
                plain("账本里没有这张票据。", "The ledger does not have the receipt.")
            }
        });
        let is_waiting = genuine.state() == ReceiptState::Pending && !matches!(answer, Answer::Taken { .. });
        let signed = SignedRecord::decode(&genuine.signed_record).ok().filter(|_| is_waiting);
        if let (Some(signed), Some(as_of)) = (signed, as_of) {
            let seal_by = signed.record.seal_by;
            let promised = Parameters::of([("seal_by_ms", Value::Millis(seal_by))]);
            let sentences = match as_of.get() > seal_by.seconds() {
                true => [Some(Finding::Overdue.sentence()), Some(Finding::Overdue.advice())],
                false => [Some(Finding::Pending.advice()), None],
            };
            told.extend(sentences.into_iter().flatten().map(|sentence| self.words(sentence, &promised)));
        }
        told
    }

    /// Of when a checkpoint is; nothing of one that the trust file does not accept.
    fn dated(&self, note: Option<SignedNote>) -> Vec<Said> {
        let as_of = note.and_then(|note| self.as_of(&note));
        let line = |as_of: PosixSeconds| {
            let age = self.clock.now().seconds().saturating_sub(as_of.get());
            let values = [("age_seconds", Value::Ago(age)), ("as_of_seconds", Value::Seconds(as_of.get()))];
            self.words(Phrase::AsOfCheckpoint.sentence(), &Parameters::of(values))
        };
        as_of.map(line).into_iter().collect()
    }

    fn as_of(&self, note: &SignedNote) -> Option<PosixSeconds> {
        Some(self.trust.verify_note(note).ok()?.as_of)
    }

    fn words(&self, sentence: Sentence, values: &Parameters) -> Said {
        said(sentence, values, self.trust.utc_offset_minutes())
    }
}

fn proof_note(genuine: &Genuine) -> Option<SignedNote> {
    note_of(&Bundle::decode(&genuine.bundle).ok()?.status.proof)
}

fn note_of(proof: &str) -> Option<SignedNote> {
    Some(TlogProof::parse(proof.as_bytes()).ok()?.checkpoint)
}

fn plain(zh: &str, en: &str) -> Said {
    Said { zh: zh.to_owned(), en: en.to_owned() }
}

/// Whose word it is, and what they say; nothing if they say nothing.
fn row(told: &mut String, (zh, en): (&str, &str), words: &[Said]) {
    if words.is_empty() {
        return;
    }
    *told += &format!("<dt>{zh} <span lang=\"en\">{en}</span></dt><dd>");
    for Said { zh, en } in words {
        *told += &format!("<p>{} <span lang=\"en\">{}</span></p>", escaped(zh), escaped(en));
    }
    *told += "</dd>";
}

#[cfg(test)]
mod tests;
