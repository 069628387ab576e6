"""The directory of units, following docs/spec/directory.md: opening what authorities signed, taking what changed."""

import ed25519
import formats
import notes
from formats import Refused, Unjudged, fields, leaf_hash, preimage, require

BYTES_MAX = 32 << 20
ROW = fields("1 unit_id u32, 2 unit_code text, 3 unit_name text, 4 supervisor_area_code text")
ROW[5] = ("keys", [fields("1 key_id u32, 2 public_key 32, 3 valid_from_ms u64, 4 valid_until_ms u64, 5 revoked_from_ms u64")])
ROW[6] = ("former_names", [fields("1 unit_name text, 2 until_ms u64")])
DIRECTORY = fields("1 format_version u32, 2 suite u32, 3 height u64, 4 time_ms u64")
DIRECTORY[5] = ("units", [ROW])
DELTA = fields("1 format_version u32, 2 suite u32, 3 from_root 32")
DELTA[4] = ("units", [ROW])
DELTA |= fields("5 credentials bytes …, 6 seal bytes, 7 proof text")


class Denied(Exception):
    """A directory or delta is refused, with this code."""


def demand(condition, code):
    if not condition:
        raise Denied(code)


def attempt(code, function, *arguments):
    try:
        return function(*arguments)
    except (Refused, Unjudged) as refused:
        raise Denied(code) from refused


def is_sound(row):
    code, keys = row["unit_code"], row["keys"]
    return (len(code) == 18 and code.isascii() and code.isalnum()
            and all(len(key["public_key"]) == 32 for key in keys)
            and all(not key["valid_until_ms"] or key["valid_from_ms"] < key["valid_until_ms"] for key in keys)
            and formats.ascending([key["key_id"] for key in keys])
            and formats.ascending([name["until_ms"] for name in row["former_names"]]))


def read_rows(schema, data):
    require(len(data) <= BYTES_MAX, "too large")
    message = formats.read(schema, data)
    rows = message["units"]
    require(all(map(is_sound, rows)) and formats.ascending([row["unit_id"] for row in rows]), "rows")
    return message


def read_signed(data):
    """(directory, signed bytes, [(signer, signature)])."""
    require(len(data) <= BYTES_MAX, "too large")
    signed = formats.read(formats.MANY_SIGNED, data)
    signers = signed["signers"]
    require(formats.ascending(signers) and len(signers) == len(signed["signatures"]), "signers")
    return read_rows(DIRECTORY, signed["message"]), signed["message"], list(zip(signers, signed["signatures"]))


def root_of(rows):
    """The Merkle root over the rows, which ascend by unit."""
    return formats.tree_root([leaf_hash(formats.encode(ROW, row)) for row in rows])


def by_enough(trust, signatures):
    keys, threshold, _ = trust.authorities_at(None)
    return len({key for key, _ in signatures} & set(keys)) >= max(1, threshold)


def all_hold(trust, namespace, message, signatures):
    message = preimage(namespace, trust.chain, message)
    return all(ed25519.verify_strict(key, message, signature) for key, signature in signatures)


