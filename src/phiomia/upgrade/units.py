"""The files that make a service of the server: systemd units, the command, and who may restart what.

Everything is text from a Layout, so that it can be shown, compared and installed in the same way.
"""

from pathlib import Path
from typing import NamedTuple

from phiomia.platform.config import Config
from phiomia.upgrade.places import APP, CHECKOUT, Places

UNITS = ("phiomia-web", "phiomia-worker", "phiomia-streaming")
_NEEDS = "network-online.target postgresql.service redis-server.service valkey-server.service"
# Children get ten seconds to finish, and the supervisor a moment more; this is for a machine that has much to do.
_STOP_S = 90
# While the unit is restarted its clients stay with the process that has them, until another one takes them. What is
# kept for the unit tells that process whether there will be one. (Since version 254 systemd sets FDSTORE itself.)
_STORE = """FileDescriptorStoreMax=8
Environment=FDSTORE=8 PHIOMIA_SUPERVISOR_OUTLIVED=1
"""
# A first start may have to build a release.
_START_S = 900


class Layout(NamedTuple):
    """Who runs the server, and where what is."""

    user: str
    home: Path
    places: Places
    config_file: Path
    data: Path
    bind: str
    streaming_bind: str = ""
    domain: str = "social.example"
    private_tmp: bool = True
    root: Path = Path("/")

    @property
    def command(self) -> Path:
        """What people type."""
        return self.root / "usr/local/bin/phiomia" if self.root == Path("/") else self.root / "bin/phiomia"


def layout_of(config: Config, *, user: str, home: Path, places: Places, config_file: Path, root: Path) -> Layout:
    """The layout of a server with these settings."""
    return Layout(
        user,
        home,
        places,
        config_file,
        config.data_dir,
        config.bind,
        config.streaming_bind,
        config.web_domain if config.public_url else "social.example",
        # Sockets that don't fit below the data directory lie where every unit must see them.
        private_tmp=config.sockets_dir.is_relative_to(config.data_dir),
        root=root,
    )


def render_units(layout: Layout) -> dict[str, str]:
    """Every unit by its file name."""
    found = {
        "phiomia-web.socket": _socket("web", layout.bind),
        "phiomia-web.service": _service(layout, "web", "Web", needs_socket=True, files=65_536),
        "phiomia-worker.service": _service(layout, "worker", "Background worker", needs_socket=False, files=16_384),
    }
    if layout.streaming_bind:
        found["phiomia-streaming.socket"] = _socket("streaming", layout.streaming_bind)
    found["phiomia-streaming.service"] = _service(
        layout, "streaming", "Streaming", needs_socket=bool(layout.streaming_bind), files=524_288
    )
    return found


def _socket(role: str, address: str) -> str:
    return f"""[Unit]
Description=Phiomia: the socket of {role}, which lets requests wait while {role} restarts

[Socket]
ListenStream={address.removeprefix("unix:")}
FileDescriptorName={role}
Backlog=4096

[Install]
WantedBy=sockets.target
"""


def _service(layout: Layout, role: str, title: str, *, needs_socket: bool, files: int) -> str:
    run = f"{layout.places.current}/venv/bin/phiomia run {role}"
    requires = f"Requires=phiomia-{role}.socket\n" if needs_socket else ""
    store = _STORE if role == "streaming" else ""
    return f"""[Unit]
Description=Phiomia: {title.lower()}
{requires}Wants=network-online.target
After={_NEEDS}
StartLimitIntervalSec=300
StartLimitBurst=20

[Service]
Type=notify
NotifyAccess=main
User={layout.user}
WorkingDirectory={layout.home}
Environment={CHECKOUT}={layout.places.checkout}
Environment={APP}={layout.places.app}
Environment=PHIOMIA_CONFIG={layout.config_file}
# Takes up the release that is checked out when everything it needs before was done; else the one before goes on.
ExecStart={run}
ExecStartPost={run} --started
# Ends when the new processes serve, or with an error when they could not and the old ones go on.
ExecReload={run} --reload
TimeoutStartSec={_START_S}
TimeoutStopSec={_STOP_S}
KillMode={"process" if role == "streaming" else "mixed"}
Restart=on-failure
RestartSec=1
# The release is too old for the database, or the settings are wrong: again would be the same.
RestartPreventExitStatus=78
LimitNOFILE={files}
{store}UMask=0027

{_hardening(layout)}
[Install]
WantedBy=multi-user.target
"""


def _hardening(layout: Layout) -> str:
    lines = [
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        *_homes(layout),
        f"ReadWritePaths={' '.join(str(one) for one in _written(layout))}",
        f"PrivateTmp={'yes' if layout.private_tmp else 'no'}",
        "PrivateDevices=yes",
        "ProtectClock=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "ProtectKernelLogs=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
        "ProtectProc=invisible",
        "LockPersonality=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "SystemCallArchitectures=native",
    ]
    return "".join(f"{line}\n" for line in lines)


def _homes(layout: Layout) -> list[str]:
    """Other people's homes are none of the server's business."""
    homes = [
        one for one in (layout.home, *_written(layout)) if one.is_relative_to("/home") or one.is_relative_to("/root")
    ]
    if not homes:
        return ["ProtectHome=yes"]
    return ["ProtectHome=tmpfs", f"BindPaths={' '.join(str(one) for one in dict.fromkeys(homes))}"]


def _written(layout: Layout) -> list[Path]:
    within = (layout.places.app, layout.places.checkout, layout.data)
    return [layout.home, *(one for one in within if not one.is_relative_to(layout.home))]


def render_command(layout: Layout) -> str:
    """The program `phiomia` that people type, whoever they are."""
    return f"""#!/bin/sh
# Runs the release that is installed, as the user that the server belongs to.
export {CHECKOUT}={layout.places.checkout} {APP}={layout.places.app} PHIOMIA_CONFIG={layout.config_file}
program={layout.places.current}/venv/bin/phiomia
if [ "$(id -u)" = 0 ] && [ {layout.user} != root ]; then
    cd {layout.home} && exec runuser -u {layout.user} -- env HOME={layout.home} "$program" "$@"
fi
exec "$program" "$@"
"""


def render_hook(layout: Layout) -> str:
    """What git runs after a checkout: it tells what there is to do."""
    return f"""#!/bin/sh
# Written by `phiomia install`. $3 is 1 when a commit was checked out, not single files.
[ "$3" = 1 ] || exit 0
echo
{layout.command} upgrade instructions || true
"""


def render_polkit(layout: Layout) -> str:
    """Lets the user manage these units, no others, without becoming root."""
    units = ", ".join(f'"{one}.service"' for one in UNITS)
    return f"""// {layout.user} may start, stop, restart and reload the server, and nothing else.
polkit.addRule(function (action, subject) {{
    var units = [{units}];
    var verbs = ["start", "stop", "restart", "reload"];
    if (
        action.id == "org.freedesktop.systemd1.manage-units" &&
        subject.user == "{layout.user}" &&
        units.indexOf(action.lookup("unit")) >= 0 &&
        verbs.indexOf(action.lookup("verb")) >= 0
    ) {{
        return polkit.Result.YES;
    }}
}});
"""


def render_sudoers(layout: Layout) -> str:
    """The same for sudo, where there is no polkit."""
    verbs = ("start", "stop", "restart", "reload")
    commands = [f"/usr/bin/systemctl {verb} {unit}" for unit in UNITS for verb in verbs]
    return f"# {layout.user} may start, stop, restart and reload the server, and nothing else.\n" + "".join(
        f"{layout.user} ALL=(root) NOPASSWD: {one}\n" for one in commands
    )
