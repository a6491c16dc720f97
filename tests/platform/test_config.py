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
        ({"PHIOMIA_DATABASE_URL": "postgresql://a:b@c:many/d"}, r"is 'postgresql://a:\*\*\*\*@c:many/d', which"),
        ({"PHIOMIA_DATABASE_URL": "postgresql://a@c:1,d:99999/e"}, "Port out of range"),
        ({"PHIOMIA_BUS_URL": "http://x"}, "bus.url must begin with"),
        ({"PHIOMIA_REGISTRATIONS": "ajar"}, "registrations.mode"),
        ({"PHIOMIA_WEB_WORKERS": "0"}, "processes.web"),
        ({"PHIOMIA_TRUSTED_PROXIES": "the one"}, "is not a network"),
        ({"PHIOMIA_PINNED_HOSTS": "a.test=127.0.0.1:8443"}, "which is not in allow_private"),
        ({"PHIOMIA_PINNED_HOSTS": "a.test=localhost"}, "pinned_hosts"),
        ({"PHIOMIA_BIND": "127.0.0.1:²"}, "^PHIOMIA_BIND: bind is '127.0.0.1:²'"),
        ({"PHIOMIA_DATABASE_URL": "postgresql://[::1"}, "^PHIOMIA_DATABASE_URL: "),
        ({"PHIOMIA_PUBLIC_URL": "https://[a.example"}, "^PHIOMIA_PUBLIC_URL: public_url is"),
        ({"PHIOMIA_MEDIA_PUBLIC_URL": "cdn.example"}, "^PHIOMIA_MEDIA_PUBLIC_URL: media.public_url is 'cdn.example'"),
        ({"PHIOMIA_MAIL_SENDER": "nobody"}, "^PHIOMIA_MAIL_SENDER: mail.sender is 'nobody'; it must be an e-mail"),
        ({"PHIOMIA_INSTANCE_LANGUAGES": "en,german"}, "holds 'german', which is no code such as en"),
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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('bnd = "127.0.0.1:1"', "phiomia.toml: bnd is not a setting. Did you mean bind?"),
        ('[registrations]\nmoed = "open"', "moed in [registrations] is not a setting. Did you mean mode?"),
        ("[registrations]\nxyzzy = 1", "There are: mode, confirm_email, message."),
        ('[registration]\nmode = "open"', "registration is not a setting. Did you mean registrations?"),
        ('mode = "open"', "mode belongs below [registrations] or [federation], not above all sections."),
        (
            '[registrations]\nmode = "opne"',
            "registrations.mode is 'opne'; it must be 'approval' or 'closed' or 'open'.",
        ),
        ('registrations = "open"', "registrations is a section: write its settings below a line [registrations]."),
        ('[processes]\nweb = "two"', "processes.web is 'two'; it must be a whole number, at least 1 and at most 64."),
        ("[database]\nbusy_seconds = 0", "database.busy_seconds is 0; it must be a number, above 0 and at most 120."),
        ("[rate_limits]\nip = [3]", "rate_limits.ip is [3]; it must be two whole numbers, [requests, seconds]."),
        ('[media]\nproxy = "x"', "media.proxy is 'x'; it must be true or false."),
        ('trusted_proxies = "10.0.0.1"', "trusted_proxies is '10.0.0.1'; it must be a list of texts."),
        ("[mail]\npassword = 12345", "mail.password is no text; it must be a text."),
        ("bind = '3000'", "phiomia.toml: bind is '3000'; it must look like 127.0.0.1:3000."),
        ("[translation]\nurl = 'a.example'", "phiomia.toml: translation.url is 'a.example'; it must be an address"),
        ("local_domain = 'https://a.example'", "it must be a name alone, like example.org."),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_what_would_be_right(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "phiomia.toml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_config({"PHIOMIA_DATA": str(tmp_path)})
    assert words in str(raised.value)


def test_a_wrong_variable_is_named_beside_a_right_file(tmp_path: Path) -> None:
    (tmp_path / "phiomia.toml").write_text('[registrations]\nmode = "open"')
    with pytest.raises(ConfigError) as raised:
        load_config({"PHIOMIA_DATA": str(tmp_path), "PHIOMIA_REGISTRATIONS": "opne"})
    assert str(raised.value).startswith("PHIOMIA_REGISTRATIONS: registrations.mode is 'opne'; it must be ")


def test_a_variable_below_what_should_be_a_section(tmp_path: Path) -> None:
    (tmp_path / "phiomia.toml").write_text('registrations = "open"')
    with pytest.raises(ConfigError, match="registrations is a section"):
        load_config({"PHIOMIA_DATA": str(tmp_path), "PHIOMIA_REGISTRATIONS": "open"})


def test_a_variable_that_is_nearly_right_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean PHIOMIA_REGISTRATIONS"):
        load_config({"PHIOMIA_DATA": str(tmp_path), "PHIOMIA_REGISTRATION": "open"})


def test_sockets_have_room_however_long_the_path_is() -> None:
    near = load_config({"PHIOMIA_DATA": "/srv/phiomia"})
    assert near.sockets_dir == Path("/srv/phiomia/run")
    far = [load_config({"PHIOMIA_DATA": f"/srv/{letter * 120}"}).sockets_dir for letter in "ab"]
    assert all(len(str(folder)) < 70 for folder in far) and far[0] != far[1]
