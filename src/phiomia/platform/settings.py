"""Every setting with its meaning, its bounds and its default, as one frozen tree of Structs.

`docs/reference/settings.md` is rendered from it, so every field carries its description here. Where the values come
from says `config.py`.
"""

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

_LONGEST_SOCKET = "/health/streaming-4194304.sock"
_LONGEST_SOCKET_PATH = 107  # of sun_path, without the zero at its end


class Database(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the data lives."""

    url: Annotated[str, Meta(description="sqlite:///path or postgresql://…; empty: a SQLite file in `data`")] = ""
    pool: Annotated[int, Meta(ge=1, le=200, description="PostgreSQL connections per process")] = 8
    synchronous: Annotated[
        Literal["full", "normal"],
        Meta(description="SQLite: full survives a power cut, normal only the end of the process"),
    ] = "full"
    cache_mb: Annotated[
        int, Meta(ge=1, le=4096, description="SQLite page cache of one connection of the web; others take 4 at most")
    ] = 16
    busy_seconds: Annotated[float, Meta(gt=0, le=120, description="how long a write waits for the lock")] = 8.0


class Bus(Struct, frozen=True, forbid_unknown_fields=True):
    """How processes wake each other."""

    url: Annotated[
        str, Meta(description="redis://… or valkey://…, unix:/path, local:; empty: the supervisor's own hub")
    ] = ""


class Processes(Struct, frozen=True, forbid_unknown_fields=True):
    """How many processes of each role `phiomia serve` starts."""

    web: Annotated[int, Meta(ge=1, le=64, description="web processes")] = 2
    worker: Annotated[int, Meta(ge=1, le=64, description="background workers")] = 1
    streaming: Annotated[int, Meta(ge=1, le=16, description="streaming processes")] = 1
    reload_seconds: Annotated[
        float,
        Meta(ge=0, le=3600, description="a reload must serve within this; 0: five times the last start, at least 12"),
    ] = 0.0
    canary_seconds: Annotated[
        float,
        Meta(ge=0, le=300, description="one web process of another release is tried so long beside the old; 0: none"),
    ] = 3.0
    worker_health_bind: Annotated[
        str, Meta(description="host:port where the workers answer /health, /health/ready and /metrics; empty: nowhere")
    ] = ""
    streaming_health_bind: Annotated[str, Meta(description="the same for the streaming processes")] = ""


class Streams(Struct, frozen=True, forbid_unknown_fields=True):
    """What keeps apps from coming back all at once when their streams have ended."""

    handshakes_per_second: Annotated[
        float,
        Meta(ge=0, le=10_000, description="streams that a process begins in a second; more of them wait; 0: all"),
    ] = 100.0
    wait_seconds: Annotated[
        float, Meta(ge=0, le=55, description="who would wait longer than this for a stream is answered with 503")
    ] = 20.0
    leave_percent: Annotated[
        float,
        Meta(ge=0.5, le=100, description="streams closed in a second when another process serves and can't take them"),
    ] = 2.0
    parked_seconds: Annotated[
        float, Meta(ge=0, le=3600, description="a stream that waited longer than this for a process is closed")
    ] = 60.0


class Caches(Struct, frozen=True, forbid_unknown_fields=True):
    """Memory for caches, per process."""

    statuses: Annotated[int, Meta(ge=0, description="rendered statuses kept")] = 10_000
    accounts: Annotated[int, Meta(ge=0, description="rendered accounts kept")] = 5_000
    tokens: Annotated[int, Meta(ge=0, description="access tokens kept")] = 2_000


class RateLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """How often one may ask. Each value is [requests, seconds]."""

    enabled: Annotated[bool, Meta(description="off answers without counting")] = True
    account: Annotated[tuple[int, int], Meta(description="any API request of one account")] = (1500, 300)
    token: Annotated[tuple[int, int], Meta(description="any API request with one token")] = (300, 300)
    ip: Annotated[tuple[int, int], Meta(description="API requests without a token, per address")] = (300, 300)
    media: Annotated[tuple[int, int], Meta(description="uploads of one account")] = (30, 1800)
    paging: Annotated[tuple[int, int], Meta(description="paged requests of one account or address")] = (300, 900)
    delete: Annotated[tuple[int, int], Meta(description="deletions and unboosts of one account")] = (30, 1800)
    apps: Annotated[tuple[int, int], Meta(description="app registrations per address")] = (5, 600)
    sign_up: Annotated[tuple[int, int], Meta(description="sign-ups through the API per address")] = (5, 1800)
    sign_in: Annotated[tuple[int, int], Meta(description="sign-in attempts per address")] = (25, 300)
    follows: Annotated[tuple[int, int], Meta(description="follows made by one account")] = (400, 86400)
    statuses: Annotated[tuple[int, int], Meta(description="statuses made by one account")] = (300, 10800)
    reports: Annotated[tuple[int, int], Meta(description="reports made by one account")] = (400, 86400)
    media_proxy: Annotated[
        tuple[int, int], Meta(description="files of other servers fetched for one address, copies not counted")
    ] = (300, 600)


class Registrations(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may join."""

    mode: Annotated[Literal["open", "approval", "closed"], Meta(description="who may sign up")] = "closed"
    confirm_email: Annotated[bool, Meta(description="a new member must follow the link in an e-mail")] = True
    message: Annotated[str, Meta(description="shown while registrations are closed")] = ""


class Instance(Struct, frozen=True, forbid_unknown_fields=True):
    """What the server says of itself."""

    title: Annotated[str, Meta(description="name of the server")] = "Phiomia"
    description: Annotated[str, Meta(description="one sentence about it")] = "A small social server."
    contact_email: Annotated[str, Meta(description="whom to write to")] = ""
    contact_account: Annotated[str, Meta(description="user name of the contact; empty: the oldest owner")] = ""
    source_url: Annotated[str, Meta(description="where the running source can be had; empty: the page /about")] = ""
    languages: Annotated[list[str], Meta(description="ISO 639 codes of the server's languages")] = field(
        default_factory=lambda: ["en"]
    )
    rules: Annotated[list[str], Meta(description="the server's rules, one sentence each")] = field(default_factory=list)
    review_trends: Annotated[
        bool, Meta(description="show what is talked about only once `phiomia trends allow` was said to it")
    ] = False


class Federation(Struct, frozen=True, forbid_unknown_fields=True):
    """What holds between this server and others."""

    mode: Annotated[
        Literal["open", "allowlist"],
        Meta(description="open: with every server that is not blocked; allowlist: only with those that are allowed"),
    ] = "open"
    authorized_fetch: Annotated[
        Literal["off", "on"],
        Meta(description="on: documents are only for servers that sign their requests, so that those blocked get none"),
    ] = "off"


class Media(Struct, frozen=True, forbid_unknown_fields=True):
    """Where pictures, films and sounds lie, and how much room they may take."""

    storage: Annotated[
        Literal["disk", "s3"], Meta(description="disk: in `data`; s3: an object store that speaks the protocol of S3")
    ] = "disk"
    s3_bucket: Annotated[str, Meta(description="name of the bucket")] = ""
    s3_region: Annotated[str, Meta(description="region of the bucket")] = "us-east-1"
    s3_endpoint: Annotated[str, Meta(description="address of the object store; empty: Amazon's")] = ""
    s3_access_key: Annotated[str, Meta(description="id of the key that may read and write the bucket")] = ""
    s3_secret_key: Annotated[str, Meta(description="the secret of that key")] = ""
    s3_prefix: Annotated[str, Meta(description="folder in the bucket; empty: none")] = ""
    public_url: Annotated[
        str, Meta(description="address from which people fetch the bucket's files; empty: through this server")
    ] = ""
    cache_mb: Annotated[
        int, Meta(ge=0, description="room for copies of what other servers show; 0: none, as with `proxy` off")
    ] = 10_240
    total_mb: Annotated[
        int, Meta(ge=0, description="room for all media; copies make way, what members post never does; 0: no bound")
    ] = 0
    cache_days: Annotated[int, Meta(ge=1, description="copies that nobody looked at for so long are removed")] = 30
    proxy: Annotated[
        bool, Meta(description="show what other servers have through this one; off: members' apps ask them directly")
    ] = True

    @property
    def shows_copies(self) -> bool:
        """Whether what other servers show is shown through this one."""
        return self.proxy and self.cache_mb > 0


class Mail(Struct, frozen=True, forbid_unknown_fields=True):
    """Through which server mails leave."""

    host: Annotated[str, Meta(description="the SMTP server; empty: mails are written to `outbox` in the data")] = ""
    port: Annotated[int, Meta(ge=0, le=65535, description="its port; 0: 465 with tls, else 587")] = 0
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(description="starttls: encrypt after the greeting; tls: from the first byte; none: only on one machine"),
    ] = "starttls"
    user: Annotated[str, Meta(description="whom to sign in as; empty: nobody")] = ""
    password: Annotated[str, Meta(description="the password that belongs to it")] = ""
    sender: Annotated[str, Meta(description="address that mails come from; empty: instance.contact_email")] = ""
    seconds: Annotated[float, Meta(gt=0, le=300, description="how long the SMTP server may take")] = 30.0


