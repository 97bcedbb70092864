"""Where a login may lead: to a path of this site, whatever tricks the address plays."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.web.security import local_target

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "value",
    [
        "/",
        "/releases",
        "/releases?page=2&page_size=50",
        "/releases/release:rel-2025-01",
        "/releases/release:a~2Fb/entities/app:payments",
        "/releases/release:a//b",
        "/entities/app:caf%C3%A9?open=cluster:eu-west-1",
        "/entities/app:höfn",
        "/releases?next=https://example.org",
        "/releases?q=//example.org",
        "/loginless",
        "/releases?q=a b",
        "/@example.org",
        "/%2F/example.org",
    ],
)
def test_a_path_of_this_site_is_kept(value: str):
    assert local_target(value) == value


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "releases",
        "?page=2",
        "#main",
        ".",
        "..",
        "@example.org",
        "example.org",
        "https://example.org",
        "https://example.org/releases",
        "HTTPS://example.org",
        "http:example.org",
        "http:/example.org",
        "http:///example.org",
        "https:\\example.org",
        "ftp://example.org",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,hello",
        "mailto:a@example.org",
        "//example.org",
        "///example.org",
        "////example.org",
        "//example.org/%2F..",
        "//user:pass@example.org",
        "//[::1]/",
        "/\\example.org",
        "/\\/example.org",
        "\\/example.org",
        "\\\\example.org",
        "/releases\\..\\x",
        " /releases",
        "\t/releases",
        "\n//example.org",
        " //example.org",
        "\x00//example.org",
        "/\t/example.org",
        "/\n/example.org",
        "/\r/example.org",
        "/releases\r\nSet-Cookie: a=b",
        "/releases\x00",
        "/releases\x7f",
        "/releases\x85",
        "/\u2028/example.org",
        "\u00a0//example.org",
        "\ufeff//example.org",
        "\u3000/releases",
        "/\u202egro.elpmaxe",
        "/\ud800",
        "/./",
        "/.//example.org",
        "/..//example.org",
        "/releases/..//example.org",
        "/releases/../login",
        "/login",
        "/login/",
        "/login?next=/login",
        "/login#x",
        "/logout",
        "/" + "x" * 2000,
    ],
)
def test_anything_else_leads_to_the_start(value: str | None):
    assert local_target(value) == "/"


@given(st.text() | st.text(alphabet="/\\.:@?#ht ps\t\n\r%2Fexample", max_size=30).map("/".__add__))
def test_no_text_leads_to_another_site(value: str):
    target = local_target(value)
    there = urlsplit(urljoin("https://dashboard.example/login", target))

    assert target.startswith("/")
    assert (there.scheme, there.netloc) == ("https", "dashboard.example")
    assert not any(ord(character) < 32 for character in target)
