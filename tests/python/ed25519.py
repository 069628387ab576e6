"""Ed25519 in integers: the two verification rules of docs/spec/README.md. Slow, and only for verifying."""

import functools
import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)


def add(a, b):
    """Extended coordinates (X, Y, Z, T)."""
    e, f = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
    g, h = 2 * a[3] * b[3] * D, 2 * a[2] * b[2]
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar, point):
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def negate(a):
    return (P - a[0], a[1], a[2], P - a[3])


def is_identity(a):
    return a[0] % P == 0 and (a[1] - a[2]) % P == 0


def is_small_order(a):
    return is_identity(multiply(8, a))


def decode(data):
    """A point from any encoding, also y >= p and the sign of zero; None if there is none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, (y & (2**255 - 1)) % P
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_MINUS_1 % P
    if (x * x - square) % P:
        return None
    if x & 1 != sign:
        x = -x % P
    return (x, y, 1, x * y % P)


def encode(a):
    inverse = pow(a[2], -1, P)
    x, y = a[0] * inverse % P, a[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = decode(bytes.fromhex("58" + "66" * 31))


@functools.lru_cache
def is_registrable(key):
    """Canonical, of prime order, not the identity."""
    point = decode(key) if len(key) == 32 else None
    return point is not None and encode(point) == key and not is_identity(point) and is_identity(multiply(L, point))


def _parts(key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return None
    scalar = int.from_bytes(signature[32:], "little")
    a, r = decode(key), decode(signature[:32])
    if scalar >= L or a is None or r is None:
        return None
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    return a, r, add(multiply(scalar, BASE), negate(multiply(k, a)))


def verify_zip215(key, message, signature):
    parts = _parts(key, message, signature)
    return parts is not None and is_small_order(add(parts[2], negate(parts[1])))


def verify_strict(key, message, signature):
    parts = _parts(key, message, signature)
    if parts is None or is_small_order(parts[0]) or is_small_order(parts[1]):
        return False
    return encode(parts[2]) == signature[:32]
