"""Texts that many are sent, the same but for a few places that are filled in each time, also compressed."""

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
    """Bytes in parts; between each two of them belongs the value of a name."""

    parts: tuple[bytes, ...]
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, rendered: str) -> "BodyTemplate":
        """A template's text, which has `slot`s."""
        parts = _SLOT.split(rendered.encode("utf-8", "replace"))
        return cls(tuple(parts[::2]), tuple(name.decode() for name in parts[1::2]))

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def pieces(self, values: Mapping[str, bytes]) -> tuple[bytes, ...]:
        """The parts and between them the values."""
        between = (values[name] for name in self.names)
        return tuple(chain.from_iterable(zip_longest(self.parts, between, fillvalue=b"")))

    def filled(self, values: Mapping[str, bytes]) -> bytes:
        """The text with these values."""
        return b"".join(self.pieces(values))


@dataclass(frozen=True, slots=True)
class GzipBodyTemplate:
    """A text whose parts were compressed once; what is filled in goes between them as it is."""

    text: BodyTemplate
    parts: tuple[bytes, ...]

    @classmethod
    def of(cls, text: BodyTemplate) -> "GzipBodyTemplate":
        """The same text, compressed."""
        return cls(text, tuple(map(_deflate_blocks, text.parts)))

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def filled(self, values: Mapping[str, bytes]) -> bytes:
        """The text with these values as a gzip file."""
        plain = self.text.pieces(values)
        between = map(_stored_blocks, plain[1::2])
        check = 0
        for piece in plain:
            check = zlib.crc32(piece, check)
        tail = struct.pack("<II", check, sum(map(len, plain)) & 0xFFFFFFFF)
        body = chain.from_iterable(zip_longest(self.parts, between, fillvalue=b""))
        return b"".join((_GZIP_HEADER, *body, _GZIP_END, tail))


def _deflate_blocks(part: bytes) -> bytes:
    """Blocks that refer to nothing before them and end at a byte, so that others can stand around them."""
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return squeeze.compress(part) + squeeze.flush(zlib.Z_FULL_FLUSH)


def _stored_blocks(value: bytes) -> bytes:
    """Blocks that are not compressed: one takes so many bytes."""
    pieces = (value[at : at + 0xFFFF] for at in range(0, len(value) or 1, 0xFFFF))
    return b"".join(b"\x00" + struct.pack("<HH", len(piece), 0xFFFF - len(piece)) + piece for piece in pieces)
