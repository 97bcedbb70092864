"""The link of a wall screen on `release-dashboard serve`, which gives answers again: it ends all the same at once."""

import http.client

from tests.support.every_page import ANSWERS
from tests.support.harness import EMAIL, Stage
from tests.support.served import Served, account
from tests.support.waiting import eventually


def ask(served: Served, path: str, **sent: str) -> tuple[int, dict[str, str]]:
    """The answer's status and headers."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    try:
        connection.request("GET", path, headers=sent)
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def test_answers_that_are_given_again_end_with_the_link_and_no_log_has_its_token(
    served_alone: Served, stage: Stage
) -> None:
    release = stage.start("wall", ANSWERS)
    accounts = account(served_alone.folder)
    maker = accounts.known(EMAIL)
    token = accounts.kiosk_links.add(maker, "Kitchen")
    entered, said = ask(served_alone, f"/kiosk/open/{token}")
    assert (entered, said["location"]) == (302, "/kiosk")
    cookie = said["set-cookie"].partition(";")[0]
    path = f"/kiosk/releases/{release}"
    eventually(lambda: ask(served_alone, path, Cookie=cookie)[0] == 200)
    _, first = ask(served_alone, path, Cookie=cookie)
    eventually(lambda: ask(served_alone, path, Cookie=cookie)[1]["as-of"] > first["as-of"])
    assert ask(served_alone, f"/live{path}", Cookie=cookie)[0] == 401
    (link,) = accounts.kiosk_links.of(maker)
    assert accounts.kiosk_links.revoke(maker, link.id)
    assert ask(served_alone, path, Cookie=cookie)[0] == 401
    assert ask(served_alone, f"/kiosk/open/{token}")[0] == 401
    assert ask(served_alone, f"/kiosk/open/{token}/%ff?release=release:x")[0] in {302, 401, 404}
    accounts.close()
    served_alone.end()
    assert token not in served_alone.log.read_text()
