"""Write the documentation that comes from the code: python -m scripts.generate_docs

`docs/configuration.md` and `.env.example` come from the settings model, `docs/cli.md` from the commands.
"""

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from textwrap import fill, wrap

import click
from pydantic.fields import FieldInfo

from dashboard.cli import main
from dashboard.settings.model import EXPECTED, SECTIONS, Settings

ROOT = Path(__file__).parent.parent
WIDTH = 118

# Read by Temporal's own library, with an example or the default of each.
CONNECTION = {
    "TEMPORAL_ADDRESS": ("Host and port of Temporal's frontend.", "localhost:7233"),
    "TEMPORAL_NAMESPACE": ("The namespace.", "default"),
    "TEMPORAL_API_KEY": ("The API key.", ""),
    "TEMPORAL_TLS_CLIENT_CERT_PATH": ("The client certificate, for mutual TLS.", ""),
    "TEMPORAL_TLS_CLIENT_KEY_PATH": ("The key of the client certificate.", ""),
    "TEMPORAL_TLS_SERVER_CA_CERT_PATH": ("The certificate authority of the server.", ""),
    "TEMPORAL_TLS_SERVER_NAME": ("The name that the server's certificate must have.", ""),
    "TEMPORAL_CONFIG_FILE": ("The profile file. Default: Temporal's own (temporal.toml).", ""),
    "TEMPORAL_PROFILE": ("The profile to use from that file.", ""),
    "TEMPORAL_HOST": ("Deprecated: the address, with or without a port. TEMPORAL_ADDRESS overrides it.", ""),
}

CONFIGURATION = """# Configuration

Settings come from the environment and from the file `.env` in the current folder. The environment has priority, and an
empty value counts as not set. `DASHBOARD_ENV_FILE` in the environment names another file. A wrong value stops the start
with a message that names the setting, its value and what is expected. [.env.example](../.env.example) has all settings
to copy.

This page is generated from the settings model by `make docs`.

## Connection

The standard names of Temporal's own tools, read by its library. A profile file works as well.

| Setting | |
| --- | --- |
"""

EXAMPLE = """# Settings of the release dashboard. Copy this file to .env, or set the same names in the environment,
# which has priority.
# Lines that are commented out show the default or an example. An empty value counts as not set.
# Generated from the settings model by `make docs`; docs/configuration.md has the same with links.

# Another file to read instead of .env. In the environment only.
#DASHBOARD_ENV_FILE=.env

# --- Connection ---
# The standard names of Temporal's own tools. A profile file (temporal.toml) works as well.
"""

CLI = """# Command line

`release-dashboard` runs the server, manages users, and asks a dashboard elsewhere. This page is generated from the
commands by `make docs`.

## Ask a dashboard from a terminal or a script

`releases`, `show` and `wait` use the API of a dashboard. They take its address and a [token](api/tokens.md) from the
environment, and from nowhere else: a file in a folder that a script happens to run in could send the token elsewhere.

```sh no-test
export DASHBOARD_URL=https://dashboard.example.com DASHBOARD_TOKEN=rdt_...
```

```sh
release-dashboard releases --phase succeeded --since 24h
release-dashboard show release:payments-2026-46
release-dashboard wait release:payments-2026-46 --phase succeeded --timeout 60
```

- `release:` may be omitted from an ID. `--json` prints the JSON of the API.
- `show --watch` redraws the tree in a terminal until the release has ended; in a file, it adds a line for each change.
- `wait` continues while the server restarts.
- What may be out of date says so first. Colours appear on terminals only, and not with `NO_COLOR`.
- `HTTPS_PROXY` and `NO_PROXY` are respected, and the system's certificates are trusted.

### Exit status

| Status | Meaning |
| --- | --- |
| 0 | `show --watch`, `wait`: it succeeded, with all of its parts. `wait`: it is in a phase that was waited for |
| 1, 3, 4, 5 | `show --watch`, `wait`: it ended otherwise: failed, cancelled, terminated, timed out |
| 6 | `wait`: the time is over, or it succeeded when another phase was waited for |
| 8 | `show --watch`, `wait`: it succeeded, but parts of it failed |
| 2 | Every command: wrong usage or a wrong setting |
| 7 | These commands: no answer, a token that is not accepted, no such release |
| 130 | Ctrl-C |
"""


