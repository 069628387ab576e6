#!/usr/bin/env python3
"""Verifies one bundle or presentation, following docs/spec alone: verify_bundle.py BUNDLE.tally TRUST [AT_MS].

Prints the verdict as JSON; exit code 0 in force, 1 invalid, 2 reversed, 4 it cannot be judged here, 5 no receipt, 64 a bad
call, time or trust file, 66 a file that cannot be read. Fiscal rules (BODY_RULES) are not judged.
"""

import datetime
import json
import re
import sys
import time

import body
import code_text
import directory
import ed25519
import formats
import notes
import presentation
from formats import Refused, Unjudged, message_of, preimage, refuse_later, require, unbase64
from messages import REFUSED

SHAPE = {
    "format": str, "chain": str, "body": {"seed": str, "values": [str]}, "record": str, "credential": str,
    "batch": {"index": int, "path": [str], "header": str}, "anchor": str,
    "status": {"seal": str, "proof": str, "map": str, "value?": str},
}
SHAPE_OF_REPORT = {"format": str, "chain": str, "record": str, "checkpoint": str}
SHAPE_OF_PART = SHAPE | {"body": {"leaves": [{"salt?": str, "value?": str, "hash?": str}]}}


def check_shape(shape, value):
    if isinstance(shape, dict):
        require(isinstance(value, dict), "an object")
        present = [key for key in shape if not key.endswith("?") or key[:-1] in value]
        require([key.rstrip("?") for key in present] == list(value), "keys")
        for key in present:
            check_shape(shape[key], value[key.rstrip("?")])
    elif isinstance(shape, list):
        require(isinstance(value, list), "a list")
        for item in value:
            check_shape(shape[0], item)
    else:
        require(type(value) is shape, "a value")


def read_bundle(data):
    """The file, with binary values decoded."""
    require(len(data) <= BUNDLE_BYTES_MAX, "too large")
    try:
        bundle = body.from_json(data.decode())
    except UnicodeError as error:
        raise Refused("not UTF-8") from error
    is_part = isinstance(bundle, dict) and bundle.get("format") == presentation.FORMAT
    check_shape(SHAPE_OF_PART if is_part else SHAPE, bundle)
    require(is_part or bundle["format"] == "tallystick/bundle/v1", "format")
    require(re.fullmatch("[0-9a-f]{64}", bundle["chain"]), "chain")
    if is_part:
        for leaf in bundle["body"]["leaves"]:
            require(list(leaf) in (["salt", "value"], ["hash"]), "a leaf is shown or withheld")
        leaves, values = presentation.read_leaves(bundle["body"]["leaves"])
        bundle["body"] = {"leaves": leaves, "known": values}
    bundle["chain"] = bytes.fromhex(bundle["chain"])
    for part, names in ((bundle, ("record", "credential")), ({} if is_part else bundle["body"], ("seed",)), (bundle["batch"], ("header",)),
                        (bundle["status"], ("seal", "map", "value"))):
        for name in names:
            if name in part:
                part[name] = unbase64(part[name])
    bundle["batch"]["path"] = [notes.hash_of(text) for text in bundle["batch"]["path"]]
    require((is_part or len(bundle["body"]["seed"]) == 32) and 0 <= bundle["batch"]["index"] < formats.U64, "seed or index")
    return bundle


def read_report(data):
    """The report of a receipt left out, with binary values decoded: docs/spec/left-out.md."""
    require(len(data) <= REPORT_BYTES_MAX, "too large")
    try:
        report = body.from_json(data.decode())
    except UnicodeError as error:
        raise Refused("not UTF-8") from error
    check_shape(SHAPE_OF_REPORT, report)
    require(report["format"] == "tallystick/left-out/v1", "format")
    require(re.fullmatch("[0-9a-f]{64}", report["chain"]), "chain")
    return report | {"chain": bytes.fromhex(report["chain"]), "record": unbase64(report["record"])}


def refuse_later_report(data):
    """A report of another version may be good."""
    name = re.match(rb'\{"format":"(tallystick/left-out/[^"]{0,31})"', data)
    try:
        later = name and name[1].decode() != "tallystick/left-out/v1" and name[1].decode()
    except UnicodeError:
        later = None
    if later:
        raise Unjudged("FORMAT_UNKNOWN", later)


REPORT_BYTES_MAX = 512 << 10
REPORT_START = b'{"format":"tallystick/left-out/'
BUNDLE_BYTES_MAX = 4 << 20
FORMATS = (b"tallystick/bundle/v1", presentation.FORMAT.encode())
# From 2020 to 2100: anything else is seconds, a date or a typing error.
AT_MS_RANGE = range(1_577_836_800_000, 4_102_444_800_000)


