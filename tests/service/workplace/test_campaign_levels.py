"""The list of campaigns tells nothing of the level of a text that waits to be read blind: shown, filtered and sorted alike."""

import pytest
from sqlalchemy import Engine, select

from service.campaigns import lists
from service.campaigns.components import new_campaigns
from service.campaigns.links import Campaign, campaign_from
from service.campaigns.lists import Wanted, list_campaigns
from service.campaigns.schema import CAMPAIGN_ITEMS, CAMPAIGNS
from service.workplace.choices import choose
from service.workplace.people import Person, Role
from service.workplace.times import now
from tests.service.workplace.made import add, prediction, say


@pytest.fixture
def campaigns(engine: Engine, people: dict[Role, Person]) -> None:
    """Two campaigns at level 0 by the model, of which one has a text put at 2 that waits to be read blind; one at 2."""
    choose(engine, "second_share", 1, people["administrator"])
    choose(engine, "golden_share", 0, people["administrator"])
    for name, level, signs in (("waits", 2, ()), ("calm", 0, ()), ("flagged", 2, ("miracle_cure",))):
        row = {"id": name, "cut": False, "texts": 2, "level": level, "places": 1, "made_at": now()}
        with engine.begin() as connection:
            connection.execute(CAMPAIGNS.insert().values(**row))
            items = [add(connection, prediction(*signs)) for _ in range(2)]
            connection.execute(CAMPAIGN_ITEMS.insert(), [{"item_id": item, "campaign_id": name} for item in items])
        if name == "waits":
            say(engine, items[0], people["analyst"], "miracle_cure")


def test_levels_of_campaigns_leave_out_what_is_blind(engine: Engine, people: dict[Role, Person], campaigns: None) -> None:
    with engine.connect() as connection:

        def listed(role: Role, **wanted: int) -> list[tuple[str, int | None]]:
            found = list_campaigns(connection, Wanted(tri="niveau", **wanted), people[role])  # type: ignore[arg-type]
            assert found.total == len(found.campaigns)
            return [(one.id, one.level) for one in found.campaigns]

        assert listed("reviewer") == [("flagged", 2), ("waits", 0), ("calm", 0)]
        assert listed("reviewer", niveau=2) == [("flagged", 2)]
        # Who decided it reads its level.
        assert listed("analyst") == [("waits", 2), ("flagged", 2), ("calm", 0)]
        assert [id for id, _ in listed("analyst", niveau=2)] == ["waits", "flagged"]


def test_pages_of_the_list_are_those_of_one_order(
    engine: Engine, people: dict[Role, Person], campaigns: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Campaigns with a blind text are ranked by what the person may know, and put among the others: none twice, none left out."""
    monkeypatch.setattr(lists, "PAGE", 3)
    with engine.begin() as connection:
        for number in range(9):
            row = {"id": f"c{number}", "cut": False, "texts": 2 + number % 3, "places": 1, "made_at": now()}
            connection.execute(CAMPAIGNS.insert().values(**row, level=(None, 0, 1, 2, 3)[number % 5]))

    def key(one: Campaign) -> tuple[int, int, str]:
        return (-1 if one.level is None else one.level, one.texts, one.id)

    for role in ("reviewer", "analyst"):
        with engine.connect() as connection:
            pages = [list_campaigns(connection, Wanted(page=page), people[role]) for page in range(1, 6)]
        listed = [one for page in pages for one in page.campaigns]
        assert [len(page.campaigns) for page in pages] == [3, 3, 3, 3, 0]
        assert {page.total for page in pages} == {12}
        assert listed == sorted(listed, key=key, reverse=True)
        assert len({one.id for one in listed}) == 12
        assert {one.id: one.level for one in listed}["waits"] == (0 if role == "reviewer" else 2)


def test_campaigns_found_at_the_same_time_are_told_apart_by_their_names(engine: Engine) -> None:
    with engine.begin() as connection:
        ids = new_campaigns(connection, 50)
        rows = connection.execute(select(CAMPAIGNS).where(CAMPAIGNS.c.id.in_(ids))).mappings()
        assert len({campaign_from(row).title for row in rows}) == 50
