#!/usr/bin/env python3
"""Verify the evidence of a Coffre vault without Coffre, and say what it shows.

    python3 -I verify_evidence.py EXPORT --key VAULT_PUBLIC_KEY [--key COSIGNER_KEY ...]
                                  [--head FILE ...] [--draw SEED]

Python's standard library only; no network, nothing written. Exit code 0 when all holds, 1 with the
first bad entry named, 2 for wrong words. Take keys and heads from people, never from EXPORT.
Source: RFC 8032, RFC 6962, C2SP signed-note, tlog-checkpoint and tlog-cosignature, DSSE 1.0.
"""

import argparse
import base64
import hashlib
import json
import os
import sys
from datetime import datetime, timezone

UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
TEXTS = dict.fromkeys(("prev", "at", "boot", "kind"), str)


class Bad(Exception):
    def __init__(self, n, reason):  # n: the first bad entry, None when it is no entry
        super().__init__(reason)
        self.n = n


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


class Key:
    """NAME+KEYID+BASE64(kind || key); kind 1 is a vault's, 4 a cosigner's."""

    def __init__(self, text):
        self.text = text.strip()
        self.name, self.id, encoded = (self.text.split("+", 2) + ["", ""])[:3]
        data = unbase64(encoded)
        self.is_vault, self.raw = data[:1] == b"\1", data[1:]
        made = hashlib.sha256(self.name.encode() + b"\n" + data).hexdigest()[:8]
        if len(data) != 33 or data[0] not in (1, 4) or self.id != made:
            raise ValueError("this is no public key: " + self.text[:60])

    def find(self, note):
        """Give when this key signed a note (0 for a vault's); None when it did not. ValueError."""
        text, lines = split(note)
        for name, blob in lines:
            if (name, blob[:4].hex()) == (self.name, self.id):
                at = 0 if self.is_vault else int.from_bytes(blob[4:12], "big")
                said = text if self.is_vault else b"cosignature/v1\ntime %d\n" % at + text
                if not is_signed(self.raw, blob[4 if self.is_vault else 12 :], said):
                    raise ValueError(f"the signature of {self.name} does not fit")
                return at
        return None


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


# The ledger is a chain of lines; an RFC 6962 tree stands over them.
def read_entry(line, n, prev):
    """Give an entry; Bad when it cannot be read or does not follow the one before."""
    try:
        entry = json.loads(line[:-1].decode(), parse_constant=int)
        datetime.strptime(entry["at"], "%Y-%m-%dT%H:%M:%S.%fZ")
        kinds = {name: type(value) for name, value in entry.items()}
    except UNREADABLE as error:
        raise Bad(n, f"it cannot be read: {error}") from None
    lawful = ({**TEXTS, "n": int, "body": dict, "mono": number} for number in (int, float))
    if line[-1:] != b"\n" or kinds not in lawful:
        raise Bad(n, "it is torn, or has not the members of an entry")
    if entry["n"] != n:
        raise Bad(n, f"entry {entry['n']} stands in its place")
    if entry["prev"] != prev:
        raise Bad(max(n - 1, 0), "it is not the entry that the next one was chained to")
    return entry


def read_ledger(path, sizes):
    """Give the entries, the hash of each, the roots at these sizes, and a Bad where it ended."""
    entries, hashes, subtrees, roots = [], [], [], {}
    with open(path, "rb") as file:
        for n, line in enumerate(file):
            try:
                entries.append(read_entry(line, n, hashes[-1] if hashes else "0" * 64))
            except Bad as bad:
                return entries, hashes, roots, bad
            hashes.append(hashlib.sha256(line[:-1]).hexdigest())
            subtrees.append(hashlib.sha256(b"\0" + line[:-1]).digest())
            for _ in range(((n + 1) & -(n + 1)).bit_length() - 1):
                right, left = subtrees.pop(), subtrees.pop()
                subtrees.append(hashlib.sha256(b"\1" + left + right).digest())
            if n + 1 in sizes:
                roots[n + 1] = subtrees[-1]
                for left in subtrees[-2::-1]:
                    roots[n + 1] = hashlib.sha256(b"\1" + left + roots[n + 1]).digest()
    return entries, hashes, roots, None