class Translation(Struct, frozen=True, forbid_unknown_fields=True):
    """Who translates posts for members."""

    service: Annotated[Literal["", "libretranslate", "deepl"], Meta(description="empty: posts can't be translated")] = (
        ""
    )
    url: Annotated[
        str,
        Meta(description="address of LibreTranslate, or of another DeepL; a private one must lie in allow_private"),
    ] = ""
    key: Annotated[str, Meta(description="the key that belongs to it")] = ""


class Upgrade(Struct, frozen=True, forbid_unknown_fields=True):
    """How releases are taken up."""

    signatures: Annotated[
        Literal["auto", "require", "off"],
        Meta(description="auto: demanded once the installed release names who signs; require: always; off: never"),
    ] = "auto"
    observe_s: Annotated[
        float,
        Meta(ge=0, le=3600, description="watch a new release so long, and go back if it does worse; 0: don't"),
    ] = 120.0
    observe_patch_s: Annotated[
        float, Meta(ge=0, le=3600, description="the same for one that changes neither schema nor data; at most as long")
    ] = 30.0
    check: Annotated[bool, Meta(description="look about once a day whether there is a newer release")] = True
    feed: Annotated[
        str, Meta(description="https address of a feed of releases; empty: the tags of where the checkout came from")
    ] = ""


