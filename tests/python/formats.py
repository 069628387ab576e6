"""Canonical messages, Merkle paths, the status map and the messages of docs/spec. Everything raises Refused."""

import base64
import hashlib
import hmac
import unicodedata

import ed25519


class Refused(Exception):
    """The bytes are not what they should be."""


class Unjudged(Exception):
    """What this program or this trust file does not know: neither good nor bad."""

    def __init__(self, code, detail):
        super().__init__(detail)
        self.code = code


def require(condition, problem):
    if not condition:
        raise Refused(problem)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def tagged(domain, *parts):
    return sha256(domain.encode(), b"\n", *parts)


def preimage(namespace, chain, message):
    return namespace.encode() + b"\n" + chain + message


def unbase64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Refused("base64") from error
    require(base64.b64encode(data).decode() == text, "base64 is not canonical")
    return data


# --- canonical protobuf -------------------------------------------------------------------------------------------------

U32, U64 = 2**32, 2**64


def _varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _zigzag(value):
    return value * 2 if value >= 0 else -value * 2 - 1


def encode(schema, message):
    """schema: {tag: (name, type)}; a list type [t] is repeated; a dict is a message."""
    out = b""
    for tag, (name, kind) in sorted(schema.items()):
        value = message[name]
        if kind == ["u32"]:
            packed = b"".join(_varint(item) for item in value)
            out += _varint(tag << 3 | 2) + _varint(len(packed)) + packed if value else b""
        elif isinstance(kind, list):
            for item in value:
                out += _field(tag, kind[0], item)
        elif value not in (0, b"", ""):
            out += _field(tag, kind, value)
    return out


def _field(tag, kind, value):
    if kind in ("u32", "u64", "s64", "s32"):
        return _varint(tag << 3) + _varint(_zigzag(value) if kind[0] == "s" else value)
    if isinstance(kind, dict):
        value = encode(kind, value)
    elif kind == "text":
        value = value.encode()
    return _varint(tag << 3 | 2) + _varint(len(value)) + value


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def varint(self):
        value = shift = 0
        while True:
            require(self.at < len(self.data) and shift < 70, "varint")
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                require(value < U64, "varint")
                return value

    def take(self, count):
        require(self.at + count <= len(self.data), "it ends early")
        self.at += count
        return self.data[self.at - count:self.at]


def decode(schema, data):
    message = {name: [] if isinstance(kind, list) else _zero(kind) for name, kind in schema.values()}
    reader = _Reader(data)
    while reader.at < len(data):
        key = reader.varint()
        require(key >> 3 in schema, "unknown field")
        name, kind = schema[key >> 3]
        if key & 7 == 0:
            message[name] = _number(kind, reader.varint())
            continue
        require(key & 7 == 2, "wire type")
        value = reader.take(reader.varint())
        if kind == ["u32"]:
            packed = _Reader(value)
            while packed.at < len(value):
                message[name].append(_number("u32", packed.varint()))
        elif isinstance(kind, list):
            message[name].append(_value(kind[0], value))
        else:
            message[name] = _value(kind, value)
    require(encode(schema, message) == data, "not the canonical encoding")
    return message


def _zero(kind):
    return {"text": "", "bytes": b""}.get(kind, 0) if isinstance(kind, str) else b""


def _number(kind, value):
    require(kind in ("u32", "u64", "s64", "s32"), "wire type")
    require(kind in ("u64", "s64") or value < U32, "too large")
    return value >> 1 ^ -(value & 1) if kind[0] == "s" else value


def _value(kind, data):
    if isinstance(kind, dict):
        return decode(kind, data)
    require(kind in ("text", "bytes") or isinstance(kind, int), "wire type")
    if kind == "text":
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise Refused("text") from error
    require(kind == "bytes" or len(data) == kind, "length")
    return data


def fields(text):
    """'1 a u32, 2 b 32' -> schema; a number is the length of a byte string, a trailing … repeats."""
    schema = {}
    for part in text.split(","):
        words = part.split()
        kind = int(words[2]) if words[2].isdigit() else words[2]
        schema[int(words[0])] = (words[1], [kind] if words[-1] == "…" else kind)
    return schema


def check_lengths(schema, message):
    for name, kind in schema.values():
        require(not isinstance(kind, int) or len(message[name]) == kind, name)


def read(schema, data):
    message = decode(schema, data)
    check_lengths(schema, message)
    for name, only in (("format_version", 1), ("suite", 1), ("record_type", 1)):
        require(message.get(name, only) == only, name)
    return message


# --- the messages -------------------------------------------------------------------------------------------------------

