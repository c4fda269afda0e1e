"""The user's Cookiecutter config, whose answers may be meant for another template.

When `default_context` has a choice that this template does not offer, Cookiecutter warns, takes the default, and drops
every answer that comes after it in the file.
"""

from __future__ import annotations

from go_service_answers import caller, rules, template


def check() -> None:
    """Refuse a config with answers that Cookiecutter would drop or cannot use. Warn about choices that are ignored."""
    config, given = caller.config_answers(), caller.command_line_answers()
    if not config:
        return
    if lines := [wrong_type(name) for name in template.questions() if name not in given and is_of_wrong_type(name)]:
        rules.refuse(lines)
    bad = [name for name in config if is_bad_choice(name)]
    after = list(config)[list(config).index(bad[0]) + 1 :] if bad else []
    if lost := [name for name in after if name in template.questions() and name not in {*given, *bad}]:
        rules.refuse([dropped(bad[0], lost)])
    for name in bad:
        if name not in given:
            rules.warn(ignored(name))


def is_of_wrong_type(name: str) -> bool:
    config = caller.config_answers()
    return name in config and (isinstance(config[name], bool) or not isinstance(config[name], (str, int, float)))


def is_bad_choice(name: str) -> bool:
    """Report whether Cookiecutter refuses an answer: see apply_overwrites_to_context in cookiecutter/generate.py."""
    offered = template.questions_file().get(name)
    value = caller.config_answers()[name]
    wanted = value if isinstance(value, list) else [value]
    return isinstance(offered, list) and any(choice not in offered for choice in wanted)


def named(name: str) -> str:
    return f"{name}={rules.shown(caller.config_answers()[name])} in {caller.config_name()}"


def wrong_type(name: str) -> str:
    return f"{named(name)}: it is of type {type(caller.config_answers()[name]).__name__}. Write a text in quotes"


def what_is_wrong(name: str) -> str:
    accepted = template.choices().get(name)
    return f"{named(name)}: {f'must be {rules.one_of(accepted)}' if accepted else 'a config cannot set it'}"


def dropped(name: str, lost: list[str]) -> str:
    return (
        f"{what_is_wrong(name)}. Cookiecutter would ignore what comes after it: {', '.join(lost)}. "
        f"Move {name} to the end of default_context, or remove it"
    )


def ignored(name: str) -> str:
    default = f"The default is {template.default_of(name)}." if name in template.choices() else "It is ignored."
    return f"{what_is_wrong(name)}. {default}"
