"""Mails to members: the port through which they leave, and the folder in which they wait without a mail server."""

import asyncio
import os
import time
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from phiomia.platform.config import Config
from phiomia.platform.log import get_logger

log = get_logger("mail")


class Mail(NamedTuple):
    """One message to one person. `unsubscribe`: an address to which a POST ends mails of the kind."""

    to: str
    subject: str
    text: str
    html: str = ""
    unsubscribe: str = ""


class Mailer(Protocol):
    """Sends mails."""

    async def send(self, mail: Mail) -> None:
        """Sends one, or raises: the job then tries again."""
        ...


class OutboxMailer:
    """Writes every mail to a file in `<data>/outbox/`, for servers on which no mail server is configured."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._folder = config.data_dir / "outbox"

    async def send(self, mail: Mail) -> None:
        """Writes the file and says where it is."""
        path = await asyncio.to_thread(self._write, mail)
        log.info("a mail waits in the outbox, since no mail server is configured", to=mail.to, file=str(path))

    def _write(self, mail: Mail) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{time.time_ns()}-{os.getpid()}.eml"
        temporary = path.with_suffix(".tmp")
        # The link in it opens an account: nobody else on the machine may read it.
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(compose(mail, self._config).as_bytes(policy=SMTP))
        temporary.rename(path)
        return path


def compose(mail: Mail, config: Config) -> EmailMessage:
    """The message with its headers."""
    host = (urlsplit(f"//{config.domain}").hostname or "localhost").replace(":", ".")
    message = EmailMessage(policy=SMTP)
    sender = config.mail.sender or config.instance.contact_email or f"noreply@{host}"
    message["From"] = Address(config.instance.title, addr_spec=sender)
    message["To"] = Address(addr_spec=mail.to)
    message["Subject"] = mail.subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=host)
    message["Auto-Submitted"] = "auto-generated"
    if mail.unsubscribe:
        message["List-Unsubscribe"] = f"<{mail.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(mail.text)
    if mail.html:
        message.add_alternative(mail.html, subtype="html")
    return message
