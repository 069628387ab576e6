"""The body: docs/spec/body.md."""

import datetime
import hashlib
import hmac
import json
import re

from formats import Refused, U32, U64, leaf_hash, require, tree_root

HEADER = """receipt_code code, receipt_number number, check_code check, issue_time count64, unit_name text, unit_code text,
issue_date date, total_amount amount, receipt_name text, specimen_code text, supervisor_area_code text, biz_code text,
place_code text, payer_type individual|organisation,
payer_id_type resident|passport|hk_macau_taiwan_permit|newborn|unidentified|uscc, payer_code text, payer_name text,
payments [payment], rec_name text, rec_account text, rec_bank text, handling_person text, checker text, remark text,
supervisor_remark text, related [related], reversal {reversal}?, other_info [other], item_count count, aux_count count"""

GROUPS = {
    "medical": """gender, medical_type, patient_number, medical_date date?, case_number, hospitalization_number,
        department_name, in_hospital_date date?, out_hospital_date date?, hospital_days count?, org_type,
        medical_insurance_type, medical_insurance_id, settlement_number, fund_pay amount, other_pay amount,
        account_pay amount, own_pay amount, self_payment amount?, self_cost amount?, prepay amount?, recharge amount?,
        refund amount?""",
    "non_tax": "pay_code, collection_mode direct|centralised?, confirm_time count64?, payment_channel",
    "fine": """penalty_decision_no, penalty_decision_date date?, instalment count?, pay_deadline date?,
        late_penalty amount?, plate_no_masked""",
    "school": "school_name, student_id, grade_class, term, batch_no",
    "settlement": "settlement_kind, project_no",
    "donation": """donation_kind money|in_kind?, donation_project, donation_date date?, restricted_use flag,
        valuation_basis, anonymous flag""",
    "dues": "membership_no, membership_period",
    "social_insurance": "insured_id, period",
}
CATEGORIES = {
    1: ["non_tax", "school"], 2: ["non_tax"], 3: ["non_tax", "fine"], 4: ["settlement", "school", "non_tax"],
    5: ["donation"], 6: ["medical"], 7: ["dues"], 8: ["social_insurance", "non_tax"], 9: ["dues"],
}
REASONS = "full_refund|partial_refund|wrong_payer|wrong_item|wrong_amount|duplicate|decision_revoked|other"
MODES = "cash|transfer|pos|wechat|alipay|unionpay|withholding|medical_insurance|prepayment|in_kind"
OBJECTS = {
    "item": """item_code, item_name, unit text?, quantity quantity?, standard yuan4?, amount amount,
        rounding_adjustment yuan4?, remark text?""",
    "aux": """related_item_code, related_item_name text?, item_code text?, item_name, unit text?, quantity quantity?,
        standard yuan4?, amount yuan4, remark text?""",
    "payment": f"mode {MODES}, amount amount, channel_reference text?",
    "other": "no integer, name, value",
    "reversal": f"reason {REASONS}, text text?, operator, refund_reference text?, reissue_biz_code text?",
    "reversal_of": "relation reversal_of|, receipt_code code, receipt_number number",
    "reissue_after_partial_refund": "relation reissue_after_partial_refund|, receipt_code code, receipt_number number",
    "exchanged_paper": "relation exchanged_paper|, paper_code, paper_number",
    "covers_pay_code": "relation covers_pay_code|, pay_code",
}


def table(text):
    """[(name, type)]; a name alone is a text."""
    rows = [row.split() for row in text.split(",")]
    return [(row[0], row[1] if len(row) > 1 else "text") for row in rows]


def category_fields(category):
    groups = CATEGORIES.get(category, [])
    return [(f"{group}.{name}", kind) for group in groups for name, kind in table(GROUPS[group])]


def to_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def from_json(text):
    """JSON in its one spelling; key order is kept."""
    try:
        value = json.loads(text)
        require(to_json(value).encode() == text.encode(), "not canonical JSON")
    except (ValueError, RecursionError) as error:
        raise Refused("not JSON") from error
    return value


PATTERNS = {
    "text": r"[\s\S]*", "code": "[0-9]{8}", "number": "[0-9]{10}", "check": "[0-9a-z]{6}", "flag": "true|false",
    "count": "0|[1-9][0-9]{0,9}", "count64": "0|[1-9][0-9]{0,19}", "amount": r"-?(0|[1-9][0-9]{0,18})\.[0-9]{2}",
    "yuan4": r"-?(0|[1-9][0-9]{0,18})\.[0-9]{4}", "quantity": r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{0,3}[1-9])?",
    "date": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
}


