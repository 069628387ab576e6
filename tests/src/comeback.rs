//! A validator has come back from a loss: whether its vote counts again, and what became of everything meanwhile.

use anyhow::Result;
use tallystick_devnet::logs::AllowList;

use crate::checkpoints::CheckpointWatch;
use crate::judgement::all_sealed_once;
use crate::load::Load;
use crate::{TestNetwork, after_kills};

/// Far more heights than were on their way when a validator died.
pub const HEIGHTS_WITH_ITS_VOTE: u64 = 10;

/// Kills another validator, so that the quorum needs the one that came back, and brings that one back, too. Then: every
/// acknowledged receipt sealed once, one tip, one history, a clean audit of the one that came back, clean ends and logs.
pub async fn its_vote_counts_again(
    mut network: TestNetwork,
    validator_id: u32,
    dies_id: u32,
    load: Load,
    checkpoints: CheckpointWatch,
) -> Result<()> {
    network.node(dies_id)?.kill().await?;
    let all = network.description().nodes.iter().map(|node| node.validator_id);
    let alive: Vec<u32> = all.filter(|id| *id != dies_id).collect();
    network.wait_more_heights(&alive, HEIGHTS_WITH_ITS_VOTE).await?;
    network.node(dies_id)?.start()?;
    network.node(dies_id)?.wait_ready().await?;

    let acked = load.stop().await?;
    all_sealed_once(&network, 1, &acked).await?;
    let tip = network.wait_equal_tips().await?;
    let seen = checkpoints.check(&network).await?;
    println!("{} receipts sealed once, {seen} checkpoints, height {}", acked.len(), tip.sealed_height);
    network.audit(validator_id).await?;
    network.finish(&after_kills(AllowList::lifecycle())).await
}
