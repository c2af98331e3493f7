"""What each format lets one find: a line that is gone, a wrong count, an end that is missing."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
import zipfile
from collections.abc import Callable

import pytest

from tests.inspection import specimens
from tests.inspection.test_contract import look
from vault.finding import Soundness
from vault.inspection.budget import Budget, Limits, OverBudget


def without_line(content: bytes, number: int, end: bytes = b"\n") -> bytes:
    """Drop one line."""
    lines = content.split(end)
    return end.join(lines[:number] + lines[number + 1 :])


def flipped(content: bytes, at: int) -> bytes:
    """Change one byte."""
    return content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]


def _sqlite_page(content: bytes) -> bytes:
    """Turn a page of cells to noise, the size being right."""
    at = len(content) - 3000
    return content[:at] + bytes(range(256)) * 11 + content[at + 2816 :]


def _block_of_no_type(content: bytes) -> bytes:
    """Begin what is deflated behind the elements of group 2 with a block that does not exist."""
    at = 144 + int.from_bytes(content[140:144], "little")
    return content[:at] + b"\x07" + content[at + 1 :]


# Kind, name of the file, what is done to it, the code that must be told.
MUTATIONS: tuple[tuple[str, str, Callable[[], bytes], str], ...] = (
    ("dsn", "line", lambda: without_line(specimens.dsn(), 12), "dsn-lines"),
    ("dsn", "count", lambda: specimens.dsn().replace(b"G00.90.001,'", b"G00.90.001,'9"),
     "dsn-lines"),
    ("dsn", "declarations", lambda: specimens.dsn().replace(b"90.002,'1'", b"90.002,'2'"),
     "dsn-declarations"),
    ("dsn", "end", lambda: specimens.dsn()[:-60], "dsn-cut"),
    ("dsn", "alien", lambda: specimens.dsn().replace(b"S21.G00.40.009,", b"X", 1), "dsn-line"),
    ("dsn", "month", lambda: specimens.dsn().replace(b"'01112024'", b"'01132024'"), "dsn-month"),
    ("pes", "piece", lambda: without_line(specimens.pes(), 8), "pes-pieces"),
    ("pes", "count", lambda: specimens.pes().replace(b'NbrPce V="', b'NbrPce V="9'), "pes-pieces"),
    ("pes", "end", lambda: specimens.pes()[:-10], "xml-broken"),
    ("pes", "a reference that nothing declares", lambda: specimens.pes().replace(
        b"</n:PES_Aller", b"&a;</n:PES_Aller", 1).replace(
        b"<n:PES_Aller", b'<!DOCTYPE x SYSTEM "y">\n<n:PES_Aller', 1), "xml-entities"),
    ("pes", "entities", lambda: specimens.pes().replace(
        b"<n:PES_Aller", b'<!DOCTYPE x [<!ENTITY a "b">]>\n<n:PES_Aller', 1), "xml-entities"),
    ("fec", "line", lambda: without_line(specimens.fec(), 5), "fec-balance"),
    ("fec", "cent", lambda: specimens.fec().replace(b"\t0,00", b"\t0,01", 1), "fec-balance"),
    ("fec", "end", lambda: specimens.fec()[:-40], "fec-cut"),
    ("fec", "amount", lambda: specimens.fec().replace(b"\t0,00", b"\tzero", 1), "fec-amount"),
    ("fec", "cell", lambda: specimens.fec().replace(b"\t0,00", b"0,00", 1), "fec-short"),
    ("fec", "amount without figures", lambda: specimens.fec().replace(b"\t0,00", b"\t,00", 1),
     "fec-amount"),
    ("dicom", "pixels", lambda: specimens.dicom()[:-1], "dicom-cut"),
    ("dicom", "header", lambda: specimens.dicom()[:400], "dicom-cut"),
    ("dicom", "item of a sequence", lambda: specimens.dicom_sequence().replace(
        b"\xfe\xff\x00\xe0", b"\xfe\xff\x01\xe0", 1), "dicom-broken"),
    ("dicom", "what is deflated", lambda: _block_of_no_type(specimens.dicom_folded()),
     "dicom-broken"),
    ("hl7v2", "batch", lambda: specimens.hl7_batch().replace(b"BTS|2", b"BTS|3"), "hl7-batch"),
    ("hl7v2", "message", lambda: specimens.hl7_batch().replace(b"MSH", b"ZZZ", 1), "hl7-batch"),
    ("hl7v2", "batches", lambda: specimens.hl7_batch().replace(b"FTS|1", b"FTS|2"), "hl7-batch"),
    ("hl7v2", "batch whose count has no end of line", lambda: specimens.hl7_batch().replace(
        b"BTS|2", b"BTS|3").partition(b"FTS")[0].rstrip(), "hl7-batch"),
    ("hl7v2", "end", lambda: specimens.hl7_batch()[:-12], "hl7-cut"),
    ("hl7v2", "segment", lambda: specimens.hl7()[:-5], "hl7-end"),
    ("cda", "encoding", lambda: specimens.cda().replace(
        b'"UTF-8"', b'"EBCDIC-0"', 1), "xml-broken"),
    ("cda", "end", lambda: specimens.cda()[:-10], "xml-broken"),
    ("cda", "type", lambda: specimens.cda().replace(b"POCD_HD000040", b"POCD"), "cda-type"),
    ("fhir-ndjson", "end", lambda: specimens.fhir()[:-10], "fhir-cut"),
    ("fhir-ndjson", "line", lambda: b'{"resourceType": "Patient"}\n{]\n' + specimens.fhir(),
     "fhir-line"),
    ("hprim-sante", "line", lambda: specimens.hprim_sante().replace(b"OBX|", b"0BX|", 1),
     "hprim-line"),
    ("hprim-sante", "end", lambda: specimens.hprim_sante()[:-5], "hprim-cut"),
    ("hprim-medecin", "end", lambda: specimens.hprim_medecin()[:-10], "hprim-cut"),
    ("csv", "end", lambda: specimens.csv()[:-10], "csv-cut"),
    ("csv", "cell", lambda: specimens.csv().replace(b"7;", b"7", 1), "csv-width"),
    ("csv", "quote near the end", lambda: specimens.csv()[:-20] + b'\r\n1;"2;3\r\n', "csv-quote"),
    ("csv", "quote", lambda: specimens.csv() + b'"' + b"a\r\n" * 60_000, "csv-quote"),
    ("zip", "end", lambda: specimens.archive()[:-30], "zip-cut"),
    ("zip", "member", lambda: flipped(specimens.archive(), 120), "member-broken"),
    ("zip", "inner", lambda: specimens.zipped({"paie": specimens.dsn()[:-60]}),
     "member-malformed"),
    ("tar", "end", lambda: specimens.tar()[:-10240], "tar-cut"),
    ("tar", "inner", lambda: specimens.tar().replace(b"90.001,'", b"90.001,'9"),
     "member-malformed"),
    ("gzip", "end", lambda: specimens.gz()[:-1], "member-broken"),
    ("gzip", "checksum", lambda: flipped(specimens.gz(), len(specimens.gz()) - 6),
     "member-broken"),
    ("gzip", "inner", lambda: gzip.compress(specimens.dsn()[:-60]), "member-malformed"),
    ("postgres-sql", "end", lambda: specimens.postgres_plain()[:-20], "sql-cut"),
    ("postgres-custom", "data", lambda: specimens.postgres_custom()[:-10], "pg-cut"),
    ("postgres-custom", "list", lambda: specimens.postgres_custom()[:120], "pg-cut"),
    ("postgres-custom", "newer", lambda: b"PGDMP\1\x63" + specimens.postgres_custom()[7:],
     "pg-newer"),
    ("sqlite", "end", lambda: specimens.sqlite()[:-1], "sqlite-size"),
    ("sqlite", "page gone", lambda: specimens.sqlite()[:-4096], "sqlite-size"),
    ("sqlite", "page", lambda: _sqlite_page(specimens.sqlite()), "sqlite-pages"),
    ("mysql-sql", "end", lambda: specimens.mysql()[:-40], "sql-cut"),
    ("xlsx", "part", lambda: flipped(
        specimens.xlsx(), specimens.xlsx().index(b"sheet1.xml") + 14), "xlsx-part"),
    ("xlsx", "end", lambda: specimens.xlsx()[:-30], "xlsx-cut"),
    ("ldif", "end", lambda: specimens.ldif()[:-5], "ldif-cut"),
    ("ldif", "entry", lambda: specimens.ldif() + b"# numEntries: 1\n", "ldif-entries"),
    ("icalendar", "end", lambda: specimens.icalendar()[:-15], "ical-cut"),
    ("icalendar", "pair", lambda: specimens.icalendar().replace(b"END:VEVENT", b"END:VTODO", 1),
     "ical-pairs"),
    ("mbox", "end", lambda: specimens.mbox()[:-5].rstrip(b"\n"), "mbox-cut"),
    ("pdf", "end", lambda: specimens.pdf()[:-8], "pdf-cut"),
    ("pdf", "table", lambda: specimens.pdf().replace(b"xref\n0 1", b"ferx\n0 1"), "pdf-table"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "what", "make", "code"), MUTATIONS, ids=[f"{row[0]}-{row[1]}" for row in MUTATIONS]
)
def test_mutation_is_found(kind: str, what: str, make: Callable[[], bytes], code: str) -> None:
    """By its own code, and never as a sound file."""
    name = next(name for name, one, _ in specimens.SPECIMENS if one == kind)
    finding = look(make(), name)
    assert finding.kind == kind
    assert code in {remark.code for remark in finding.remarks}, finding.remarks
    assert finding.soundness in (Soundness.DOUBTFUL, Soundness.MALFORMED)


@pytest.mark.parametrize("name", ["a.zip", "a.CSV", "a.dcm", "a.xml", "a.docx"])
def test_noise_under_a_promising_name_is_a_doubt(name: str) -> None:
    """As a file looks that was encrypted in place; under a free name it is only opaque."""
    noise = b"\0" + specimens.Random(9).randbytes(5000)
    assert [remark.code for remark in look(noise, name).remarks] == ["not-as-named"]
    assert look(noise, "a.bin").soundness is Soundness.OPAQUE
    assert look(b"", name).soundness in (Soundness.OPAQUE, Soundness.SOUND)


def bomb(size_bytes: int, depth: int) -> bytes:
    """Fold zeros into an archive, that into another, and so on."""
    content = bytes(size_bytes)
    for _ in range(depth):
        content = specimens.zipped({"a": content})
    return content


@pytest.mark.parametrize(
    ("size_bytes", "depth", "code"),
    [(40 * 1024**2, 1, "over-budget"), (10, 6, "member-doubtful")],
)
def test_bomb_is_a_doubt_and_costs_little(size_bytes: int, depth: int, code: str) -> None:
    """It unfolds a thousandfold, or goes deeper than archives in archives do."""
    began = time.monotonic()
    finding = look(bomb(size_bytes, depth), "a.zip")
    assert (finding.soundness, finding.remarks[0].code) == (Soundness.DOUBTFUL, code)
    assert time.monotonic() - began < 30


def test_list_of_too_many_members_is_not_loaded() -> None:
    """The bound is looked up where the archive says how many there are."""
    from vault.inspection.zip_members import check_directory

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(300):
            archive.writestr(str(number), b"")
    check_directory(out, 300)
    with pytest.raises(OverBudget, match="members"):
        check_directory(out, 299)


def test_budget_is_shared_by_all_members() -> None:
    """Members that are each within the bound are not, together."""
    budget = Budget(limits=Limits(total_bytes=100))
    budget.unfold(60)
    with pytest.raises(OverBudget, match="total_bytes"):
        budget.unfold(60)


def test_tar_with_links_and_folders_counts_them_apart() -> None:
    """Only what is a file is inspected; nothing is followed."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, kind in (("f", tarfile.DIRTYPE), ("l", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            made.addfile(info)
    assert dict(look(out.getvalue(), "a.tar").counts) == {"members": 0, "others": 2}