def judge_entries(entries, hashes, roots, fault, heads, kept):
    """Raise the first of what the chain, the signed heads and the heads kept elsewhere deny."""
    sound = 0
    for size, root, _ in heads:
        if size > len(entries):
            raise fault or Bad(len(entries), f"it is gone: a head names entry {size - 1}")
        if root != roots[size]:  # one of some is bad; the chain may say which
            if fault and fault.n < size:
                raise fault
            raise Bad(min(sound, size - 1), f"it or one up to {size - 1} is not what was signed")
        sound = size
    for n, digest in kept:
        if n >= len(entries) or (n >= 0 and hashes[n] != digest):
            raise fault or Bad(min(n, len(entries)), "it or one before is not in a head kept")
    if fault or sound < len(entries) or not entries:
        raise fault or Bad(sound, "no signed head covers it and what follows")


def keys_in_force(entries, keys):
    """Give the vault's keys, each with the first size it signs; Bad at an unlawful rotation."""
    given, chain = [(0, key) for key in keys if key.is_vault], []
    for entry in entries:
        if entry["kind"] == "key-rotated":
            try:
                note = entry["body"]["note"].encode()
                title, old, new, _ = split(note)[0].decode().split("\n")
                old, new = Key(old), Key(new)
                chain = chain or [(0, old)]
                is_lawful = title == "coffre key rotation v1" and chain[-1][1].text == old.text
                if not is_lawful or None in (old.find(note), new.find(note)):
                    raise ValueError("the rotation is not signed by the key in force and the new")
            except UNREADABLE as error:
                raise Bad(entry["n"], str(error)) from None
            chain.append((entry["n"] + 1, new))
    if not {key.text for _, key in given} & {key.text for _, key in chain or given}:
        raise Bad(None, "no key given is one of this vault's keys")
    return chain or given


def judge_heads(heads, chain, keys):
    """Give the cosignatures as {(size, name): seconds}; Bad when a signature does not fit."""
    found = {}
    for size, _, note in heads:
        start = max(first for first, _ in chain if first <= size)
        try:
            if all(key.find(note) is None for first, key in chain if first == start):
                raise ValueError("the vault's key of then did not sign it")
            seen = {key.name: key.find(note) for key in keys if not key.is_vault}
        except UNREADABLE as error:
            raise Bad(None, f"the head of {size} entries: {error}") from None
        found |= {(size, name): at for name, at in seen.items() if at is not None}
    return found


def judge_record(entry, keys):
    """Print who signed the DSSE envelope in an entry; Bad when no key given did, or not its own."""
    try:
        given = entry["body"]["envelope"]
        kind, data = given["payloadType"].encode(), base64.b64decode(given["payload"])
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(data), data)
        made = [base64.b64decode(one["sig"]) for one in given["signatures"]]
        good = {k.text: k.name for k in keys if any(is_signed(k.raw, sig, signed) for sig in made)}
        if not good or entry["body"].get("key") in {k.text for k in keys} - {*good}:
            raise ValueError("no key given signed it, or not the one that the entry tells of")
    except UNREADABLE as error:
        raise Bad(entry["n"], f"the record in it does not hold: {error}") from None
    print(f"entry {entry['n']}: record signed by {', '.join(sorted({*good.values()}))}")


