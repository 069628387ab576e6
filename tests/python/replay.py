#!/usr/bin/env python3
"""Replays a chain from genesis, following docs/spec/execution.md alone: replay.py GENESIS EXPORT [HEIGHT].

Every block is executed and its whole seal recomputed: status root, effects hash, totals, validator sets. With a height the registry as of it is
printed instead of a report (docs/spec/registry.md). Exit code 0 if
all of it holds, 1 if something does not, 64 for a bad call.
"""

import base64
import hashlib
import json
import pathlib
import re
import sys

import directory
import ed25519
import formats
import messages
import notes
from formats import Refused, leaf_hash, preimage, require, tagged

(META, RECEIPTS, BIZ_KEYS, UNIQUENESS, BATCHES, UNITS, UNIT_CODES, SYSTEMS, KEYS, SEGMENTS, SEGMENT_INDEX, HIGH_WATER,
 ISSUERS, KINDS, ITEMS, STATUSES) = range(16)
REFUSED = 17
HOLDERS = 18
DIRECTORY = 19
AREAS = 20
COLLECTORS = 21
NUMBER_NOT_OWNED, NUMBER_USED, UNIT_UNKNOWN, UNIT_SUSPENDED, KIND_NOT_ALLOWED = 5, 6, 7, 8, 9
FIELD_INVALID, PAYMENT_RECEIPTED, DECISION_PAID, SIGNATURE_INVALID, KEY_REVOKED, ALREADY_REVERSED = 13, 16, 17, 18, 19, 21
NOT_CANONICAL, RECORD_TOO_LARGE, UNIT_MISMATCH, ORIGINAL_UNKNOWN, ORIGINAL_IS_RED = 105, 106, 108, 109, 110
AMOUNT_MISMATCH, SUITE_UNKNOWN, BIZ_CODE_USED, TIME_INVALID, RECORD_TYPE_NOT_ALLOWED = 111, 112, 114, 118, 121
#: Types of records: 1 is a receipt.
RECORD_TYPES = (1,)
AHEAD_MS, WAITS_MS, GRACE_MS, GOVERNANCE_HEIGHTS = 600_000, 86_400_000, 10 * 86_400_000, 100_000
REFUSED_BYTES, REFUSED_BYTES_PER_HOUR = 64 << 20, 2 << 20
#: What became of a blinding epoch.
UNUSED, NAMED, WITHDRAWN = range(3)
#: The record without lengths: which of them is wrong decides the reason.
LOOSE_RECORD = {tag: (name, "bytes" if isinstance(kind, int) else kind) for tag, (name, kind) in formats.RECORD.items()}
LOOSE_RECORD[14] = ("uniqueness_keys", ["bytes"])
LOOSE_SIGNED = formats.fields("1 message bytes, 2 signature bytes")


class RecordRefused(Exception):
    """A record is refused, for the reason of this number."""


def u32(number):
    return number.to_bytes(4, "big")


def u64(number):
    return number.to_bytes(8, "big")


def receipt_key(code, number):
    return u32(code) + u64(number)


