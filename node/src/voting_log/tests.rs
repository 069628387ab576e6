use std::fs;

use receipt_core::suite::ChainId;
use receipt_core::testkit::TestChain;
use tallystick_engine::{ConsensusSigner as _, SignRequest, VoteSlot};

use super::*;
use crate::guard::GuardedSigner;
use crate::store::ProposalHead;

const OWN: MemberId = MemberId::new(1);
const BLOCK: [u8; 32] = [7; 32];
const HEIGHT: u64 = 5;
const PAGE_BYTES: usize = 4096;

/// As the engine's library computes it (CRC-32, ISO-HDLC).
fn crc(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1)))
    })
}

fn entry(tag: u8, message: &[u8]) -> Vec<u8> {
    let data = [&[tag][..], &(message.len() as u64).to_be_bytes(), message].concat();
    [&[0][..], &(data.len() as u64).to_be_bytes(), &crc(&data).to_be_bytes(), &data].concat()
}

/// The engine was told that a block is judged.
fn judged(height: u64, block_id: [u8; 32]) -> Vec<u8> {
    let [round, no_round] = [[1, 0, 0, 0, 0], [0; 5]];
    entry(4, &[&height.to_be_bytes()[..], &round, &no_round, &2_u32.to_be_bytes(), &block_id, &[1]].concat())
}

fn prevote(height: u64, member: MemberId, block_id: [u8; 32]) -> Vec<u8> {
    let round = [1, 0, 0, 0, 0];
    let member = member.get().to_be_bytes();
    entry(1, &[&[0, 0][..], &height.to_be_bytes(), &round, &[1], &block_id, &member, &[0; 64]].concat())
}

fn log_of(height: u64, entries: &[Vec<u8>]) -> Vec<u8> {
    [&1_u32.to_be_bytes()[..], &height.to_be_bytes(), &entries.concat()].concat()
}

/// A validator's disk.
struct Disk {
    directory: scratch::Directory,
    store: Store,
    guard: std::sync::Arc<Guard>,
    chain: ChainId,
}

impl Disk {
    fn new() -> Self {
        let directory = scratch::Directory::new();
        let genesis = TestChain::new().genesis().clone();
        let store = Store::init(&directory.path().join("data"), &genesis).unwrap();
        let guard = directory.path().join("guard.bin");
        Guard::create(&guard, genesis.chain_id()).unwrap();
        let guard = std::sync::Arc::new(Guard::open(&guard, genesis.chain_id()).unwrap());
        Self { directory, store, guard, chain: genesis.chain_id() }
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join(VOTING_LOG)
    }

    fn judges(&self) -> Judges<'_> {
        Judges { guard: &self.guard, store: &self.store, member: OWN }
    }

    fn judge(&self, log: &[u8], next: u64) -> Fitness {
        fs::write(self.log(), log).unwrap();
        let fitness = judge(&self.log(), next, self.judges()).unwrap();
        assert_eq!(fs::read(self.log()).unwrap(), log, "looking changes nothing");
        fitness
    }

    /// The guard signs a prevote as asked.
    fn sign(&self, height: u64, block_id: Option<[u8; 32]>) {
        let (slot, block_id) = (VoteSlot { height, round: 0 }, block_id.map(BlockId));
        let preimage = tallystick_engine::prevote(&self.chain.0.0, slot, block_id.as_ref());
        let request = SignRequest::Prevote { slot, block_id, polka_round: None, untimely: false };
        GuardedSigner::new(std::sync::Arc::clone(&self.guard), &[1; 32]).sign(&request, &preimage).unwrap();
    }

    fn put_block(&self, height: u64, block_id: [u8; 32]) {
        let block_id = Hash(block_id);
        let head =
            ProposalHead { block_id, round: 0, pol_round: None, proposer: 2, valid: true, timely: true, own: false };
        self.store.put_proposal(Height::new(height), &head, b"block").unwrap();
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.starts_with(VOTING_LOG));
        names.sort();
        names
    }
}

