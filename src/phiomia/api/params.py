"""Parameters of a request: query, path, and a form, multipart or JSON body become one typed Struct.

Names nest as in Rails: `poll[options][]=a`, `fields_attributes[0][name]=b`. JSON bodies are used as they are.
"""

import asyncio
import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

import falcon.asgi
import msgspec
from falcon.asgi.multipart import MultipartForm
from falcon.errors import HTTPError
from falcon.media import MultipartFormHandler
from falcon.media.multipart import MultipartParseError
from msgspec import Meta

from phiomia.api.errors import ApiError
from phiomia.api.faults import describe_fault
from phiomia.platform import limits

T = TypeVar("T")

Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
FALSE = frozenset({"false", "f", "0", "off", "F", "FALSE", "OFF", "False", "no"})
_PLAIN = re.compile(r"[\w.~&=-]*", re.ASCII)
_CHUNK = 64 * 1024
_multipart = MultipartFormHandler()
_multipart.parse_options.max_body_part_buffer_size = limits.JSON_BODY_BYTES
_multipart.parse_options.max_body_part_count = 64


class Upload(msgspec.Struct):
    """A file that came with the request; `path` is deleted after the answer."""

    filename: str
    content_type: str
    path: Path
    size: int


class Form:
    """What a request says: a tree of parameters, and the files beside it."""

    __slots__ = ("files", "tree")

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self.files: dict[str, Upload] = {}

    def discard(self) -> None:
        """Deletes the files that nobody moved away."""
        for upload in self.files.values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(upload.path)


def read_query(query: str) -> Form:
    """What the address alone says. Raises ApiError 400."""
    form = Form()
    if _PLAIN.fullmatch(query):  # nothing to decode, nothing nested
        parts = query.split("&")
        if len(parts) <= limits.PARAMETERS:
            for part in parts:
                if part:
                    name, _, value = part.partition("=")
                    form.tree[name] = value
            return form
    nest(form.tree, _pairs(query))
    return form


async def read_form(req: falcon.asgi.Request, *, upload_bytes: int, temporary: Path) -> Form:
    """Reads query and body within the limits. Raises ApiError 400, 408, 413, 415."""
    form = read_query(req.query_string)
    if req.method in WITHOUT_BODY:
        return form
    try:
        async with asyncio.timeout(limits.UPLOAD_SECONDS if upload_bytes else limits.BODY_SECONDS):
            await _read_body(req, form, upload_bytes, temporary)
    except TimeoutError:
        form.discard()
        raise ApiError(408, "The request took too long to arrive") from None
    except BaseException:
        form.discard()
        raise
    return form


