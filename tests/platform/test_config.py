"""Settings from file and variables: who wins, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from phiomia.platform.config import ConfigError, load_config


def test_a_variable_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "phiomia.toml"
    file.write_text('bind = "127.0.0.1:4000"\n[instance]\ntitle = "Elephants"\n[processes]\nweb = 3\n')
    config = load_config({"PHIOMIA_DATA": str(tmp_path), "PHIOMIA_WEB_WORKERS": "5"})
    assert (config.bind, config.instance.title, config.processes.web) == ("127.0.0.1:4000", "Elephants", 5)
    assert config.processes.worker == 1
    assert config.database_url == f"sqlite:///{tmp_path}/phiomia.sqlite3"


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"PHIOMIA_REGISTRATIONS": "approval"}, lambda config: config.registrations.mode == "approval"),
        ({"PHIOMIA_CONFIRM_EMAIL": "off"}, lambda config: config.registrations.confirm_email is False),
        ({"PHIOMIA_RATE_LIMITS": "off"}, lambda config: config.rate_limits.enabled is False),
        ({"PHIOMIA_RATE_LIMITS_IP": "5, 60"}, lambda config: config.rate_limits.ip == (5, 60)),
        ({"PHIOMIA_ALLOW_PRIVATE": "10.0.0.0/8,fd00::/8"}, lambda config: len(config.allow_private) == 2),
        (
            {"PHIOMIA_PINNED_HOSTS": "a.test=127.0.0.1:8443", "PHIOMIA_ALLOW_PRIVATE": "127.0.0.0/8"},
            lambda config: config.pinned_hosts == ["a.test=127.0.0.1:8443"],
        ),
        ({"PHIOMIA_PUBLIC_URL": "https://a.example/"}, lambda config: config.base_url == "https://a.example"),
        ({"PHIOMIA_PUBLIC_URL": "https://a.example"}, lambda config: config.streaming_url == "wss://a.example"),
        (
            {"PHIOMIA_PUBLIC_URL": "https://www.a.example", "PHIOMIA_LOCAL_DOMAIN": "a.example"},
            lambda config: (config.domain, config.web_domain) == ("a.example", "www.a.example"),
        ),
        ({"PHIOMIA_TEST_SOMETHING": "x", "PHIOMIA_READY_FD": "3"}, lambda config: config.bind),
    ],
)
def test_variables(tmp_path: Path, variables: dict[str, str], found: object) -> None:
    assert callable(found) and found(load_config({"PHIOMIA_DATA": str(tmp_path), **variables}))


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PHIOMIA_NOTHING": "1"}, "PHIOMIA_NOTHING is not a setting"),
        ({"PHIOMIA_BIND": "3000"}, "it must look like 127.0.0.1:3000"),
        ({"PHIOMIA_PUBLIC_URL": "a.example"}, "it must look like https://social.example"),
        ({"PHIOMIA_CONFIRM_EMAIL": "maybe"}, "it can be `on` or `off`"),
        ({"PHIOMIA_DATABASE_URL": "mysql://x"}, "must begin with sqlite:///"),
        ({"PHIOMIA_BUS_URL": "http://x"}, "bus.url must begin with"),
        ({"PHIOMIA_REGISTRATIONS": "ajar"}, "registrations.mode"),
        ({"PHIOMIA_WEB_WORKERS": "0"}, "processes.web"),
        ({"PHIOMIA_TRUSTED_PROXIES": "the one"}, "is not a network"),
        ({"PHIOMIA_PINNED_HOSTS": "a.test=127.0.0.1:8443"}, "which is not in allow_private"),
        ({"PHIOMIA_PINNED_HOSTS": "a.test=localhost"}, "pinned_hosts"),
        ({"PHIOMIA_CONFIG": "/nonexistent/phiomia.toml"}, "does not exist"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("(", r"\(").replace("/", "/")):
        load_config({"PHIOMIA_DATA": str(tmp_path), **variables})


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "phiomia.toml").write_text("bind = ")
    with pytest.raises(ConfigError, match=r"phiomia\.toml can't be read"):
        load_config({"PHIOMIA_DATA": str(tmp_path)})


def test_sockets_have_room_however_long_the_path_is() -> None:
    near = load_config({"PHIOMIA_DATA": "/srv/phiomia"})
    assert near.sockets_dir == Path("/srv/phiomia/run")
    far = [load_config({"PHIOMIA_DATA": f"/srv/{letter * 120}"}).sockets_dir for letter in "ab"]
    assert all(len(str(folder)) < 70 for folder in far) and far[0] != far[1]
