"""The program that tries the server out during an upgrade: `python -m phiomia.cli.upgrade_prober FILE`.

What to ask for comes as JSON on standard input, so that no secret is seen among the processes. It ends when it is told
to, or when the upgrade that started it has gone.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from phiomia.activitypub.signatures.cavage import sign_request
from phiomia.activitypub.signatures.keys import load_private
from phiomia.upgrade.prober.asking import Prober
from phiomia.upgrade.prober.targets import Target


class RsaSigning:
    """Signs as nearly every server does."""

    def make_keys(self) -> tuple[str, str]:
        """A private key and its public one, as PEM."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def sign(self, url: str, key_id: str, private_key: str, body: bytes) -> dict[str, str]:
        """The headers that make a POST to that address a signed one."""
        return sign_request("POST", url, key_id, load_private(private_key), time.time(), body)


def main(path: Path) -> None:
    """Asks until it is told to end or its parent has gone."""
    parent, enough = os.getppid(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: enough.set())
    wanted = json.load(sys.stdin)
    targets = [Target(**one) for one in wanted["targets"]]
    prober = Prober(path, targets, wanted["database_url"], RsaSigning())
    prober.run(lambda: enough.is_set() or os.getppid() != parent)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
