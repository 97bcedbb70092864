"""Response bodies with placeholders that are filled in per request, also in compressed form."""

import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest

_SLOT = re.compile(rb"<!--slot:(\w+)-->")
# What begins a gzip file that names no file and no time.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
# A last block of nothing.
_GZIP_END = b"\x01\x00\x00\xff\xff"
# Smaller ones would not become smaller by much.
MIN_COMPRESSED_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class BodyTemplate:
    """Bytes split at placeholders."""

    parts: tuple[bytes, ...]
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, rendered: str) -> "BodyTemplate":
        """Split a rendered template at its `slot`s."""
        parts = _SLOT.split(rendered.encode("utf-8", "replace"))
        return cls(tuple(parts[::2]), tuple(name.decode() for name in parts[1::2]))

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def pieces(self, values: Mapping[str, bytes]) -> tuple[bytes, ...]:
        """Return the parts with the values in between."""
        between = (values[name] for name in self.names)
        return tuple(chain.from_iterable(zip_longest(self.parts, between, fillvalue=b"")))

    def filled(self, values: Mapping[str, bytes]) -> bytes:
        """Return the text with these values."""
        return b"".join(self.pieces(values))


@dataclass(frozen=True, slots=True)
class GzipBodyTemplate:
    """A text whose parts are compressed once; filled-in values are inserted uncompressed."""

    text: BodyTemplate
    parts: tuple[bytes, ...]

    @classmethod
    def of(cls, text: BodyTemplate) -> "GzipBodyTemplate":
        """Compress a text."""
        return cls(text, tuple(map(_deflate_blocks, text.parts)))

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def filled(self, values: Mapping[str, bytes]) -> bytes:
        """Return the text with these values in gzip format."""
        plain = self.text.pieces(values)
        between = map(_stored_blocks, plain[1::2])
        check = 0
        for piece in plain:
            check = zlib.crc32(piece, check)
        tail = struct.pack("<II", check, sum(map(len, plain)) & 0xFFFFFFFF)
        body = chain.from_iterable(zip_longest(self.parts, between, fillvalue=b""))
        return b"".join((_GZIP_HEADER, *body, _GZIP_END, tail))


def _deflate_blocks(part: bytes) -> bytes:
    """Encode as DEFLATE blocks without back references that end at a byte boundary."""
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return squeeze.compress(part) + squeeze.flush(zlib.Z_FULL_FLUSH)


def _stored_blocks(value: bytes) -> bytes:
    """Encode as stored (uncompressed) DEFLATE blocks of at most 64 KiB."""
    pieces = (value[at : at + 0xFFFF] for at in range(0, len(value) or 1, 0xFFFF))
    return b"".join(b"\x00" + struct.pack("<HH", len(piece), 0xFFFF - len(piece)) + piece for piece in pieces)
