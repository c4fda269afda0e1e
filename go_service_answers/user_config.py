"""The user's Cookiecutter config, whose answers may be meant for another template.

When `default_context` has a choice that this template does not offer, Cookiecutter warns, takes the default, and drops
every answer that comes after it in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from go_service_answers import caller, rules, template


class BadChoice(NamedTuple):
    """The first entry of a config that Cookiecutter refuses, and the answers after it, which it drops."""

    name: str
    value: object
    dropped: list[str]


def check() -> None:
    """Refuse a config of which Cookiecutter drops answers; print a warning about a choice that has no other effect."""
    config, given = caller.config_answers(), caller.command_line_answers()
    bad = first_bad_choice(config)
    if bad is None:
        return
    if lost := [name for name in bad.dropped if name in template.questions() and name not in given]:
        rules.refuse([dropped_message(bad, lost)])
    if bad.name not in given:
        rules.warn(default_message(bad))


def first_bad_choice(config: Mapping[str, object]) -> BadChoice | None:
    """Return the first entry that Cookiecutter refuses; see apply_overwrites_to_context in cookiecutter/generate.py."""
    names = list(config)
    for position, name in enumerate(names, start=1):
        offered = template.questions_file().get(name)
        value = config[name]
        wanted = value if isinstance(value, list) else [value]
        if isinstance(offered, list) and any(choice not in offered for choice in wanted):
            return BadChoice(name, value, names[position:])
    return None


def what_is_wrong(bad: BadChoice) -> str:
    where = f"{bad.name}={rules.shown(bad.value)} in {caller.config_name()}"
    if accepted := template.choices().get(bad.name):
        return f"{where}: must be {rules.one_of(accepted)}"
    return f"{where}: a config cannot set it"


def dropped_message(bad: BadChoice, lost: list[str]) -> str:
    return (
        f"{what_is_wrong(bad)}. Cookiecutter would ignore what comes after it: {', '.join(lost)}. "
        f"Move {bad.name} to the end of default_context, or remove it"
    )


def default_message(bad: BadChoice) -> str:
    if bad.name in template.choices():
        return f"{what_is_wrong(bad)}. The default is {template.default_of(bad.name)}."
    return f"{what_is_wrong(bad)}. It is ignored."
