#!/usr/bin/env python3
"""Say from a vault's signed "expected next" whether its nights run, without reaching the vault.

    python3 -I check_expected.py FILE --key VAULT_PUBLIC_KEY [--grace MINUTES]

Python's standard library only; no network, nothing written. Ends as a Nagios check: 0 OK,
1 WARNING, 2 CRITICAL, 3 UNKNOWN. Take the key from the printed recovery sheet, never from where
FILE came from.
Source: RFC 8032, C2SP signed-note; docs/monitoring/README.md.
"""

import argparse
import base64
import hashlib
import sys
from datetime import datetime, timedelta, timezone

TITLE = "coffre expected next v1"
NAMES = ("vault", "site", "cycle", "verdict", "status", "gaps", "ended", "next-before", "ledger")
WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
LATER = timedelta(minutes=10)  # two clocks differ; a night that ended later than that is a forgery
WARNED = ("incomplete", "partial", "media-absent")


# Ed25519 as in RFC 8032, section 5.1.7, verification only; a point is (X, Y, Z, T).
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
    g, h = 2 * a[3] * b[3] * D, 2 * a[2] * b[2]
    x, y, z, t = (f - e) % P, (h - g) % P, (h + g) % P, (f + e) % P
    return (x * y % P, t * z % P, y * z % P, x * t % P)


def point(data):
    """Give the point of 32 bytes, None when there is none."""
    sign, y = data[31] >> 7, int.from_bytes(data, "little") & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P) if y < P and x < P and (x * x - square) % P == 0 else None


BASE = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def is_signed(key, signature, data):
    """Whether 64 bytes are the key's signature of the data: [S]B - [k]A must be R."""
    a, s = point(key), int.from_bytes(signature[32:], "little")
    if a is None or len(signature) != 64 or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + data).digest(), "little") % ORDER
    minus_a = (P - a[0], a[1], 1, P - a[3])
    steps = {(1, 0): BASE, (0, 1): minus_a, (1, 1): add(BASE, minus_a)}
    found = steps[0, 0] = (0, 1, 1, 0)
    for bit in range(252, -1, -1):
        found = add(add(found, found), steps[s >> bit & 1, k >> bit & 1])
    x, y = (c * pow(found[2], -1, P) % P for c in found[:2])
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def unbase64(text):
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("this is not canonical base64")
    return data


def split(note):
    """Give text and signature lines of a note, as (name, bytes)."""
    text, gap, below = note.rpartition(b"\n\n")
    lines = below.decode().split("\n")
    if not gap or lines.pop() or not all(line.startswith("\u2014 ") for line in lines):
        raise ValueError("this is not a signed note")
    return text + b"\n", [(name, unbase64(b)) for name, b in (x[2:].split(" ") for x in lines)]


def signed_text(note, key):
    """Give the text of a note that the key signed; ValueError otherwise."""
    name, key_id, encoded = (key.strip().split("+", 2) + ["", ""])[:3]
    data = unbase64(encoded)
    made = hashlib.sha256(name.encode() + b"\n" + data).hexdigest()[:8]
    if len(data) != 33 or data[0] != 1 or key_id != made:
        raise ValueError("this is no public key of a vault")
    text, lines = split(note)
    for signer, blob in lines:
        if (signer, blob[:4].hex()) == (name, key_id):
            if is_signed(data[1:], blob[4:], text):
                return text.decode()
            raise ValueError("its signature does not fit: it was changed")
    raise ValueError("it is not signed by that key")


def read(text):
    """Give the members of the signed text; ValueError when it is another."""
    title, *lines = text.split("\n")[:-1]
    found = dict(line.split(" ", 1) for line in lines)
    if title != TITLE or tuple(found) != NAMES:
        raise ValueError("it is no such note, or of a newer vault")
    for name in ("ended", "next-before"):
        moment = datetime.strptime(found[name], "%Y-%m-%dT%H:%M:%SZ")
        found[name] = moment.replace(tzinfo=timezone.utc)
    return found


def judge(found, now, grace):
    """Give the code and the sentence."""
    critical, warning = map(int, found["gaps"].split())
    night = f"night {found['cycle']} ended {found['ended']:%Y-%m-%d %H:%M} UTC: {found['verdict']}"
    if found["ended"] > now + LATER:
        return 2, f"{night}: that is to come; this clock or the vault's is wrong"
    if now > found["next-before"] + grace:
        late = now - found["next-before"]
        hours = late.total_seconds() / 3600
        due = f"the next was expected before {found['next-before']:%Y-%m-%d %H:%M} UTC"
        return 2, f"no night for {hours:.1f} h: {due}; {night}"
    if found["status"] == "degraded":
        return 2, f"a door could not be proven shut; {night}"
    told = f"{night}, {found['status']}, {critical} critical and {warning} other gaps"
    if critical or found["verdict"] not in ("sound", *WARNED) or found["status"] != "locked":
        return 2, told
    return (1 if warning or found["verdict"] != "sound" else 0), told


def main(words=None, now=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", help="the vault's public/expected-next, as it was brought here")
    parser.add_argument("--key", required=True, help="the vault's public key")
    parser.add_argument("--grace", type=float, default=0, metavar="MINUTES", help="allowed besides")
    args = parser.parse_args(words)
    now = now or datetime.now(timezone.utc)
    try:
        with open(args.file, "rb") as file:
            note = file.read(65536)
        found = read(signed_text(note, args.key))
        code, told = judge(found, now, timedelta(minutes=args.grace))
    except FileNotFoundError:
        code, told = 2, f"{args.file} is not there: nothing came from the vault"
    except (OSError, ValueError, TypeError, KeyError) as error:
        code, told = 2 if "sign" in str(error) else 3, f"{args.file}: {error}"
    print(f"COFFRE {WORDS[code]} - {told}")
    return code


if __name__ == "__main__":
    sys.exit(main())
