//! What the guard answers when the engine asks it to sign: a pure function of what was signed before.
//!
//! The engine may have forgotten what it said, with its log. So nothing here relies on the engine's memory; the argument
//! why this is safe stands in `docs/adr/0006-guard-slots.md`. In short:
//!
//! 1. Of one (height, round, kind) one statement is ever signed. Asked for a second, the guard repeats the first.
//! 2. Votes for blocks are signed in the order of rounds, and in a round the prevote before the precommit. A later one is
//!    never followed by an earlier one: instead of it, nil is signed.
//! 3. After a precommit for a block (the lock), another block is prevoted only if more than 2/3 prevoted for that one in the
//!    lock's round or later. Instead of any other, nil is signed.
//! 4. A block that came early or late here is first voted for only after more than 1/3 prevoted for it. Instead of it,
//!    nil is signed.
//!
//! A vote for nil never makes two blocks decided.

use super::slot::{Ballot, Contents, Kind, Vote};

/// How the guard answers a request to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Sign this, for the first time.
    Sign(Ballot),
    /// Give this again.
    Repeat(Vote),
    /// Neither is possible.
    Refuse(String),
}

/// What this node knows of the block that it is asked to prevote for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Grounds {
    /// The newest earlier round in which more than 2/3 prevoted for it.
    pub(super) polka_round: Option<u32>,
    /// It came early or late, and no more than 1/3 prevoted for it.
    pub(super) untimely: bool,
}

/// The answer to being asked for `asked` at `height`, the height of `contents` or a later one.
pub(super) fn answer(contents: &Contents, height: u64, asked: &Ballot, grounds: Grounds) -> Answer {
    if height > contents.height {
        return Answer::Sign(if grounds.untimely { Ballot { block_id: None, ..*asked } } else { *asked });
    }
    if height < contents.height {
        let text = format!("height {height}: this validator has voted at height {} already", contents.height);
        return Answer::Refuse(text);
    }
    let text = |problem: &str| format!("height {height} round {}: {problem}", asked.round);
    if let Some(known) = contents.vote(asked.kind, asked.round) {
        // The known proposal names a proof (`pol_round`) that this request has not, so the engine could not send it.
        let unfit = asked.kind == Kind::Proposal && asked.pol_round.is_none() && known.ballot.pol_round.is_some();
        return if unfit {
            Answer::Refuse(text("this validator proposed a locked block in this round"))
        } else {
            Answer::Repeat(*known)
        };
    }
    if asked.round < contents.round_floor {
        // What was said in this round is forgotten. Repeating the newest vote instead moves this engine and the others on to its round.
        let newest = contents.newest(asked.kind).filter(|_| asked.kind != Kind::Proposal);
        let refusal = || Answer::Refuse(text("what this validator said in this round is forgotten"));
        return newest.map_or_else(refusal, |vote| Answer::Repeat(*vote));
    }
    Answer::Sign(if may_sign(contents, asked, grounds) { *asked } else { Ballot { block_id: None, ..*asked } })
}

/// Rules 2 to 4, for a slot without a statement.
fn may_sign(contents: &Contents, asked: &Ballot, grounds: Grounds) -> bool {
    let Some(block_id) = asked.block_id else { return true };
    let is_late = contents.newest_vote().is_some_and(|newest| (asked.round, asked.kind) < newest);
    match asked.kind {
        Kind::Proposal => true,
        Kind::Precommit => !is_late,
        Kind::Prevote => {
            let is_free = |lock: &super::slot::Lock| {
                lock.block_id == block_id || grounds.polka_round.is_some_and(|round| round >= lock.round)
            };
            let may_begin = !grounds.untimely || contents.voted_for(block_id);
            !is_late && contents.lock.as_ref().is_none_or(is_free) && may_begin
        }
    }
}
