"""Reads a validator's public log with software that nobody here wrote, and checks everything in it.

    read_log.py URL TRUST [OLDER …]

URL is where a validator serves its log, TRUST the chain's trust file, OLDER files with checkpoints read before. tlog-scales
fetches tiles, entries and checkpoint over HTTP, verifies the signatures of all kinds, rebuilds the root, and makes and checks
an inclusion proof of every entry and a consistency proof from every older checkpoint. Every check is also made to fail once, on
something that is wrong in one bit. This file only says what to check; no hash or signature is computed here.
"""

import dataclasses
import sys
from pathlib import Path

from tlog_scales.backend import make_backend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey, VkeySet
from tlog_scales.tiles import leaf_hash
from tlog_scales.tlog import Checkpoint, ConsistencyProofInvalid, InclusionProofInvalid


class Policy:
    """The lines of c2sp.org/tlog-policy in a trust file of one validator set."""

    def __init__(self, trust: str):
        lines = [line.split(" ") for line in trust.splitlines()]
        self.logs = VkeySet(*(key_of(line[1]) for line in lines if line[0] == "log"))
        self.cosigners = VkeySet(*(key_of(line[2]) for line in lines if line[0] == "witness"))
        (self.quorum,) = (int(line[2]) for line in lines if line[:2] == ["group", "quorum"])

    def log_keys(self, checkpoint: Checkpoint) -> int:
        return len(self.logs.verify(checkpoint.signatures, checkpoint))

    def cosigner_keys(self, checkpoint: Checkpoint) -> int:
        return len(self.cosigners.verify(checkpoint.signatures, checkpoint))

    def check(self, checkpoint: Checkpoint) -> None:
        logs, cosigners = self.log_keys(checkpoint), self.cosigner_keys(checkpoint)
        expect(logs >= 1, f"no log key signed {checkpoint}")
        expect(cosigners >= self.quorum, f"{cosigners} of {self.quorum} cosigners signed {checkpoint}")
        expect(logs + cosigners == len(checkpoint.signatures), f"a line of {checkpoint} does not verify")
        wrong = dataclasses.replace(checkpoint, root_hash=flipped(checkpoint.root_hash))
        expect((self.log_keys(wrong), self.cosigner_keys(wrong)) == (0, 0), f"a signature holds for {wrong}, too")


def key_of(text: str) -> Vkey:
    key = Vkey.from_string(text)
    expect(Vkey(key.name, None, key.sig_type, key.pubkey).serialize() == text, f"{text} is not what it should be")
    return key


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        sys.exit(otherwise)


def refuses(error: type[Exception], check, *arguments) -> bool:
    try:
        check(*arguments)
    except error:
        return True
    return False


def main(url: str, trust: str, older: list[str]) -> None:
    backend, policy = make_backend(url), Policy(Path(trust).read_text())
    published = backend.get("checkpoint").decode()
    newest = Checkpoint.from_text(published)
    expect(newest.serialize() == published, "the checkpoint is not written as the reader would write it")
    policy.check(newest)

    reader = TilesReader(backend)
    reader.set_size(newest.size)
    expect(reader.calculate_root_hash() == newest.root_hash, "the tiles have another root than the checkpoint")
    for index in range(newest.size):
        leaf = leaf_hash(reader.get_entry(index))
        proof = reader.get_inclusion_proof(index, newest.size)
        proof.check(leaf, newest.root_hash)
        expect(refuses(InclusionProofInvalid, proof.check, flipped(leaf), newest.root_hash), f"any entry is at {index}")

    for path in older:
        old = Checkpoint.from_text(Path(path).read_text())
        policy.check(old)
        proof = reader.get_consistency_proof(old.size, newest.size)
        proof.check(old.root_hash, newest.root_hash)
        wrong = flipped(old.root_hash)
        expect(refuses(ConsistencyProofInvalid, proof.check, wrong, newest.root_hash), f"any tree has size {old.size}")
    print(f"{newest.size} entries included, {len(older)} older checkpoints consistent")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
