"""Servers that are shut out: https://docs.joinmastodon.org/methods/instance/#domain_blocks"""

from hashlib import sha256
from typing import Any

from phiomia.api.endpoint import Call, endpoint
from phiomia.domain.moderation.domain_blocks import DomainBlock, list_blocks
from phiomia.domain.peers.severity import Severity

_WORDS = {Severity.SILENCE: "silence", Severity.SUSPEND: "suspend"}


@endpoint("GET", "/api/v1/instance/domain_blocks", access="public", returns="array<entity:DomainBlock>")
async def domain_blocks(call: Call, params: None) -> object:
    """Servers that are limited or shut out."""
    async with call.api.db.read() as session:
        blocks = await list_blocks(session)
    return [_render(block) for block in blocks if block.severity in _WORDS]


def _render(block: DomainBlock) -> dict[str, Any]:
    return {
        "domain": obscure(block.domain) if block.obfuscate else block.domain,
        "digest": sha256(block.domain.encode()).hexdigest(),
        "severity": _WORDS[Severity(block.severity)],
        "comment": block.public_comment or None,
    }


def obscure(domain: str) -> str:
    """A domain with its middle hidden: whoever knows it recognises it, nobody else is led there."""
    shown = len(domain) // 4
    return "".join(
        letter if place < shown or place >= len(domain) - shown or letter == "." else "*"
        for place, letter in enumerate(domain)
    )
