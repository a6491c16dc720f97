"""What apps ask for at their start and this server has none of: they are told so, instead of meeting an error."""

from phiomia.api.endpoint import Call, endpoint


@endpoint("GET", "/api/v1/trends/tags", access="public", returns="array<entity:Tag>")
async def trending_tags(call: Call, params: None) -> object:
    """Trending hashtags: nothing is ranked here."""
    return []


@endpoint("GET", "/api/v1/trends", access="public", returns="array<entity:Tag>")
async def trending_tags_v1(call: Call, params: None) -> object:
    """The same for older apps."""
    return []


@endpoint("GET", "/api/v1/trends/statuses", access="public", returns="array<entity:Status>")
async def trending_statuses(call: Call, params: None) -> object:
    """Trending statuses: nothing is ranked here."""
    return []


@endpoint("GET", "/api/v1/trends/links", access="public", returns="array<entity:Trends::Link>")
async def trending_links(call: Call, params: None) -> object:
    """Trending links: nothing is ranked here."""
    return []


@endpoint("GET", "/api/v1/suggestions", scopes=("read:accounts",), returns="array<entity:Account>")
async def suggestions_v1(call: Call, params: None) -> object:
    """Accounts to follow, for older apps: nobody is suggested here."""
    return []


@endpoint("GET", "/api/v2/suggestions", scopes=("read:accounts",), returns="array<entity:Suggestion>")
async def suggestions(call: Call, params: None) -> object:
    """Accounts to follow: nobody is suggested here."""
    return []