def tell(entries, cosigned, keys, seed):
    """Print what the entries show; Bad when a record or a cosignature they tell of is none."""
    openings, ends, tests, known = [], {}, [], {key.name for key in keys}
    for entry in entries:
        n, kind, body = entry["n"], entry["kind"], entry["body"]
        if kind == "vault-opening":
            openings.append((entry, body["target"], body["opening"]))
        elif kind in ("vault-shut", "opening-died"):
            is_shut = kind == "opening-died" or body["proof"] == "shut"
            ends[body["opening"]] = (is_shut, body.get("seconds", body.get("at_most_s")))
        elif "envelope" in body:
            judge_record(entry, keys)
        elif kind in ("restored", "drill-ended"):
            came = f"{body.get('verdict', kind)} {body.get('level', '')}".strip()
            what = f"{body['source']} of night {body['cycle']} from {body['origin']}: {came}"
            tests.append(f"entry {n}, {entry['at']}: {what}, {body['mismatches']} mismatches")
        elif kind in ("clock-stepped-back", "interlock", "ledger-torn", "key-rotated"):
            print(f"note: entry {n}, {entry['at']}: {kind}")
        elif kind == "head-cosigned" and body["name"] in known:
            if (at := cosigned.get((body["size"], body["name"]))) is None:
                raise Bad(n, f"the cosignature by {body['name']} that it tells of is gone")
            at = f"{datetime.fromtimestamp(at, timezone.utc):%FT%TZ}, {body['name']}'s clock"
            print(f"entries to {body['size'] - 1} are from before {at}; {n} and later from after")
    shut = [one for one in openings if ends.get(one[2], (False, 0))[0]]
    print(f"openings: {len(openings)}, proven shut: {len(shut)}")
    for entry, target, _ in (one for one in openings if one not in shut):
        print(f"  NOT PROVEN SHUT: entry {entry['n']}, {entry['at']}, {target}")
    for name in sorted({target for _, target, _ in openings}):
        took = [ends.get(number, (0, 0))[1] for _, target, number in openings if target == name]
        print(f"  {name}: open {len(took)} times, {sum(took):.1f} s, longest {max(took):.1f} s")
    print(f"restores and restore tests: {len(tests)}", *tests[-1:], sep="\n  the newest: ")
    if seed is not None and tests:
        number = int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big") % len(tests)
        print(f"drawn with {seed}, to be done again: {tests[number]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("export", help="the folder with ledger.jsonl and checkpoints/")
    parser.add_argument("--key", action="append", required=True, type=Key, help="a public key")
    parser.add_argument("--head", action="append", default=[], help="one kept elsewhere")
    parser.add_argument("--draw", metavar="SEED", help="draw one restore test to be done again")
    args = parser.parse_args()
    folder, heads, others, kept = os.path.join(args.export, "checkpoints"), [], [], []
    try:
        for path in [*(os.path.join(folder, name) for name in os.listdir(folder)), *args.head]:
            with open(path, "rb") as file:
                note = file.read()
            try:
                if (text := split(note)[0]).startswith(b"{"):  # coffre/heads/N of a medium
                    members, _ = json.loads(text), others.append(note)
                    kept += [(members["ledger_n"], members["ledger_sha256"])]
                    note = members.get("checkpoint", "").encode()
                if note:
                    _, size, root, _ = split(note)[0].decode().split("\n")
                    heads.append((int(size), unbase64(root), note))
            except UNREADABLE as error:
                raise Bad(None, f"{path}: {error}") from None
        heads.sort()
        sizes, ledger = {size for size, _, _ in heads}, os.path.join(args.export, "ledger.jsonl")
        entries, hashes, roots, fault = read_ledger(ledger, sizes)
        if not fault:  # else what rotates the key may be lost: the break is told first
            chain = keys_in_force(entries, args.key)
            cosigned = judge_heads(heads, [(0, key) for _, key in chain], args.key)
            if not all(any(key.find(note) == 0 for _, key in chain) for note in others):
                raise Bad(None, "a head kept elsewhere is not signed by this vault")
        judge_entries(entries, hashes, roots, fault, heads, kept)
        judge_heads(heads if chain[-1][0] else [], chain, [])  # by the key in force at its size
        tell(entries, cosigned, [*args.key, *(key for _, key in chain)], args.draw)
    except (Bad, OSError) as bad:
        print(f"BAD{'' if getattr(bad, 'n', None) is None else f' entry {bad.n}'}: {bad}")
        return 1
    print(f"all holds: {len(entries)} entries, head {base64.b64encode(heads[-1][1]).decode()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