def look_at(data):
    """Whether the file is a bundle of this format, before anything of it is judged."""
    head = data[:256]
    if head.startswith(REPORT_START) or b"tallystick/bundle/" not in head:
        raise Unjudged("NO_RECEIPT", "it does not begin as a bundle does")
    name = re.match(rb'\{"format":"([^"]*)"', head)
    try:
        later = name and name[1].startswith(b"tallystick/bundle/") and name[1] not in FORMATS and name[1].decode()
    except UnicodeError:
        later = None
    if later:
        raise Unjudged("FORMAT_UNKNOWN", later)


#: What a verdict comes to if a check fails (docs/spec/verdict.md).
FINDINGS = {
    "DAMAGED": "BUNDLE_FORM REPORT_FORM RECORD_FORM CREDENTIAL_FORM HEADER_FORM ANCHOR_FORM SEAL_FORM",
    "FORGED": "CREDENTIAL_SIGNATURES CREDENTIAL_SCOPE RECORD_SIGNATURE",
    "ALTERED": "BODY_ROOT SHOWN_ROOT",
    "CONTRADICTORY": "BODY_FORM BODY_RECORD BODY_UNIT SHOWN_FORM SHOWN_RECORD",
    "FROM_THE_FUTURE": "ISSUE_TIME ANCHOR_TIME SEAL_TIME",
    "NOT_ANCHORED": "BATCH_INCLUSION HEADER_TIME ANCHOR_QUORUM ANCHOR_INCLUSION",
    "REPORT_UNPROVED": "SEAL_BY_PASSED",
    "STATUS_UNPROVED": "SEAL_QUORUM SEAL_NEWER SEAL_POSITION SEAL_SET STATUS_PROOF",
}
FINDING_OF = {check: finding for finding, checks in FINDINGS.items() for check in checks.split()}
#: The colour of each result, and of what has another than its result. What nobody can prove (all that is "signed") is never bad.
TONES = {
    "good": "in_force",
    "caution": "too_old signed PRESENTED RED_IN_FORCE",
    "bad": "reversed refused invalid CODE_ELSEWHERE",
    "unknown": "unjudged no_receipt FROM_THE_FUTURE",
}
TONE_OF = {name: tone for tone, names in TONES.items() for name in names.split()}
#: The checks of the second and third layer; all others are of the first.
ANCHORED = "HEADER_FORM BATCH_INCLUSION HEADER_TIME ANCHOR_FORM ANCHOR_QUORUM ANCHOR_INCLUSION ANCHOR_TIME SEAL_BY_PASSED LEDGER_ANSWER"
IN_FORCE = "SEAL_FORM SEAL_QUORUM SEAL_NEWER SEAL_POSITION SEAL_SET SEAL_TIME STATUS_PROOF"


def layer_of(check):
    return "in_force" if check in IN_FORCE.split() else "anchored" if check in ANCHORED.split() else "genuine"


