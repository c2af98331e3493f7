"""Read vault.yaml with its policies, and give settings that make sense together.

Rule 1: nothing is written, no secret is read, no door is touched.
Rule 2: every problem is listed at once; a fault of the whole is looked for once each key is lawful.
Rule 3: a file that somebody else could have written is refused before it is understood.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from vault.config.crosscheck import cross_check
from vault.config.faults import validate
from vault.config.fields import NAME_PATTERN
from vault.config.glance import find
from vault.config.nodes import Document, read_document
from vault.config.policy_file import PolicyFile
from vault.config.problems import ConfigProblems, Problem
from vault.config.safety import (
    CONFIGURATION,
    KNOWN_HOSTS,
    POLICY,
    SECRET,
    Kind,
    check_executable,
    check_file,
    read_safely,
)
from vault.config.settings import Settings, secret_refs
from vault.config.shipping import shipped
from vault.config.timetable_file import PLACE, load_timetable
from vault.errors import ConfigError
from vault.policy import Policy


def load(path: str | None = None) -> Settings:
    """Read the configuration whole; raises ConfigError or SecretError, with all that is wrong."""
    file = find(path)
    folder = os.path.dirname(file)
    document = read_document(read_safely(file, CONFIGURATION), file)
    settings = validate(Settings, document, folder=folder)
    sites_folder = _site_policies(settings, document, folder)
    policies, files, problems = _load_policies(settings, sites_folder)
    problems = list(cross_check(settings, document, policies=policies, known=files)) + problems
    problems += _timetable_problems(sites_folder)
    if problems:
        raise ConfigProblems(problems)
    _check_files(settings)
    return settings.bind(file, policies, files, sites_folder)


def _site_policies(settings: Settings, document: Document, folder: str) -> str | None:
    """Give the folder of the site's own policies, or None."""
    beside = os.path.join(folder, "policies")
    if settings.policies in (None, beside):  # not there before `coffre init`: the package's hold
        return beside if os.path.isdir(beside) else None
    if not os.path.isdir(settings.policies):
        raise ConfigProblems([document.problem(("policies",), "there is no such folder")])
    return settings.policies


def _timetable_problems(sites_folder: str | None) -> list[Problem]:
    """Read the site's own PMSI timetable, if it has one, to say now what is wrong with it."""
    if sites_folder is None or not os.path.lexists(os.path.join(sites_folder, PLACE)):
        return []
    try:
        load_timetable(sites_folder)
    except ConfigProblems as error:
        return list(error.problems)
    return []


def _load_policies(
    settings: Settings, sites_folder: str | None
) -> tuple[Mapping[str, Policy], Mapping[str, str], list[Problem]]:
    """Read the site's policies, and of the package's those that a source names."""
    files: dict[str, str] = {}
    problems: list[Problem] = []
    ours = shipped("policies")
    for name in sorted({source.policy for source in settings.sources.values()}):
        path = os.path.join(ours, f"{name}.yaml")
        if os.path.isfile(path):
            files[name] = path
    if sites_folder is not None:
        found, problems = _site_files(sites_folder)
        files.update(found)
    policies: dict[str, Policy] = {}
    for name, path in sorted(files.items()):
        try:
            policies[name] = load_policy(path, trusted=os.path.dirname(path) == ours)
        except ConfigProblems as error:
            problems += error.problems
    return policies, files, problems


def _site_files(folder: str) -> tuple[dict[str, str], list[Problem]]:
    """List the policy files of a site's folder; a file that would be passed over is a problem."""
    found: dict[str, str] = {}
    problems = []
    try:
        entries = sorted(os.listdir(folder))
    except OSError as error:
        reason = error.strerror or "unreadable"
        return {}, [Problem(file=folder, template="{reason}", values={"reason": reason})]
    for entry in entries:
        name, dot = os.path.splitext(entry)
        path = os.path.join(folder, entry)
        if dot == ".yml":
            problems.append(
                Problem(
                    file=path,
                    template="would not be read; name it {name}.yaml",
                    values={"name": name},
                )
            )
        elif dot == ".yaml" and not entry.startswith("."):
            if not re.fullmatch(NAME_PATTERN, name):
                problems.append(
                    Problem(file=path, template="a policy's name is small letters, digits and -")
                )
            found[name] = path
    return found, problems


def load_policy(path: str, *, trusted: bool = False) -> Policy:
    """Read one policy file; the package's own are as trustworthy as its code."""
    if trusted:
        with open(path, "rb") as file:
            content = file.read()
    else:
        content = read_safely(path, POLICY)
    name = os.path.basename(path).removesuffix(".yaml")
    document = read_document(content, path)
    return validate(PolicyFile, document, folder=os.path.dirname(path)).to_policy(name)


def load_shipped_policies() -> Mapping[str, Policy]:
    """Read every policy that travels with the package, by name."""
    folder = shipped("policies")
    names = sorted(entry for entry in os.listdir(folder) if entry.endswith(".yaml"))
    return {
        name.removesuffix(".yaml"): load_policy(os.path.join(folder, name), trusted=True)
        for name in names
    }


def _check_files(settings: Settings) -> None:
    """Refuse what others may change or read: secrets, known hosts, the programs that root runs.

    What is not there yet is no fault: ``coffre init`` makes it, ``coffre doctor`` misses it.
    """
    for ref in secret_refs(settings).values():
        if ref.file is not None:
            check_file(ref.file, SECRET)
        if ref.command is not None:
            _check_program(ref.command[0])
    for source in settings.sources.values():
        if source.sftp is not None:
            check_file(source.sftp.known_hosts, KNOWN_HOSTS)
        if source.command is not None:
            _check_program(source.command[0])


def _check_program(program: str) -> None:
    if "/" in program:
        try:
            check_executable(program, _PROGRAM)
        except OSError:
            return  # not there, or out of reach: whoever runs it will say so


_PROGRAM = Kind(
    noun="program", error=ConfigError, forbidden=CONFIGURATION.forbidden, chmod=CONFIGURATION.chmod
)
