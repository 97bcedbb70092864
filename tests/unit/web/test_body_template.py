"""Texts with places that are filled in when they are sent, plain and compressed."""

import gzip
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.web.body_template import BodyTemplate, GzipBodyTemplate
from dashboard.web.formats import slot, time

parts = st.lists(st.binary(max_size=300), min_size=1, max_size=5)


def test_moments_are_put_in_where_the_template_has_slots():
    text = BodyTemplate.of(f"<p>{slot('as_of')} and {slot('as_of')}</p>{slot('tag')}")
    moment = time(datetime(2026, 11, 22, 14, 2, tzinfo=UTC), "exact").encode()
    assert text.filled({"as_of": moment, "tag": b"v", "more": b""}) == b"<p>%b and %b</p>v" % (moment, moment)


def test_a_text_without_slots_is_as_it_was():
    assert BodyTemplate.of("<p>as_of</p>").filled({"as_of": b"x"}) == b"<p>as_of</p>"
    assert len(BodyTemplate.of("")) == 0


@given(parts=parts, value=st.binary(max_size=2_000))
def test_compressed_it_is_the_same_text_for_every_value(parts: list[bytes], value: bytes):
    text = BodyTemplate(tuple(parts), ("value",) * (len(parts) - 1))
    values = {"value": value}
    assert gzip.decompress(GzipBodyTemplate.of(text).filled(values)) == text.filled(values)


def test_compressed_it_is_small():
    text = BodyTemplate((b"<li>app</li>" * 1_000, b"<li>app</li>" * 1_000), ("value",))
    assert len(GzipBodyTemplate.of(text)) < len(text) / 50


@pytest.mark.parametrize("size", [0, 0xFFFF, 0x10000, 0x20000])
def test_what_is_filled_in_may_be_longer_than_a_block(size: int):
    text = BodyTemplate((b"before", b"after"), ("value",))
    values = {"value": b"x" * size}
    assert gzip.decompress(GzipBodyTemplate.of(text).filled(values)) == text.filled(values)