def map_root(entries, depth=0):
    """The status map built from nothing but its definition."""
    if not entries:
        return formats.EMPTY
    if len(entries) == 1:
        [(key, value)] = entries.items()
        return formats.sha256(b"JMT::LeafNode", key, formats.sha256(value))
    halves = ({}, {})
    for key, value in entries.items():
        halves[key[depth // 8] >> 7 - depth % 8 & 1][key] = value
    return formats.sha256(b"JMT::IntrnalNode", *(map_root(half, depth + 1) for half in halves))


def is_in_registry_map(table, key):
    """docs/spec/registry.md, "The map"."""
    return table in (UNITS, SYSTEMS, KEYS, SEGMENTS, HIGH_WATER, ISSUERS, KINDS, ITEMS, AREAS, COLLECTORS) or (
        (table, key) == (META, b"authorities"))


def registry_key(table, key):
    return tagged("tallystick/registry-key/v1", bytes([table]), key)


def as_registered(table, value):
    """A row without what moves while nobody governs."""
    moving = {SEGMENTS: ("used_count", "highest_used"), ISSUERS: ("next_sequence", "refused_bytes", "refused_at_ms")}
    if table not in moving:
        return value
    row = formats.read(messages.STATE[table], value)
    return formats.encode(messages.STATE[table], row | dict.fromkeys(moving[table], 0))


def registry_map(state):
    """The registry's map of a whole state."""
    return {registry_key(table, key): as_registered(table, value) for (table, key), value in state.items()
            if value is not None and is_in_registry_map(table, key)}


def demand(condition, reason):
    if not condition:
        raise RecordRefused(reason)


def read_record(data):
    """docs/spec/execution.md, "A record's form": the decoded record, or the reason of the first rule it breaks."""
    demand(len(data) <= 1024, RECORD_TOO_LARGE)
    try:
        signed = formats.decode(LOOSE_SIGNED, data)
        demand(len(signed["signature"]) == 64, NOT_CANONICAL)
        record = formats.decode(LOOSE_RECORD, signed["message"])
    except Refused as refused:
        raise RecordRefused(NOT_CANONICAL) from refused
    in_range = lambda code, number: record[code] <= 99_999_999 and record[number] <= 9_999_999_999
    demand(record["format_version"] == 1 and record["record_type"] in RECORD_TYPES, NOT_CANONICAL)
    demand(in_range("reverses_code", "reverses_number"), FIELD_INVALID)
    demand(record["suite"] == 1, SUITE_UNKNOWN)
    demand(in_range("receipt_code", "receipt_number"), FIELD_INVALID)
    demand(len(record["body_root"]) == 32 and len(record["biz_key"]) == 16, NOT_CANONICAL)
    keys = record["uniqueness_keys"]
    demand(len(keys) <= 16, FIELD_INVALID)
    demand(all(formats.well_formed(key) for key in keys) and formats.ascending(keys), NOT_CANONICAL)
    demand(not formats.excluding(keys), FIELD_INVALID)
    linked = (record["reverses_code"], record["reverses_number"]) != (0, 0)
    total = record["total_fen"]
    demand(0 < abs(total) < 10**14 and (total < 0) == linked and record["disclosure_count"] > 0, FIELD_INVALID)
    record["reverses"] = receipt_key(record["reverses_code"], record["reverses_number"]) if linked else None
    return record, signed["message"], signed["signature"]


def is_over(ending, block_time):
    """Whether nothing that an ending (from, recorded) let pass may still come. `from` is 0 of one without a date."""
    return ending != (0, 0) and block_time - max(ending) > GRACE_MS


def permits(ending, issued, block_time):
    """Whether an ending still lets an issue time pass."""
    return (ending[0] == 0 or issued < ending[0]) and not is_over(ending, block_time)


def moved_to(ending, from_ms, block_time):
    """The ending after an action set it to `from_ms`."""
    if from_ms in (0, ending[0]):
        return ending if from_ms else (0, 0)
    return from_ms, ending[1] if is_over(ending, block_time) and from_ms < ending[0] else block_time


def is_area(code):
    """Six digits, of which the first two name a province."""
    return 10_000 <= code <= 999_999


def covers(area, other):
    """Whether the other lies in the area: zeros at the end of its code stand for all of it."""
    whole = 10_000 if area % 10_000 == 0 else 100 if area % 100 == 0 else 1
    return area // whole == other // whole


def check_set(members):
    """The rules of a ValidatorSet (docs/spec/trust.md)."""
    require(1 <= len(members) <= 64, "a set has 1 to 64 validators")
    require(formats.ascending([member["id"] for member in members]), "validators ascend by id")
    names = [member["name"] for member in members]
    require(len(set(names)) == len(names), "validators' names differ")
    require(all(re.fullmatch("[a-z0-9-]{1,32}", name) for name in names), "a validator's name")
    keys = [member[role] for member in members for role in ("consensus_key", "log_key", "cosigner_key")]
    require(len(set(keys)) == len(keys), "validators' keys differ")
    require(all(ed25519.is_registrable(key) for key in keys), "a validator's key is not registrable")


def check_authorities(keys, threshold):
    require(len(set(keys)) == len(keys) <= 64 and 1 <= threshold <= len(keys), "authorities")
    require(all(ed25519.is_registrable(key) for key in keys), "an authority's key is not registrable")


def check_genesis(genesis):
    """What a genesis file has to keep beside its actions (docs/spec/block.md)."""
    for name in (genesis["chain_name"], genesis["origin"]):
        require(notes.is_name(name) and not re.search("[\x00-\x1f\x7f-\x9f]", name), "a name")
    require(abs(genesis["utc_offset_minutes"]) <= 840, "the UTC offset")
    for bound, low, high in (("time_ahead_ms_max", 100, 600_000), ("time_behind_ms_max", 100, 600_000),
                             ("time_behind_round_ms", 1, 60_000)):
        require(low <= genesis[bound] <= high, bound)
    check_authorities(genesis["authority_keys"], genesis["authority_threshold"])
    check_set(genesis["validators"])


class Ledger:
    """The state, and every rule by which blocks change it."""

    def __init__(self, genesis_bytes):
        self.genesis = formats.read(messages.GENESIS, genesis_bytes)
        self.chain = tagged("tallystick/genesis/v1", genesis_bytes)
        self.state, self.block, self.batch = {}, {}, None
        self.leaves, self.statuses = [], {}
        self.height, self.effects, self.seal_hash = -1, bytes(32), bytes(32)
        self.time, self.totals, self.set = self.genesis["time_ms"], [0, 0, 0, 0], self.genesis["validators"]
        self.registry_root = None
        self.counts = {"blocks": 0, "taken": 0, "refused": 0, "records": 0, "certificates": 0, "checkpoints": 0}

    # --- the state ------------------------------------------------------------------------------------------------------

    def get(self, table, key):
        for layer in (self.batch or {}, self.block):
            if (table, key) in layer:
                return layer[table, key]
        return self.state.get((table, key))

    def put(self, table, key, value):
        (self.block if self.batch is None else self.batch)[table, key] = value

    def load(self, table, key):
        data = self.get(table, key)
        return None if data is None else formats.read(messages.STATE[table], data)

    def save(self, table, key, message):
        self.put(table, key, formats.encode(messages.STATE[table], message))

    # --- genesis and blocks ---------------------------------------------------------------------------------------------

    def start(self):
        """Block 0; returns its entries."""
        genesis, entries, chunks, size, self.look_ups = self.genesis, [], [[]], 0, 0
        check_genesis(genesis)
        self.claim(self.set)
        keys = genesis["authority_keys"]
        require(all(self.get(HOLDERS, b"\x03" + key) is None for key in keys), "an authority's key is a validator's")
        self.put_authorities({"keys": keys, "threshold": genesis["authority_threshold"]})
        for action in genesis["actions"]:
            self.act(action, 0, genesis["time_ms"], 0)
            if size + len(action["body"]) + 16 > 30_720 and chunks[-1]:
                chunks.append([])
                size = 0
            chunks[-1].append(action)
            size += len(action["body"]) + 16
        self.check_log_keys(self.set)
        for chunk in chunks:
            if chunk:
                message = {"format_version": 1, "suite": 1, "sequence": 0, "expiry_height": 0, "actions": chunk,
                           "previous": bytes(32), "area": 0}
                signed = {"message": formats.encode(messages.GOVERNANCE, message), "signers": [], "signatures": []}
                entries.append(b"\x03" + formats.encode(formats.MANY_SIGNED, signed))
        require(all(len(entry) <= 61_440 for entry in entries), "an action does not fit into an entry")
        self.put(META, b"validators", self.encode_set(self.set))
        self.put(META, b"governance", u64(0) + self.chain)
        self.put(META, b"schedule", b"")
        return self.finish(entries, bytes(32), self.set, genesis["time_ms"], governed=True)

    def apply(self, data):
        """Executes a block's bytes; returns its entries, the seal last."""
        require(len(data) <= 4 << 20, "the block is too large")
        block = formats.read(messages.BLOCK, data)
        height, time = block["height"], block["time_ms"]
        require(height == self.height + 1, "the height is not the next")
        require(block["parent_seal_hash"] == self.seal_hash, "another parent")
        require(time > self.time, "the time does not grow")
        order = self.order(height)
        require(order[block["proposer_round"] % len(order)] == block["proposer_id"], "another's turn")
        require(sum(len(item["records"]) for item in block["items"]) <= 8192, "too many records")
        entries, first = [], len(self.leaves)
        self.changes, self.look_ups = [], 0
        for item in block["items"]:
            if item["kind"] == 1:
                entries.append(self.apply_batch(item, time, first + len(entries)))
            else:
                require(item["kind"] == 2 and not item["records"], "an item is a batch or governance")
                entries.append(self.apply_governance(item["message"], height, time))
        require(all(len(entry) <= 61_440 for entry in entries), "an entry is too large")
        self.after_block(height, order, block["proposer_id"], block["proposer_round"])
        for key, red in self.changes:
            salt = tagged("tallystick/status-salt/v1", block["salt"], key)[:16]
            value = salt + b"\x01" + red
            self.put(STATUSES, key, value)
            self.statuses[key] = tagged("tallystick/status-value/v1", value)
        governed = any(item["kind"] == 2 for item in block["items"])
        entries = self.finish(entries, block["salt"], self.rotate(height), time, governed)
        require(entries[-1] == b"\x04" + block["seal"], f"executing block {height} gives another seal")
        self.counts["blocks"] += 1
        return entries

    def finish(self, entries, salt, next_set, time, governed):
        totals = u64(self.totals[0]) + self.totals[1].to_bytes(16, "big", signed=True)
        totals += u64(self.totals[2]) + self.totals[3].to_bytes(16, "big", signed=True)
        self.put(META, b"totals", totals)
        directory_root = self.write_directory(time)
        if governed:
            self.registry_root = map_root(registry_map(self.state | self.block))
        rows = b""
        for (table, key), value in sorted(self.block.items()):
            rows += bytes([table]) + u32(len(key)) + key
            rows += b"\0" if value is None else b"\1" + u32(len(value)) + value
        self.effects = tagged("tallystick/effects/v1", self.effects, rows)
        self.height += 1
        seal = formats.encode(formats.SEAL, {
            "format_version": 1, "suite": 1, "height": self.height, "time_ms": time, "parent_seal_hash": self.seal_hash,
            "status_root": map_root(self.statuses), "validator_set_hash": self.set_hash(self.set),
            "next_validator_set_hash": self.set_hash(next_set), "effects_hash": self.effects,
            "totals_commitment": tagged("tallystick/totals/v1", salt, totals), "directory_root": directory_root,
            "registry_root": self.registry_root,
        })
        self.state |= self.block
        self.block, self.set, self.time = {}, next_set, time
        self.seal_hash = tagged("tallystick/seal/v1", seal)
        entries = [*entries, b"\x04" + seal]
        self.leaves += [leaf_hash(entry) for entry in entries]
        return entries

    def write_directory(self, time):
        """Brings the rows of units up to date that the block changed; returns the root over all rows."""
        written = {}
        for table, key in sorted(self.block):
            if table == UNITS:
                written.setdefault(key, [])
            elif table == KEYS:
                state = self.load(KEYS, key)
                key = {name: state["inner"][name] for name in ("key_id", "valid_from_ms", "valid_until_ms")}
                key |= {"public_key": state["inner"]["key"], "revoked_from_ms": state["revoked_from_ms"]}
                if state["inner"]["owner_kind"] == 1:
                    written.setdefault(u32(state["inner"]["owner_id"]), []).append(key)
        leaves = self.get(META, b"directory") or b""
        leaves = {leaves[at:at + 4]: leaves[at + 4:at + 36] for at in range(0, len(leaves), 36)}
        rows = {unit: self.row(unit, keys, time) for unit, keys in written.items()}
        rows = {unit: row for unit, row in rows.items() if row != self.get(DIRECTORY, unit)}
        for unit, row in rows.items():
            self.put(DIRECTORY, unit, row)
            leaves[unit] = leaf_hash(row)
        if rows:
            self.put(META, b"directory", b"".join(unit + leaf for unit, leaf in sorted(leaves.items())))
        return formats.tree_root([leaf for _, leaf in sorted(leaves.items())])

    def row(self, unit, keys, time):
        before, now = self.load(DIRECTORY, unit), self.load(UNITS, unit)["inner"]
        row = {name: now[name] for name in ("unit_id", "unit_code", "supervisor_area_code")}
        known = {key["key_id"]: key for key in (before["keys"] if before else []) + keys}
        former = before["former_names"] if before else []
        if before and before["unit_name"] != now["name"]:
            former = [*former, {"unit_name": before["unit_name"], "until_ms": time}]
        row |= {"unit_name": now["name"], "keys": [known[key] for key in sorted(known)], "former_names": former}
        return formats.encode(directory.ROW, row)

    def log_root(self):
        return formats.tree_root(self.leaves)

    # --- validators and turns -------------------------------------------------------------------------------------------

    def encode_set(self, members):
        return formats.encode(messages.SET, {"members": members})

    def set_hash(self, members):
        return tagged("tallystick/validator-set/v1", self.encode_set(members))

    def schedule(self):
        data = self.get(META, b"schedule")
        number = lambda at, size: int.from_bytes(data[at:at + size], "big")
        return {number(at, 4): (number(at + 4, 4), number(at + 8, 8)) for at in range(0, len(data), 16)}

    def order(self, height):
        ids = [member["id"] for member in self.set]
        start = height % len(ids)
        absent = [(-until, member) for member, (_, until) in self.schedule().items() if height < until and member in ids]
        skipped = [member for _, member in sorted(absent)[:(len(ids) - 1) // 3]]
        return sorted(ids[start:] + ids[:start], key=lambda member: member in skipped)

    def after_block(self, height, order, proposer, turn):
        members, schedule = len(order), self.schedule()
        schedule = {key: row for key, row in schedule.items() if key in order and key != proposer}
        for member in order[:turn]:
            if member == proposer:
                continue
            misses = schedule.get(member, (0, 0))[0] + 1
            schedule[member] = (misses, height + (32 if misses == 1 else 64) * members + 1)
        rows = [u32(key) + u32(misses) + u64(until) for key, (misses, until) in sorted(schedule.items())]
        self.put(META, b"schedule", b"".join(rows))

    def rotate(self, height):
        pending = self.get(META, b"validators-next")
        if pending is None or int.from_bytes(pending[:8], "big") > height + 1:
            return self.set
        self.put(META, b"validators", pending[8:])
        self.put(META, b"validators-next", None)
        members = formats.read(messages.SET, pending[8:])["members"]
        self.claim(members)
        return members

    def owned(self, member):
        """What is one validator's for ever: its number, its name, its keys; other keys stand beside its own."""
        number, name = u32(member["id"]), member["name"].encode()
        keys = [(b"\x03" + member[role], number + bytes([index])) for index, role in
                ((1, "consensus_key"), (2, "log_key"), (3, "cosigner_key"))]
        return [(b"\x01" + number, name), (b"\x02" + name, number), *keys]

    def claim(self, members):
        for member in members:
            for key, value in self.owned(member):
                self.put(HOLDERS, key, value)

    # --- governance -----------------------------------------------------------------------------------------------------

    def apply_governance(self, data, height, time):
        signed = formats.read(formats.MANY_SIGNED, data)
        require(formats.ascending(signed["signers"]) and len(signed["signers"]) == len(signed["signatures"]), "signers")
        governance = formats.read(messages.GOVERNANCE, signed["message"])
        require(height <= governance["expiry_height"] <= height + GOVERNANCE_HEIGHTS, "its expiry")
        area, signers = governance["area"], signed["signers"]
        require(area == 0 or is_area(area), "its area")
        authorities, sequence, last = self.scope(area)
        require(authorities["keys"], "its area has no authorities of its own")
        require(governance["sequence"] == sequence + 1, "its sequence is not the next one")
        require(governance["previous"] == last, "it follows another message")
        kinds = [action["kind"] for action in governance["actions"]]
        require(kinds.count(13) <= (1 if area == 0 else 0), "the authorities are replaced twice, or by an area")
        named = [formats.read(messages.ACTIONS[action["kind"]], action["body"])
                 for action in governance["actions"] if action["kind"] in (13, 16)]
        new = [key for change in named for key in change["keys"]]
        require(all(key in authorities["keys"] + new for key in signers), "a signer is no authority")
        require(sum(key in signers for key in authorities["keys"]) >= max(1, authorities["threshold"]), "too few authorities")
        require(all(key in signers for key in new), "a new authority has not signed")
        message = preimage("tallystick/governance/v1", self.chain, signed["message"])
        for key, signature in zip(signers, signed["signatures"]):
            require(ed25519.verify_strict(key, message, signature), "a wrong signature")
        for action in governance["actions"]:
            self.act(action, height, time, area)
        own = tagged("tallystick/governance-id/v1", signed["message"])
        if area == 0:
            self.put(META, b"governance", u64(governance["sequence"]) + own)
        else:
            self.save(AREAS, u32(area), self.load(AREAS, u32(area)) | {"sequence": governance["sequence"], "last_id": own})
        return b"\x03" + data

    def scope(self, area):
        """(authorities, last sequence, id of the last message) of an area, or of the chain itself (0)."""
        if area == 0:
            last = self.get(META, b"governance")
            return self.authorities(), int.from_bytes(last[:8], "big"), last[8:]
        state = self.load(AREAS, u32(area)) or {"keys": [], "threshold": 0, "sequence": 0, "last_id": bytes(32)}
        return state, state["sequence"], state["last_id"]

    def reaches(self, area, kind, body):
        """Whether an action of an area's message touches only what lies in the area. What is not registered it leaves to the action."""
        def has_unit(unit):
            state = self.load(UNITS, u32(unit))
            return state is None or covers(area, int(state["inner"]["supervisor_area_code"]))

        def has(table, key, owner):
            state = self.load(table, u32(key))
            return state is None or owner(state["inner"])

        of_unit = lambda key: key["owner_kind"] == 1 and has_unit(key["owner_id"])
        of_segment = lambda segment: has_unit(segment["unit_id"])
        if kind == 1:
            code = body["supervisor_area_code"]
            return bool(re.fullmatch("[0-9]{6}", code)) and covers(area, int(code)) and has_unit(body["unit_id"])
        if kind == 2:
            return of_unit(body)
        if kind == 3:
            return has(KEYS, body["key_id"], of_unit)
        if kind == 4:
            before = self.load(SYSTEMS, u32(body["system_id"]))
            entries = [entry["grants"] for entry in (before, body) if entry is not None]
            return all(grants and all(has_unit(grant["unit_id"]) for grant in grants) for grants in entries)
        if kind in (6, 12):
            return has(SEGMENTS, body["segment_id"], of_segment)
        if kind == 10:
            return has_unit(body["unit_id"])
        if kind == 17:
            before = self.load(COLLECTORS, u32(body["collector_id"]))
            entries = [body] + ([before["inner"]] if before else [])
            return all((not is_area(entry["area"]) or covers(area, entry["area"])) and all(map(has_unit, entry["unit_ids"]))
                       for entry in entries)
        return kind == 16 and covers(area, body["area"]) and area != body["area"]

    def act(self, action, height, time, area):
        require(action["kind"] in messages.ACTIONS, "an unknown action")
        body = formats.read(messages.ACTIONS[action["kind"]], action["body"])
        require(area == 0 or self.reaches(area, action["kind"], body), "it reaches beyond the area whose authorities sign")
        rules = {1: self.register_unit, 2: self.register_key, 3: self.revoke_key, 4: self.register_system,
                 5: self.allocate_segment, 6: self.close_segment, 7: self.register_issuer, 8: self.fence_issuer,
                 9: self.register_kind, 10: self.attach_items, 11: self.set_validators, 12: self.settle_segment,
                 13: self.set_authorities, 14: self.register_blinding, 15: self.withdraw_blinding,
                 16: self.set_area_authorities, 17: self.register_collector}
        rules[action["kind"]](body, height, time)

    def register_unit(self, unit, _, time):
        code, key = unit["unit_code"].encode(), u32(unit["unit_id"])
        require(len(code) == 18 and unit["unit_code"].isascii() and unit["unit_code"].isalnum(), "unit code")
        area = unit["supervisor_area_code"]
        require(bool(re.fullmatch("[0-9]{6}", area)) and is_area(int(area)), "the area has six digits")
        require(formats.ascending(unit["kinds"]), "kinds ascend")
        require(all(self.get(KINDS, u32(kind)) is not None for kind in unit["kinds"]), "a kind is not registered")
        before = self.load(UNITS, key)
        require(self.get(UNIT_CODES, code) in (None, key), "the code is another unit's")
        require(before is None or before["inner"]["unit_code"] == unit["unit_code"], "a unit keeps its code")
        suspension = (before["inner"]["suspended_from_ms"], before["suspended_at_ms"]) if before else (0, 0)
        taken = {}
        if before:
            taken = {row["kind"]: row["detached_at_ms"] for row in before["detached"]}
            taken = {kind: since for kind, since in taken.items() if not is_over((0, since), time)}
            taken |= {kind: time for kind in before["inner"]["kinds"]}
        detached = [{"kind": kind, "detached_at_ms": since} for kind, since in sorted(taken.items())
                    if kind not in unit["kinds"]]
        _, suspended = moved_to(suspension, unit["suspended_from_ms"], time)
        self.save(UNITS, key, {"inner": unit, "suspended_at_ms": suspended, "detached": detached})
        self.put(UNIT_CODES, code, key)

    def register_key(self, key, _height, _time):
        require(self.get(KEYS, u32(key["key_id"])) is None, "key ids are used once")
        require(key["suite"] == 1 and key["owner_kind"] in (1, 2), "suite or owner")
        owner = UNITS if key["owner_kind"] == 1 else ISSUERS
        require(self.get(owner, u32(key["owner_id"])) is not None, "the owner is not registered")
        require(ed25519.is_registrable(key["key"]), "the key is not registrable")
        require(key["valid_until_ms"] == 0 or key["valid_from_ms"] < key["valid_until_ms"], "never valid")
        holder = u32(key["owner_id"]) + bytes([4 + key["owner_kind"]])
        require(self.get(HOLDERS, b"\x03" + key["key"]) in (None, holder) and not self.is_announced(key["key"]), "another's")
        self.put(HOLDERS, b"\x03" + key["key"], holder)
        self.save(KEYS, u32(key["key_id"]), {"inner": key, "revoked_from_ms": 0, "revoked_at_ms": 0})

    def revoke_key(self, revocation, _, time):
        state = self.load(KEYS, u32(revocation["key_id"]))
        require(state is not None and revocation["revoked_from_ms"] != 0, "no such key, or no time")
        earlier = state["revoked_from_ms"] == 0 or revocation["revoked_from_ms"] < state["revoked_from_ms"]
        require(earlier, "revoked from then or earlier already")
        ending = moved_to((state["revoked_from_ms"], state["revoked_at_ms"]), revocation["revoked_from_ms"], time)
        state["revoked_from_ms"], state["revoked_at_ms"] = ending
        self.save(KEYS, u32(revocation["key_id"]), state)

    def register_system(self, system, _height, _time):
        require(all(self.get(UNITS, u32(grant["unit_id"])) is not None for grant in system["grants"]), "a unit")
        self.save(SYSTEMS, u32(system["system_id"]), system)

    def allocate_segment(self, segment, _height, _time):
        code, first, last = segment["receipt_code"], segment["first"], segment["last"]
        require(self.get(SEGMENTS, u32(segment["segment_id"])) is None, "the segment id is used")
        require(self.get(UNITS, u32(segment["unit_id"])) is not None, "the unit is not registered")
        require(self.get(ISSUERS, u32(segment["issuer_id"])) is not None, "the issuer is not registered")
        require(code <= 99_999_999 and self.get(KINDS, u32(code // 100)) is not None, "the code's kind")
        require(1 <= first <= last <= 9_999_999_999, "the range")
        require(first > int.from_bytes(self.get(HIGH_WATER, u32(code)) or b"", "big"), "ranges ascend")
        self.put(HIGH_WATER, u32(code), u64(last))
        index = u32(segment["unit_id"]) + u32(code)
        row = u32(segment["segment_id"]) + u64(first) + u64(last)
        self.put(SEGMENT_INDEX, index, (self.get(SEGMENT_INDEX, index) or b"") + row)
        state = {name: 0 for name, _ in messages.SEGMENT_STATE.values()} | {"inner": segment}
        self.save(SEGMENTS, u32(segment["segment_id"]), state)

    def close_segment(self, close, _, time):
        state = self.load(SEGMENTS, u32(close["segment_id"]))
        require(state is not None and state["closed_at_ms"] == 0, "not allocated, or closed already")
        self.save(SEGMENTS, u32(close["segment_id"]), state | {"closed_at_ms": time})

    def register_issuer(self, issuer, _height, _time):
        types, before = issuer["record_types"], self.load(ISSUERS, u32(issuer["issuer_id"]))
        require(formats.ascending(types) and all(number in RECORD_TYPES for number in types), "record types")
        state = before or {"epoch": 1, "next_sequence": 1, "refused_bytes": 0, "refused_at_ms": 0}
        require(before is None or issuer != before["inner"], "the issuer is registered so already")
        require(before is None or set(before["inner"]["record_types"]) <= set(types), "an issuer keeps its record types")
        self.save(ISSUERS, u32(issuer["issuer_id"]), state | {"inner": issuer})

    def register_collector(self, collector, _, time):
        units, area = collector["unit_ids"], collector["area"]
        require((not units) != (area == 0), "units or an area, and not both")
        require(area == 0 or is_area(area), "no area")
        require(formats.ascending(units), "units ascend")
        require(all(self.get(UNITS, u32(unit)) is not None for unit in units), "a unit")
        require(1 <= collector["daily_cap_fen"] < 10**14, "the cap")
        before = self.load(COLLECTORS, u32(collector["collector_id"]))
        suspension = (before["inner"]["suspended_from_ms"], before["suspended_at_ms"]) if before else (0, 0)
        _, suspended = moved_to(suspension, collector["suspended_from_ms"], time)
        self.save(COLLECTORS, u32(collector["collector_id"]), {"inner": collector, "suspended_at_ms": suspended})

    def fence_issuer(self, fence, _height, _time):
        state = self.load(ISSUERS, u32(fence["issuer_id"]))
        require(state is not None and fence["epoch"] > state["epoch"], "no such issuer, or the epoch does not rise")
        require(len(fence["journal"]) in (0, 16), "a journal's id has 16 bytes")
        self.save(ISSUERS, u32(fence["issuer_id"]), state | {"epoch": fence["epoch"]})

    def register_kind(self, kind, _height, time):
        require(kind["kind"] <= 999_999 and kind["opens"] <= 1, "a kind has six digits, and opens the header or the rows")
        before, required = self.load(KINDS, u32(kind["kind"])), kind["payment_required_from_ms"]
        asks_no_more = before is None or 0 < before["payment_required_from_ms"] <= required
        require(asks_no_more or required == 0 or required >= time + GRACE_MS, "payments are required too soon")
        self.save(KINDS, u32(kind["kind"]), kind)

    def attach_items(self, items, _height, _time):
        require(self.get(UNITS, u32(items["unit_id"])) is not None, "the unit is not registered")
        require(self.get(KINDS, u32(items["kind"])) is not None, "the kind is not registered")
        require(formats.ascending([item["code"].encode() for item in items["items"]]), "items ascend")
        require(items["adds"] <= 1, "adds is 0 or 1")
        key = u32(items["unit_id"]) + u32(items["kind"])
        before = self.load(ITEMS, key) if items["adds"] else None
        names = {item["code"]: item["name"] for item in (before["items"] if before else []) + items["items"]}
        merged = [{"code": code, "name": names[code]} for code in sorted(names, key=str.encode)]
        self.save(ITEMS, key, items | {"items": merged, "adds": 0})

    def set_validators(self, change, height, _):
        check_set(change["members"])
        require(change["effective_height"] >= height + 2, "two heights on at the earliest")
        self.check_log_keys(change["members"])
        for member in change["members"]:
            require(all(self.get(HOLDERS, key) in (None, value) for key, value in self.owned(member)), "another's")
        self.put(META, b"validators-next", u64(change["effective_height"]) + self.encode_set(change["members"]))

    def register_blinding(self, secret, _height, _time):
        known = self.blinding()
        require(secret["epoch"] == max((epoch for epoch, _, _ in known), default=0) + 1, "an epoch is the newest + 1")
        require(len(secret["fingerprint"]) == 16, "a fingerprint has 16 bytes")
        require(all(secret["fingerprint"] != other for _, other, _ in known), "a secret has one epoch")
        require(sum(state != WITHDRAWN for _, _, state in known) < 16, "16 epochs are in force")
        self.put_blinding([*known, (secret["epoch"], secret["fingerprint"], UNUSED)])

    def withdraw_blinding(self, withdrawal, _height, _time):
        known = self.blinding()
        unused = [epoch for epoch, _, state in known if state == UNUSED]
        require(withdrawal["epoch"] in unused, "the epoch is not registered, named by a record, or withdrawn")
        self.put_blinding([(epoch, secret, WITHDRAWN if epoch == withdrawal["epoch"] else state)
                           for epoch, secret, state in known])

    def name_epochs(self, records):
        """Notes which registered epochs the records of a taken batch name."""
        keys = [key for record in records for key in record["uniqueness_keys"]]
        named = {record["key_epoch"] for record in records} | {int.from_bytes(key[19:], "big") for key in keys}
        before = self.blinding()
        after = [(epoch, secret, NAMED if state == UNUSED and epoch in named else state) for epoch, secret, state in before]
        if after != before:
            self.put_blinding(after)

    def blinding(self):
        """(epoch, fingerprint, state) of each registered epoch."""
        row = self.get(META, b"blinding") or b""
        parts = [row[at:at + 21] for at in range(0, len(row), 21)]
        return [(int.from_bytes(part[:4], "big"), part[4:20], part[20]) for part in parts]

    def put_blinding(self, epochs):
        self.put(META, b"blinding", b"".join(u32(epoch) + secret + bytes([state]) for epoch, secret, state in epochs))

    def authorities(self):
        return formats.read(messages.ACTIONS[13], self.get(META, b"authorities"))

    def put_authorities(self, authorities):
        self.put(META, b"authorities", formats.encode(messages.ACTIONS[13], authorities))
        self.claim_authorities(authorities["keys"], 0)

    def claim_authorities(self, keys, area):
        for key in keys:
            self.put(HOLDERS, b"\x03" + key, u32(area) + b"\x04")

    def check_new(self, keys, in_force):
        for key in keys:
            is_free = self.get(HOLDERS, b"\x03" + key) is None and not self.is_announced(key)
            require(key in in_force or is_free, "a key of another role, or of an authority that was replaced")

    def set_area_authorities(self, change, _height, _time):
        require(is_area(change["area"]), "no area")
        before = self.load(AREAS, u32(change["area"]))
        before = before or {"area": change["area"], "keys": [], "threshold": 0, "sequence": 0, "last_id": bytes(32)}
        keys, threshold = change["keys"], change["threshold"]
        require((keys, threshold) != (before["keys"], before["threshold"]), "these are the area's authorities already")
        if (keys, threshold) != ([], 0):
            check_authorities(keys, threshold)
            self.check_new(keys, before["keys"])
        self.claim_authorities(keys, change["area"])
        self.save(AREAS, u32(change["area"]), before | {"keys": keys, "threshold": threshold})

    def is_announced(self, key):
        """Whether the validator set that waits for its height has this key."""
        pending = self.get(META, b"validators-next")
        members = formats.read(messages.SET, pending[8:])["members"] if pending else []
        return any(key in (member["consensus_key"], member["log_key"], member["cosigner_key"]) for member in members)

    def set_authorities(self, change, height, _):
        keys, before = change["keys"], self.authorities()
        require(height > 0, "genesis names its authorities apart")
        check_authorities(keys, change["threshold"])
        require(change != before, "these are the authorities already")
        self.check_new(keys, before["keys"])
        self.put_authorities(change)

    def check_log_keys(self, members):
        ids = {member_keys(self.genesis["origin"], member)[0].id for member in members}
        require(len(ids) == len(members), "two log keys have the same note key id")

    def settle_segment(self, settlement, _, time):
        key, void, lost = u32(settlement["segment_id"]), settlement["void"], settlement["lost"]
        state = self.load(SEGMENTS, key)
        require(state is not None and state["closed_at_ms"] and not state["settled_at_ms"], "not closed, or settled")
        require(is_over((0, state["closed_at_ms"]), time), "receipts may still come")
        named = sorted(void + lost, key=lambda part: part["first"])
        for ranges in (void, lost, named):
            ends = [0] + [part["last"] for part in ranges]
            require(all(end < part["first"] <= part["last"] for end, part in zip(ends, ranges)), "ranges ascend")
        first, last, code = (state["inner"][name] for name in ("first", "last", "receipt_code"))
        require(all(first <= part["first"] and part["last"] <= last for part in named), "inside of the segment")
        counts = [sum(part["last"] - part["first"] + 1 for part in ranges) for ranges in (void, lost)]
        require(state["used_count"] + sum(counts) == last - first + 1, "every number is used, void or lost")
        top = state["highest_used"]
        holes = [range(part["first"], min(part["last"], top) + 1) for part in named if part["first"] <= top]
        self.look_ups += sum(map(len, holes))
        require(self.look_ups <= 10_000, "too many numbers to look up in one block")
        require(all(self.get(RECEIPTS, receipt_key(code, number)) is None for hole in holes for number in hole), "used")
        self.save(SEGMENTS, key, state | {"settled_at_ms": time, "void_count": counts[0], "lost_count": counts[1]})

    # --- batches and records --------------------------------------------------------------------------------------------

    def apply_batch(self, item, time, leaf):
        signed = formats.read(formats.SIGNED, item["message"])
        header, records = formats.read_header(item["message"]), item["records"]
        require(sum(map(len, records)) + len(signed["message"]) <= 2 << 20, "the batch is too large")
        require(len(records) == header["count"], "the number of records")
        require(formats.tree_root([leaf_hash(record) for record in records]) == header["root"], "the batch's root")
        issuer_id = u32(header["issuer_id"])
        issuer = self.load(ISSUERS, issuer_id)
        require(issuer is not None, "ISSUER_UNKNOWN")
        require(header["sequence"] == issuer["next_sequence"], "SEQUENCE_CONFLICT or SEQUENCE_GAP")
        require(header["epoch"] == issuer["epoch"], "EPOCH_FENCED")
        key = self.load(KEYS, u32(header["key_id"]))
        require(key is not None, "SIGNATURE_INVALID")
        require((key["inner"]["owner_kind"], key["inner"]["owner_id"]) == (2, header["issuer_id"]), "SIGNATURE_INVALID")
        message = preimage("tallystick/batch/v1", self.chain, signed["message"])
        require(ed25519.verify_zip215(key["inner"]["key"], message, signed["signature"]), "SIGNATURE_INVALID")
        ahead = header["last_issue_time_ms"] - time
        require(self.key_permits(key, time if ahead > WAITS_MS else header["last_issue_time_ms"], time), "KEY_REVOKED")
        require(not AHEAD_MS < ahead <= WAITS_MS, "TOO_EARLY")
        self.batch, changes, bad, good = {}, [], [], []
        for index, data in enumerate(records):
            try:
                good.append(self.apply_record(data, issuer["inner"], header, time, leaf, index, changes))
            except RecordRefused as refused:
                bad.append((index, refused.args[0]))
        if not bad and ahead > WAITS_MS:
            bad = [(index, TIME_INVALID) for index in range(len(records))]
        written, self.batch = self.batch, None
        header_hash = tagged("tallystick/batch-header/v1", signed["message"])
        if bad:
            back = (time - issuer["refused_at_ms"]) * REFUSED_BYTES_PER_HOUR // 3_600_000
            spent = max(0, issuer["refused_bytes"] - back) + sum(map(len, records)) + len(signed["message"])
            require(spent <= REFUSED_BYTES, "REFUSAL_BUDGET_SPENT")
            issuer |= {"refused_bytes": spent, "refused_at_ms": time}
            for index, reason in bad:
                if self.is_genuine(records[index]):
                    place = u64(leaf) + index.to_bytes(2, "big") + u32(reason)
                    self.put(REFUSED, formats.status_key(records[index]), place)
            entry = b"\x02" + formats.encode(messages.REFUSED, {
                "issuer_id": header["issuer_id"], "sequence": header["sequence"], "header_hash": header_hash,
                "indexes": [index for index, _ in bad], "reasons": [reason for _, reason in bad],
            })
        else:
            self.block |= written
            self.changes += changes
            self.name_epochs(good)
            self.count(good)
            entry = b"\x01" + item["message"]
        state = bytes([bool(bad)]) + u64(leaf) + header_hash
        self.put(BATCHES, issuer_id + u64(header["sequence"]), state)
        self.save(ISSUERS, issuer_id, issuer | {"next_sequence": issuer["next_sequence"] + 1})
        self.counts["refused" if bad else "taken"] += 1
        self.counts["records"] += 0 if bad else len(records)
        return entry

    def key_permits(self, key, issued, time):
        inner = key["inner"]
        planned, revocation = (inner["valid_until_ms"], 0), (key["revoked_from_ms"], key["revoked_at_ms"])
        return inner["valid_from_ms"] <= issued and permits(planned, issued, time) and permits(revocation, issued, time)

    def apply_record(self, data, submitter, header, time, leaf, index, changes):
        record, message, signature = read_record(data)
        demand(record["record_type"] in submitter["record_types"], RECORD_TYPE_NOT_ALLOWED)
        issued, own = record["issue_time_ms"], receipt_key(record["receipt_code"], record["receipt_number"])
        self.check_authority(record, message, signature, header, time)
        segment = self.segment_of(record)
        demand(segment is not None and segment["inner"]["issuer_id"] == header["issuer_id"], NUMBER_NOT_OWNED)
        demand(permits((0, segment["closed_at_ms"]), issued, time), NUMBER_NOT_OWNED)
        demand(self.get(RECEIPTS, own) is None, NUMBER_USED)
        biz = u32(record["unit_id"]) + record["biz_key"]
        demand(self.get(BIZ_KEYS, biz) is None, BIZ_CODE_USED)
        keys = record["uniqueness_keys"]
        if record["reverses"] is None:
            rows = [formats.uniqueness_row(record["unit_id"], key) for key in keys]
            for row in rows:
                demand(not self.is_held(row), DECISION_PAID if row[0] == 3 else PAYMENT_RECEIPTED)
            for row in rows:
                self.put(UNIQUENESS, row, own)
                self.count_instalment(row, 1)
        else:
            changes.append((self.reverse(record, own), own))
        state = formats.status_key(data) + u32(record["unit_id"]) + record["total_fen"].to_bytes(8, "big", signed=True)
        self.put(RECEIPTS, own, state + bytes([len(keys)]) + u64(leaf) + index.to_bytes(2, "big"))
        self.put(BIZ_KEYS, biz, own)
        return record

    def check_authority(self, record, message, signature, header, time):
        issued = record["issue_time_ms"]
        demand(header["first_issue_time_ms"] <= issued <= header["last_issue_time_ms"], TIME_INVALID)
        demand(issued <= time + WAITS_MS, TIME_INVALID)
        unit = self.load(UNITS, u32(record["unit_id"]))
        demand(unit is not None, UNIT_UNKNOWN)
        suspension = unit["inner"]["suspended_from_ms"], unit["suspended_at_ms"]
        demand(permits(suspension, issued, time), UNIT_SUSPENDED)
        kind, taken = record["receipt_code"] // 100, {row["kind"]: row["detached_at_ms"] for row in unit["detached"]}
        still = kind in taken and permits((0, taken[kind]), issued, time)
        demand(kind in unit["inner"]["kinds"] or still, KIND_NOT_ALLOWED)
        key = self.load(KEYS, u32(record["key_id"]))
        demand(key is not None, SIGNATURE_INVALID)
        demand((key["inner"]["owner_kind"], key["inner"]["owner_id"]) == (1, record["unit_id"]), SIGNATURE_INVALID)
        demand(self.key_permits(key, issued, time), KEY_REVOKED)
        message = preimage("tallystick/receipt/v1", self.chain, message)
        demand(ed25519.verify_zip215(key["inner"]["key"], message, signature), SIGNATURE_INVALID)

    def is_genuine(self, data):
        """Whether the record's unit signed it, with whatever key of its own, valid then or not."""
        try:
            record, message, signature = read_record(data)
        except RecordRefused:
            return False
        key = self.load(KEYS, u32(record["key_id"]))
        if key is None or (key["inner"]["owner_kind"], key["inner"]["owner_id"]) != (1, record["unit_id"]):
            return False
        message = preimage("tallystick/receipt/v1", self.chain, message)
        return ed25519.verify_zip215(key["inner"]["key"], message, signature)

    def segment_of(self, record):
        index = self.get(SEGMENT_INDEX, u32(record["unit_id"]) + u32(record["receipt_code"])) or b""
        for at in range(0, len(index), 20):
            first, last = (int.from_bytes(index[at + skip:at + skip + 8], "big") for skip in (4, 12))
            if first <= record["receipt_number"] <= last:
                return self.load(SEGMENTS, index[at:at + 4])
        return None

    def reverse(self, record, own):
        """Marks the original; returns its status key."""
        original = self.get(RECEIPTS, record["reverses"])
        demand(original is not None, ORIGINAL_UNKNOWN)
        total = int.from_bytes(original[36:44], "big", signed=True)
        demand(original[32:36] == u32(record["unit_id"]), UNIT_MISMATCH)
        demand(total > 0, ORIGINAL_IS_RED)
        demand(len(original) == 55, ALREADY_REVERSED)
        demand(-total == record["total_fen"], AMOUNT_MISMATCH)
        keys = record["uniqueness_keys"]
        rows = [formats.uniqueness_row(record["unit_id"], key) for key in keys]
        held = all(self.get(UNIQUENESS, row) == record["reverses"] for row in rows)
        demand(original[44] == len(keys) and held, FIELD_INVALID)
        for row in rows:
            self.put(UNIQUENESS, row, None)
            self.count_instalment(row, -1)
        self.put(RECEIPTS, record["reverses"], original + own)
        return original[:32]

    def is_held(self, row):
        """Whether a live receipt leaves no room for a payment, settlement, decision or instalment."""
        if self.get(UNIQUENESS, row) is not None:
            return True
        if row[0] != 3:
            return False
        at_once = row[:21] + bytes(2)
        return self.get(UNIQUENESS, row[:21] if row == at_once else at_once) is not None

    def count_instalment(self, row, step):
        """Counts the live instalments of a decision; none is no row."""
        if row[21:] != bytes(2):
            count = int.from_bytes(self.get(UNIQUENESS, row[:21]) or bytes(4), "big") + step
            self.put(UNIQUENESS, row[:21], u32(count) if count else None)

    def count(self, records):
        for record in records:
            at = 2 if record["total_fen"] < 0 else 0
            self.totals[at] += 1
            self.totals[at + 1] += record["total_fen"]
            segment = self.segment_of(record)
            segment["used_count"] += 1
            segment["highest_used"] = max(segment["highest_used"], record["receipt_number"])
            self.save(SEGMENTS, u32(segment["inner"]["segment_id"]), segment)

    # --- evidence around a block ----------------------------------------------------------------------------------------

    def check_certificate(self, data, height, block_id, members):
        """A quorum of this height's set precommitted to this block."""
        require(data[:8] == u64(height) and data[12:44] == block_id, "the certificate is of another block")
        count, quorum = int.from_bytes(data[44:46], "big"), len(members) * 2 // 3 + 1
        require(len(data) == 46 + 68 * count and count >= quorum, "the certificate's length or quorum")
        signers = [int.from_bytes(data[at:at + 4], "big") for at in range(46, len(data), 68)]
        require(formats.ascending(signers), "members ascend")
        keys = {member["id"]: member["consensus_key"] for member in members}
        message = preimage("tallystick/precommit/v1", self.chain, data[:12] + b"\x01" + block_id)
        for signer, at in zip(signers, range(46, len(data), 68)):
            require(signer in keys, "a signer outside the set")
            require(ed25519.verify_zip215(keys[signer], message, data[at + 4:at + 68]), "a wrong precommit")
        self.counts["certificates"] += 1

    def check_checkpoint(self, text, members):
        """The note is over this log at its present size, under a quorum of the set that cosigns it."""
        note, origin = notes.Note(text), self.genesis["origin"]
        require((note.origin, note.size, note.root) == (origin, len(self.leaves), self.log_root()), "another checkpoint")
        keys = [key for member in members for key in member_keys(origin, member)]
        found = [key for name, key_id, payload in note.lines for key in keys
                 if (key.name, key.id) == (name, key_id) and key.time_of(note.text, payload) >= 0]
        cosigners = {key.name for key in found if key.kind == 4}
        require(any(key.kind == 1 for key in found), "the log has not signed")
        require(len(cosigners) >= len(members) * 2 // 3 + 1, "no quorum of cosignatures")
        self.counts["checkpoints"] += 1


def member_keys(origin, member):
    def key(name, kind, public):
        typed = bytes([kind]) + public
        key_id = formats.sha256(name.encode(), b"\n", typed)[:4].hex()
        return notes.Key(f"{name}+{key_id}+{base64.b64encode(typed).decode()}", kind)

    return key(origin, 1, member["log_key"]), key(f"{origin}/{member['name']}", 4, member["cosigner_key"])


def read_export(data):
    """(chain id, the LedgerBlock messages) of an export file."""
    require(data[:12] == b"TALLYEXP" + u32(1) and len(data) >= 88, "not an export of version 1")
    require(hashlib.sha256(data[:-32]).digest() == data[-32:], "the export's checksum is wrong")
    at, frames = 44, []
    while length := int.from_bytes(data[at:at + 4], "big"):
        require(length <= 16 << 20 and at + 4 + length <= len(data), "a frame's length")
        frames.append(formats.decode(messages.LEDGER_BLOCK, data[at + 4:at + 4 + length]))
        at += 4 + length
    require(data[at + 4:-32] == u64(len(frames)), "the number of frames")
    return data[12:44], frames


def is_of_registry(table, key):
    """docs/spec/registry.md"""
    named = key in (b"validators", b"validators-next", b"authorities", b"blinding")
    return table in (UNITS, SYSTEMS, KEYS, SEGMENTS, HIGH_WATER, ISSUERS, KINDS, ITEMS, DIRECTORY, AREAS, COLLECTORS) or (
        table == META and named)


def registry_text(ledger):
    """The registry as a file."""
    last = ledger.get(META, b"governance")
    lines = ["tallystick/registry/v1", f"chain {ledger.chain.hex()}", f"height {ledger.height}", f"time {ledger.time}",
             f"seal {ledger.seal_hash.hex()}", f"governance {int.from_bytes(last[:8], 'big')} {last[8:].hex()}"]
    rows = sorted((place, value) for place, value in ledger.state.items() if value is not None and is_of_registry(*place))
    lines += [f"row {table} {key.hex()} {value.hex() or '-'}" for (table, key), value in rows]
    return "".join(f"{line}\n" for line in lines)


def replay(genesis_bytes, frames):
    """Replays served blocks, genesis first; returns the ledger as they leave it."""
    ledger = Ledger(genesis_bytes)
    for height, frame in enumerate(frames):
        require(frame["height"] == height, "heights follow each other from 0")
        members, first = ledger.set, len(ledger.leaves)
        entries = ledger.start() if height == 0 else ledger.apply(frame["block"])
        require(frame["entries"] == entries and frame["first_leaf_index"] == first, f"entries of block {height}")
        if height > 0:
            block_id = tagged("tallystick/block/v1", frame["block"])
            require(frame["block_hash"] == block_id, "the block's hash")
            ledger.check_certificate(frame["certificate"], height, block_id, members)
        if frame["checkpoint"] and frame["checkpoint_height"] == height:
            ledger.check_checkpoint(frame["checkpoint"], members)
    return ledger


def main(arguments):
    if len(arguments) not in (2, 3) or not all(height.isdecimal() for height in arguments[2:]):
        print(__doc__, file=sys.stderr)
        return 64
    try:
        genesis, export = (pathlib.Path(name).read_bytes() for name in arguments[:2])
        chain, frames = read_export(export)
        require(chain == tagged("tallystick/genesis/v1", genesis), "the export is of another chain")
        if arguments[2:]:
            print(registry_text(replay(genesis, frames[:int(arguments[2]) + 1])), end="")
            return 0
        ledger = replay(genesis, frames)
    except OSError as error:
        print(error, file=sys.stderr)
        return 64
    except Refused as refused:
        print(f"refuted: {refused}", file=sys.stderr)
        return 1
    print(json.dumps({
        "result": "clean", "height": ledger.height, "log_size": len(ledger.leaves), "log_root": ledger.log_root().hex(),
        "effects_hash": ledger.effects.hex(), "status_root": map_root(ledger.statuses).hex(),
        "blue_count": ledger.totals[0], "blue_fen": ledger.totals[1], "red_count": ledger.totals[2],
        "red_fen": ledger.totals[3], **ledger.counts,
    }))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