class Verdict:
    """Makes the checks of docs/spec/bundle.md in order. `made` has them: [code, outcome]."""

    def __init__(self, trust, at_ms):
        self.trust, self.latest, self.made = trust, at_ms + 600_000, []
        self.reverses, self.exactly = None, True
        #: Whether what the unit signed may be told.
        self.is_signed = False
        #: Of a presentation whose content holds: names that are shown, and that are withheld.
        self.shown, self.withheld = None, None

    @property
    def code(self):
        return self.made[-1][0]

    @code.setter
    def code(self, code):
        """The next check begins; it holds unless something says otherwise."""
        self.made.append([code, "passed"])

    def judge(self, data):
        try:
            self.code = "BUNDLE_FORM"
            look_at(data)
            self.bundle = read_bundle(data)
            self.genuine()
            self.anchored()
            return self.in_force()
        except Refused as refused:
            self.made[-1][1] = "failed"
            return {"result": "invalid", "code": self.code, "detail": str(refused)}
        except Unjudged as unjudged:
            if unjudged.code != "AUTHORITIES_UNKNOWN":
                self.made[-1][1] = "unknown"
            result = "no_receipt" if unjudged.code == "NO_RECEIPT" else "unjudged"
            return {"result": result, "code": unjudged.code, "detail": str(unjudged)}

    def layers(self, result):
        """What became of each layer."""
        order, found = ["genuine", "anchored", "in_force"], {}
        reached = max(order.index(layer_of(code)) for code, _ in self.made)
        for position, layer in enumerate(order):
            # What is from the future says as much of the clock.
            outcomes = {"unknown" if outcome == "failed" and FINDING_OF.get(code) == "FROM_THE_FUTURE" else outcome
                        for code, outcome in self.made if layer_of(code) == layer}
            known = position <= reached and "unknown" not in outcomes
            found[layer] = "failed" if "failed" in outcomes else "passed" if known else "unknown"
        if result == "reversed":
            found["in_force"] = "failed"
        return found

    def finding(self, verdict):
        """(code, result) of docs/spec/verdict.md."""
        result = verdict["result"]
        if result == "in_force" and self.reverses is not None:
            return "RED_IN_FORCE", result
        if result == "in_force" and self.is_part:
            return "PRESENTED", result
        if result in ("in_force", "reversed"):
            return result.upper(), result
        return FINDING_OF[verdict["code"]] if result == "invalid" else verdict["code"], result

    def genuine(self):
        bundle, trust = self.bundle, self.trust
        self.code = "CHAIN"
        if bundle["chain"] != trust.chain:
            raise Unjudged("OTHER_CHAIN", bundle["chain"].hex())
        self.code = "RECORD_FORM"
        refuse_later(message_of(bundle["record"]), is_record=True)
        record, signed, signature = formats.read_record(bundle["record"])
        self.record = record
        self.code = "CREDENTIAL_FORM"
        refuse_later(message_of(bundle["credential"]))
        credential, vouched, signatures = formats.read_credential(bundle["credential"])
        self.code = "CREDENTIAL_SIGNATURES"
        self.authorities_unknown = False
        message = preimage("tallystick/credential/v1", trust.chain, vouched)
        require(all(ed25519.verify_strict(key, message, by) for key, by in signatures), "a wrong signature")
        try:
            leaf = notes.Proof(bundle["anchor"]).index
        except Refused:
            leaf = None
        keys, threshold, newest = trust.authorities_at(leaf)
        signers = {key for key, _ in signatures}
        if len(signers & set(keys)) < max(1, threshold):
            # A later set has members of the newest one that is known, and keys that are in none.
            retired = {key for _, keys, _ in trust.authorities for key in keys} - set(keys)
            require(newest and signers - retired, "too few authorities of its time")
            self.authorities_unknown = True
            self.made[-1][1] = "unknown"
        self.signature(credential, signed, signature)
        if not self.authorities_unknown:
            self.is_signed, self.reverses = True, record["reverses"]
        content = self.part(credential) if self.is_part else self.content(credential)
        self.code = "ISSUE_TIME"
        require(record["issue_time_ms"] <= self.latest, "issued in the future")
        if not self.authorities_unknown:
            self.shown, self.withheld = content

    @property
    def is_part(self):
        return "leaves" in getattr(self, "bundle", {}).get("body", {})

    def signature(self, credential, signed, signature):
        """That the unit's key covers the record, and signed it."""
        record = self.record
        self.code = "CREDENTIAL_SCOPE"
        issued = record["issue_time_ms"]
        same = all(credential[name] == record[name] for name in ("unit_id", "key_id", "suite"))
        until = credential["valid_until_ms"]
        require(same and credential["valid_from_ms"] <= issued and (until == 0 or issued < until), "scope")
        self.code = "RECORD_SIGNATURE"
        message = preimage("tallystick/receipt/v1", self.trust.chain, signed)
        require(ed25519.verify_zip215(credential["public_key"], message, signature), "the unit did not sign")

    def content(self, credential):
        record, (seed, values) = self.record, self.bundle["body"].values()
        self.code = "BODY_ROOT"
        require(len(values) == record["disclosure_count"], "the number of values")
        require(body.root(seed, values) == record["body_root"], "another root")
        self.code = "BODY_FORM"
        receipt = body.read_values(values)
        self.code = "BODY_RECORD"
        self.compare(receipt, credential)
        return None, None

    def part(self, credential):
        record, (leaves, values) = self.record, self.bundle["body"].values()
        self.code = "SHOWN_ROOT"
        require(len(leaves) == record["disclosure_count"], "the number of values")
        require(presentation.root(leaves) == record["body_root"], "another root")
        self.code = "SHOWN_FORM"
        receipt = body.read_known(values)
        self.code = "SHOWN_RECORD"
        self.compare(receipt, credential)
        names = body.names(receipt, len(values))
        shown = [name for name, value in zip(names, values) if value is not None]
        return shown, [name for name, value in zip(names, values) if value is None]

    def compare(self, receipt, credential):
        """What record and credential say, too; of a presentation, as far as it is shown."""
        record = self.record
        require(int(receipt["receipt_code"]) == record["receipt_code"], "receipt_code")
        require(int(receipt["receipt_number"]) == record["receipt_number"], "receipt_number")
        require(int(receipt["total_amount"].replace(".", "")) == record["total_fen"], "total_amount")
        require(int(receipt["issue_time"]) == record["issue_time_ms"], "issue_time")
        minutes = record["issue_time_ms"] // 60_000 + self.trust.offset
        require(minutes < 10**9, "issue_date")
        day = datetime.date(1970, 1, 1) + datetime.timedelta(days=minutes // 1440)
        require(receipt["issue_date"] == day.isoformat(), "issue_date")
        if "related" in receipt:
            originals = [row for row in receipt["related"] if row["relation"] == "reversal_of"]
            original = originals and (int(originals[0]["receipt_code"]), int(originals[0]["receipt_number"])) or None
            require(original == record["reverses"], "the reversed original")
        if "reversal" in receipt:
            require((receipt["reversal"] != "") == (record["reverses"] is not None), "a reversal on one side only")
        self.code = "BODY_UNIT"
        for name in ("unit_code", "unit_name", "supervisor_area_code"):
            require(receipt[name] == credential[name], name)

    def judge_note(self, note):
        return self.trust.judge_exactly(note) if self.exactly else self.trust.judge(note)

    def anchored(self):
        batch, issued = self.bundle["batch"], self.record["issue_time_ms"]
        self.code = "HEADER_FORM"
        refuse_later(message_of(batch["header"]))
        header = formats.read_header(batch["header"])
        self.code = "BATCH_INCLUSION"
        leaf = formats.leaf_hash(self.bundle["record"])
        formats.verify_inclusion(leaf, batch["index"], header["count"], batch["path"], header["root"])
        self.code = "HEADER_TIME"
        require(header["first_issue_time_ms"] <= issued <= header["last_issue_time_ms"], "issue time")
        self.code = "ANCHOR_FORM"
        proof = notes.Proof(self.bundle["anchor"])
        self.code = "ANCHOR_QUORUM"
        as_of, _, _ = self.judge_note(proof.note)
        self.code = "ANCHOR_INCLUSION"
        proof.verify(formats.leaf_hash(b"\x01" + batch["header"]))
        self.code = "ANCHOR_TIME"
        require(as_of <= self.latest // 1000, "cosigned in the future")
        if self.authorities_unknown:
            raise Unjudged("AUTHORITIES_UNKNOWN", "too few of the authorities in the trust file have signed")
        self.header_index = proof.index

    def agencies(self, signers):
        return [name.removeprefix(self.trust.origin + "/") for name in signers]

    def in_force(self):
        status = self.bundle["status"]
        self.code = "SEAL_FORM"
        refuse_later(status["seal"])
        seal = formats.read_seal(status["seal"])
        proof = notes.Proof(status["proof"])
        self.code = "SEAL_QUORUM"
        as_of, signers, set_hash = self.judge_note(proof.note)
        self.code = "SEAL_NEWER"
        require(proof.note.size > self.header_index, "older than the receipt")
        self.code = "SEAL_POSITION"
        require(proof.index + 1 == proof.note.size, "not the last leaf")
        proof.verify(formats.leaf_hash(b"\x04" + status["seal"]))
        self.code = "SEAL_SET"
        require(seal["validator_set_hash"] == set_hash, "another validator set")
        self.code = "SEAL_TIME"
        require(as_of <= self.latest // 1000 and seal["time_ms"] <= self.latest, "from the future")
        self.code = "STATUS_PROOF"
        value, key = status.get("value"), formats.status_key(self.bundle["record"])
        map_value = None if value is None else formats.tagged("tallystick/status-value/v1", value)
        is_later = value is not None and len(value) > 16 and value[16] not in (0, 1)
        red = None if value is None or is_later else formats.read_status(value)
        formats.verify_status(status["map"], seal["status_root"], key, map_value)
        if is_later:
            raise Unjudged("STATUS_UNKNOWN", f"kind {value[16]}")
        verdict = {"result": "in_force", "as_of": as_of, "signers": self.agencies(signers)}
        if red is not None:
            verdict |= {"result": "reversed", "by": "{:08}-{:010}".format(*red)}
        return verdict


class Scan(Verdict):
    """The same for a signed record without its content, with the ledger's answer, if it was asked (docs/spec/verdict.md)."""

    def judge_code(self, text, hosts, units):
        self.code = "CODE_FORM"
        try:
            record = code_text.read(text, hosts)
        except Refused as refused:
            self.made[-1][1] = "unknown"
            return {"result": "no_receipt", "code": "CODE_ELSEWHERE" if str(refused) == "ELSEWHERE" else "CODE_REFUSED"}
        return self.judge(record, units, {"answer": "not_asked"})

    def judge(self, record, units, ledger):
        self.authorities_unknown, self.exactly = False, False
        known = {"as_of": units.as_of, "signers": units.signers}
        try:
            is_revoked = self.by_directory(record, units)
        except Refused as refused:
            self.made[-1][1] = "failed"
            return known | {"result": "invalid", "code": self.code, "detail": str(refused)}
        except Unjudged as unjudged:
            self.made[-1][1] = "unknown"
            return known | {"result": "unjudged", "code": unjudged.code}
        try:
            known |= self.ask(record, ledger)
        except Refused as refused:
            self.made[-1][1] = "failed"
            known |= {"result": "unjudged", "code": "ANSWER_FALSE", "detail": str(refused)}
        except Unjudged as unjudged:
            self.made[-1][1] = "unknown"
            known |= {"result": "unjudged", "code": unjudged.code}
        if is_revoked and known["result"] in ("signed", "unjudged") and known["code"] != "STATUS_UNKNOWN":
            self.code = "DIRECTORY_REVOCATION"
            self.made[-1][1] = "unknown"
            known |= {"result": "unjudged", "code": "KEY_REVOKED"}
        return known

    def by_directory(self, record, units):
        """That the unit signed the record, by the directory's word of its key; whether that is revoked."""
        self.code = "RECORD_FORM"
        refuse_later(message_of(record), is_record=True)
        self.record, signed, signature = formats.read_record(record)
        self.code = "DIRECTORY_KEY"
        if units.as_of > self.latest // 1000:
            raise Unjudged("DIRECTORY_AHEAD", "the directory is from the future")
        row, key, issued = (self.record[name] for name in ("unit_id", "key_id", "issue_time_ms"))
        row = units.rows.get(row, {"keys": []})
        unit = directory.credential_at(row, key, issued)
        if unit is None:
            raise Unjudged("KEY_UNKNOWN", "the directory does not have the key")
        self.signature(unit, signed, signature)
        self.is_signed, self.reverses = True, self.record["reverses"]
        self.code = "ISSUE_TIME"
        require(self.record["issue_time_ms"] <= self.latest, "issued in the future")
        if unit["revoked_from_ms"] == 0:
            self.code = "DIRECTORY_REVOCATION"
        return unit["revoked_from_ms"] != 0

    def ask(self, record, ledger):
        answer = ledger["answer"]
        if answer == "not_asked":
            return {"result": "signed", "code": "UNCHECKED"}
        if answer == "taken":
            self.bundle = {
                "record": record, "anchor": ledger["anchor"], "status": ledger["status"],
                "batch": {"index": ledger["batch_index"], "path": ledger["batch_path"], "header": ledger["signed_header"]},
            }
            self.anchored()
            self.code = "LEDGER_ANSWER"
            return self.in_force()
        self.code = "ANCHOR_QUORUM"
        note = notes.Note(ledger["checkpoint"])
        as_of, signers, _ = self.judge_note(note)
        self.code = "ANCHOR_TIME"
        require(as_of <= self.latest // 1000, "cosigned in the future")
        dated = {"as_of": as_of, "signers": self.agencies(signers)}
        self.code = "LEDGER_ANSWER"
        if answer == "absent" and self.record["issue_time_ms"] // 1000 > as_of + 600:
            raise Unjudged("ANSWER_FALSE", "the checkpoint is from before the record")
        try:
            reason = self.refusal(record, ledger, note) if answer == "refused" else None
        except Refused as error:
            raise Unjudged("ANSWER_FALSE", str(error)) from error
        if reason is not None:
            self.made[-1][1] = "failed"
            return dated | {"result": "refused", "code": "REFUSED", "reason": reason}
        self.made[-1][1] = "unknown"
        is_overdue = as_of > self.record["seal_by_ms"] // 1000
        return dated | {"result": "signed", "code": "OVERDUE" if is_overdue else "PENDING"}

    def refusal(self, record, place, note):
        """The number of the reason for which the record was refused; none if its batch was, for others' sake."""
        header = formats.read_header(place["signed_header"])
        index, path = place["batch_index"], place["batch_path"]
        formats.verify_inclusion(formats.leaf_hash(record), index, header["count"], path, header["root"])
        entry = place["entry"]
        formats.verify_inclusion(formats.leaf_hash(entry), place["leaf_index"], note.size, place["path"], note.root)
        require(entry[:1] == b"\x02", "not the entry of a refusal")
        refused = formats.read(REFUSED, entry[1:])
        message = formats.read(formats.SIGNED, place["signed_header"])["message"]
        require(refused["header_hash"] == formats.tagged("tallystick/batch-header/v1", message), "another batch's refusal")
        return dict(zip(refused["indexes"], refused["reasons"])).get(index)

    def layers(self, result):
        found = super().layers(result)
        return found if result not in ("ANSWER_FALSE", "KEY_REVOKED") else found | {"anchored": "unknown", "in_force": "unknown"}


class Report(Scan):
    """The same for the report of a receipt left out (docs/spec/left-out.md)."""

    def judge(self, data, units):
        known = {}
        try:
            self.code = "REPORT_FORM"
            refuse_later_report(data)
            report = read_report(data)
            self.code = "CHAIN"
            if report["chain"] != self.trust.chain:
                raise Unjudged("OTHER_CHAIN", report["chain"].hex())
            known = {"as_of": units.as_of, "signers": units.signers}
            is_revoked = self.by_directory(report["record"], units)
        except (Refused, Unjudged) as problem:
            return known | self.open(problem)
        try:
            self.code = "ANCHOR_QUORUM"
            as_of, signers, _ = self.trust.judge_exactly(notes.Note(report["checkpoint"]))
            self.code = "ANCHOR_TIME"
            require(as_of <= self.latest // 1000, "cosigned in the future")
            self.code = "SEAL_BY_PASSED"
            issued, seal_by = (self.record[name] // 1000 for name in ("issue_time_ms", "seal_by_ms"))
            require(as_of > seal_by and issued <= as_of + 600, "the time is not over")
            self.code = "LEDGER_ANSWER"
            self.made[-1][1] = "unknown"
            known |= {"as_of": as_of, "signers": self.agencies(signers), "result": "signed", "code": "LEFT_OUT"}
        except (Refused, Unjudged) as problem:
            known |= self.open(problem)
        if is_revoked:
            self.code = "DIRECTORY_REVOCATION"
            known |= self.open(Unjudged("KEY_REVOKED", "the key is revoked"))
        return known

    def open(self, problem):
        """What becomes of the check that was made last, and of the report by it."""
        if isinstance(problem, Unjudged):
            self.made[-1][1] = "unknown"
            return {"result": "unjudged", "code": problem.code}
        self.made[-1][1] = "failed"
        return {"result": "invalid", "code": self.code, "detail": str(problem)}

    def layers(self, result):
        return super().layers(result) | {"anchored": "unknown", "in_force": "unknown"}

    def finding(self, verdict):
        code, result = super().finding(verdict)
        return ("REPORT_UNPROVED" if verdict["code"] == "ANCHOR_QUORUM" else code), result


def verify_bundle(data, trust_text, at_ms):
    return Verdict(notes.Trust(trust_text), at_ms).judge(data)


def main(arguments):
    if len(arguments) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 64
    try:
        with open(arguments[0], "rb") as bundle, open(arguments[1], "rb") as trust:
            data, trust_text = bundle.read(BUNDLE_BYTES_MAX + 1), trust.read(notes.TRUST_BYTES_MAX + 1)
    except OSError as error:
        print(f"a file cannot be read: {error!s}", file=sys.stderr)
        return 66
    try:
        trust = notes.Trust(trust_text.decode("utf-8"))
        at_ms = int(arguments[2]) if len(arguments) == 3 else time.time_ns() // 1_000_000
        require(len(arguments) == 2 or at_ms in AT_MS_RANGE, f"{at_ms} is no time in milliseconds")
    except (Refused, ValueError) as error:
        print(f"the trust file or the time is refused: {error!s}", file=sys.stderr)
        return 64
    made = Verdict(trust, at_ms)
    verdict = made.judge(data)
    verdict["finding"], _ = made.finding(verdict)
    # ASCII only: nothing foreign may act on a terminal.
    print(json.dumps(verdict, indent=2))
    return {"in_force": 0, "invalid": 1, "reversed": 2, "unjudged": 4, "no_receipt": 5}[verdict["result"]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
