import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dashboard.concurrency.weight import weight_of
from dashboard.web.render_cache import ENTRY_OVERHEAD_BYTES, RenderCache
from tests.support.waiting import eventually

# Bytes of a key of these tests.
KEY = weight_of(("a", "html"))


class Template:
    """Counts how often it is rendered."""

    def __init__(self, text: str = "page") -> None:
        self.text = text
        self.times = 0
        self.gate = threading.Event()

    def render(self) -> bytes:
        self.times += 1
        assert self.gate.wait(10)
        return self.text.encode()


def test_what_many_ask_for_at_once_is_rendered_once():
    template, renderings = Template(), RenderCache()
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(renderings.get, "tag", "html", template.render) for _ in range(20)]
        eventually(lambda: template.times)
        template.gate.set()
        assert {answer.result() for answer in answers} == {b"page"}
    assert template.times == 1


def test_each_version_and_each_form_is_rendered_by_itself():
    renderings = RenderCache()
    texts = {
        renderings.get(tag, form, lambda tag=tag, form=form: f"{tag} {form}")
        for tag in ("one", "two")
        for form in ("html", "json")
    }
    assert len(texts) == 4


def test_an_error_is_told_and_not_kept():
    renderings = RenderCache()

    def fail() -> str:
        raise LookupError("no such row")

    with pytest.raises(LookupError):
        renderings.get("tag", "html", fail)
    assert renderings.get("tag", "html", lambda: b"page") == b"page"


def test_what_is_kept_is_bounded_in_bytes_and_what_is_larger_is_rendered_each_time():
    template, renderings = Template("x" * 60), RenderCache(keep=100 + ENTRY_OVERHEAD_BYTES + KEY)
    template.gate.set()
    for tag in ("a", "b", "b", "a"):
        renderings.get(tag, "html", template.render)
    assert template.times == 3, "the second made the first go"
    template.text = "x" * 101
    for _ in range(2):
        assert len(renderings.get("large", "html", template.render)) == 101
    assert template.times == 5


def test_an_empty_text_is_kept_and_takes_its_share_too():
    template, renderings = Template(""), RenderCache(keep=2 * (ENTRY_OVERHEAD_BYTES + weight_of(("a", "changes"))))
    template.gate.set()
    for tag in ("a", "a", "b", "c", "a"):
        assert renderings.get(tag, "changes", template.render) == b""
    assert template.times == 4, "the third made the first go"
    assert renderings.kept("b", "changes") is None


def test_a_text_is_weighed_with_its_key():
    renderings = RenderCache(keep=100_000)
    for number in range(100):
        renderings.get(("page", f"{number:02}" + "q" * 10_000), "html", lambda: b"short")
    assert 80_000 < renderings.weight <= 100_000
    assert renderings.kept(("page", "99" + "q" * 10_000), "html") == b"short"
    renderings.get(("page", "q" * 100_000), "html", lambda: b"short")
    assert renderings.kept(("page", "q" * 100_000), "html") is None, "what is heavier than all is not kept"
