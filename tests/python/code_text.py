"""The text of the QR code on a receipt (docs/spec/code.md). Refused says why; its first word is the reason of that page."""

import re
import string

from formats import Refused, require

DIGITS = (0, 3, 5, 8, 10, 13, 15, 17)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def digits(data):
    groups = (data[at:at + 7] for at in range(0, len(data), 7))
    return "".join(str(int.from_bytes(group, "big")).zfill(DIGITS[len(group)]) for group in groups)


def text(host, signed_record):
    return f"HTTPS://{host}/V#{digits(signed_record)}"


def read(scanned, hosts):
    """A scanned text -> the bytes of a signed record, not yet judged."""
    require(len(scanned.encode()) <= 7089, "TOO_LONG")
    for host in hosts:
        address = f"HTTPS://{host}/V"
        own, rest = scanned[:len(address)], scanned[len(address):]
        if _upper(own) != _upper(address) or rest[:1] not in ("", "#"):
            continue
        require(own == address, "MISSPELT")
        require(rest != "", "ADDRESS_ALONE")
        return read_digits(rest[1:])
    raise Refused("ELSEWHERE" if _has_scheme(scanned) else "NO_CODE")


def shown(address, hosts):
    """What people are shown of an address that leads elsewhere."""
    scheme, sign, rest = address.partition("://")
    place = re.split(r"[/?#\\]", rest)[0].rpartition("@")[2]
    if not sign or (_upper(scheme) == "HTTPS" and _upper(place) in hosts):
        return "".join(_room(_plain(address)))
    parts = _plain(scheme + sign + place)
    kept = _room(reversed(parts))
    return "…" * (len(kept) < len(parts)) + "".join(reversed(kept))


def _plain(text):
    """Each byte, as it stands in a sentence."""
    stays = string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()*+,;=%"
    return [chr(byte) if chr(byte) in stays else f"%{byte:02X}" for byte in text.encode()]


def _room(parts):
    """The first ones that have room."""
    kept = []
    for part in parts:
        if sum(map(len, kept)) + len(part) > 100:
            break
        kept.append(part)
    return kept


def read_digits(text):
    require(text != "", "NO_DIGITS")
    require(all(c in "0123456789" for c in text), "NOT_A_DIGIT")
    require(len(text) <= 2487, "TOO_MANY_DIGITS")
    require(len(text) % 17 in DIGITS, "DIGIT_COUNT")
    data = b""
    for at in range(0, len(text), 17):
        group = text[at:at + 17]
        count, value = DIGITS.index(len(group)), int(group)
        require(value < 256**count, "GROUP_TOO_LARGE")
        data += value.to_bytes(count, "big")
    require(digits(data) == text, "there are two spellings")
    return data


def _upper(text):
    """Capital letters for a to z alone."""
    return "".join(chr(ord(c) - 32) if "a" <= c <= "z" else c for c in text)


def _has_scheme(text):
    scheme, colon, _ = text.partition(":")
    letters = _upper(scheme)
    return bool(colon and letters) and letters[0] in LETTERS and all(c in LETTERS + "0123456789+-." for c in letters)
