"""The HTTP framework's application type, as our signatures name it."""

from typing import Any, TypeAlias

import falcon.asgi

App: TypeAlias = falcon.asgi.App[Any, Any]