fn without_block(block_id: [u8; 32]) -> Fitness {
    Fitness::Unfit(Unfit::WithoutBlock(BlockId(block_id)))
}

/// The store was made anew, or is an older copy: replayed, the log would decide a block that is not there, at each start.
#[test]
fn a_log_is_used_only_with_the_blocks_that_it_names() {
    let disk = Disk::new();
    let log =
        log_of(HEIGHT, &[judged(HEIGHT, BLOCK), prevote(HEIGHT, OWN, BLOCK), prevote(HEIGHT, MemberId::new(2), BLOCK)]);
    disk.sign(HEIGHT, Some(BLOCK));
    assert_eq!(disk.judge(&log, HEIGHT), without_block(BLOCK));
    assert!(matches!(disk.judge(&log, HEIGHT + 1), Fitness::Usable(_)), "the engine empties another height's log");
    disk.put_block(HEIGHT + 1, BLOCK);
    assert_eq!(disk.judge(&log, HEIGHT), without_block(BLOCK), "the block of another height");

    assert_eq!(prepare(&disk.log(), HEIGHT, disk.judges()).unwrap(), None);
    assert_eq!(disk.names(), ["consensus.wal.without-block-1"]);
    assert_eq!(
        fs::read(disk.log().with_file_name("consensus.wal.without-block-1")).unwrap(),
        log,
        "nothing is deleted"
    );
    assert_eq!(judge(&disk.log(), HEIGHT, disk.judges()).unwrap(), Fitness::Missing);

    disk.put_block(HEIGHT, BLOCK);
    let Fitness::Usable(contents) = disk.judge(&log, HEIGHT) else { panic!("the block is there") };
    assert_eq!((contents.height, contents.entries, contents.blocks.len()), (HEIGHT, 3, 1));
    // A vote for a block that did not come: the engine asks for it.
    let waiting = log_of(HEIGHT, &[prevote(HEIGHT, MemberId::new(2), [8; 32])]);
    assert!(matches!(disk.judge(&waiting, HEIGHT), Fitness::Usable(_)));
}

/// A guard that was made anew, or an older one, must not make this validator say another thing than its log has.
#[test]
fn a_log_that_says_more_than_the_guard_is_waited_out() {
    let disk = Disk::new();
    let log = log_of(HEIGHT, &[judged(HEIGHT, BLOCK), prevote(HEIGHT, OWN, BLOCK)]);
    let uncovered = Fitness::Uncovered(Height::new(HEIGHT));
    assert_eq!(disk.judge(&log, HEIGHT), uncovered, "the guard has said nothing");
    assert_eq!(prepare(&disk.log(), HEIGHT, disk.judges()).unwrap(), Some(Height::new(HEIGHT)));
    assert_eq!(disk.names(), [VOTING_LOG], "it stays until the height is decided");
    let torn = [&log[..], &[0; 300]].concat();
    assert_eq!(disk.judge(&torn, HEIGHT), uncovered, "damaged, too");
    disk.sign(HEIGHT, None);
    assert_eq!(disk.judge(&log, HEIGHT), uncovered, "the guard has said another thing");
    disk.sign(HEIGHT + 1, None);
    assert_eq!(disk.judge(&log, HEIGHT), without_block(BLOCK), "nothing is signed at this height any more");
    assert!(matches!(disk.judge(&torn, HEIGHT + 1), Fitness::Unfit(Unfit::Damaged(_))), "decided: it may go");
}

