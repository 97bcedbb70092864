"""Where a login may lead: to a path of this site, whatever tricks the address plays."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.auth.redirects import safe_redirect_target
from tests.support.redirect_tricks import OWN, TRICKS


@pytest.mark.parametrize("value", OWN)
def test_a_path_of_this_site_is_kept(value: str):
    assert safe_redirect_target(value) == value


@pytest.mark.parametrize("value", TRICKS)
def test_anything_else_leads_to_the_start(value: str | None):
    assert safe_redirect_target(value) == "/"


@given(st.text() | st.text(alphabet="/\\.:@?#ht ps\t\n\r%2Fexample", max_size=30).map("/".__add__))
def test_no_text_leads_to_another_site(value: str):
    target = safe_redirect_target(value)
    there = urlsplit(urljoin("https://dashboard.example/login", target))

    assert target.startswith("/")
    assert (there.scheme, there.netloc) == ("https", "dashboard.example")
    assert not any(ord(character) < 32 for character in target)
