"""Presentations: docs/spec/presentation.md. Reading one, and making one of a bundle."""

import base64

import body
import formats
from formats import Refused, require, tree_root, unbase64

FORMAT = "tallystick/bundle/presentation/v1"
ALWAYS = """receipt_code receipt_number issue_time unit_name unit_code issue_date total_amount receipt_name supervisor_area_code
item_count aux_count""".split()
NEVER = "check_code"
#: With the payer's document number these give the whole receipt to whoever has them.
REFERENCES = "biz_code non_tax.pay_code medical.settlement_number fine.penalty_decision_no related reversal".split()
HEADER_NAMES = [name for name, _ in body.table(body.HEADER)]


class NotShared(Exception):
    """The code says why."""


def read_leaves(rows):
    """[(salt, value)] of what is shown, [hash] of what is withheld; the values, None where there is none."""
    leaves, values = [], []
    for position, row in enumerate(rows):
        if "hash" in row:
            leaves.append(unbase64(row["hash"]))
            values.append(None)
            require(len(leaves[-1]) == 32, "a hash")
        else:
            salt = unbase64(row["salt"])
            require(len(salt) == 16, "a salt")
            leaves.append(body.salted_leaf(salt, position, row["value"]))
            values.append(row["value"])
    require(len(values) >= len(HEADER_NAMES), "too few positions")
    for name, value in zip(HEADER_NAMES, values):
        require((name != NEVER) if value is not None else (name not in ALWAYS), name)
    return leaves, values


def root(leaves):
    return tree_root(leaves)


def share(bundle_text, fields):
    """The text of the presentation that shows these fields."""
    bundle = body.from_json(bundle_text)
    record, _, _ = formats.read_record(unbase64(bundle["record"]))
    seed, values = unbase64(bundle["body"]["seed"]), bundle["body"]["values"]
    try:
        receipt = body.read_values(values)
        require(len(values) == record["disclosure_count"] and body.root(seed, values) == record["body_root"], "content")
    except Refused as refused:
        raise NotShared("SHARE_CONTENT") from refused
    names = body.names(receipt, len(values))
    shown = set(ALWAYS)
    for field in fields:
        if field == NEVER:
            raise NotShared("SHARE_SECRET")
        if field in ("items", "aux_items"):
            shown |= {name for name in names if name.startswith(field + "[")}
        elif field in names:
            shown.add(field)
        else:
            raise NotShared("SHARE_FIELD")
    check_together(receipt, dict(zip(names, values)), shown)
    def leaf(position, name, value):
        if name in shown:
            return {"salt": base64.b64encode(body.salt(seed, position)).decode(), "value": value}
        return {"hash": base64.b64encode(body.leaf(seed, position, value)).decode()}
    leaves = [leaf(position, *pair) for position, pair in enumerate(zip(names, values))]
    return body.to_json(bundle | {"format": FORMAT, "body": {"leaves": leaves}})


def check_together(receipt, content, shown):
    # An organisation's code is public, shown or not.
    known = "payer_code" in shown or content["payer_id_type"] == "uscc"
    if not known or content["payer_code"] == "" or "*" in content["payer_code"][-4:]:
        return
    for reference in REFERENCES:
        if reference == "related":
            given = any(row["relation"] == "covers_pay_code" for row in receipt["related"])
        elif reference == "reversal":
            given = (receipt.get("reversal") or {}).get("reissue_biz_code", "") != ""
        else:
            given = content.get(reference, "") != ""
        if reference in shown and given:
            raise NotShared("SHARE_TOGETHER")
