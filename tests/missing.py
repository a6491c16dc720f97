"""What a test needs that is not there: skipped on a developer's machine, a failure in CI, which may skip nothing."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

IN_CI = os.environ.get("CI", "") not in {"", "0", "false"}


def miss(reason: str) -> NoReturn:
    """Ends the test for want of what `script/test` installs."""
    if IN_CI:
        pytest.fail(f"{reason}; script/test installs it", pytrace=False)
    pytest.skip(reason)
