"""Where the pictures of links' previews come from."""

from typing import Final

from sqlalchemy import select

from phiomia.domain.statuses.models import cards
from phiomia.platform.db import P, Query

CARD_ADDRESS: Final = Query(select(cards.c.image_url).where(cards.c.id == P("id")))