def check_value(kind, text):
    """Refuses a value that is not of its type in the one spelling."""
    if kind.endswith("?"):
        if text == "":
            return
        kind = kind[:-1]
    if kind[0] == "[":
        if text == "":
            return
        rows = from_json(text)
        require(isinstance(rows, list) and rows, "a list")
        for row in rows:
            require(isinstance(row, dict), "a row")
            check_object(row.get("relation") if kind == "[related]" else kind[1:-1], row)
    elif kind[0] == "{":
        check_object(kind[1:-1], from_json(text))
    elif "|" in kind:
        require(text != "" and text in kind.split("|"), "a word that is not of the list")
    else:
        require(re.fullmatch(PATTERNS[kind], text), f"not a {kind}")
        check_bounds(kind, text)


def check_bounds(kind, text):
    if kind in ("count", "count64"):
        require(int(text) < (U32 if kind == "count" else U64), "too large")
    elif kind in ("amount", "yuan4", "quantity"):
        whole, _, decimals = text.lstrip("-").partition(".")
        magnitude = int(whole + decimals.ljust(2 if kind == "amount" else 4, "0"))
        require(magnitude < 2**63 and not (magnitude == 0 and text[0] == "-"), "out of range")
    elif kind == "date":
        try:
            require(1900 <= datetime.date.fromisoformat(text).year <= 2999, "year")
        except ValueError as error:
            raise Refused("no such day") from error


def check_object(kind, value):
    require(isinstance(value, dict) and kind in OBJECTS, "an object")
    keys = table(OBJECTS[kind])
    require(list(value) == [name for name, of in keys if name in value or not of.endswith("?")], "keys")
    for name, of in keys:
        if of == "integer":
            require(type(value[name]) is int and 0 <= value[name] < U32, "an integer")
        elif name in value:
            require(isinstance(value[name], str) and not (of.endswith("?") and value[name] == ""), "a string")
            check_value(of, value[name])


def read_values(values):
    """A checked receipt: {name: text}, with lists decoded under 'related'."""
    header = table(HEADER)
    require(len(values) >= len(header), "too few values")
    receipt = {}
    for (name, kind), value in zip(header, values):
        check_value(kind, value)
        receipt[name] = value
    fields = category_fields(int(receipt["receipt_code"]) // 10_000 % 100)
    items, aux = int(receipt["item_count"]), int(receipt["aux_count"])
    rows = len(header) + len(fields)
    require(len(values) == rows + items + aux, "the number of values")
    for (_, kind), value in zip(fields, values[len(header):]):
        check_value(kind, value)
    for at, value in enumerate(values[rows:]):
        check_object("item" if at < items else "aux", from_json(value))
    receipt["related"] = json.loads(receipt["related"] or "[]")
    return receipt


def names(receipt, count):
    """The name of every position."""
    header, fields = table(HEADER), category_fields(int(receipt["receipt_code"]) // 10_000 % 100)
    known, items = [name for name, _ in header + fields], int(receipt["item_count"])
    rows = range(count - len(known))
    return known + [f"items[{row}]" if row < items else f"aux_items[{row - items}]" for row in rows]


def read_known(values):
    """The same of a body of which some values are not known (None): only those that are stand in it."""
    fields = table(HEADER)
    header = {name: value for (name, _), value in zip(fields, values)}
    for name in ("receipt_code", "item_count", "aux_count"):
        require(header.get(name) is not None, name)
        check_value(dict(fields)[name], header[name])
    fields = fields + category_fields(int(header["receipt_code"]) // 10_000 % 100)
    items, aux = int(header["item_count"]), int(header["aux_count"])
    require(len(values) == len(fields) + items + aux, "the number of values")
    for (_, kind), value in zip(fields, values):
        if value is not None:
            check_value(kind, value)
    for at, value in enumerate(values[len(fields):]):
        if value is not None:
            check_object("item" if at < items else "aux", from_json(value))
    receipt = {name: value for name, value in header.items() if value is not None}
    if "related" in receipt:
        receipt["related"] = json.loads(receipt["related"] or "[]")
    return receipt


def salt(seed, position):
    message = b"tallystick/salt/v1\n" + position.to_bytes(4, "big")
    return hmac.new(seed, message, hashlib.sha256).digest()[:16]


def salted_leaf(salt_of, position, value):
    return leaf_hash(salt_of + position.to_bytes(4, "big") + value.encode())


def leaf(seed, position, value):
    return salted_leaf(salt(seed, position), position, value)


def root(seed, values):
    return tree_root([leaf(seed, position, value) for position, value in enumerate(values)])
