"""The base rate to assume moves the risk score and nothing else, whether asked for or set once for all."""

from pathlib import Path

import httpx
import pytest

from model.analyser import Analyser
from model.decide import with_prior
from model.records import Prediction
from service.settings import Settings, SettingsError, load_settings
from tests.service.conftest import free_port, start
from tests.service.test_batch import inside

OFFER = "Magnétiseuse, je guéris le cancer en trois séances à distance. Arrêtez votre chimiothérapie, 90 € la séance."


def _expected(analyser: Analyser, prior: float) -> float:
    plain = analyser.predict(OFFER).risk
    assert plain is not None
    return with_prior(plain.score, float(analyser.artefact.manifest["base_rate"]), prior)


def _score(prediction: Prediction) -> float:
    assert prediction.risk is not None
    return prediction.risk.score


def test_the_command_takes_the_option_then_the_setting(
    artefacts: Path, analyser: Analyser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_PRIOR", "0.02")
    by_setting = Prediction.model_validate_json(inside("explain", OFFER, "--json", artefacts=artefacts).stdout)
    by_option = inside("explain", OFFER, "--json", "--prior", "0.15", artefacts=artefacts).stdout
    # The expected score starts from one rounded to four decimals, and odds close to certainty magnify that.
    assert _score(by_setting) == pytest.approx(_expected(analyser, 0.02), abs=5e-3)
    assert _score(Prediction.model_validate_json(by_option)) == pytest.approx(_expected(analyser, 0.15), abs=5e-3)
    assert _score(by_setting) < _score(Prediction.model_validate_json(by_option)) < _score(analyser.predict(OFFER))
    assert by_setting.indicators == analyser.predict(OFFER).indicators


def test_the_service_takes_what_is_asked_then_the_setting(artefacts: Path, analyser: Analyser, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'v.db'}"
    settings = Settings(model_dir=artefacts, database_url=database, port=free_port(), prior=0.02)
    running, thread = start(settings)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", timeout=30) as own:
            by_setting = own.post("/v1/predict", json={"text": OFFER}).json()
            asked = own.post("/v1/predict", json={"text": OFFER, "prior": 0.15}).json()
            batch = own.post("/v1/predict/batch", json={"items": [{"text": OFFER}], "prior": 0.15}).json()["results"][0]
            line = own.post("/v1/predict/stream", content=f'{{"text": "{OFFER}"}}\n'.encode()).json()
    finally:
        running.should_exit = True
        thread.join(timeout=15)
    assert by_setting["risk"]["score"] == line["risk"]["score"] == pytest.approx(_expected(analyser, 0.02), abs=5e-3)
    assert asked["risk"]["score"] == batch["risk"]["score"] == pytest.approx(_expected(analyser, 0.15), abs=5e-3)
    assert by_setting["risk"]["level"] == asked["risk"]["level"]


@pytest.mark.parametrize("value", ["0", "1", "1.5", "rare"])
def test_a_setting_out_of_range_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("VIGIE_PRIOR", value)
    load_settings.cache_clear()
    with pytest.raises(SettingsError, match="VIGIE_PRIOR"):
        load_settings()
    monkeypatch.delenv("VIGIE_PRIOR")
    load_settings.cache_clear()