class Directory:
    """Rows by unit that may be judged by, and of when they are."""

    def __init__(self, rows, height, as_of, signers):
        self.rows, self.height, self.as_of, self.signers = rows, height, as_of, signers
        self.root = root_of(self.list())

    @classmethod
    def open(cls, data, trust):
        directory, message, signatures = attempt("FORM", read_signed, data)
        demand(by_enough(trust, signatures), "AUTHORITIES")
        demand(all_hold(trust, "tallystick/directory/v1", message, signatures), "SIGNATURE")
        rows = {row["unit_id"]: row for row in directory["units"]}
        return cls(rows, directory["height"], directory["time_ms"] // 1000, [])

    def list(self):
        return [row for _, row in sorted(self.rows.items())]

    def with_delta(self, data, trust):
        delta = attempt("FORM", read_rows, DELTA, data)
        demand(delta["from_root"] == self.root, "FROM")
        seal, proof = attempt("SEAL_FORM", formats.read_seal, delta["seal"]), attempt("SEAL_FORM", notes.Proof, delta["proof"])
        as_of, signers, set_hash = attempt("CHECKPOINT", trust.judge, proof.note)
        demand(proof.index + 1 == proof.note.size, "SEAL_POSITION")
        attempt("SEAL_POSITION", proof.verify, leaf_hash(b"\x04" + delta["seal"]))
        demand(seal["validator_set_hash"] == set_hash, "SEAL_POSITION")
        demand(seal["height"] >= self.height, "OLDER")
        demand(not delta["units"] or seal["directory_root"] != self.root, "UNCHANGED")
        rows = self.rows | {row["unit_id"]: row for row in delta["units"]}
        signers = [name.removeprefix(trust.origin + "/") for name in signers]
        taken = Directory(rows, seal["height"], max(self.as_of, as_of), signers)
        demand(taken.root == seal["directory_root"], "ROOT")
        credentials = [self.proved(credential, trust) for credential in delta["credentials"]]
        for row in delta["units"]:
            check_row(self.rows.get(row["unit_id"]), row, credentials)
        return taken

    @staticmethod
    def proved(data, trust):
        credential, message, signatures = attempt("CREDENTIAL", formats.read_credential, data)
        demand(by_enough(trust, signatures), "CREDENTIAL")
        demand(all_hold(trust, "tallystick/credential/v1", message, signatures), "CREDENTIAL")
        return credential


def parts(data):
    require(len(data) <= BYTES_MAX, "too large")
    found = []
    while data:
        length = int.from_bytes(data[:4], "big")
        require(len(data) >= 4 + length, "cut off")
        found.append(data[4:4 + length])
        data = data[4 + length:]
    require(found, "empty")
    return found


def is_bare(delta):
    try:
        return not read_rows(DELTA, delta)["units"]
    except (Refused, Unjudged):
        return False


def open_file(data, trust):
    """The bytes of a directory file -> the directory after all deltas."""
    signed, *deltas = attempt("FORM", parts, data)
    opened = Directory.open(signed, trust)
    for position, delta in enumerate(deltas, 1):
        demand(position == len(deltas) or not is_bare(delta), "NOT_LAST")
        opened = opened.with_delta(delta, trust)
    return opened


def check_row(before, row, credentials):
    """That everything in a row but its endings stood there before, or is what a credential says."""
    known = {key["key_id"]: key for key in before["keys"]} if before else {}
    keys = {key["key_id"]: key for key in row["keys"]}
    demand(before is None or before["unit_code"] == row["unit_code"], "WIDENED")
    demand(all(key in keys and goes_on(old, keys[key]) for key, old in known.items()), "WIDENED")
    vouched = [by for by in credentials if all(by[name] == row[name] for name in ("unit_id", "unit_code"))]
    same = ("key_id", "public_key", "valid_from_ms", "valid_until_ms")
    for key in row["keys"]:
        is_signed = any(all(by[name] == key[name] for name in same) for by in vouched)
        demand(key["key_id"] in known or is_signed, "KEY_UNSIGNED")
    if keys:
        before = before if known else None
        for old, new, name in ((names(before), names(row), "unit_name"),
                               (areas(before), areas(row), "supervisor_area_code")):
            demand(new <= old | {by[name] for by in vouched}, "NAME_UNSIGNED")


def names(row):
    return {row["unit_name"]} | {former["unit_name"] for former in row["former_names"]} if row else set()


def areas(row):
    return {row["supervisor_area_code"]} if row else set()


def goes_on(before, after):
    """Whether a key is what it was, but for a revocation that came, or moved to an earlier time."""
    old, new = before["revoked_from_ms"], after["revoked_from_ms"]
    return before | {"revoked_from_ms": new} == after and (not old or 0 < new <= old)


def credential_at(row, key_id, issued):
    """What a credential of the key would say of this issue time; None without such a key."""
    key = next((key for key in row["keys"] if key["key_id"] == key_id), None)
    if key is None:
        return None
    former = [name["unit_name"] for name in row["former_names"] if issued < name["until_ms"]]
    parts = {name: row[name] for name in ("unit_id", "unit_code", "supervisor_area_code")}
    return parts | key | {"suite": 1, "unit_name": (former + [row["unit_name"]])[0]}
