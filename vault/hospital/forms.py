"""The forms of the other exports: staff, money, care, laboratory.

Rule 1: a body is drawn from the dice it is given, in blocks, up to about the size it is given.
Rule 2: names are plants and places that are not; an identity number begins with a digit that no
    person's has.
Rule 3: where a form declares a count of itself, the count is right.
Source: NEODeS (DSN), article A47 A-1 LPF (FEC), PES v2 (Helios), RFC 2849 (LDIF), HL7 v2.5,
    FHIR R4 bulk NDJSON, CDA r2, H' 2.x, DICOM part 10.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date
    from random import Random

_Body = Callable[["Random", int], Iterator[bytes]]

_BLOCK = 64 * 1024
_PLANTS = (
    "AUBEPINE", "BRUYERE", "CALLUNE", "DIGITALE", "EGLANTIER", "FOUGERE", "GENTIANE", "HETRAIE",
    "IRIS", "JONQUILLE", "LICHEN", "MYRTILLE", "NENUPHAR", "ORTIE", "PRIMEVERE", "RONCE",
)  # fmt: skip
_COLOURS = ("Azur", "Brun", "Cyan", "Dore", "Ecru", "Fauve", "Grenat", "Indigo")
_UNITS = ("URG", "CHIR", "MED", "SSR", "PSY", "REA", "PED", "HAD")
_SHIFTS = (("06:45", "14:15"), ("13:30", "21:00"), ("20:45", "07:00"), ("08:00", "17:00"))
_TESTS = (("NA", "mmol/l", 140), ("K", "mmol/l", 4), ("CREA", "umol/l", 80), ("HB", "g/dl", 13))
_FEC_COLUMNS = (
    "JournalCode", "JournalLib", "EcritureNum", "EcritureDate", "CompteNum", "CompteLib",
    "CompAuxNum", "CompAuxLib", "PieceRef", "PieceDate", "EcritureLib", "Debit", "Credit",
    "EcritureLet", "DateLet", "ValidDate", "Montantdevise", "Idevise",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How one kind of file begins and goes on."""

    body: _Body
    head: bytes = b""


def _family(number: int) -> str:
    return _PLANTS[number & 15]


def _given(number: int) -> str:
    return _COLOURS[number >> 4 & 7]


def _gathered(lines: Iterator[str], size_bytes: int, encoding: str = "utf-8") -> Iterator[bytes]:
    """Join lines into blocks until about the size is reached; at least one line."""
    block: list[bytes] = []
    held = total = 0
    for line in lines:
        block.append(line.encode(encoding))
        held += len(block[-1])
        if total + held >= size_bytes:
            break
        if held >= _BLOCK:
            yield b"".join(block)
            total += held
            block, held = [], 0
    yield b"".join(block)


def roster(year: int, month: int) -> Form:
    """Give the form of a month's duty roster, as a spreadsheet writes it."""

    def body(dice: Random, size_bytes: int) -> Iterator[bytes]:
        def lines() -> Iterator[str]:
            while True:
                n = dice.getrandbits(64)
                start, end = _SHIFTS[n >> 3 & 3]
                day = f"{year}-{month:02}-{1 + (n >> 28) % 28:02}"
                yield f"{10000 + (n >> 8) % 3000};{_UNITS[n & 7]};{day};{start};{end}\r\n"

        return _gathered(lines(), size_bytes)

    return Form(body=body, head=b"\xef\xbb\xbfmatricule;service;date;debut;fin\r\n")


def fec(year: int) -> Form:
    """Give the form of a year's accounting entries, which balance."""

    def body(dice: Random, size_bytes: int) -> Iterator[bytes]:
        def entries() -> Iterator[str]:
            while True:
                n = dice.getrandbits(64)
                day = f"{year}{1 + n % 12:02}{1 + (n >> 4) % 28:02}"
                number, cents = f"{(n >> 10) % 10**6:06}", f"{(n >> 50) % 100:02}"
                amount = f"{(n >> 30) % 10**5},{cents}"
                begin, rest = f"AC\tACHATS\t{number}\t{day}", f"P{number}\t{day}\tFACTURE"
                end = f"\t\t{day}\t\t\r\n"
                yield (
                    f"{begin}\t{60_000 + (n >> 16) % 8_000}\tACHATS {_family(n)}\t\t\t{rest}"
                    f"\t{amount}\t0,00\t{end}"
                    f"{begin}\t401000\tFOURNISSEURS\tF{n % 900:03}\t{_family(n)}\t{rest}"
                    f"\t0,00\t{amount}\t{end}"
                )

        return _gathered(entries(), size_bytes)

    return Form(body=body, head="\t".join(_FEC_COLUMNS).encode("ascii") + b"\r\n")


def _ldif(dice: Random, size_bytes: int) -> Iterator[bytes]:
    def lines() -> Iterator[str]:
        number = 0
        while True:
            n = dice.getrandbits(64)
            uid = f"agent{number:06}"
            yield (
                f"dn: uid={uid},ou=people,dc=ch-lande,dc=example\nobjectClass: inetOrgPerson\n"
                f"uid: {uid}\ncn: {_given(n)} {_family(n)}\nsn: {_family(n)}\n"
                f"departmentNumber: {_UNITS[n >> 8 & 7]}\n"
                f"telephoneNumber: +33 5 99 00 {n >> 16 & 63:02} {n >> 24 & 63:02}\n\n"
            )
            number += 1

    return _gathered(lines(), size_bytes)


