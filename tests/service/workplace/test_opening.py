"""The first account with the service as it is really started: one link told, several processes that share what they know."""

import re
from pathlib import Path

import httpx
import pytest

from tests.service.test_load_processes import serving
from tests.service.workplace.conftest import PASSWORD


@pytest.mark.parametrize("workers", [1, 2])
def test_one_link_is_told_and_every_process_knows_the_account(artefacts: Path, tmp_path: Path, workers: int) -> None:
    with serving(artefacts, tmp_path, workers, VIGIE_SCORING="false", VIGIE_SPOOL_DIR=str(tmp_path / "attente")) as service:
        links = re.findall(r"(http://\S+)(/premier-compte\?jeton=(\S+))", service.log.read_text())
        assert len(links) == 1
        url, path, token = links[0]
        assert url == service.url
        with httpx.Client(base_url=url, timeout=60) as client:
            assert client.get(path).status_code == 200
            fields = {"token": token, "login": "cheffe", "name": "Cheffe", "password": PASSWORD, "again": PASSWORD}
            assert client.post("/premier-compte", data=fields).status_code == 303
            cookies = dict(client.cookies)
        for _ in range(12):
            # Each on a connection of its own, which any of the processes takes.
            assert httpx.get(f"{url}/comptes", cookies=cookies, timeout=60).status_code == 200
            assert httpx.get(f"{url}{path}", timeout=60).status_code == 404
