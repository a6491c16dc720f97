"""Log lines on standard error: one event with its values a line, as JSON or as text.

    log = get_logger(__name__)
    log.info("an account was suspended", account=account_id)

Lines of a request carry its id (`bind_request`). What libraries say through `logging` comes out the same way. A level
that is off costs a call to an empty function.
"""

import logging
import sys
from contextvars import ContextVar
from typing import Any, Protocol, TextIO, cast

import msgspec

# structlog looks for Rich in case tracebacks shall be painted. Ours are not, and Rich costs a server 7 MB.
_WITHOUT_RICH = "rich" not in sys.modules
if _WITHOUT_RICH:
    sys.modules["rich"] = cast("Any", None)
try:
    import structlog
finally:
    if _WITHOUT_RICH:
        del sys.modules["rich"]

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
# Uvicorn says all it has to say under this name, that it has started as well.
_SOURCES = {"uvicorn.error": "uvicorn"}
_QUIET = {"uvicorn.access": logging.ERROR, "alembic": logging.WARNING, "asyncio": logging.WARNING}


def configure(level: str = "info", format: str = "auto") -> None:
    """Sets the least level shown and the format: json, text, or auto (text on a terminal). Call it once, early."""
    as_text = format == "text" or (format == "auto" and sys.stderr.isatty())
    _configure(LEVELS[level], as_text, keep_loggers=True)
    _route_logging(LEVELS[level])


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines say where they come from."""
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger(source=name))


class Described(Protocol):
    """A request that can say what a log line shall tell of it."""

    def describe(self) -> dict[str, Any]:
        """Its id as `request`, and whatever else; nothing that is secret. Empty once the request is over."""
        ...


_request: ContextVar[Described | None] = ContextVar("request", default=None)


def bind_request(request: Described) -> None:
    """Puts the request on every further line of this task; tasks do not see each other's.

    It is asked to describe itself when there is a line, so that a request that logs nothing pays for nothing.
    """
    _request.set(request)


def unbind_request() -> None:
    """Forgets the request: the next one on the connection may run in the same task."""
    _request.set(None)


def _add_request(_logger: Any, _method: str, event: Any) -> Any:
    request = _request.get()
    return event if request is None else request.describe() | event


def _configure(level: int, as_text: bool, *, keep_loggers: bool) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_request,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(_as_text(sys.stderr) if as_text else _as_json()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=keep_loggers,
    )


def _as_json() -> list[Any]:
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_encode)]


def _as_text(output: TextIO) -> list[Any]:
    from structlog.dev import ConsoleRenderer, plain_traceback

    return [ConsoleRenderer(colors=output.isatty(), exception_formatter=plain_traceback)]


def _encode(event: Any, **_options: Any) -> str:
    try:
        return msgspec.json.encode(event, enc_hook=repr).decode()
    except (TypeError, ValueError, OverflowError):
        # Keys that are not strings, lone surrogates, huge integers: a log line must never fail its caller.
        return msgspec.json.encode({str(key): ascii(value) for key, value in event.items()}).decode()


def _route_logging(level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", *_QUIET):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(max(level, _QUIET.get(name, level)))


class _Bridge(logging.Handler):
    """Takes records of the standard library's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one line; a record that can't be formatted is written as it is."""
        try:
            message = record.getMessage()
        except Exception:
            message = f"{record.msg} {record.args!r}"
        level = min(max(record.levelno, logging.DEBUG), logging.CRITICAL)
        values = {"exc_info": record.exc_info} if record.exc_info else {}
        get_logger(_SOURCES.get(record.name, record.name)).log(level // 10 * 10, message, **values)


# Until `configure`: structlog's own default would write to standard output, among what a command prints.
_configure(logging.WARNING, True, keep_loggers=False)
