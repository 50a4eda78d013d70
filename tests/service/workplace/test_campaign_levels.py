"""The list of campaigns tells nothing of the level of a text that waits to be read blind: shown, filtered and sorted alike."""

import pytest
from sqlalchemy import Engine

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
