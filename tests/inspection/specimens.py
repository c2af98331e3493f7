"""Small sound files of every format, made here; each carries marks that no finding may show.

Rule 1: what a format has room for of names and numbers holds ``NAME`` and ``NUMBER``.
Rule 2: nothing here is a person's: plants that are not, numbers that no person has.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random

import zstandard
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from vault.hospital import forms

NAME = "ZYGENE-MARQUEUR"
NUMBER = "0991299999041"
MARKS = (NAME, NUMBER)


def _form(form: forms.Form, size_bytes: int = 4000) -> bytes:
    return form.head + b"".join(form.body(Random(7), size_bytes))


def dsn() -> bytes:
    lines = _form(forms.dsn(2024, 11)).split(b"\r\n")
    lines[9:9] = [f"S21.G00.30.001,'{NUMBER}'".encode(), f"S21.G00.30.002,'{NAME}'".encode()]
    lines[-3] = b"S90.G00.90.001,'%d'" % (len(lines) - 1)
    return b"\r\n".join(lines)


def pes() -> bytes:
    mark = f'<Tiers><Nom V="{NAME}"/><Id V="{NUMBER}"/></Tiers></LigneDePiece>'.encode()
    return _form(forms.pes(date(2024, 11, 30), 7)).replace(b"</LigneDePiece>", mark, 1)


def pes_acknowledgement() -> bytes:
    space = "http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/retour/v2"
    return (
        f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<n:PES_ACQUIT xmlns:n="{space}">'
        '<Enveloppe><Parametres><TypFic V="PESACQUIT"/><NomFic V="PESALR2_0007.xml"/></Parametres>'
        f'</Enveloppe><EnTetePES><DteStr V="2024-12-02"/></EnTetePES><ACQUIT><Nom V="{NAME}"/>'
        "</ACQUIT></n:PES_ACQUIT>\n"
    ).encode()


def fec() -> bytes:
    return _form(forms.fec(2024)).replace(b"FACTURE", f"{NAME} {NUMBER}".encode())


def hl7() -> bytes:
    return _form(forms.HL7).replace(b"^^^^^L", f"^{NAME}^{NUMBER}^^^L".encode())


def hl7_batch() -> bytes:
    message = hl7().split(b"MSH")[1]
    return b"FHS|^~\\&|GAM\rBHS|^~\\&|GAM\rMSH" + message + b"MSH" + message + b"BTS|2\rFTS|1\r"


def hprim_sante() -> bytes:
    return _form(forms.HPRIM).replace(b"P|1|", f"P|1|{NUMBER}~{NAME}".encode(), 1)


def hprim_medecin() -> bytes:
    head = [NUMBER, NAME, "Azur", "1 rue des Ormes", "", "99000 LANDE", "01/01/1900", NUMBER, "7"]
    head += ["30/11/2024", "LABO", "DIM"]
    body = [
        f"Cher confrère, {NAME}",
        "****LAB****",
        "RES|NA|SODIUM|N|140|mmol/l|||F",
        "****FIN****",
    ]
    return "\r\n".join([*head, *body, "****FINFICHIER****", ""]).encode("latin-1")


def cda() -> bytes:
    return _form(forms.CDA).replace(b"Compte rendu fictif", f"{NAME} {NUMBER}".encode())


def fhir() -> bytes:
    return (
        _form(forms.ndjson("Patient"))
        + (json.dumps({"resourceType": "Patient", "id": NUMBER, "name": NAME}) + "\n").encode()
    )


def dicom() -> bytes:
    return _form(forms.DICOM, 20_000).replace(b"^FICTIF", b"^ZYGENE")


def dicom_folded() -> bytes:
    """Give a deflated data set that holds a sequence of undefined length."""
    return _dicom_as(DeflatedExplicitVRLittleEndian)


def dicom_sequence() -> bytes:
    """Give the same, not deflated."""
    return _dicom_as(ExplicitVRLittleEndian)


def _dicom_as(syntax: str) -> bytes:
    dataset = dcmread(io.BytesIO(dicom()))
    inner = Dataset()
    inner.CodeValue = "T1"
    dataset.ProcedureCodeSequence = [inner]
    dataset["ProcedureCodeSequence"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def csv() -> bytes:
    rows = [f'{n};"{NAME}";{NUMBER};2024-11-0{1 + n % 9};é' for n in range(60)]
    return ("matricule;nom;numero;date;note\r\n" + "\r\n".join(rows) + "\r\n").encode("cp1252")


def xml() -> bytes:
    return f'<?xml version="1.0"?>\n<export><nom n="{NUMBER}">{NAME}</nom></export>\n'.encode()


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def archive() -> bytes:
    return zipped({f"{NAME}/{NUMBER}.dsn": dsn(), "lab/h.hpr": hprim_sante()})


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, content in ((f"{NAME}.dsn", dsn()), ("ledger.txt", fec())):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return out.getvalue()


def gz() -> bytes:
    return gzip.compress(dsn(), mtime=0)


def postgres_plain() -> bytes:
    return (
        "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.4\n"
        f"CREATE TABLE public.patients (nom text);\n\nCOPY public.patients (nom) FROM stdin;\n"
        f"{NAME}\n{NUMBER}\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n"
    ).encode()


def postgres_custom() -> bytes:
    """Write an archive as pg_dump -Fc does: format 1.14, one table."""

    def number(value: int) -> bytes:
        return bytes([value < 0]) + struct.pack("<I", abs(value))

    def text(value: str | None) -> bytes:
        return number(-1) if value is None else number(len(value)) + value.encode()

    head = b"PGDMP" + bytes([1, 14, 0, 4, 8, 1]) + number(-1)
    head += b"".join(number(value) for value in (0, 0, 3, 30, 10, 124, 0))
    head += text(NAME) + text("15.4 (Debian)") + text("15.4") + number(1)

    def entry(at: int) -> bytes:
        texts = ("1259", "16384", NAME, "TABLE DATA")
        later = ("", "", f"COPY {NAME} FROM stdin;", "public", "", "", "postgres", "false", None)
        return b"".join((
            number(1), number(1), *(text(one) for one in texts), number(3),
            *(text(one) for one in later), b"\2", struct.pack("<Q", at),
        ))  # fmt: skip

    at = len(head) + len(entry(0))
    rows = f"{NAME}\t{NUMBER}\n".encode() * 20
    data = b"\1" + number(1) + number(len(rows)) + rows + number(0)
    return head + entry(at) + data


def sqlite() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "base.db")
        base = sqlite3.connect(path)
        base.execute(f"CREATE TABLE '{NAME}' (nir TEXT)")
        base.executemany(f"INSERT INTO '{NAME}' VALUES (?)", [(NUMBER,)] * 500)
        base.commit()
        base.close()
        return path.read_bytes()


def xlsx() -> bytes:
    return zipped({
        "[Content_Types].xml": b"<Types/>",
        "xl/workbook.xml": f"<workbook><sheet name='{NAME}'/></workbook>".encode(),
        "xl/worksheets/sheet1.xml": f"<worksheet>{NUMBER}</worksheet>".encode() * 30,
    })  # fmt: skip


def ldif() -> bytes:
    return _form(forms.LDIF).replace(b"sn: ", f"sn: {NAME} {NUMBER} ".encode())


def icalendar() -> bytes:
    event = (
        "BEGIN:VEVENT\r\nDTSTART;TZID=Europe/Paris:20241130T090000\r\n"
        f"SUMMARY:{NAME} {NUMBER}\r\nEND:VEVENT\r\n"
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{event * 20}END:VCALENDAR\r\n".encode()


def mbox() -> bytes:
    message = (
        f"From {NAME}@lande.example Sat Nov 30 09:00:00 2024\nSubject: {NUMBER}\n\nBonjour.\n\n"
    )
    return message.encode() * 20


def pdf() -> bytes:
    body = f"%PDF-1.7\n1 0 obj\n<< /Title ({NAME} {NUMBER}) >>\nendobj\n".encode() * 5
    table = b"xref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 1 >>\n"
    return body + table + b"startxref\n%d\n%%%%EOF\n" % len(body)


def mysql() -> bytes:
    return (
        "-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n-- Host: localhost\n\n"
        f"CREATE TABLE `patients` (`nom` text);\nINSERT INTO `patients` VALUES ('{NAME}',{NUMBER});"
        "\n-- Dump completed on 2024-11-30  1:00:00\n"
    ).encode()


# Name of the file, kind, content.
SPECIMENS: tuple[tuple[str, str, Callable[[], bytes]], ...] = (
    ("paie.txt", "dsn", dsn),
    ("PESALR2_0007.xml", "pes", pes),
    ("ACQUIT_0007.xml", "pes", pes_acknowledgement),
    ("ledger.txt", "fec", fec),
    ("image.dcm", "dicom", dicom),
    ("messages.er7", "hl7v2", hl7),
    ("batch.hl7", "hl7v2", hl7_batch),
    ("document.xml", "cda", cda),
    ("Patient.000.ndjson", "fhir-ndjson", fhir),
    ("results.hpr", "hprim-sante", hprim_sante),
    ("letter.hpr", "hprim-medecin", hprim_medecin),
    ("roster.csv", "csv", csv),
    ("other.xml", "xml", xml),
    ("export.zip", "zip", archive),
    ("export.tar", "tar", tar),
    ("paie.txt.gz", "gzip", gz),
    ("paie.txt.bz2", "bzip2", lambda: bz2.compress(dsn())),
    ("paie.txt.xz", "xz", lambda: lzma.compress(dsn())),
    ("paie.txt.zst", "zstd", lambda: zstandard.ZstdCompressor(write_checksum=True).compress(dsn())),
    ("base.sql", "postgres-sql", postgres_plain),
    ("base.dump", "postgres-custom", postgres_custom),
    ("base.db", "sqlite", sqlite),
    ("frame.xlsx", "xlsx", xlsx),
    ("directory.ldif", "ldif", ldif),
    ("roster.ics", "icalendar", icalendar),
    ("mailbox", "mbox", mbox),
    ("letter.pdf", "pdf", pdf),
    ("other.sql", "mysql-sql", mysql),
)