RECORD = fields(
    "1 format_version u32, 2 suite u32, 3 record_type u32, 4 receipt_code u32, 5 receipt_number u64, 6 unit_id u32,"
    "7 total_fen s64, 8 issue_time_ms u64, 9 key_id u32, 10 body_root 32, 11 disclosure_count u32, 12 biz_key 16,"
    "13 key_epoch u32, 14 uniqueness_keys 23 …, 15 reverses_code u32, 16 reverses_number u64, 17 seal_by_ms u64"
)
HEADER = fields(
    "1 format_version u32, 2 suite u32, 3 issuer_id u32, 4 epoch u32, 5 sequence u64, 6 count u32, 7 root 32,"
    "8 first_issue_time_ms u64, 9 last_issue_time_ms u64, 10 key_id u32"
)
SEAL = fields(
    "1 format_version u32, 2 suite u32, 3 height u64, 4 time_ms u64, 5 parent_seal_hash 32, 6 status_root 32,"
    "7 validator_set_hash 32, 8 next_validator_set_hash 32, 9 effects_hash 32, 10 totals_commitment 32,"
    "11 directory_root 32, 12 registry_root 32"
)
CREDENTIAL = fields(
    "1 format_version u32, 2 suite u32, 3 unit_id u32, 4 unit_code text, 5 unit_name text, 6 supervisor_area_code text,"
    "7 key_id u32, 8 public_key 32, 9 valid_from_ms u64, 10 valid_until_ms u64"
)
SIGNED = fields("1 message bytes, 2 signature 64")
MANY_SIGNED = fields("1 message bytes, 2 signers 32 …, 3 signatures 64 …")


def ascending(items):
    return all(a < b for a, b in zip(items, items[1:]))


def number_field(data, at, key):
    """(value, end) of the varint field with this key at this place; None if another field or zero stands there."""
    if data[at:at + 1] != bytes([key]):
        return None
    value = shift = 0
    for end in range(at + 1, min(at + 11, len(data))):
        value |= (data[end] & 0x7F) << shift
        shift += 7
        if data[end] < 0x80:
            return (value, end + 1) if 0 < value < U64 else None
    return None


def refuse_later(message, is_record=False):
    """Raises Unjudged for a format_version, or type of record, that is not known here."""
    version = number_field(message, 0, 0x08)
    if version and version[0] != 1:
        raise Unjudged("FORMAT_UNKNOWN", f"format version {version[0]}")
    suite = is_record and version and number_field(message, version[1], 0x10)
    record_type = suite and number_field(message, suite[1], 0x18)
    if record_type and record_type[0] != 1:
        raise Unjudged("FORMAT_UNKNOWN", f"a record of type {record_type[0]}")


def message_of(signed):
    """The first field of a wrapper, however the rest of it reads."""
    length = number_field(signed, 0, 0x0A)
    whole = length and length[1] + length[0] <= len(signed)
    return signed[length[1]:length[1] + length[0]] if whole else b""


def read_record(data):
    """SignedRecord -> (record, signed bytes, signature)."""
    require(len(data) <= 1024, "the record is too large")
    signed = read(SIGNED, data)
    record = read(RECORD, signed["message"])
    for code, number in (("receipt_code", "receipt_number"), ("reverses_code", "reverses_number")):
        require(record[code] <= 99_999_999 and record[number] <= 9_999_999_999, code)
    require(0 < abs(record["total_fen"]) < 10**14, "total")
    linked = (record["reverses_code"], record["reverses_number"]) != (0, 0)
    require(linked == (record["total_fen"] < 0), "a link exactly on red receipts")
    require(record["disclosure_count"] >= 1, "disclosures")
    keys = record["uniqueness_keys"]
    require(len(keys) <= 16 and ascending(keys) and all(well_formed(key) for key in keys), "uniqueness keys")
    require(not excluding(keys), "uniqueness keys that exclude each other")
    record["reverses"] = (record["reverses_code"], record["reverses_number"]) if linked else None
    return record, signed["message"], signed["signature"]


def well_formed(key):
    """type u8 ‖ hash [16] ‖ instalment u16 ‖ epoch u32; only a decision has instalments."""
    return len(key) == 23 and key[0] in (1, 2, 3) and (key[0] == 3 or key[17:19] == bytes(2))


def excluding(keys):
    """Whether ascending keys hold two that no two receipts may hold."""
    return any(
        a[:17] == b[:17] and (a[17:19] == b[17:19] or a[17:19] == bytes(2)) for a, b in zip(keys, keys[1:]))


def uniqueness_row(unit, key):
    """The key of UniquenessKeys: everybody's for payments, else the unit's. Its first 21 bytes count a decision's instalments."""
    return key[:1] + (bytes(4) if key[0] == 1 else unit.to_bytes(4, "big")) + key[1:19]


def read_header(data):
    signed = read(SIGNED, data)
    header = read(HEADER, signed["message"])
    require(1 <= header["count"] <= 4096, "count")
    return header


def read_seal(data):
    return read(SEAL, data)


