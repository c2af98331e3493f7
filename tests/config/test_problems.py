"""What is said about a vault.yaml that is wrong: file, line, key, and the mend."""

from __future__ import annotations

import pytest

from vault import config

SITE = 'site: {name: CH, finess: "990000010"}\n'
REST = "state: state\nlanding: {password: {file: pw}}\n"
GOOD = SITE + REST  # three lines
PAIR = (
    GOOD + 'windows: {n: {start: "01:00", for: 2h}}\ntargets: {a: {door: disk}, b: {door: disk}}\n'
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "sorces: {}\n", 'vault.yaml:4: sorces: unknown key; did you mean "sources"?'),
        (
            GOOD + "sources:\n  a:\n    polcy: hr\n    folder: a\n    policy: hr\n",
            'vault.yaml:6: sources.a.polcy: unknown key; did you mean "policy"?',
        ),
        (
            GOOD + "targets: {a: {door: disk, windw: n}}\n",
            'vault.yaml:4: targets.a.windw: unknown key; did you mean "window"?',
        ),
        (
            GOOD + "production: {door: {link: {interface: eth1, prob: x}}}\n",
            'vault.yaml:4: production.door.link.prob: unknown key; did you mean "probe"?',
        ),
        (
            GOOD + 'windows: {n: {start: "01:00", duration: 2h}}\n',
            'windows.n.duration: unknown key; did you mean "for"?',
        ),
        (GOOD + "landing: {}\n", "vault.yaml:4: landing: key twice; the first stands on line 3"),
        (SITE + "state: state\n", "vault.yaml:1: landing: the key is missing"),
        (REST + "site: {name: CH}\n", "vault.yaml:3: site.finess: the key is missing"),
        (GOOD + "sources:\n", "vault.yaml:4: sources: has no value"),
        (
            GOOD + "targets: {a: {door: disk, window: }}\n",
            "vault.yaml:4: targets.a.window: has no value",
        ),
        (GOOD + "sources: []\n", "vault.yaml:4: sources: must be a mapping"),
        (REST + "site: {name: CH, finess: 99}\n", "site.finess: must be a FINESS number of 9"),
        (
            REST + 'site: {name: CH, finess: "990000010", time_zone: Mars/Base}\n',
            "site.time_zone: must be a time zone like Europe/Paris",
        ),
        (
            REST + 'site: {name: CH, finess: "990000010", time_zone: Europe}\n',
            "site.time_zone: must be a time zone like Europe/Paris",
        ),
        (
            REST + 'site: {name: CH, finess: "990000010", language: de}\n',
            "site.language: must be one of 'fr' or 'en'",
        ),
        (GOOD + 'windows: {n: {start: "25:00", for: 2h}}\n', 'must be a time of day like "01:00"'),
        (GOOD + 'windows: {n: {start: "01:00", for: 120}}\n', "must be a duration with its unit"),
        (GOOD + 'windows: {n: {start: "01:00", for: 2x}}\n', "2x: write a duration like 20m"),
        (GOOD + 'windows: {n: {start: "01:00", for: 25h}}\n', "must be at most 86400"),
        (GOOD + 'windows: {n: {start: "01:00", for: 2h, days: [lun]}}\n', "must be one of 'mon'"),
        (GOOD + 'windows: {n: {start: "01:00", for: 2h, days: []}}\n', "must not be empty"),
        (GOOD + "production: {door: {nft: x}}\n", "nft is not built yet; there is: none, link"),
        (GOOD + "production: {nft: x}\n", "nft is not built yet"),
        (GOOD + "production: {door: {link: lo}}\n", "must be a network interface of this host"),
        (
            GOOD + "production: {link: {interface: e, probe: 'dc1:445'}}\n",
            "must be ADDRESS:PORT, the address in digits",
        ),
        (GOOD + "targets: {a: {door: ssh}}\n", "ssh is not built yet; there is: disk, folder"),
        (GOOD + "targets: {a: {door: {script: x}}}\n", "script is not built yet"),
        (GOOD + "targets: {a: {door: {disk: {}, folder: x}}}\n", "found disk and folder"),
        (GOOD + "targets: {a: {door: disk, store: s3}}\n", "s3 is not built yet; there is: files"),
        (GOOD + "targets: {a: {door: disk, store: tape}}\n", "must be one of 'files'"),
        (GOOD + "targets: {landing: {door: disk}}\n", "targets.landing: this name is the vault's"),
        (GOOD + "targets: {coffre: {door: disk}}\n", "targets.coffre: this name is the vault's"),
        (
            GOOD + "sources: {coffre: {policy: hr, folder: a}}\n",
            "sources.coffre: this name is the vault's own",
        ),
        (GOOD + "sources: {RH: {policy: hr, folder: a}}\n", "RH is not a lawful name"),
        (GOOD + "sources: {a/b: {policy: hr, folder: a}}\n", "a/b is not a lawful name"),
        (GOOD + "sources: {a: {policy: hr}}\n", "exactly one of folder, sftp, command; found none"),
        (
            GOOD + "sources: {a: {policy: hr, folder: a, command: [x], output: y}}\n",
            "found folder and command",
        ),
        (GOOD + "sources: {a: {policy: hr, command: [x]}}\n", "command needs output"),
        (GOOD + "sources: {a: {policy: hr, command: x -y, output: y}}\n", "must be a list"),
        (GOOD + "sources: {a: {policy: hr, command: [], output: y}}\n", "must be a list of words"),
        (
            GOOD + "sources: {a: {policy: hr, command: [x], output: ../y}}\n",
            "are file names, without /",
        ),
        (GOOD + "sources: {a: {policy: hr, folder: a, timeout: 1h}}\n", "go with command only"),
        (GOOD + "sources: {a: {policy: hr, folder: ~/a}}\n", "~ is not expanded here"),
        (
            GOOD + "sources: {a: {policy: hr, folder: ../x, mount: {type: nfs, what: 'h:/x'}}}\n",
            "must be a folder inside the share",
        ),
        (
            GOOD + "sources: {a: {policy: hr, mount: {type: sshfs, what: 'h:/x'}}}\n",
            "sources.a.mount.type: must be one of 'cifs' or 'nfs'",
        ),
        (
            GOOD + "sources: {a: {policy: hr, mount: {type: cifs, what: '//s/a,rw'}}}\n",
            "a comma cannot stand in the name of a share",
        ),
        (
            GOOD + "sources: {a: {policy: hr, mount: {type: cifs, what: //s/a, options: [rw]}}}\n",
            "sources.a.mount.options[0]: must be one of iocharset",
        ),
        (
            GOOD + "sources: {a: {policy: hr, mount: {type: cifs, what: //s/a, "
            "options: ['vers=3,rw']}}}\n",
            "must be one of iocharset",
        ),
        (GOOD + "sources: {a: {policy: hrr, folder: a}}\n", 'no such policy; did you mean "hr"?'),
        (
            GOOD + "sources: {a: {policy: hr, sftp: {host: h, user: u, path: /p}}}\n",
            "sources.a.sftp: say exactly one of key, password; found none",
        ),
        (
            GOOD + "sources: {a: {policy: hr, sftp: {host: -oProxyCommand=x, user: u, path: /p, "
            "key: {file: k}}}}\n",
            "sources.a.sftp.host: is not written as it must be",
        ),
        (
            GOOD + "sources: {a: {policy: hr, sftp: {host: h, port: '22', user: u, path: /p, "
            "key: {file: k}}}}\n",
            "sources.a.sftp.port: must be a whole number",
        ),
        (
            GOOD + 'windows: {night: {start: "01:00", for: 2h}}\n'
            "targets: {a: {door: disk, window: nigth}}\n",
            'vault.yaml:5: targets.a.window: there is no such window; did you mean "night"?',
        ),
        (
            PAIR + "sets: {s: {targets: [a, c], every: night}}\n",
            "vault.yaml:6: sets.s.targets[1]: there is no such target; known here: a, b",
        ),
        (PAIR + "sets: {s: {targets: [a], every: night}}\n", "sets.s.targets: "),
        (
            PAIR + "sets: {s: {targets: [a, a], every: night}}\n",
            "sets.s.targets[1]: a is in the set s already: a medium takes one turn only",
        ),
        (
            PAIR
            + "sets: {s: {targets: [a, b], every: night}, t: {targets: [b, a], every: week}}\n",
            "sets.t.targets[0]: b is in the set s already: a medium takes one turn only",
        ),
        (
            PAIR + "sets: {s: {targets: [a, b], every: night, reuse_after: 2}}\n",
            "sets.s.reuse_after: a set of 2 media has 1 others: at most that",
        ),
        (PAIR + "sets: {s: {targets: [a, b], every: night, reuse_after: 0}}\n", "s.reuse_after: "),
        (PAIR + "sets: {s: {targets: [a, b], every: day}}\n", "sets.s.every: "),
        (
            PAIR.replace("b: {door: disk}", "b: {door: disk, window: n}")
            + "sets: {s: {targets: [a, b], every: night}}\n",
            "sets.s.targets: the media of a set share one window",
        ),
        (
            PAIR.replace("a: {door: disk}", "a: {door: disk, window: n, read_back_old: 2h}"),
            "targets.a.read_back_old: leaves nothing of its window of 7200 s for what is new",
        ),
        (
            GOOD + "targets: {a: {door: disk, expires: soon}}\n",
            "targets.a.expires: must be a day like 2026-03-31",
        ),
        (
            GOOD + "targets: {a: {door: {folder: t}}, b: {door: {folder: ./t/}}}\n",
            "targets.b.door.folder: is the same folder as that of target a",
        ),
        (
            GOOD + "sources: {a: {policy: hr, folder: state/x}}\n",
            "sources.a.folder: stands inside the folder of state",
        ),
        (
            GOOD + "sources: {a: {policy: hr, folder: .}}\n",
            "sources.a.folder: holds the folder of state",
        ),
        (
            GOOD + "sources: {a: {policy: hr, folder: x}}\ntargets: {t: {door: {folder: x/t}}}\n",
            "targets.t.door.folder: stands inside the folder of source a",
        ),
        (
            SITE + "state: s\nlanding: {password: {file: x/pw}}\n"
            "sources: {a: {policy: hr, folder: x}}\n",
            "landing.password.file: the secret stands inside the folder of source a",
        ),
        (
            GOOD + "sources: {a: {policy: hr, folder: x}}\ntargets: {t: {door: disk, retention: "
            "{nightly_days: 30, monthlies: 99, yearlies: 99}}}\n",
            "t.retention.nightly_days: a target keeps no less than the landing: at least 90",
        ),
        (GOOD + "policies: elsewhere\n", "vault.yaml:4: policies: there is no such folder"),
        (GOOD + "state_group: 'a b'\n", "state_group: must be the name of a group"),
        ("a: [1\nb: 2\n", "vault.yaml:2:2: not YAML: did not find expected ',' or ']'"),
        ("a: 'x\n", "not YAML: found unexpected end of stream"),
        ("\ta: 1\n", "vault.yaml:1:1: not YAML"),
        (b"site: \xe9t\xe9\n", "vault.yaml:1: not UTF-8"),
        (b"ok: 1\nsite: \x01\n", "vault.yaml:2: a control character"),
        ("", "vault.yaml: the file is empty"),
        ("# only a comment\n", "vault.yaml: the file is empty"),
        ("null\n", "vault.yaml:1: must be a mapping"),
        ("- a\n", "vault.yaml:1: must be a mapping"),
        ("just text\n", "vault.yaml:1: must be a mapping"),
        ("a: 1\n---\nb: 2\n", "a second document"),
        ("a: !!python/object/apply:os.system [id]\n", "a: a YAML tag (!...) is not lawful here"),
        ("? [a]\n: b\n", "a key must be a plain word"),
        ("[" * 200_000 + "]" * 200_000, "nested too deeply"),
    ],
)
def test_a_mistake_is_named_by_line_and_key(complaint, text, said):
    """Every mistake is one clear line that says where it is and what is wrong."""
    assert said in complaint(text)