def _hl7(dice: Random, size_bytes: int) -> Iterator[bytes]:
    def messages() -> Iterator[str]:
        while True:
            n, m = dice.getrandbits(64), dice.getrandbits(64)
            at = f"20250{1 + n % 9}{1 + (n >> 4) % 28:02}{(n >> 9) % 24:02}{(n >> 14) % 60:02}"
            stay = f"{m % 10**9:09}"
            yield (
                f"MSH|^~\\&|GAM|LANDE|EAI|LANDE|{at}||ADT^A0{1 + n % 8}^ADT_A01|{n:016x}|P|"
                f"2.5^FRA^2.11|||||FRA|8859/1\rEVN||{at}\r"
                f"PID|||{m >> 32:010}^^^LANDE^PI||{_family(m)}^{_given(m)}^^^^^L||"
                f"19{20 + m % 79}{1 + (m >> 7) % 12:02}{1 + (m >> 11) % 28:02}|{'MF'[m & 1]}\r"
                f"PV1||I|{_UNITS[n >> 20 & 7]}^{n >> 24 & 255}^{n >> 32 & 3}||||||||||||||||"
                f"{stay}^^^LANDE^VN\r"
            )

    return _gathered(messages(), size_bytes, "latin-1")


def _hprim(dice: Random, size_bytes: int) -> Iterator[bytes]:
    def results() -> Iterator[str]:
        while True:
            n, m = dice.getrandbits(64), dice.getrandbits(64)
            code, unit, usual = _TESTS[n & 3]
            day = f"2025{1 + n % 12:02}{1 + (n >> 8) % 28:02}"
            value = f"{usual * (80 + (n >> 24) % 40) / 100:.1f}"
            yield (
                f"H|~^\\&|LABO{n >> 16 & 4095:04}.HPR||LANDE||ORU|||DIM||P|H2.1~C|{day}\r"
                f"P|1|{m % 10**8:08}|{m >> 32:010}||{_family(m)}~{_given(m)}|||{'MF'[m & 1]}\r"
                f"OBX|1|NM|{code}~{code}~L||{value}|{unit}||N|||F\r"
                "L|1\r"
            )

    return _gathered(results(), size_bytes, "latin-1")


def ndjson(kind: str) -> Form:
    """Give the form of a FHIR bulk export of one kind of resource."""

    def body(dice: Random, size_bytes: int) -> Iterator[bytes]:
        def lines() -> Iterator[str]:
            while True:
                n, m = dice.getrandbits(64), dice.getrandbits(64)
                day = f"2024-{1 + n % 12:02}-{1 + (n >> 8) % 28:02}"
                yield (
                    f'{{"resourceType":"{kind}","id":"{n:016x}","meta":{{"lastUpdated":"{day}'
                    f'T{(n >> 13) % 24:02}:{(n >> 18) % 60:02}:00Z"}},"subject":{{"reference":'
                    f'"Patient/{m >> 32:010}","display":"{_family(m)} {_given(m)}"}},'
                    f'"identifier":[{{"system":"urn:oid:1.2.250.1.999","value":"{m:020}"}}],'
                    f'"valueQuantity":{{"value":{m % 2000 / 10},"unit":"mmol/l"}}}}\n'
                )

        return _gathered(lines(), size_bytes)

    return Form(body=body)


