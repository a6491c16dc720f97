"""Mails through an SMTP server. The library of the language does it, in a thread: mails are few and may take long."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage

from phiomia.domain.users.mail import Mail, compose
from phiomia.platform.config import Config
from phiomia.platform.jobs.handlers import Discard, Retry
from phiomia.platform.log import get_logger

log = get_logger("mail")


class SmtpMailer:
    """Sends every mail over a connection of its own."""

    def __init__(self, config: Config) -> None:
        self._config = config

    async def send(self, mail: Mail) -> None:
        """Sends one. Raises Retry when the server may take it later, Discard when it never will."""
        message = compose(mail, self._config)
        try:
            await asyncio.to_thread(self._send, message)
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPResponseException) as error:
            code, reason = _read_refusal(error)
            if 500 <= code < 600 and not isinstance(error, smtplib.SMTPAuthenticationError):
                log.warning("a mail was refused", to=mail.to, code=code, reason=reason)
                raise Discard(f"the mail server refused: {code} {reason}") from error
            raise Retry(f"the mail server put it off: {code} {reason}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise Retry(f"the mail server can't be reached: {error}") from error

    def _send(self, message: EmailMessage) -> None:
        settings = self._config.mail
        with self._connect() as server:
            if settings.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.user:
                server.login(settings.user, settings.password)
            server.send_message(message)

    def _connect(self) -> smtplib.SMTP:
        settings = self._config.mail
        if settings.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(settings.host, settings.port or 465, timeout=settings.seconds, context=context)
        return smtplib.SMTP(settings.host, settings.port or 587, timeout=settings.seconds)


def _read_refusal(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPResponseException) -> tuple[int, str]:
    said: bytes | str
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
    else:
        code, said = error.smtp_code, error.smtp_error
    return code, said.decode("utf-8", "replace") if isinstance(said, bytes) else said