def test_all_mistakes_are_listed_at_once(complaint):
    """One run of ``config validate`` is enough to mend a file."""
    said = complaint(
        GOOD + "sorces: {}\nstate_group: 7\nwindows: {n: {start: 1, for: 2}}\ntargets:\n"
    )
    assert [line.split(": ")[1] for line in said.splitlines()] == [
        "sorces",
        "state_group",
        "windows.n.start",
        "windows.n.for",
        "targets",
    ]


def test_faults_of_policies_and_of_the_whole_are_listed_together(write, complaint):
    """A broken policy does not hide a missing window, and is not called missing itself."""
    write("titles: 3\n", "policies/hr.yaml")
    said = complaint(
        GOOD + "sources: {a: {policy: hr, folder: a}}\ntargets: {t: {door: disk, window: w}}\n"
    )
    assert "targets.t.window: there is no such window" in said
    assert "policies/hr.yaml:1: titles: must be a mapping" in said
    assert "no such policy" not in said


@pytest.mark.parametrize(
    "text",
    [
        SITE + "state: s\nlanding: {password: hunter2}\n",
        SITE + "state: s\nlanding: {password: [hunter2]}\n",
        SITE + "state: s\nlanding: {password: {file: {x: hunter2}}}\n",
        SITE + "state: s\nlanding: {password: {credential: 'hunter2 !'}}\n",
        SITE + "state: s\nlanding: {password: *hunter2}\n",
        SITE + "state: s\nlanding: {password: !hunter2 x}\n",
        SITE + "state: s\nlanding: {password: 'hunter2\n",
        SITE + "state: s\nlanding: {password: @hunter2}\n",
        SITE + "state: s\nlanding: {password: %hunter2}\n",
    ],
)
def test_a_secret_that_was_pasted_into_the_file_is_not_repeated(complaint, text):
    """What stands where a secret may stand never enters an error."""
    assert "hunter2" not in complaint(text)


