"""nginx as Debian has it, started by the tests for themselves: a proxy before several replicas, each asked in turn."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from dashboard.demo.children import spawn_process, stop_processes
from dashboard.server import ports
from tests.support.waiting import eventually

CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ }}
http {{
    access_log off; server_tokens off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    upstream replicas {{ {servers} }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://replicas; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
            proxy_buffering off; proxy_read_timeout 1h;
            add_header X-Replica $upstream_addr always;
        }}
    }}
}}
"""


def binary() -> str | None:
    """Where nginx is; it stands beside what only administrators use."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def round_robin(folder: Path, replicas: Sequence[int]) -> Iterator[int]:
    """The port of a proxy that asks the servers at these ports in turn, while the context lasts."""
    nginx = binary()
    if nginx is None and os.environ.get("CI") != "true":
        pytest.skip("nginx is not installed: run `make postgres`")
    assert nginx, "nginx is not installed"
    port = ports.find_free_port()
    servers = " ".join(f"server 127.0.0.1:{each};" for each in replicas)
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, servers=servers, port=port))
    argv = [nginx, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    proxy = spawn_process("nginx", argv, log=folder / "log")
    try:
        eventually(lambda: proxy.check() or ports.http_answers(port, "/health"))
        yield port
    finally:
        stop_processes([proxy], 20)