def dsn(year: int, month: int) -> Form:
    """Give the form of a monthly DSN, whose last two lines count its lines."""
    head = [
        ("S10.G00.00.001", "PAIE"), ("S10.G00.00.002", "EDITEUR FICTIF"),
        ("S10.G00.00.005", "01"), ("S10.G00.00.006", f"P{year % 100}V01"),
        ("S20.G00.05.001", "01"), ("S20.G00.05.005", f"01{month:02}{year}"),
        ("S21.G00.06.001", "000000000"), ("S21.G00.11.001", "00010"),
    ]  # fmt: skip

    def body(dice: Random, size_bytes: int) -> Iterator[bytes]:
        lines = "".join(f"{rubric},'{value}'\r\n" for rubric, value in head)
        yield lines.encode("latin-1")
        people = max(1, size_bytes // 190)
        for _ in range(people):
            n = dice.getrandbits(64)
            yield (
                f"S21.G00.30.001,'0{n % 10**12:012}'\r\nS21.G00.30.002,'{_family(n)}'\r\n"
                f"S21.G00.30.004,'{_given(n)}'\r\n"
                f"S21.G00.40.001,'01{1 + n % 12:02}{2000 + (n >> 8) % 24}'\r\n"
                f"S21.G00.40.009,'{n >> 40:08}'\r\n"
                f"S21.G00.50.002,'{1700 + (n >> 20) % 3000}.{(n >> 33) % 100:02}'\r\n"
            ).encode("latin-1")
        count = len(head) + 6 * people + 2
        yield f"S90.G00.90.001,'{count}'\r\nS90.G00.90.002,'1'\r\n".encode("latin-1")

    return Form(body=body)


def pes(day: date, number: int) -> Form:
    """Give the form of a Helios flow, whose slip counts its pieces."""

    def body(dice: Random, size_bytes: int) -> Iterator[bytes]:
        pieces = max(1, size_bytes // 210)
        yield (
            '<?xml version="1.0" encoding="ISO-8859-1"?>\n<n:PES_Aller '
            'xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller">\n'
            f'<Enveloppe><Parametres><TypFic V="PESALR2"/><NomFic V="{number:06}"/></Parametres>'
            f'</Enveloppe>\n<EnTetePES><DteStr V="{day}"/><IdPost V="099001"/>'
            '<IdColl V="99000001000000"/></EnTetePES>\n<PES_DepenseAller><Bordereau>'
            f'<BlocBordereau><Exer V="{day.year}"/><IdBord V="{number}"/>'
            f'<NbrPce V="{pieces}"/></BlocBordereau>\n'
        ).encode("latin-1")
        for piece in range(1, pieces + 1):
            n = dice.getrandbits(64)
            yield (
                f'<Piece><BlocPiece><InfoPce><IdPce V="{piece}"/><ObjPce V="{_family(n)}"/>'
                f'</InfoPce></BlocPiece><LigneDePiece><MtHT V="{n % 10**6}.{n >> 40 & 63:02}"/>'
                f'<Nature V="{60_000 + (n >> 20) % 9000}"/><IdTiers V="{n >> 32:010}"/>'
                "</LigneDePiece></Piece>\n"
            ).encode("latin-1")
        yield b"</Bordereau></PES_DepenseAller>\n</n:PES_Aller>\n"

    return Form(body=body)


def _cda(dice: Random, size_bytes: int) -> Iterator[bytes]:
    yield (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3">\n'
        b'<realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>\n'
        b"<title>Compte rendu fictif</title>"
        b'<effectiveTime value="20241115093000+0100"/>'
        b"<component><structuredBody>\n"
    )

    def sections() -> Iterator[str]:
        while True:
            n = dice.getrandbits(64)
            yield (
                f"<component><section><title>{_UNITS[n & 7]}</title><text>Observation "
                f"{_family(n).lower()} {_given(n).lower()}, valeur {n >> 32:010}.</text>"
                "</section></component>\n"
            )

    yield from _gathered(sections(), size_bytes)
    yield b"</structuredBody></component></ClinicalDocument>\n"


def _element(group: int, element: int, kind: bytes, value: bytes) -> bytes:
    """Encode one short element, explicit little endian."""
    padded = value + (b" " if kind in (b"CS", b"PN", b"LO") else b"\0") * (len(value) % 2)
    if kind == b"OB":
        return struct.pack("<HH2sHI", group, element, kind, 0, len(padded)) + padded
    return struct.pack("<HH2sH", group, element, kind, len(padded)) + padded


def _dicom(dice: Random, size_bytes: int) -> Iterator[bytes]:
    """Draw an image of noise: twelve bits stored in sixteen, which compresses badly."""
    columns, rows = 512, max(1, min(65535, size_bytes // 1024))
    instance = b"1.2.826.0.1.3680043.8.498.%d" % dice.getrandbits(60)
    storage = b"1.2.840.10008.5.1.4.1.1.7"  # secondary capture
    meta = b"".join((
        _element(2, 1, b"OB", b"\0\1"),
        _element(2, 2, b"UI", storage),
        _element(2, 3, b"UI", instance),
        _element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1"),
        _element(2, 0x12, b"UI", b"1.2.826.0.1.3680043.8.498.1"),
    ))  # fmt: skip
    short = struct.Struct("<H").pack
    yield b"\0" * 128 + b"DICM" + _element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta
    yield b"".join((
        _element(8, 0x16, b"UI", storage),
        _element(8, 0x18, b"UI", instance),
        _element(8, 0x60, b"CS", b"OT"),
        _element(0x10, 0x10, b"PN", _family(dice.getrandbits(4)).encode() + b"^FICTIF"),
        _element(0x10, 0x20, b"LO", b"%010d" % dice.getrandbits(32)),
        *(
            _element(0x28, element, b"CS" if element == 4 else b"US", value)
            for element, value in (
                (2, short(1)), (4, b"MONOCHROME2"), (0x10, short(rows)), (0x11, short(columns)),
                (0x100, short(16)), (0x101, short(12)), (0x102, short(11)), (0x103, short(0)),
            )
        ),
    ))  # fmt: skip
    yield struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, rows * columns * 2)
    twelve_bits = bytes(byte & 0x0F for byte in range(256))
    for _ in range(rows):
        row = bytearray(dice.randbytes(columns * 2))
        row[1::2] = row[1::2].translate(twelve_bits)
        yield bytes(row)


LDIF = Form(body=_ldif)
HL7 = Form(body=_hl7)
HPRIM = Form(body=_hprim)
CDA = Form(body=_cda)
DICOM = Form(body=_dicom)
