"""Release dashboard for Temporal: what is rolling out, how far it is, and what is broken."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("release-dashboard")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"
