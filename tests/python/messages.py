"""The messages of docs/spec/block.md, log.md and trust.md, and the values of the state's tables."""

from directory import ROW
from formats import fields

UNIT = fields("1 unit_id u32, 2 unit_code text, 3 name text, 4 supervisor_area_code text, 5 kinds u32 …, 6 suspended_from_ms u64")
KEY = fields("1 key_id u32, 2 owner_kind u32, 3 owner_id u32, 4 suite u32, 5 key 32, 6 valid_from_ms u64, 7 valid_until_ms u64")
SYSTEM = fields("1 system_id u32, 2 name text")
SYSTEM[3] = ("grants", [fields("1 unit_id u32, 2 places text …")])
SEGMENT = fields("1 segment_id u32, 2 unit_id u32, 3 issuer_id u32, 4 receipt_code u32, 5 first u64, 6 last u64")
ITEMS = fields("1 unit_id u32, 2 kind u32")
ITEMS |= {3: ("items", [fields("1 code text, 2 name text")]), 4: ("adds", "u32")}
MEMBER = fields("1 id u32, 2 name text, 3 consensus_key 32, 4 log_key 32, 5 cosigner_key 32")
SET = {1: ("members", [MEMBER])}
RANGE = fields("1 first u64, 2 last u64")
ACTIONS = {
    1: UNIT, 2: KEY, 3: fields("1 key_id u32, 2 revoked_from_ms u64"), 4: SYSTEM, 5: SEGMENT, 6: fields("1 segment_id u32"),
    7: fields("1 issuer_id u32, 2 name text, 3 record_types u32 …"), 8: fields("1 issuer_id u32, 2 epoch u32, 3 journal bytes"),
    9: fields("1 kind u32, 2 name text, 3 payment_required_from_ms u64, 4 opens u32"), 10: ITEMS,
    11: {1: ("effective_height", "u64"), 2: ("members", [MEMBER])},
    12: {1: ("segment_id", "u32"), 2: ("void", [RANGE]), 3: ("lost", [RANGE])},
    13: fields("1 keys 32 …, 2 threshold u32"),
    14: fields("1 epoch u32, 2 fingerprint bytes"),
    15: fields("1 epoch u32"),
    16: fields("1 area u32, 2 keys 32 …, 3 threshold u32"),
    17: fields("1 collector_id u32, 2 name text, 3 unit_ids u32 …, 4 area u32, 5 daily_cap_fen u64, 6 suspended_from_ms u64"),
}
ACTION = fields("1 kind u32, 2 body bytes")
GOVERNANCE = fields("1 format_version u32, 2 suite u32, 3 sequence u64, 4 expiry_height u64")
GOVERNANCE[5] = ("actions", [ACTION])
GOVERNANCE |= {6: ("previous", 32), 7: ("area", "u32")}
GENESIS = fields(
    "1 format_version u32, 2 chain_name text, 3 origin text, 4 suite u32, 5 time_ms u64, 6 utc_offset_minutes s32,"
    "7 authority_keys 32 …, 8 authority_threshold u32"
)
GENESIS |= {9: ("validators", [MEMBER]), 10: ("actions", [ACTION])}
GENESIS |= fields("11 time_ahead_ms_max u64, 12 time_behind_ms_max u64, 13 time_behind_round_ms u64, 14 is_test u32")
BLOCK = fields(
    "1 format_version u32, 2 height u64, 3 time_ms u64, 4 parent_seal_hash 32, 5 proposer_id u32, 6 proposer_round u32,"
    "8 salt 32, 9 seal bytes"
)
BLOCK[7] = ("items", [fields("1 kind u32, 2 message bytes, 3 records bytes …")])
REFUSED = fields("1 issuer_id u32, 2 sequence u64, 3 header_hash 32, 4 indexes u32 …, 5 reasons u32 …")

#: Tables whose values are messages; `inner` is the action that made the entry.
UNIT_STATE = {1: ("inner", UNIT), 2: ("suspended_at_ms", "u64")}
UNIT_STATE[3] = ("detached", [fields("1 kind u32, 2 detached_at_ms u64")])
KEY_STATE = {1: ("inner", KEY), 2: ("revoked_from_ms", "u64"), 3: ("revoked_at_ms", "u64")}
SEGMENT_STATE = {
    1: ("inner", SEGMENT), 2: ("closed_at_ms", "u64"), 3: ("used_count", "u64"), 4: ("highest_used", "u64"),
    5: ("settled_at_ms", "u64"), 6: ("void_count", "u64"), 7: ("lost_count", "u64"),
}
ISSUER_STATE = {1: ("inner", ACTIONS[7]), 2: ("epoch", "u32"), 3: ("next_sequence", "u64"),
                4: ("refused_bytes", "u64"), 5: ("refused_at_ms", "u64")}
AREA_STATE = fields("1 area u32, 2 keys 32 …, 3 threshold u32, 4 sequence u64, 5 last_id 32")
COLLECTOR_STATE = {1: ("inner", ACTIONS[17]), 2: ("suspended_at_ms", "u64")}
STATE = {5: UNIT_STATE, 7: SYSTEM, 8: KEY_STATE, 9: SEGMENT_STATE, 12: ISSUER_STATE, 13: ACTIONS[9], 14: ITEMS, 19: ROW, 20: AREA_STATE, 21: COLLECTOR_STATE}

#: One frame of an export file (docs/spec/execution.md).
LEDGER_BLOCK = fields(
    "1 height u64, 2 block bytes, 3 entries bytes …, 4 first_leaf_index u64, 5 certificate bytes, 6 checkpoint text,"
    "7 checkpoint_height u64, 8 block_hash bytes"
)
