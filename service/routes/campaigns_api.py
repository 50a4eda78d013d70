"""`/v1/campaigns`: campaigns for programs, with the right « export »."""

from datetime import date
from typing import Any

from fastapi import APIRouter

from service.access import KeyDep
from service.campaigns import lists, view
from service.campaigns.links import Campaign, find_campaign, items_of
from service.problems import ApiError
from service.routes.campaigns import LONGEST
from service.state import StateDep
from service.workplace.audit import record_alone
from service.workplace.reading import hidden_from

router = APIRouter()


@router.get("/v1/campaigns", tags=["campagnes"], summary="Les campagnes, filtrées et triées")
def campaigns(
    state: StateDep,
    person: KeyDep("export"),  # type: ignore[valid-type]
    q: str = "",
    niveau: int | None = None,
    source: str = "",
    theme: str = "",
    region: str = "",
    du: date | None = None,
    au: date | None = None,
    tri: str = "niveau",
    page: int = 1,
) -> dict[str, Any]:
    """Fifty a page; `tri` is textes, niveau, recent or portee, `q` words of a name or of a contact, `du` and `au` days."""
    if tri not in lists.SORTS:
        raise ApiError(422, f"tri : {', '.join(lists.SORTS)} est attendu.")
    if not 1 <= page <= 100_000:
        raise ApiError(422, "page : un entier de 1 à 100000 est attendu.")
    if niveau is not None and niveau not in range(4):
        raise ApiError(422, "niveau : 0, 1, 2 ou 3 est attendu.")
    for name, value in {"q": q, "source": source, "theme": theme, "region": region}.items():
        if "\x00" in value or len(value) > LONGEST:
            raise ApiError(422, f"{name} : {LONGEST} caractères au plus sont attendus, sans caractère nul.")
    wanted = lists.Wanted(q=q.strip(), niveau=niveau, source=source, theme=theme, region=region, du=du, au=au, tri=tri, page=page)
    with state.engine.connect() as connection:
        found = lists.list_campaigns(connection, wanted, person)
    return {"total": found.total, "page": page, "campaigns": [_said(one) for one in found.campaigns]}


def _said(campaign: Campaign) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(campaign, name) for name in Campaign.__dataclass_fields__}
    return values | {name: values[name].isoformat() for name in ("first_at", "last_at", "made_at") if values[name]}


@router.get("/v1/campaigns/{campaign_id}", tags=["campagnes"], summary="Une campagne : ses textes, ses contacts, ses liens")
def one_campaign(campaign_id: str, state: StateDep, person: KeyDep("export")) -> dict[str, Any]:  # type: ignore[valid-type]
    """The identifier of a campaign that was merged gives the one that lives on; texts that are blind are only counted."""
    with state.engine.connect() as connection:
        campaign = find_campaign(connection, campaign_id[:36])
        if campaign is None:
            raise ApiError(404, "Cette campagne n'existe pas.")
        blind = {str(id) for id in connection.scalars(hidden_from(person))}
        ids = items_of(connection, campaign.id)
        seen = [id for id in ids if id not in blind]
        links = view.links_of(connection, seen)
        ties = view.ties_of(connection, campaign.id)
        crowded = view.crowded_of(connection, campaign.id)
        shown = lists.shown_to(connection, campaign, person)
    record_alone(state.engine, person, "campaign.view", f"campaign:{campaign.id}", {"masked": False})
    return {
        **_said(shown),
        "items": seen,
        "hidden": len(ids) - len(seen),
        "compared_in_part": crowded,
        "contacts": [
            {"id": tie.id, "kind": tie.kind, "value": tie.value, "state": tie.state, "texts": tie.own, "mentions": tie.mentions}
            for tie in ties
        ],
        "links": [
            {
                "item": link.item_id,
                "other": link.other_id,
                "contact": link.contact_id,
                "likeness": link.likeness,
                "state": link.state,
                "said_by": link.who,
                "said_at": link.at.isoformat() if link.at else None,
                "why": link.why,
            }
            for link in links
        ],
    }
