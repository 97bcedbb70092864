"""What a viewer has opened and closed stands in the address of a release."""

import pytest
from flask.testing import FlaskClient

from dashboard.views.release.query import MAX_EXPANDED_IDS


@pytest.mark.parametrize("name", ["open", "shut"])
def test_an_address_names_so_many_rows_and_no_more(logged_in: FlaskClient, bearer: dict[str, str], name: str):
    # Separated by commas: otherwise the address would be too long before it has that many.
    asked = ",".join(f"app:{n}" for n in range(MAX_EXPANDED_IDS + 1))
    answer = logged_in.get(f"/api/releases/release:x?{name}={asked}", headers=bearer)
    assert answer.status_code == 422
    assert answer.get_json()["error"]["fields"][0]["field"] == name


def test_a_login_leads_back_to_what_was_open_and_closed(client: FlaskClient, user: object):
    answer = client.get("/releases/release:x?open=cluster:a&shut=wave:b")
    assert answer.status_code == 302
    form = client.get(answer.location).text
    assert 'value="/releases/release:x?open=cluster:a&amp;shut=wave:b"' in form