def test_a_key_cannot_forge_a_line(complaint):
    """Control characters of the file come out escaped."""
    said = complaint(GOOD + '"x\\nvault.yaml: sound": 1\n')
    assert len(said.splitlines()) == 1
    assert "\\x0a" in said


def test_aliases_cannot_blow_the_file_up(complaint):
    """Nine lines of aliases would be a thousand million nodes."""
    rows = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    rows += [
        f"{b}: &{b} [{','.join(['*' + a] * 10)}]"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    assert "aliases make the file too large" in complaint("\n".join(rows))


def test_an_alias_works_within_reason(write):
    """Anchors and aliases are YAML that people use."""
    text = GOOD + "sources: {a: &a {policy: hr, folder: x}, b: *a}\n"
    settings = config.load(write(text))
    assert settings.sources["a"] == settings.sources["b"]


def test_a_link_does_not_hide_a_source_inside_the_state(write, complaint, tmp_path):
    """Folders are compared by where they really are."""
    (tmp_path / "state").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "state")
    text = GOOD + "sources: {a: {policy: hr, folder: alias/x}}\n"
    assert "stands inside the folder of state" in complaint(text)


def test_a_configuration_error_is_a_usage_error(write):
    """Its exit code is that of the table, and it carries a hint."""
    with pytest.raises(config.ConfigProblems) as caught:
        config.load(write("a: 1\n"))
    assert caught.value.exit_code == 2
    assert caught.value.reference == "config-invalid"
    assert "coffre config validate" in caught.value.hint
