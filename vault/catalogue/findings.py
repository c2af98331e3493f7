"""How findings and shapes are packed into a row.

Rule 1: pure: the same finding gives the same bytes; what does not unpack cleanly is ValueError.
Rule 2: a member that says nothing is left out: the finding of an unknown file is a few dozen bytes,
    of a million of them a few dozen megabytes.
Rule 3: the dictionary is part of the format: it never changes, a better one gets a new number.
Source: zstandard's raw-content dictionaries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import Any, TypeVar

import zstandard

from vault.finding import Finding, PmsiFacts, RecordTally, Remark, Signs, Soundness
from vault.shape import Extension, Shape

_LEVEL = 6
_FORMAT = b"\x01"
_LIMIT_BYTES = 64 * 1024**2  # unpacked; a finding holds counts, never content
# What findings say most often, the most frequent last.
_WORDS = (
    b'{"code":"truncated","soundness":"malformed","template":"","values":{"count":1}}'
    b'"periods":["2024","2024-01"],"inside":{"opaque":1}'
    b'"pmsi":{"category":"","complete":true,"field":"MCO","finess":"990000010","members":{"txt":1},'
    b'"period":12,"records":[{"confidence":"A","finess":{},"lines":1,"months":{"2024-01":1},'
    b'"record":"rsa","versions":{"228":1}}],"side":"out","year":2024}'
    b'{"counts":{"records":1,"lines":1},"kind":"pmsi-archive","kind":"dicom","kind":"xml",'
    b'"kind":"text","kind":"opaque","signs":{"chi_square":255.0,"entropy_bits":7.9,"magic":"",'
    b'"sampled_bytes":262144,"size_bytes":1},"soundness":"sound"}{"kind":"opaque","signs":'
    b'{"chi_square":1,"entropy_bits":4.5,"sampled_bytes":1,"size_bytes":1},"soundness":"opaque"}'
)
_T = TypeVar("_T")


def pack_finding(finding: Finding) -> bytes:
    """Pack a finding."""
    return _pack(_members(finding))


def unpack_finding(data: bytes) -> Finding:
    """Give back what ``pack_finding`` packed."""
    members = _unpack(data)
    try:
        members["soundness"] = Soundness(members["soundness"])
        members["remarks"] = tuple(_remark(one) for one in members.get("remarks", ()))
        members["periods"] = tuple(members.get("periods", ()))
        if "signs" in members:
            members["signs"] = _made(Signs, {"magic": "", **members["signs"]})
        if "pmsi" in members:
            facts = dict(members["pmsi"])
            facts["records"] = tuple(_made(RecordTally, one) for one in facts.get("records", ()))
            members["pmsi"] = _made(PmsiFacts, facts)
        return _made(Finding, members)
    except (TypeError, KeyError, AttributeError, AssertionError) as error:
        raise ValueError("not a finding") from error


def pack_shape(shape: Shape) -> bytes:
    """Pack a shape."""
    return _pack(_members(shape))


def unpack_shape(data: bytes) -> Shape:
    """Give back what ``pack_shape`` packed."""
    members = _unpack(data)
    try:
        found = members.get("extensions", {})
        members["extensions"] = {name: _made(Extension, one) for name, one in found.items()}
        return _made(Shape, members)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("not a shape") from error


def _remark(members: Mapping[str, Any]) -> Remark:
    told = dict(members)
    if "soundness" in told:
        told["soundness"] = Soundness(told["soundness"])
    return _made(Remark, told)


def _made(kind: type[_T], members: Mapping[str, Any]) -> _T:
    return kind(**members)


def _members(value: object) -> dict[str, Any]:
    """Give the members of a value that differ from their defaults, values inside too."""
    found: dict[str, Any] = {}
    for one in fields(value):  # type: ignore[arg-type]
        told = getattr(value, one.name)
        if told != _default(one):
            found[one.name] = _plain(told)
    return found


def _default(one: Field[Any]) -> object:
    if one.default is not MISSING:
        return one.default
    if one.default_factory is not MISSING:
        return one.default_factory()
    return MISSING


def _plain(value: object) -> object:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, float):
        return round(value, 4)
    return _members(value) if hasattr(value, "__dataclass_fields__") else value


def _pack(members: Mapping[str, Any]) -> bytes:
    text = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return _FORMAT + _compressor().compress(text.encode())


def _unpack(data: bytes) -> dict[str, Any]:
    if data[:1] != _FORMAT:
        raise ValueError("packed in a way that this version does not know")
    try:
        text = _decompressor().decompress(data[1:], max_output_size=_LIMIT_BYTES)
        members = json.loads(text)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    if not isinstance(members, dict):
        raise ValueError("not members")
    return members


@cache
def _compressor() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(
        level=_LEVEL, dict_data=_dictionary(), write_checksum=True, write_dict_id=False
    )


@cache
def _decompressor() -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(dict_data=_dictionary())


def _dictionary() -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(_WORDS, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