def read_credential(data):
    """SignedCredential -> (credential, signed bytes, [(authority key, signature)])."""
    require(len(data) <= 16_384, "the credential is too large")
    signed = read(MANY_SIGNED, data)
    require(ascending(signed["signers"]) and len(signed["signers"]) == len(signed["signatures"]), "signers")
    credential = read(CREDENTIAL, signed["message"])
    code = credential["unit_code"]
    require(len(code) == 18 and code.isascii() and code.isalnum(), "unit code")
    require(credential["unit_name"] != "" and ed25519.is_registrable(credential["public_key"]), "name or key")
    until = credential["valid_until_ms"]
    require(until == 0 or credential["valid_from_ms"] < until, "window")
    return credential, signed["message"], list(zip(signed["signers"], signed["signatures"]))


def status_key(signed_record):
    return tagged("tallystick/status-key/v1", signed_record)


# --- Merkle trees -------------------------------------------------------------------------------------------------------

def leaf_hash(data):
    return sha256(b"\x00", data)


def node_hash(left, right):
    return sha256(b"\x01", left, right)


def tree_root(hashes):
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256()
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(tree_root(hashes[:split]), tree_root(hashes[split:]))


def verify_inclusion(leaf, index, size, path, root):
    """RFC 9162, 2.1.3.2, on the hash of a leaf."""
    require(index < size, "the index is beyond the tree")
    node, last = index, size - 1
    for sibling in path:
        require(last != 0, "the path is too long")
        if node & 1 or node == last:
            leaf = node_hash(sibling, leaf)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            leaf = node_hash(leaf, sibling)
        node, last = node >> 1, last >> 1
    require(last == 0, "the path is too short")
    require(leaf == root, "the path leads to another root")


def verify_consistency(first, first_root, second, second_root, path):
    """RFC 9162, 2.1.4.2."""
    require(0 < first <= second, "sizes")
    if first == second:
        return require(not path and first_root == second_root, "equal sizes")
    if first & (first - 1) == 0:
        path = [first_root, *path]
    require(path, "the path is too short")
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        require(last != 0, "the path is too long")
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    require(last == 0 and old == first_root and new == second_root, "the path leads elsewhere")


# --- the status map -----------------------------------------------------------------------------------------------------

EMPTY = b"SPARSE_MERKLE_PLACEHOLDER_HASH__"


def verify_status(proof, root, key, map_value):
    """Presence of a map value, or absence (None)."""
    reader = _Reader(proof)
    end = reader.take(1)[0]
    require(end <= 2, "end")
    require((end == 1) == (map_value is not None), "the proof is of the other kind")
    other = (reader.take(32), reader.take(32)) if end == 2 else None
    count = int.from_bytes(reader.take(2), "big")
    require(count <= 256 and len(proof) == reader.at + 32 * count, "siblings")
    siblings = [reader.take(32) for _ in range(count)]
    bits = [key[at // 8] >> 7 - at % 8 & 1 for at in range(256)]
    if end == 0:
        node = EMPTY
    elif end == 1:
        node = sha256(b"JMT::LeafNode", key, sha256(map_value))
    else:
        shared = 256 - (int.from_bytes(key, "big") ^ int.from_bytes(other[0], "big")).bit_length()
        require(other[0] != key and shared >= count, "the other entry does not stand there")
        node = sha256(b"JMT::LeafNode", *other)
    require(not siblings or siblings[0] != EMPTY, "the lowest sibling is empty")
    for depth, sibling in zip(range(count, 0, -1), siblings):
        pair = (sibling, node) if bits[depth - 1] else (node, sibling)
        node = sha256(b"JMT::IntrnalNode", *pair)
    require(node == root, "the proof leads to another root")


def read_status(value):
    """A status value -> (code, number) of the red receipt."""
    require(len(value) == 29 and value[16] == 1, "status")
    code, number = int.from_bytes(value[17:21], "big"), int.from_bytes(value[21:], "big")
    require(code <= 99_999_999 and number <= 9_999_999_999, "red receipt")
    return code, number


# --- keyed hashes -------------------------------------------------------------------------------------------------------

#: What is typed for a dash and is none by its category; what else stands for another character.
DASHES = set("~\u02d7\u2043\u2212\u223c\u2500\u2501\u2796\u30fc")
LOOK_ALIKES = {"\u25cb": "\u3007", "\u25ef": "\u3007", "\u30fb": "\u00b7"}


def canonical(reference):
    """The text under which a payment, settlement or decision is compared: docs/spec/record.md."""
    out = []
    for char in unicodedata.normalize("NFKC", reference).upper():
        category = unicodedata.category(char)
        if char.isspace() or 0xFE00 <= ord(char) <= 0xFE0F or 0xE0100 <= ord(char) <= 0xE01EF:
            continue
        if category == "Pd" or char in DASHES:
            char = "-"
        out.append({"Ps": "(", "Pe": ")"}.get(category, LOOK_ALIKES.get(char, char)))
    return "".join(out)


def keyed(secret, domain, data, length=16):
    return hmac.new(secret, domain.encode() + b"\n" + data, hashlib.sha256).digest()[:length]
