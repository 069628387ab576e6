"""The ledger's answer about a record, a bundle that it makes new, and the report of a record that it leaves out: docs/spec/ledger-answer.md, left-out.md."""

import base64
import re

import body
import notes
from formats import Refused, U64, Unjudged, require, unbase64
from verify_bundle import Scan, check_shape, read_bundle

ANSWER_BYTES_MAX = 1 << 20
BATCH = {"index": int, "path": [str], "header": str}
STATUS = {"seal": str, "proof": str, "map": str, "value?": str}
SHAPES = {
    "taken": {"format": str, "answer": str, "batch": BATCH, "anchor": str, "status": STATUS},
    "refused": {"format": str, "answer": str, "batch": BATCH, "refusal": {"index": int, "path": [str], "entry": str},
                "checkpoint": str, "replaced_by?": str},
    "absent": {"format": str, "answer": str, "checkpoint": str},
}


class NotJoined(Exception):
    """An answer does not make a bundle new."""


class NotReported(Exception):
    """Nothing is left out; the finding says what it is instead."""


def read(data):
    """An answer; its values stay as they are written."""
    require(len(data) <= ANSWER_BYTES_MAX, "too large")
    try:
        answer = body.from_json(data.decode())
    except UnicodeError as error:
        raise Refused("not UTF-8") from error
    require(isinstance(answer, dict) and answer.get("answer") in SHAPES, "an answer")
    check_shape(SHAPES[answer["answer"]], answer)
    require(answer["format"] == "tallystick/ledger-answer/v1", "format")
    for part, names, paths in (("batch", ("header",), True), ("status", ("seal", "map", "value"), False),
                               ("refusal", ("entry",), True)):
        if part in answer:
            for name in names:
                unbase64(answer[part].get(name, ""))
            if paths:
                require(0 <= answer[part]["index"] < U64, "index")
                for text in answer[part]["path"]:
                    notes.hash_of(text)
    require(re.fullmatch("[0-9]{8}-[0-9]{10}", answer.get("replaced_by", "00000000-0000000000")), "replaced_by")
    return answer


def with_quorum_lines(text, trust):
    """The proof file with the lines that the quorum needs, and (size, as of) of its checkpoint."""
    proof = notes.Proof(text)
    as_of, signers, _ = trust.judge(proof.note)
    policy = next(policy for first, last, _, _, policy in trust.sets
                  if first <= proof.note.size and (last is None or proof.note.size <= last))
    head, _, note = text.partition("\n\n")
    lines = note[len(proof.note.text) + 1:].splitlines()
    written = list(zip(proof.note.lines, lines))

    def newest(key):
        of_key = [(payload[:8], line) for (name, key_id, payload), line in written if (name, key_id) == (key.name, key.id)]
        return max(of_key, key=lambda found: found[0])[1] if of_key else None

    log = next(line for line in (newest(key) for key in policy.logs) if line)
    chosen = [log] + [newest(policy.members[name]) for name in signers]
    return f"{head}\n\n{proof.note.text}\n" + "".join(line + "\n" for line in chosen), (proof.note.size, as_of)


def with_needed_lines(note, trust):
    """The note without the lines that it needs not to be accepted as of the same time, the last of them first."""
    as_of, _, _ = trust.judge(notes.Note(note))
    text, _, rest = note.rpartition("\n\n")
    lines = rest.splitlines()
    written = lambda lines: text + "\n\n" + "".join(line + "\n" for line in lines)
    for position in reversed(range(len(lines))):
        fewer = lines[:position] + lines[position + 1:]
        try:
            if trust.judge(notes.Note(written(fewer)))[0] == as_of:
                lines = fewer
        except (Refused, Unjudged):
            pass
    return written(lines)


def join(data, answer, trust):
    """The bundle with the proofs of the answer."""
    try:
        read_bundle(data)
    except Refused as error:
        raise NotJoined("RECEIPT") from error
    bundle, answer = body.from_json(data.decode()), read(answer)
    if answer["answer"] != "taken":
        raise NotJoined("ANSWER_CONTRADICTS")
    try:
        anchor, _ = with_quorum_lines(answer["anchor"], trust)
        proof, newer = with_quorum_lines(answer["status"]["proof"], trust)
    except (Refused, Unjudged) as error:
        raise NotJoined("ANSWER_UNPROVED") from error
    try:
        _, own = with_quorum_lines(bundle["status"]["proof"], trust)
    except (Refused, Unjudged):
        own = newer
    if newer < own:
        raise NotJoined("ANSWER_OLDER")
    status = answer["status"] | {"proof": proof}
    return body.to_json(bundle | {"batch": answer["batch"], "anchor": anchor, "status": status}).encode()


def as_asked(answer):
    """An answer as `Scan` takes it, its binary values decoded."""
    asked = {"answer": answer["answer"]}
    if "batch" in answer:
        batch = answer["batch"]
        asked |= {"batch_index": batch["index"], "batch_path": [notes.hash_of(text) for text in batch["path"]],
                  "signed_header": unbase64(batch["header"])}
    if "status" in answer:
        status = answer["status"]
        asked |= {"anchor": answer["anchor"], "status": {name: value if name == "proof" else unbase64(value)
                                                         for name, value in status.items()}}
    if "refusal" in answer:
        refusal = answer["refusal"]
        asked |= {"leaf_index": refusal["index"], "path": [notes.hash_of(text) for text in refusal["path"]],
                  "entry": unbase64(refusal["entry"])}
    return asked | {name: answer[name] for name in ("checkpoint",) if name in answer}


def report(record, answer, units, trust, at_ms):
    """The report that the ledger leaves the record out."""
    answer = read(answer)
    scan = Scan(trust, at_ms)
    finding, _ = scan.finding(scan.judge(record, units, as_asked(answer)))
    if finding != "OVERDUE":
        raise NotReported(finding)
    note = with_needed_lines(answer["checkpoint"], trust)
    written = {"format": "tallystick/left-out/v1", "chain": trust.chain.hex(),
               "record": base64.b64encode(record).decode(), "checkpoint": note}
    return body.to_json(written).encode()