/// Else the engine would stop at each start: it derives other votes than it finds.
#[test]
fn a_log_with_other_words_than_the_engine_asked_for_is_set_aside_once() {
    let disk = Disk::new();
    let log = log_of(HEIGHT, &[]);
    disk.sign(HEIGHT, None);
    assert!(matches!(disk.judge(&log, HEIGHT), Fitness::Usable(_)), "as it was asked for");
    disk.sign(HEIGHT, Some(BLOCK));
    assert!(matches!(disk.judge(&log, HEIGHT + 1), Fitness::Usable(_)), "the engine empties another height's log");
    assert_eq!(disk.judge(&log, HEIGHT), Fitness::Unfit(Unfit::Amended));
    for _ in 0..2 {
        assert_eq!(prepare(&disk.log(), HEIGHT, disk.judges()).unwrap(), None);
        assert_eq!(disk.names(), [AMENDED_LOG]);
    }
}

/// A power cut may leave zeros, or older bytes, for any page that was not synced, and may cut the file short. Whatever is left,
/// the node starts: the log is used as far as it is whole, or goes aside.
#[test]
fn a_log_with_any_page_torn_or_cut_anywhere_does_not_stop_the_node() {
    let disk = Disk::new();
    disk.sign(HEIGHT, Some(BLOCK));
    disk.put_block(HEIGHT, BLOCK);
    let mut entries = vec![judged(HEIGHT, BLOCK), prevote(HEIGHT, OWN, BLOCK)];
    entries.extend((2..150).map(|member| prevote(HEIGHT, MemberId::new(member), BLOCK)));
    let log = log_of(HEIGHT, &entries);
    let pages = log.len().div_ceil(PAGE_BYTES);
    assert!(pages >= 4, "{pages}");
    let mut torn: Vec<Vec<u8>> = (0..log.len()).step_by(61).map(|cut| log[..cut].to_vec()).collect();
    // Every set of pages, as zeros and as what stood there when the file was of an earlier height.
    for set in 1..(1_usize << pages) {
        for fill in [0, 0xA5] {
            let mut bytes = log.clone();
            for (number, page) in bytes.chunks_mut(PAGE_BYTES).enumerate() {
                if set >> number & 1 == 1 {
                    page.fill(fill);
                }
            }
            torn.push(bytes);
        }
    }
    let mut aside = 0;
    for bytes in &torn {
        fs::write(disk.log(), bytes).unwrap();
        assert_eq!(prepare(&disk.log(), HEIGHT, disk.judges()).unwrap(), None);
        if disk.log().exists() {
            assert!(matches!(
                judge(&disk.log(), HEIGHT, disk.judges()).unwrap(),
                Fitness::Usable(_) | Fitness::Missing
            ));
        } else {
            aside += 1;
        }
    }
    println!("{} torn logs, {aside} went aside", torn.len());
    assert_eq!(disk.names().iter().filter(|name| name.contains("damaged-")).count(), aside, "nothing is deleted");
    assert!(aside >= (1 << pages));
}

/// What a torn reset leaves: the new height in the header, the old height's entries after it.
#[test]
fn entries_of_another_height_are_damage() {
    let disk = Disk::new();
    let log = log_of(HEIGHT, &[judged(HEIGHT - 1, BLOCK)]);
    let Fitness::Unfit(Unfit::Damaged(problem)) = disk.judge(&log, HEIGHT) else { panic!("it cannot be replayed") };
    assert!(problem.contains("entry 1: it is of height 4, the log of height 5"), "{problem}");
}

#[test]
fn a_log_that_cannot_be_read_is_not_called_damaged() {
    let disk = Disk::new();
    fs::create_dir(disk.log()).unwrap();
    let error = judge(&disk.log(), HEIGHT, disk.judges()).unwrap_err().to_string();
    assert!(error.contains("cannot be read: ") && !error.contains("is damaged"), "{error}");
    fs::remove_dir(disk.log()).unwrap();

    fs::write(disk.log(), log_of(HEIGHT, &[])).unwrap();
    let file = fs::File::options().read(true).write(true).open(disk.log()).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let error = judge(&disk.log(), HEIGHT, disk.judges()).unwrap_err().to_string();
    assert!(error.contains("is in use"), "{error}");
}