def configuration() -> str:
    """Return the page of all settings."""
    rows = [
        f"| `{name}` | {text}{f' Default: `{value}`' if value else ''} |" for name, (text, value) in CONNECTION.items()
    ]
    return CONFIGURATION + "\n".join(rows) + "\n" + "".join(_section(section) for section in SECTIONS)


def example() -> str:
    """Return the example of a settings file."""
    lines: list[str] = []
    for name, (text, value) in CONNECTION.items():
        lines += [f"# {text}", f"#{name}={value}"]
    for section in SECTIONS:
        lines += ["", f"# --- {section.title} ---", *_comment(section.__doc__ or ""), ""]
        for name, field in _fields(section):
            lines += [*_comment(f"{_text(field)} {_expected(name)}".replace("`", "")), f"#{name}={_shown(field)}"]
    return EXAMPLE + "\n".join(lines) + "\n"


def cli() -> str:
    """Return the page of all commands."""
    return CLI + _command(main, ("release-dashboard",))


def pages() -> dict[str, str]:
    """Return each generated file with its text."""
    return {"docs/configuration.md": configuration(), ".env.example": example(), "docs/cli.md": cli()}


def _section(section: type) -> str:
    text = f"\n## {section.title}\n\n{section.__doc__}\n"
    for name, field in _fields(section):
        examples = "".join(f" Example: `{value}`." for value in field.examples or ())
        text += (
            f"\n### {name}\n\n{_filled(_text(field))}\n\n{_filled(f'{_expected(name)} {_default(field)}{examples}')}\n"
        )
    return text


def _fields(section: type) -> Iterator[tuple[str, FieldInfo]]:
    for name in section.__annotations__:
        if name in Settings.model_fields:
            yield name.upper(), Settings.model_fields[name]


def _text(field: FieldInfo) -> str:
    return field.description or ""


def _expected(name: str) -> str:
    text = EXPECTED[name]
    return f"{text[:1].upper()}{text[1:]}."


def _default(field: FieldInfo) -> str:
    value = _written(field)
    return f"Default `{value}`." if value else "Not set by default."


def _written(field: FieldInfo) -> str:
    """A default as it stands in the environment; empty where there is none."""
    value = field.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float, str, Path)):
        return str(value)
    return ""


def _shown(field: FieldInfo) -> str:
    return _written(field) or "".join(map(str, (field.examples or ("",))[:1]))


def _filled(text: str) -> str:
    return fill(text, WIDTH + 2, break_long_words=False, break_on_hyphens=False)


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)]


def _command(command: click.Command, path: tuple[str, ...]) -> str:
    context = click.Context(command, info_name=" ".join(path))
    if isinstance(command, click.Group):
        found = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
        intro = "" if len(path) == 1 else f"\n## {' '.join(path)}\n\n{cleandoc(command.help or '')}\n"
        return intro + "".join(_command(below, (*path, name)) for name, below in found if below)
    usage = " ".join((*path, *command.collect_usage_pieces(context)))
    text = f"\n## {' '.join(path)}\n\n{cleandoc(command.help or '')}\n\n```text\n{usage}\n```\n"
    options = [_option(parameter, context) for parameter in command.params if isinstance(parameter, click.Option)]
    if options:
        text += "\n| Option | |\n| --- | --- |\n" + "".join(options)
    return text


def _option(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    names, text = record or ("", "")
    return f"| `{names}` | {text.replace('|', chr(92) + '|')} |\n"


def write() -> None:
    """Write all pages."""
    for name, text in pages().items():
        (ROOT / name).write_text(text)


if __name__ == "__main__":
    write()