class Log(Struct, frozen=True, forbid_unknown_fields=True):
    """What is written to standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="least level shown")] = "info"
    format: Annotated[Literal["auto", "json", "text"], Meta(description="auto: text on a terminal")] = "auto"
    slow_ms: Annotated[int, Meta(ge=1, description="requests slower than this are logged")] = 500


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Every setting of the server."""

    data: Annotated[str, Meta(description="directory of database, media and secrets")] = "./var"
    bind: Annotated[str, Meta(description="host:port the web listens on")] = "127.0.0.1:3000"
    streaming_bind: Annotated[
        str, Meta(description="host:port of a separate streaming listener; empty: through the web port")
    ] = ""
    public_url: Annotated[str, Meta(description="address people see; empty: http:// and `bind`")] = ""
    local_domain: Annotated[str, Meta(description="the part after @; empty: host of public_url")] = ""
    trusted_proxies: Annotated[list[str], Meta(description="networks whose X-Forwarded-* headers are believed")] = (
        field(default_factory=lambda: ["127.0.0.0/8", "::1/128"])
    )
    allow_private: Annotated[list[str], Meta(description="private networks that federation may reach")] = field(
        default_factory=list
    )
    pinned_hosts: Annotated[
        list[str],
        Meta(
            description="for tests: other servers that are found at name=address:port and not by the name service; "
            "their addresses must lie in allow_private"
        ),
    ] = field(default_factory=list)
    database: Database = field(default_factory=Database)
    bus: Bus = field(default_factory=Bus)
    processes: Processes = field(default_factory=Processes)
    streams: Streams = field(default_factory=Streams)
    caches: Caches = field(default_factory=Caches)
    rate_limits: RateLimits = field(default_factory=RateLimits)
    registrations: Registrations = field(default_factory=Registrations)
    instance: Instance = field(default_factory=Instance)
    federation: Federation = field(default_factory=Federation)
    mail: Mail = field(default_factory=Mail)
    media: Media = field(default_factory=Media)
    translation: Translation = field(default_factory=Translation)
    upgrade: Upgrade = field(default_factory=Upgrade)
    log: Log = field(default_factory=Log)

    @property
    def data_dir(self) -> Path:
        """The data directory as an absolute path."""
        return Path(self.data).absolute()

    @property
    def sockets_dir(self) -> Path:
        """Where the processes' sockets lie: in `run` of the data directory, or elsewhere if that path is too long."""
        below = self.data_dir / "run"
        if len(os.fsencode(below)) + len(_LONGEST_SOCKET) <= _LONGEST_SOCKET_PATH:
            return below
        import hashlib  # every command reads the settings, hardly any comes here
        import tempfile

        name = hashlib.blake2b(os.fsencode(below), digest_size=6).hexdigest()
        return Path(tempfile.gettempdir()) / f"phiomia-{os.getuid()}-{name}"

    @property
    def base_url(self) -> str:
        """The address people see, without a trailing slash."""
        return (self.public_url or f"http://{self.bind}").rstrip("/")

    @property
    def web_domain(self) -> str:
        """Host (and port, unless it is the scheme's own) of the public address."""
        return urlsplit(self.base_url).netloc

    @property
    def domain(self) -> str:
        """What stands after @ in a local handle."""
        return self.local_domain or self.web_domain

    @property
    def database_url(self) -> str:
        """The database's address, with the default filled in."""
        return self.database.url or f"sqlite:///{self.data_dir / 'phiomia.sqlite3'}"

    @property
    def secure(self) -> bool:
        """Whether people reach the server by https."""
        return self.base_url.startswith("https://")

    @property
    def streaming_url(self) -> str:
        """Base of the streaming API: ws or wss."""
        if self.streaming_bind and not self.public_url:
            return f"ws://{self.streaming_bind}"
        return self.base_url.replace("http", "ws", 1)
