"""What mails to members say. Each letter is written once and becomes plain text and HTML."""

from html import escape
from typing import NamedTuple

from phiomia.domain.users.mail import Mail
from phiomia.platform.config import Config

_STYLE = "font:16px/1.5 sans-serif;max-width:34em;margin:2em auto;padding:0 1em;color:#1b1b1f"
_BUTTON = "display:inline-block;padding:.6em 1.2em;border-radius:.4em;background:#3f4ba8;color:#fff"


class Letter(NamedTuple):
    """A letter: paragraphs before and after a link that is shown as a button. `unsubscribe` stands at its end."""

    subject: str
    before: tuple[str, ...]
    link: tuple[str, str] | None = None  # words, address
    after: tuple[str, ...] = ()
    unsubscribe: str = ""


def address(letter: Letter, to: str, *, one_click: str = "") -> Mail:
    """The letter as a mail to somebody. `one_click`: where their mail program ends mails of the kind."""
    return Mail(to, letter.subject, _write_text(letter), _write_html(letter), one_click)


def write_confirmation(config: Config, username: str, email: str, secret: str) -> Mail:
    """The mail that asks somebody to confirm their address."""
    letter = Letter(
        f"Confirm your address for {config.instance.title}",
        (
            f"Welcome, {username}.",
            f"Somebody, most likely you, used this address to join {config.domain}. To confirm that it is yours, open "
            "this page within seven days and press the button:",
        ),
        ("Confirm", f"{config.base_url}/auth/confirm?token={secret}"),
        ("If it was not you, you need not do anything.",),
    )
    return address(letter, email)


def write_password_reset(config: Config, username: str, email: str, secret: str) -> Mail:
    """The mail with which somebody chooses a new password."""
    letter = Letter(
        f"A new password for {config.instance.title}",
        (
            f"somebody, most likely you, forgot the password of your account on {config.domain}. To choose a new one, "
            "open this page within six hours:",
        ),
        ("Choose a password", f"{config.base_url}/auth/password?token={secret}"),
        ("If it was not you, you need not do anything: your password stays as it is.",),
    )
    return _greet(letter, username, email)


def write_email_change(config: Config, username: str, email: str, secret: str) -> Mail:
    """The mail to a new address that a member wants to use."""
    letter = Letter(
        f"Confirm your new address for {config.instance.title}",
        (
            f"you want to use this address on {config.domain}. To confirm that it is yours, open this page within "
            "seven days and press the button; until then your former address stays in use:",
        ),
        ("Confirm", f"{config.base_url}/auth/confirm?token={secret}"),
        ("If it was not you, you need not do anything.",),
    )
    return _greet(letter, username, email)


def write_email_changed(config: Config, username: str, email: str, new_email: str) -> Mail:
    """The notice to a former address."""
    letter = Letter(
        f"Your address on {config.instance.title} has changed",
        (
            f"mails for your account on {config.domain} go to {new_email} from now on.",
            f"If it was not you, write to those who run the server at once{_contact(config)}.",
        ),
    )
    return _greet(letter, username, email)


def write_password_changed(config: Config, username: str, email: str) -> Mail:
    """The notice that a password was changed."""
    letter = Letter(
        f"Your password on {config.instance.title} has changed",
        (
            f"the password of your account on {config.domain} was changed, and every browser and app was signed out.",
            "If it was not you, choose another one now:",
        ),
        ("Choose a password", f"{config.base_url}/auth/password"),
    )
    return _greet(letter, username, email)


def write_approved(config: Config, username: str, email: str) -> Mail:
    """The mail to somebody whom a moderator let in."""
    letter = Letter(
        f"Welcome to {config.instance.title}",
        (f"your sign-up on {config.domain} was approved. You can sign in now:",),
        ("Sign in", f"{config.base_url}/auth/sign_in"),
    )
    return _greet(letter, username, email)


def write_new_sign_in(config: Config, username: str, email: str, where: str) -> Mail:
    """The notice of a sign-in from a browser and network that were not seen before."""
    letter = Letter(
        f"A new sign-in on {config.instance.title}",
        (
            f"somebody signed in to your account on {config.domain} from a browser that was not used before: {where}",
            "If it was not you, choose another password now:",
        ),
        ("Choose a password", f"{config.base_url}/auth/password"),
        ("If it was you, all is well.",),
    )
    return _greet(letter, username, email)


def write_warning(config: Config, username: str, email: str, text: str) -> Mail:
    """What the moderators have to say to a member."""
    letter = Letter(
        f"A warning from the moderators of {config.instance.title}",
        (f"those who look after {config.domain} have something to say to you:", text),
        (f"About {config.instance.title}", f"{config.base_url}/about"),
        (f"If you think that this is a mistake, write to those who run the server{_contact(config)}.",),
    )
    return _greet(letter, username, email)


def _greet(letter: Letter, username: str, email: str) -> Mail:
    return address(letter._replace(before=(f"Hello {username},", *letter.before)), email)


def _contact(config: Config) -> str:
    return f": {config.instance.contact_email}" if config.instance.contact_email else ""


def _write_text(letter: Letter) -> str:
    parts = [*letter.before, *([letter.link[1]] if letter.link else []), *letter.after]
    if letter.unsubscribe:
        parts.append(f"To get no more mails of this kind:\n{letter.unsubscribe}")
    return "\n\n".join(parts) + "\n"


def _write_html(letter: Letter) -> str:
    parts = [_paragraph(text) for text in letter.before]
    if letter.link:
        words, target = letter.link
        parts.append(f'<p><a href="{escape(target)}" style="{_BUTTON}">{escape(words)}</a></p>')
    parts += [_paragraph(text) for text in letter.after]
    if letter.unsubscribe:
        parts.append(f'<p><small><a href="{escape(letter.unsubscribe)}">No more mails of this kind</a></small></p>')
    title = escape(letter.subject)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        f'<body style="{_STYLE}"><h1 style="font-size:1.3em">{title}</h1>{"".join(parts)}</body></html>\n'
    )


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"
