"""Runs this second implementation over all of docs/spec/vectors: python3 -m unittest (in this folder)."""

import json
import pathlib
import unittest

import answers
import body
import code_text
import directory
import ed25519
import formats
import notes
import presentation
import replay
from formats import Refused, leaf_hash, preimage, sha256, tagged
from messages import ACTION, ACTIONS, BLOCK, GENESIS, GOVERNANCE, REFUSED, SET, STATE
from verify_bundle import TONE_OF, Report, Scan, Verdict, read_report, verify_bundle

VECTORS = pathlib.Path(__file__).parents[2] / "docs/spec/vectors"
h = bytes.fromhex

def load(name):
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


class Vectors(unittest.TestCase):
    def refused(self, function, *arguments):
        with self.assertRaises(Refused):
            function(*arguments)

    def signed(self, rule, namespace, chain, row, message, key="public_key"):
        data = preimage(namespace, h(chain), h(message))
        self.assertTrue(rule(h(row[key]), data, h(row["signature"])))
        self.assertFalse(rule(h(row[key]), data + b"\0", h(row["signature"])))

    def test_signatures(self):
        vectors = load("signatures")
        for row in vectors["signed"]:
            self.assertEqual(preimage(row["namespace"], h(vectors["chain"]), h(row["message"])), h(row["preimage"]))
            for rule in (ed25519.verify_zip215, ed25519.verify_strict):
                self.signed(rule, row["namespace"], vectors["chain"], row, row["message"])
        for row in vectors["rules"]:
            message, key = preimage(row["namespace"], h(vectors["chain"]), h(row["message"])), h(row["public_key"])
            self.assertEqual(ed25519.verify_zip215(key, message, h(row["signature"])), row["zip215"], row["name"])
            self.assertEqual(ed25519.verify_strict(key, message, h(row["signature"])), row["strict"], row["name"])
            self.assertEqual(ed25519.is_registrable(key), row["registrable"], row["name"])

    def test_record(self):
        vectors = load("record")
        for name in ("blue", "red"):
            row = vectors[name]
            record, message, signature = formats.read_record(h(row["signed_record"]))
            self.assertEqual((message.hex(), signature.hex()), (row["record"], row["signature"]))
            for field, value in row["fields"].items():
                found = record[field]
                found = [key.hex() for key in found] if isinstance(found, list) else found
                self.assertEqual(found.hex() if isinstance(found, bytes) else found, value, field)
            self.signed(ed25519.verify_zip215, "tallystick/receipt/v1", vectors["chain"], row, row["record"])
            self.assertEqual(leaf_hash(h(row["signed_record"])).hex(), row["leaf_hash"])
            self.assertEqual(formats.status_key(h(row["signed_record"])).hex(), row["status_key"])

    def test_blinding(self):
        vectors = load("blinding")
        secret = h(vectors["secret"])
        for row in vectors["biz_keys"]:
            data = row["unit_id"].to_bytes(4, "big") + row["biz_code"].encode()
            self.assertEqual(formats.keyed(secret, "tallystick/biz-key/v1", data).hex(), row["key"])
        registered = vectors["registered"]
        ledger = self.bare_ledger({(replay.META, b"blinding"): h(registered["row"])})
        epochs = [(row["epoch"], h(row["fingerprint"]), row["state"]) for row in registered["epochs"]]
        self.assertEqual(ledger.blinding(), epochs)
        ledger.put_blinding(epochs)
        self.assertEqual(ledger.block, ledger.state)
        fingerprint = formats.keyed(secret, "tallystick/blinding-fingerprint/v1", b"")
        self.assertEqual(fingerprint.hex(), vectors["fingerprint"])
        domains = {1: "payment", 2: "medical-settlement", 3: "decision"}
        pay_codes = formats.keyed(secret, "tallystick/pay-code-secret/v1", b"", 32)
        for row in vectors["uniqueness_keys"]:
            reference = formats.canonical(row["reference"]).encode()
            under = pay_codes if row["type"] == 1 else secret
            key = bytes([row["type"]]) + formats.keyed(under, f"tallystick/{domains[row['type']]}-key/v1", reference)
            key += row["instalment"].to_bytes(2, "big") + vectors["epoch"].to_bytes(4, "big")
            self.assertEqual(key.hex(), row["key"])
            self.assertTrue(formats.well_formed(key))
            self.assertEqual(formats.uniqueness_row(7, key).hex(), row["row_of_unit_7"])

    def test_code(self):
        vectors = load("code")
        hosts = vectors["hosts"]
        for row in vectors["texts"]:
            self.assertEqual(code_text.text(row["host"], h(row["signed_record"])), row["text"])
            self.assertEqual(code_text.read(row["text"], hosts).hex(), row["signed_record"])
            formats.read_record(h(row["signed_record"]))
        for row in vectors["groups"]:
            self.assertEqual(code_text.digits(h(row["bytes"])), row["digits"])
            self.assertEqual(code_text.read_digits(row["digits"]).hex(), row["bytes"])
        for row in vectors["refused"]:
            with self.assertRaises(Refused, msg=row["name"]) as refused:
                code_text.read(row["text"], hosts)
            self.assertEqual(str(refused.exception), row["reason"], row["name"])
            said = code_text.shown(row["text"], hosts) if row["reason"] == "ELSEWHERE" else None
            self.assertEqual(said, row.get("shown"), row["name"])

    def test_batch(self):
        row = load("batch")
        header = formats.read_header(h(row["signed_header"]))
        for field, value in row["fields"].items():
            self.assertEqual(header[field].hex() if field == "root" else header[field], value)
        self.signed(ed25519.verify_zip215, "tallystick/batch/v1", row["chain"], row, row["header"])
        self.assertEqual(tagged("tallystick/batch-header/v1", h(row["header"])).hex(), row["header_hash"])
        leaves = [leaf_hash(h(record)) for record in row["records"]]
        self.assertEqual(formats.tree_root(leaves).hex(), row["root"])
        for index, path in enumerate(row["paths"]):
            path = [h(item) for item in path]
            formats.verify_inclusion(leaves[index], index, len(leaves), path, h(row["root"]))
            for wrong in (path[:-1], path + [bytes(32)], path[::-1] + [b"\1" * 32]):
                self.refused(formats.verify_inclusion, leaves[index], index, len(leaves), wrong, h(row["root"]))

    def test_body(self):
        vectors = load("body")
        self.assertEqual([name for name, _ in body.table(body.HEADER)], vectors["header"])
        for row in vectors["categories"]:
            self.assertEqual([name for name, _ in body.category_fields(row["category"])], row["fields"])
        for row in vectors["bodies"]:
            seed, values = h(row["seed"]), []
            for position, disclosure in enumerate(row["disclosures"]):
                self.assertEqual(disclosure["position"], position)
                self.assertEqual(body.salt(seed, position).hex(), disclosure["salt"])
                self.assertEqual(body.leaf(seed, position, disclosure["value"]).hex(), disclosure["leaf_hash"])
                values.append(disclosure["value"])
            self.assertEqual(body.root(seed, values).hex(), row["root"])
            body.read_values(values)
            self.refused(body.read_values, values + ["{}"])
            path = [h(item) for item in row["path_of_position_7"]]
            formats.verify_inclusion(body.leaf(seed, 7, values[7]), 7, len(values), path, h(row["root"]))

        for values in vectors["receipts"]:
            body.read_values(values)
        values = [row["value"] for row in vectors["bodies"][0]["disclosures"]]
        for row in vectors["spellings_in_first_body"]:
            spelt = values[:]
            spelt[row["position"]] = row["text"]
            if row["accepted"]:
                body.read_values(spelt)
            else:
                self.refused(body.read_values, spelt)

    def test_status_map(self):
        vectors = load("status-map")
        entries = {}
        for step in vectors["steps"]:
            if step["set"]:
                entries[step["set"]["key"]] = step["set"]["value"]
            root = h(step["root"])
            self.assertEqual(replay.map_root({h(k): h(v) for k, v in entries.items()}), root)
            for proof in step["proofs"]:
                value = None if proof["value"] is None else h(proof["value"])
                self.assertEqual(proof["value"], entries.get(proof["key"]))
                formats.verify_status(h(proof["proof"]), root, h(proof["key"]), value)
                for wrong in (None if value else bytes(32), sha256(value or b"")):
                    self.refused(formats.verify_status, h(proof["proof"]), root, h(proof["key"]), wrong)
        row = vectors["status"]
        salt = tagged("tallystick/status-salt/v1", h(row["block_salt"]), h(row["status_key"]))[:16]
        value = h(row["value"])
        self.assertEqual(value[:16], salt)
        self.assertEqual("{:08}-{:010}".format(*formats.read_status(value)), row["reversed_by"])
        self.assertEqual(tagged("tallystick/status-value/v1", value).hex(), row["map_value"])

    def test_registry(self):
        vectors = load("registry")
        for row in vectors["rows"]:
            key, value = h(row["key"]), None if row["map_value"] is None else h(row["map_value"])
            self.assertTrue(replay.is_in_registry_map(row["table"], key))
            self.assertEqual(replay.registry_key(row["table"], key).hex(), row["map_key"])
            root, proof = h(row["registry_root"]), h(row["proof"])
            formats.verify_status(proof, root, h(row["map_key"]), value)
            for wrong in (None if value else b"1", sha256(value or b"")):
                self.refused(formats.verify_status, proof, root, h(row["map_key"]), wrong)
        for row in vectors["stored"]:
            self.assertNotEqual(row["value"], row["map_value"])
            self.assertEqual(replay.as_registered(row["table"], h(row["value"])).hex(), row["map_value"])
        for place in ((replay.META, b"validators"), (replay.META, b"blinding"), (replay.DIRECTORY, bytes(4))):
            self.assertFalse(replay.is_in_registry_map(*place))

    def test_log(self):
        vectors = load("log")
        for row in vectors["trees"]:
            leaves = [leaf_hash(bytes([leaf])) for leaf in range(row["size"])]
            self.assertEqual(formats.tree_root(leaves).hex(), row["root"])
        entries = [h(row["entry"]) for row in vectors["entries"]]
        leaves = [leaf_hash(entry) for entry in entries]
        self.assertEqual([leaf.hex() for leaf in leaves], [row["leaf_hash"] for row in vectors["entries"]])
        readers = {1: formats.read_header, 2: lambda data: formats.read(REFUSED, data),
                   3: lambda data: self.governance(data), 4: formats.read_seal}
        self.assertEqual({entry[0] for entry in entries}, set(readers))
        for entry in entries:
            readers[entry[0]](entry[1:])
        self.check_blocks(vectors["blocks"], entries, leaves)
        size, root = len(leaves), formats.tree_root(leaves)
        for index, path in enumerate(vectors["proofs"]["inclusion_at_full_size"]):
            formats.verify_inclusion(leaves[index], index, size, [h(item) for item in path], root)
        for first, path in enumerate(vectors["proofs"]["consistency_from_size_1_on"], 1):
            old = formats.tree_root(leaves[:first])
            formats.verify_consistency(first, old, size, root, [h(item) for item in path])
        tiles = vectors["tiles"]
        self.assertEqual([row["path"] for row in tiles["tiles"]], [f"tile/0/000.p/{size}"])
        self.assertEqual(tiles["tiles"][0]["bytes"], b"".join(leaves).hex())
        bundle = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
        self.assertEqual((tiles["entries"]["path"], tiles["entries"]["bytes"]), (f"tile/entries/000.p/{size}", bundle.hex()))
        for row in tiles["paths"]:
            digits = str(row["index"])
            digits = digits.zfill(-(-len(digits) // 3) * 3)
            groups = [digits[at:at + 3] for at in range(0, len(digits), 3)]
            name = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
            width = "" if row["width"] == 256 else f".p/{row['width']}"
            self.assertEqual(f"tile/{row['level']}/{name}{width}", row["path"])

    def check_blocks(self, blocks, entries, leaves):
        trust, parent = notes.Trust(load("trust")["trust"]), bytes(32)
        for row in blocks:
            seal = formats.read_seal(h(row["seal"]))
            self.assertEqual(entries[row["log_size"] - 1], b"\x04" + h(row["seal"]))
            self.assertEqual(seal["parent_seal_hash"], parent)
            parent = tagged("tallystick/seal/v1", h(row["seal"]))
            self.assertEqual(parent.hex(), row["seal_hash"])
            for field in ("height", "time_ms"):
                self.assertEqual(seal[field], row[field])
            for field in ("status_root", "validator_set_hash", "next_validator_set_hash", "effects_hash", "totals_commitment",
                          "directory_root", "registry_root"):
                self.assertEqual(seal[field].hex(), row[field])
            note = notes.Note(row["checkpoint"])
            self.assertEqual(formats.tree_root(leaves[:row["log_size"]]).hex(), row["log_root"])
            self.assertEqual((note.size, note.root.hex()), (row["log_size"], row["log_root"]))
            self.assertEqual(trust.judge_exactly(note)[2], seal["validator_set_hash"])

    def governance(self, data):
        signed = formats.read(formats.MANY_SIGNED, data)
        governance = formats.read(GOVERNANCE, signed["message"])
        for action in governance["actions"]:
            formats.read(ACTIONS[action["kind"]], action["body"])
        return signed, governance

    def test_governance(self):
        vectors = load("governance")
        for row in vectors["actions"]:
            action = formats.decode({5: ("actions", [ACTION])}, h(row["field_5_of_governance"]))["actions"][0]
            self.assertEqual(action["kind"], row["kind"])
            formats.read(ACTIONS[row["kind"]], action["body"])
        row = vectors["message"]
        signed, governance = self.governance(h(row["signed_governance"]))
        self.assertEqual(signed["message"].hex(), row["governance"])
        self.assertEqual((governance["sequence"], governance["expiry_height"]), (row["sequence"], row["expiry_height"]))
        self.assertEqual(tagged("tallystick/governance-id/v1", h(row["governance"])).hex(), row["id"])
        credential = vectors["credential"]
        for row, namespace, message in ((row, "governance", "governance"), (credential, "credential", "credential")):
            for signer, signature in zip(row["signers"], row["signatures"]):
                self.assertIn(signer, vectors["authorities"])
                pair = {"public_key": signer, "signature": signature}
                self.signed(ed25519.verify_strict, f"tallystick/{namespace}/v1", vectors["chain"], pair, row[message])
        found, _, signatures = formats.read_credential(h(credential["signed_credential"]))
        self.assertEqual([signer.hex() for signer, _ in signatures], credential["signers"])
        for field in ("unit_id", "unit_code", "unit_name", "supervisor_area_code", "key_id", "valid_from_ms", "valid_until_ms"):
            self.assertEqual(found[field], credential[field])
        self.check_genesis(vectors["genesis"])

    def check_genesis(self, row):
        genesis = formats.read(GENESIS, h(row["genesis"]))
        for field in ("chain_name", "origin", "time_ms", "utc_offset_minutes", "authority_threshold", "is_test"):
            self.assertEqual(genesis[field], row[field])
        self.assertEqual(tagged("tallystick/genesis/v1", h(row["genesis"])).hex(), row["chain_id"])

    def started(self, genesis):
        """The ledger after block 0."""
        ledger = replay.Ledger(genesis)
        ledger.start()
        return ledger

    def test_genesis(self):
        vectors = load("governance")
        for row in vectors["sound_genesis"]:
            with self.subTest(row["name"]):
                self.assertEqual(self.started(h(row["genesis"])).effects.hex(), row["effects_hash"])
        for row in vectors["refused_genesis"]:
            with self.subTest(row["name"]):
                self.refused(self.started, h(row["genesis"]))
        # A key that is left out has a length, too: none.
        genesis = formats.read(GENESIS, h(vectors["sound_genesis"][0]["genesis"]))
        genesis["validators"][1]["log_key"] = b""
        self.refused(self.started, formats.encode(GENESIS, genesis))

    def test_trust(self):
        vectors = load("trust")
        trust = notes.Trust(vectors["trust"])
        members = formats.read(SET, h(vectors["validator_set"]))["members"]
        set_hash = tagged("tallystick/validator-set/v1", h(vectors["validator_set"]))
        self.assertEqual((set_hash.hex(), set_hash), (vectors["validator_set_hash"], trust.sets[0][3]))
        self.assertEqual(len(members) * 2 // 3 + 1, vectors["quorum"])
        self.assertEqual(trust.sets[0][4].members["quorum"][0], vectors["quorum"])
        self.assertEqual(notes.Key(vectors["log_vkey"], 1).public, members[0]["log_key"])
        row = vectors["cosignature"]
        key = notes.Key(row["vkey"], 4)
        self.assertEqual((key.public.hex(), key.id.hex()), (row["public_key"], row["key_id"]))
        self.assertTrue(ed25519.verify_strict(key.public, h(row["message"]), h(row["signature"])))
        for row in vectors["checkpoints"]:
            note = notes.Note(row["note"])
            as_of, signers, _ = trust.judge(note)
            self.assertEqual((note.size, note.root.hex(), as_of, signers), (row["size"], row["root"], row["as_of"], row["signers"]))
        for old, new in (("\n\n", "\n"), ("quorum 3", "quorum 5"), ("1 13", "1 12"), ("authorities 0\n", "authorities 1\n"), ("480", "0480"), ("/v2 ", "/v1 ")):
            self.assertIn(old, vectors["trust"])
            self.refused(notes.Trust, vectors["trust"].replace(old, new))
        self.assertEqual([trust.is_test, notes.Trust(vectors["trust_of_a_test_chain"]).is_test], [False, True])
        for row in vectors["refused_trust"]:
            self.refused(notes.Trust, row["trust"])
        witness = next(line for line in vectors["trust"].split("\n") if line.startswith("witness "))
        for url, taken in (("https://v1.example/~log?a=b", True), ("https://x\u00a0y", False), ("x\u009by", False), ("x\ty", False), ("", False)):
            text = vectors["trust"].replace(witness, f"{witness} {url}", 1)
            notes.Trust(text) if taken else self.refused(notes.Trust, text)

    def test_block(self):
        vectors = load("block")
        genesis = formats.read(GENESIS, h(vectors["genesis"]))
        self.assertEqual(tagged("tallystick/genesis/v1", h(vectors["genesis"])).hex(), vectors["chain"])
        members = {member["id"]: member for member in genesis["validators"]}
        self.check_effects(vectors["genesis_effects"])
        self.check_genesis_entries(genesis)
        for row in vectors["blocks"]:
            block = formats.read(BLOCK, h(row["block"]))
            for field in ("height", "time_ms", "proposer_id", "proposer_round"):
                self.assertEqual(block[field], row[field])
            items = [{"kind": item["kind"], "records": len(item["records"])} for item in block["items"]]
            self.assertEqual((items, block["salt"].hex()), (row["items"], row["salt"]))
            self.assertEqual(tagged("tallystick/block/v1", h(row["block"])).hex(), row["block_id"])
            commitment = tagged("tallystick/totals/v1", block["salt"], h(row["totals"]))
            self.assertEqual((len(h(row["totals"])), commitment.hex()), (48, row["totals_commitment"]))
            seal = formats.read_seal(block["seal"])
            self.assertEqual(seal["totals_commitment"], commitment)
            self.assertEqual(seal["effects_hash"].hex(), self.check_effects(row["effects"]))
            if row["height"] < 7:
                self.check_certificate(row, vectors["chain"], members)

    def bare_ledger(self, state):
        """A ledger of these rows alone."""
        ledger = replay.Ledger.__new__(replay.Ledger)
        ledger.batch, ledger.block, ledger.state = None, {}, state
        return ledger

    def test_schedule(self):
        for run in load("schedule")["runs"]:
            for row in run["blocks"]:
                ledger = self.bare_ledger({(replay.META, b"schedule"): h(row["before"])})
                ledger.set = [{"id": member} for member in row["members"]]
                order = ledger.order(row["height"])
                self.assertEqual(order, row["order"], run["name"])
                self.assertEqual(order[row["proposer_round"] % len(order)], row["proposer_id"])
                ledger.after_block(row["height"], order, row["proposer_id"], row["proposer_round"])
                self.assertEqual(ledger.get(replay.META, b"schedule").hex(), row["after"], run["name"])

    def check_genesis_entries(self, genesis):
        entries = [h(row["entry"]) for row in load("log")["entries"]]
        chunks, total = [[]], 0
        for action in genesis["actions"]:
            size = len(action["body"]) + 16
            if chunks[-1] and total + size > 30_720:
                chunks.append([])
                total = 0
            chunks[-1].append(action)
            total += size
        for chunk, entry in zip(chunks, entries):
            message = {"format_version": 1, "suite": 1, "sequence": 0, "expiry_height": 0, "actions": chunk,
                       "previous": bytes(32), "area": 0}
            signed = {"message": formats.encode(GOVERNANCE, message), "signers": [], "signatures": []}
            self.assertEqual(b"\x03" + formats.encode(formats.MANY_SIGNED, signed), entry)
        self.assertEqual(entries[len(chunks)][0], 4)

    def check_effects(self, row):
        sized = lambda data: len(data).to_bytes(4, "big") + data
        order = [(write["table"], h(write["key"])) for write in row["writes"]]
        self.assertTrue(formats.ascending(order))
        rows = b""
        for write in row["writes"]:
            value = b"\0" if write["value"] is None else b"\1" + sized(h(write["value"]))
            rows += bytes([write["table"]]) + sized(h(write["key"])) + value
            if write["table"] in STATE and write["value"] is not None:
                self.check_state(write["table"], h(write["value"]))
        hashed = tagged("tallystick/effects/v1", h(row["previous"]), rows).hex()
        self.assertEqual(hashed, row["effects_hash"])
        return hashed

    def check_state(self, table, value):
        formats.read(STATE[table], value)

    def frames(self):
        """The vectors' chain as an export would serve it."""
        vectors, log = load("block"), load("log")
        blocks, first = [b""] + [h(data) for data in vectors["all_blocks"]], 0
        certificates = [b""] + [h(data) for data in vectors["all_certificates"]]
        frames = []
        for row, block, certificate in zip(log["blocks"], blocks, certificates, strict=True):
            size = row["log_size"]
            frames.append({
                "height": row["height"], "block": block, "entries": [h(row["entry"]) for row in log["entries"][first:size]],
                "first_leaf_index": first, "certificate": certificate, "checkpoint": row["checkpoint"],
                "checkpoint_height": row["height"], "block_hash": tagged("tallystick/block/v1", block),
            })
            first = size
        return h(vectors["genesis"]), frames

    def test_replay(self):
        genesis, frames = self.frames()
        ledger = replay.replay(genesis, frames)
        last = load("log")["blocks"][-1]
        self.assertEqual((ledger.log_root().hex(), ledger.effects.hex()), (last["log_root"], last["effects_hash"]))
        self.assertEqual(ledger.counts["refused"], 1)
        self.assertEqual(ledger.totals[2], 1)
        for change in (
            lambda frame: frame | {"block": frame["block"][:-1] + bytes([frame["block"][-1] ^ 1])},
            lambda frame: frame | {"entries": frame["entries"][:-1]},
            lambda frame: frame | {"certificate": frame["certificate"][:-1] + bytes([frame["certificate"][-1] ^ 1])},
            lambda frame: frame | {"first_leaf_index": frame["first_leaf_index"] + 1},
            lambda frame: frame | {"checkpoint": frames[1]["checkpoint"]},
        ):
            self.refused(replay.replay, genesis, [*frames[:2], change(frames[2])])
        self.refused(replay.replay, genesis, [frames[0], frames[2]])

    def test_succession(self):
        vectors, frames, first = load("succession"), [], 0
        for height, row in enumerate(vectors["blocks"]):
            block, entries = h(row["block"]), [h(entry) for entry in row["entries"]]
            frames.append({
                "height": height, "block": block, "entries": entries, "first_leaf_index": first,
                "certificate": h(row["certificate"]), "checkpoint": "", "checkpoint_height": 0,
                "block_hash": tagged("tallystick/block/v1", block),
            })
            first += len(entries)
        ledger = replay.replay(h(vectors["genesis"]), frames)
        self.assertEqual((ledger.log_root().hex(), ledger.effects.hex()), (vectors["log_root"], vectors["effects_hash"]))
        self.assertEqual(ledger.get(replay.META, b"blinding").hex(), vectors["blinding"])
        # Batch, change, batch, change, batch: all in one block.
        self.assertIn([1, 3, 1, 3, 1, 4], [[entry[0] for entry in frame["entries"]] for frame in frames])
        for row in vectors["next_messages"]:
            with self.subTest(row["name"]):
                ledger.block, ledger.look_ups = {}, 0
                message = (h(row["signed_governance"]), ledger.height + 1, ledger.time + 1)
                ledger.apply_governance(*message) if row["taken"] else self.refused(ledger.apply_governance, *message)

    def test_a_lazily_executed_record_is_found(self):
        """A proposer that drops the reversal's mark, with a block that is well-formed otherwise."""
        genesis, frames = self.frames()
        block = formats.read(BLOCK, frames[2]["block"])
        block["salt"] = bytes(32)
        data = formats.encode(BLOCK, block)
        forged = frames[2] | {"block": data, "block_hash": tagged("tallystick/block/v1", data)}
        with self.assertRaisesRegex(Refused, "another seal"):
            replay.replay(genesis, [*frames[:2], forged])

    def check_certificate(self, row, chain, members):
        data = h(row["certificate"])
        height, block, count = data[:8], data[12:44], int.from_bytes(data[44:46], "big")
        self.assertEqual((int.from_bytes(height, "big"), block.hex()), (row["height"], row["block_id"]))
        self.assertEqual((count, len(data)), (3, 46 + 68 * count))
        message = preimage("tallystick/precommit/v1", h(chain), data[:12] + b"\x01" + block)
        for at in range(46, len(data), 68):
            member = members[int.from_bytes(data[at:at + 4], "big")]
            self.assertTrue(ed25519.verify_zip215(member["consensus_key"], message, data[at + 4:at + 68]))

    def test_bundle(self):
        vectors = load("bundle")
        first = vectors["bundles"][0]
        base = first["bundle"].encode()
        for row in vectors["bundles"] + vectors["tampered_first_bundle"]:
            trust, data = vectors["trust"], row.get("bundle", "").encode()
            if "splice" in row:
                splice = row["splice"]
                data = base[:splice["from_byte"]] + splice["insert"].encode() + base[splice["to_byte"]:]
            if "trust_replace" in row:
                trust = trust.replace(*row["trust_replace"])
            verdict = verify_bundle(data, trust, row["at_ms"])
            verdict.pop("detail", None)
            self.assertEqual(verdict, row["expected"], row["name"])
        for position in range(0, len(base), 13):
            flipped = base[:position] + bytes([base[position] ^ 1]) + base[position + 1:]
            verdict = verify_bundle(flipped, vectors["trust"], first["at_ms"])
            self.assertIn(verdict["result"], ("invalid", "unjudged", "no_receipt"), position)

    def test_presentation(self):
        vectors = load("presentation")
        for row in vectors["presentations"]:
            made = presentation.share(row["bundle"], row["fields"])
            self.assertEqual(made, row["presentation"], row["name"])
            judged = Verdict(notes.Trust(vectors["trust"]), row["at_ms"])
            self.assertEqual(judged.judge(made.encode()), row["expected"], row["name"])
            self.assertEqual((judged.shown, judged.withheld), (row["shown"], row["withheld"]), row["name"])
        for row in vectors["refused"]:
            with self.assertRaises(presentation.NotShared) as refused:
                presentation.share(row["bundle"], row["fields"])
            self.assertEqual(str(refused.exception), row["problem"])
        base = vectors["base"].encode()
        for row in vectors["tampered_base"]:
            splice = row["splice"]
            data = base[:splice["from_byte"]] + splice["insert"].encode() + base[splice["to_byte"]:]
            verdict = verify_bundle(data, vectors["trust"], row["at_ms"])
            verdict.pop("detail", None)
            self.assertEqual(verdict, row["expected"], row["name"])
        for position in range(0, len(base), 13):
            flipped = base[:position] + bytes([base[position] ^ 1]) + base[position + 1:]
            verdict = verify_bundle(flipped, vectors["trust"], vectors["presentations"][0]["at_ms"])
            self.assertIn(verdict["result"], ("invalid", "unjudged", "no_receipt"), position)

    def test_ledger_answer(self):
        vectors = load("ledger-answer")
        for row in vectors["answers"]:
            answer = answers.read(row["text"].encode())
            self.assertEqual(answer["answer"], row["name"].split(" ")[0].rstrip(","))
        for row in vectors["refused"]:
            self.refused(answers.read, row["text"].encode())
        trust = notes.Trust(vectors["trust"])
        for row in vectors["joins"]:
            try:
                joined = {"bundle": answers.join(row["old"].encode(), row["answer"].encode(), trust).decode()}
            except answers.NotJoined as problem:
                joined = {"problem": str(problem)}
            expected = {name: row[name] for name in ("bundle", "problem") if name in row}
            self.assertEqual(joined, expected, row["name"])

    def told(self, row, verdict, judged, directory_as_of=None):
        """What both implementations must come to; the words are the other one's."""
        told = json.loads(row["verdict"])
        conclusion = told["conclusion"]
        code, result = verdict.finding(judged)
        as_of = judged.get("as_of")
        hides = code if code in ("ANSWER_FALSE", "KEY_REVOKED") else None
        is_old = lambda time: time is not None and row.get("age_seconds_max", 1 << 64) < row["at_ms"] // 1000 - time
        by_answer = verdict.is_signed and code in ("ANSWER_FALSE", "VALIDATORS_UNKNOWN", "FORMAT_UNKNOWN")
        if is_old(as_of) and result == "in_force":
            code = result = "TOO_OLD"
        if is_old(directory_as_of) and (result == "signed" or by_answer):
            code, result = "DIRECTORY_OLD", "unjudged"
        self.assertEqual((code, result.lower()), (conclusion["code"], conclusion["result"]), row["name"])
        tone = TONE_OF.get(code, TONE_OF[result.lower()])
        specimen = tone == "good" and verdict.trust.is_test
        self.assertEqual("caution" if specimen else tone, conclusion["tone"], row["name"])
        self.assertEqual(judged["code"] if result == "invalid" else None, conclusion.get("check"), row["name"])
        checks = [[check["code"], check["outcome"]] for check in told["checks"] if check["code"] != "BODY_RULES"]
        self.assertEqual(verdict.made, checks, row["name"])
        layers = verdict.layers(hides or result)
        layers |= {"in_force": "unknown"} if result == "TOO_OLD" else {}
        layers |= {"genuine": "unknown"} if code == "DIRECTORY_OLD" else {}
        self.assertEqual(layers, {layer["code"]: layer["result"] for layer in told["layers"]}, row["name"])
        self.assertEqual(verdict.is_signed, "compare" in told, row["name"])
        self.assertEqual(as_of, told.get("as_of", {}).get("seconds"), row["name"])
        self.assertEqual(judged.get("signers", []), told["signers"], row["name"])
        self.assertEqual(verdict.trust.is_test, told["chain"]["test"], row["name"])
        self.assertEqual(verdict.trust.is_test, "TEST_CHAIN" in [notice["code"] for notice in told["notices"]], row["name"])
        for name in ("shown", "withheld"):
            lines = told.get("presentation", {}).get("lines" if name == "shown" else name)
            self.assertEqual(getattr(verdict, name), lines and [line["code"] for line in lines], row["name"])
        self.assertEqual(row["verdict"], json.dumps(told, ensure_ascii=False, separators=(",", ":")), row["name"])
        for language in ("zh", "en"):
            self.assertIn(conclusion["word"][language] + "  ", row[language], row["name"])
        self.assertEqual(verdict.trust.is_test, row["zh"].startswith("【测试样票】"), row["name"])

    def test_verdict(self):
        vectors = load("verdict")
        trust, base = notes.Trust(vectors["trust"]), vectors["base"].encode()
        for row in vectors["files"]:
            if "hex" in row:
                data = h(row["hex"])
            elif "bundle" in row:
                data = row["bundle"].encode()
            else:
                splice = row["splice"]
                data = base[:splice["from_byte"]] + splice["insert"].encode() + base[splice["to_byte"]:]
            verdict = Verdict(notes.Trust(row["trust"]) if "trust" in row else trust, row["at_ms"])
            self.told(row, verdict, verdict.judge(data))
        for row in vectors["scans"]:
            ledger = {name: value for name, value in row["ledger"].items() if value is not None}
            for name in ("entry", "signed_header", "seal", "map", "value"):
                ledger |= {name: h(ledger[name])} if name in ledger else {}
            for name in ("path", "batch_path"):
                ledger |= {name: [h(item) for item in ledger[name]]} if name in ledger else {}
            if ledger["answer"] == "taken":
                ledger["status"] = {name: ledger[name] for name in ("seal", "proof", "map", "value") if name in ledger}
            units = directory.Directory.open(h(row["directory"]), trust)
            verdict = Scan(trust, row["at_ms"])
            self.told(row, verdict, verdict.judge(h(row["record"]), units, ledger), units.as_of)
        for row in vectors["codes"]:
            units = directory.Directory.open(h(row["directory"]), trust)
            verdict = Scan(trust, row["at_ms"])
            self.told(row, verdict, verdict.judge_code(row["text"], row["hosts"], units), units.as_of)

        base = vectors["report"].encode()
        for row in vectors["reports"]:
            splice = row["splice"]
            data = base[:splice["from_byte"]] + splice["insert"].encode() + base[splice["to_byte"]:]
            units = directory.Directory.open(h(row["directory"]), trust)
            verdict = Report(trust, row["at_ms"])
            judged = verdict.judge(data, units)
            self.told(row, verdict, judged, units.as_of if "as_of" in judged else None)

    def test_left_out(self):
        vectors = load("left-out")
        trust, at_ms = notes.Trust(vectors["trust"]), vectors["at_ms"]
        units = directory.Directory.open(h(vectors["directory"]), trust)
        for row in vectors["reports"]:
            try:
                made = {"report": answers.report(h(row["record"]), row["answer"].encode(), units, trust, at_ms).decode()}
            except answers.NotReported as finding:
                made = {"finding": str(finding)}
            self.assertEqual(made, {name: row[name] for name in ("report", "finding") if name in row}, row["name"])
        for row in vectors["refused"]:
            self.refused(read_report, row["text"].encode())
        good = vectors["reports"][0]["report"].encode()
        self.assertEqual(Report(trust, at_ms).judge(good, units)["code"], "LEFT_OUT")
        self.assertEqual(verify_bundle(good, vectors["trust"], at_ms)["result"], "no_receipt")
        for position in range(0, len(good), 7):
            flipped = good[:position] + bytes([good[position] ^ 1]) + good[position + 1:]
            self.assertNotEqual(Report(trust, at_ms).judge(flipped, units)["code"], "LEFT_OUT", position)

    def test_directory(self):
        vectors = load("directory")
        trust = notes.Trust(vectors["trust"])
        opened = [directory.Directory.open(h(data), trust) for data in vectors["directories"]]
        rows = [formats.encode(directory.ROW, row) for row in opened[1].list()]
        self.assertEqual([row.hex() for row in rows], vectors["rows"])
        self.assertEqual([leaf_hash(row).hex() for row in rows], vectors["leaf_hashes"])
        self.assertEqual((opened[1].root.hex(), opened[1].height), (vectors["root"], vectors["height"]))
        self.assertEqual(opened[1].as_of, vectors["time_ms"] // 1000)
        for row in vectors["opened"]:
            self.denied(row, directory.Directory.open, h(row["signed_directory"]), trust)
        for row in vectors["deltas"]:
            taken = self.denied(row, opened[row["from"]].with_delta, h(row["delta"]), trust)
            if taken:
                found = (taken.root.hex(), taken.height, taken.as_of, taken.signers)
                self.assertEqual(found, tuple(row[name] for name in ("root", "height", "as_of_seconds", "signers")), row["name"])
        for row in vectors["files"]:
            taken = self.denied(row, directory.open_file, h(row["file"]), trust)
            if taken:
                self.assertEqual((taken.root.hex(), taken.height), (row["root"], row["height"]), row["name"])

    def denied(self, row, function, *arguments):
        """What the function gives, if the row says that it is taken."""
        if row["refused"] is None:
            return function(*arguments)
        with self.assertRaises(directory.Denied, msg=row["name"]) as denied:
            function(*arguments)
        self.assertEqual(str(denied.exception), row["refused"], row["name"])
        return None


if __name__ == "__main__":
    unittest.main()