async def _read_body(req: falcon.asgi.Request, form: Form, upload_bytes: int, temporary: Path) -> None:
    kind = (req.content_type or "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        await _read_multipart(req, form, upload_bytes, temporary)
        return
    body = await _read_bounded(req, limits.JSON_BODY_BYTES)
    if not body:
        return
    if kind == "application/json" or kind.endswith("+json"):
        nest_json(form.tree, body)
    elif kind in ("application/x-www-form-urlencoded", "", "text/plain"):
        try:
            nest(form.tree, _pairs(body.decode("utf-8")))
        except UnicodeDecodeError:
            raise ApiError(400, "The body is not valid UTF-8") from None
    else:
        raise ApiError(415, f"Content type {kind} is not supported")


async def _read_bounded(req: falcon.asgi.Request, most: int) -> bytes:
    if (req.content_length or 0) > most:
        raise ApiError(413, f"The body is larger than {most} bytes")
    chunks, size = [], 0
    async for chunk in req.stream:
        size += len(chunk)
        if size > most:
            raise ApiError(413, f"The body is larger than {most} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


async def _read_multipart(req: falcon.asgi.Request, form: Form, upload_bytes: int, temporary: Path) -> None:
    most = upload_bytes + limits.JSON_BODY_BYTES
    if (req.content_length or 0) > most:
        raise ApiError(413, f"The body is larger than {most} bytes")
    pairs: list[tuple[str, str]] = []
    try:
        parts: MultipartForm = await _multipart.deserialize_async(req.stream, req.content_type, req.content_length)
        async for part in parts:
            if part.filename is None:
                pairs.append((part.name or "", (await part.get_data()).decode("utf-8")))
            elif part.name:
                form.files[part.name] = await _save(part, upload_bytes, temporary)
    except MultipartParseError as error:
        raise ApiError(400, f"The multipart body is malformed: {error.description}") from None
    except UnicodeDecodeError:
        raise ApiError(400, "The body is not valid UTF-8") from None
    except HTTPError as error:
        raise ApiError(400, f"The multipart body is malformed: {error.title}") from None
    nest(form.tree, pairs)


async def _save(part: Any, most: int, temporary: Path) -> Upload:
    os.makedirs(temporary, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=temporary, prefix="upload-")
    size = 0
    try:
        with os.fdopen(handle, "wb") as file:
            while chunk := await part.stream.read(_CHUNK):
                size += len(chunk)
                if size > most:
                    if not most:
                        raise ApiError(413, "No file can be uploaded here")
                    raise ApiError(413, f"The upload is larger than {most} bytes")
                file.write(chunk)
    except BaseException:
        os.unlink(name)
        raise
    return Upload(part.filename or "", part.content_type or "", Path(name), size)


def _pairs(text: str) -> Iterable[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=limits.PARAMETERS)
    except UnicodeDecodeError:
        raise ApiError(400, "The parameters are not valid UTF-8") from None
    except ValueError:
        raise ApiError(400, "Too many parameters") from None


def nest_json(tree: dict[str, Any], body: bytes) -> None:
    """Merges a JSON object. Raises ApiError 400."""
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ApiError(400, "The body is not valid JSON") from None
    if not isinstance(given, dict):
        raise ApiError(400, "The body must be a JSON object")
    # Some clients send form-like names inside JSON.
    plain = {name: value for name, value in given.items() if "[" not in name}
    tree.update(plain)
    nest(tree, [(name, value) for name, value in given.items() if "[" in name])


def nest(tree: dict[str, Any], pairs: Iterable[tuple[str, Any]]) -> None:
    """Merges named values as Rails does. Raises ApiError 400 for names that contradict each other."""
    for name, value in pairs:
        first, *rest = name.replace("]", "").split("[") if "[" in name else (name,)
        if len(rest) > limits.PARAMETER_DEPTH:
            raise ApiError(400, f"{name[:80]}: nested too deeply")
        if rest[-2:] == ["", ""]:  # clients that write the brackets of a list twice mean one list
            rest.pop()
        try:
            _put(tree, [first, *rest], value)
        except (TypeError, AttributeError):
            raise ApiError(400, f"{name[:80]}: contradicts another parameter") from None


def _put(tree: Any, path: list[str], value: Any) -> None:
    key, rest = path[0], path[1:]
    if not rest:
        tree[key] = value
    elif rest[0] == "":
        items = tree.setdefault(key, [])
        if len(rest) == 1:
            items.extend(value) if isinstance(value, list) else items.append(value)
        else:
            # a[][x]=1&a[][y]=2 is one item; a repeated key begins the next.
            if not items or rest[1] in items[-1]:
                items.append({})
            _put(items[-1], rest[1:], value)
    else:
        _put(tree.setdefault(key, {}), rest, value)


class Reader:
    """Turns a tree into one Struct type; made once for an endpoint."""

    def __init__(self, kind: type[T]) -> None:
        self.kind: Any = kind
        info = msgspec.inspect.type_info(kind)
        assert isinstance(info, msgspec.inspect.StructType)
        self._fields = {field.encode_name: _Shape(field.type) for field in info.fields}

    def read(self, tree: Mapping[str, Any]) -> Any:
        """The parameters. Raises ApiError 422 that names the field."""
        prepared = {}
        for name, shape in self._fields.items():
            if name in tree:
                value = shape.prepare(tree[name])
                if value is not None:
                    prepared[name] = value
        try:
            return msgspec.convert(prepared, self.kind, strict=False)
        except msgspec.ValidationError as error:
            raise describe_fault(str(error)) from None
        except (OverflowError, RecursionError):
            raise ApiError(422, "Validation failed: a number is out of range") from None


class _Shape:
    """What a field's values look like, to bring form strings into that shape."""

    def __init__(self, kind: msgspec.inspect.Type) -> None:
        kinds = list(_flatten(kind))
        self.text = any(isinstance(k, msgspec.inspect.StrType | msgspec.inspect.AnyType) for k in kinds)
        self.flag = any(isinstance(k, msgspec.inspect.BoolType) for k in kinds)
        lists = [k for k in kinds if isinstance(k, msgspec.inspect.ListType)]
        self.item = _Shape(lists[0].item_type) if lists else None
        self.nested = any(isinstance(k, msgspec.inspect.DictType | msgspec.inspect.StructType) for k in kinds)
        structs = [k for k in kinds if isinstance(k, msgspec.inspect.StructType)]
        self.fields = {f.encode_name: _Shape(f.type) for f in structs[0].fields} if structs else {}

    def prepare(self, value: Any) -> Any:
        """The value in the field's shape; None when it says nothing."""
        if value is None or (value == "" and not self.text):
            return None
        if self.item is not None and not (self.nested and isinstance(value, dict)):
            items = value if isinstance(value, list) else [value]
            return [prepared for item in items if (prepared := self.item.prepare(item)) is not None]
        if self.fields and isinstance(value, dict):
            return {
                name: prepared
                for name, item in value.items()
                if name in self.fields and (prepared := self.fields[name].prepare(item)) is not None
            }
        if self.flag and not isinstance(value, bool) and not self.text:
            return str(value) not in FALSE if isinstance(value, str | int) else value
        if self.text and isinstance(value, str):
            if "\x00" in value:
                raise ApiError(422, "Validation failed: text must not contain NUL")
            return value
        if self.text and isinstance(value, int | float) and not self.flag:
            return str(value)
        return value


def _flatten(kind: msgspec.inspect.Type) -> Iterable[msgspec.inspect.Type]:
    if isinstance(kind, msgspec.inspect.UnionType):
        for part in kind.types:
            yield from _flatten(part)
    elif isinstance(kind, msgspec.inspect.Metadata):
        yield from _flatten(kind.type)
    else:
        yield kind
