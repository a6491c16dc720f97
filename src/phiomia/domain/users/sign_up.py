"""Joining the server: through a form, the API, or the hand of the operator."""

from typing import NamedTuple

from phiomia.domain.accounts.create_local import is_username_taken
from phiomia.domain.accounts.usernames import find_username_fault
from phiomia.domain.errors import Invalid, NotAllowed
from phiomia.domain.users.create import UserDraft, create_user
from phiomia.domain.users.emails import find_email_fault, is_email_taken
from phiomia.domain.users.events import UserSignedUp
from phiomia.domain.users.invites import use_invite
from phiomia.domain.users.jobs import SendConfirmation
from phiomia.domain.users.passwords import find_password_fault, hash_password
from phiomia.domain.users.roles import Role
from phiomia.platform.db import ReadSession, WriteSession
from phiomia.platform.events import record
from phiomia.platform.jobs import defer
from phiomia.platform.limits import SIGN_UP_REASON
from phiomia.platform.settings import Registrations

Faults = dict[str, list[tuple[str, str]]]
_LABELS = {"username": "User name", "email": "E-mail", "password": "Password", "agreement": "Agreement"}


class SignUpForm(NamedTuple):
    """What somebody who wants to join has typed."""

    username: str = ""
    email: str = ""
    password: str = ""
    agreement: bool = False
    reason: str = ""
    locale: str = "en"
    time_zone: str = ""
    app_id: int | None = None
    invite_code: str = ""


class SignUpDraft(NamedTuple):
    """The form with what has to be known before the transaction: what is wrong with it, or the password's hash."""

    form: SignUpForm
    password_hash: str
    faults: Faults
    confirmed: bool
    approved: bool
    role: Role = Role.NONE


async def draft_sign_up(form: SignUpForm, rules: Registrations) -> SignUpDraft:
    """Checks what can be checked without the database and hashes the password. Raises NotAllowed while closed.

    With an invitation one may join at any time, without approval; whether it holds turns out in `sign_up`.
    """
    if rules.mode == "closed" and not form.invite_code:
        raise NotAllowed(rules.message or "This server does not take new members at the moment.")
    form = _trim(form)
    faults = _find_faults(form)
    hashed = "" if "password" in faults else await hash_password(form.password)
    return SignUpDraft(form, hashed, faults, not rules.confirm_email, bool(form.invite_code) or rules.mode == "open")


async def draft_by_operator(form: SignUpForm, *, confirmed: bool, role: Role) -> SignUpDraft:
    """The same for somebody whom the operator creates: approved, and no name is reserved."""
    form = _trim(form._replace(agreement=True))
    faults = _find_faults(form, allow_reserved=True)
    hashed = "" if "password" in faults else await hash_password(form.password)
    return SignUpDraft(form, hashed, faults, confirmed, True, role)


async def sign_up(session: WriteSession, draft: SignUpDraft) -> int:
    """Creates user and account and gives the user's id. Raises Invalid with every fault there is."""
    faults = await _find_taken(session, draft.form, draft.faults)
    if faults:
        raise Invalid(_summarise(faults), faults)
    form = draft.form
    if form.invite_code and not await use_invite(session, form.invite_code):
        raise NotAllowed("This invitation is not valid any more.")
    created = await create_user(
        session,
        UserDraft(
            form.username,
            form.email,
            draft.password_hash,
            confirmed=draft.confirmed,
            approved=draft.approved,
            role=draft.role,
            locale=form.locale,
            time_zone=form.time_zone,
            reason=form.reason,
            app_id=form.app_id,
        ),
    )
    await record(session, UserSignedUp(created.user_id, created.account_id, pending=not draft.approved))
    if not draft.confirmed:
        await defer(session, SendConfirmation(created.user_id))
    return created.user_id


def _trim(form: SignUpForm) -> SignUpForm:
    return form._replace(username=form.username.strip(), email=form.email.strip(), reason=form.reason.strip())


def _find_faults(form: SignUpForm, *, allow_reserved: bool = False) -> Faults:
    found = {
        "username": find_username_fault(form.username, allow_reserved=allow_reserved),
        "email": find_email_fault(form.email),
        "password": find_password_fault(form.password),
        "agreement": None if form.agreement else ("ERR_ACCEPTED", "must be given"),
        "reason": _find_reason_fault(form.reason),
    }
    return {name: [fault] for name, fault in found.items() if fault is not None}


def _find_reason_fault(reason: str) -> tuple[str, str] | None:
    too_long = len(reason) > SIGN_UP_REASON
    return ("ERR_TOO_LONG", f"may have {SIGN_UP_REASON} characters at most") if too_long else None


async def _find_taken(session: ReadSession, form: SignUpForm, faults: Faults) -> Faults:
    faults = dict(faults)
    if "username" not in faults and await is_username_taken(session, form.username):
        faults["username"] = [("ERR_TAKEN", "is in use already")]
    if "email" not in faults and await is_email_taken(session, form.email):
        faults["email"] = [("ERR_TAKEN", "is in use already")]
    return faults


def _summarise(faults: Faults) -> str:
    parts = [f"{_LABELS.get(name, name.capitalize())} {many[0][1]}" for name, many in faults.items()]
    return f"Validation failed: {', '.join(parts)}"
