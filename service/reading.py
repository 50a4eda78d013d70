"""One request's way of reading its texts: one model, one operating point, one base rate, whatever is promoted meanwhile."""

import json
import logging
from typing import Any, Final

from pydantic import ValidationError

from model.analyser import Analyser, Options
from model.deadline import within
from model.errors import OutOfTime
from model.records import OperatingPointName, Prediction, Problem
from service.metrics import Metrics
from service.schemas import PredictItem
from service.settings import Settings

_LOG: Final = logging.getLogger("vigie")


class Reader:
    """Reads texts, items and lines within the limits of the service; what it returns is counted. Safe in any thread."""

    def __init__(
        self,
        analyser: Analyser,
        settings: Settings,
        metrics: Metrics,
        point: OperatingPointName | None = None,
        prior: float | None = None,
    ) -> None:
        self._analyser = analyser
        self._settings = settings
        self._metrics = metrics
        assumed = settings.prior if prior is None else prior
        self._options = Options(point or settings.operating_point, assumed, settings.max_characters)

    def text(self, text: str, id: str | None = None) -> Prediction:
        """The prediction of a text; one that takes too long, or that breaks the analysis, is a prediction with an error."""
        seconds = self._settings.timeout
        try:
            with within(seconds):
                prediction = self._analyser.predict(text, id=id, options=self._options)
        except OutOfTime:
            return self.failed(id, "timeout", f"L'analyse du texte a dépassé {seconds:g} s.")
        except Exception as error:
            # Nothing that one text does may spoil those beside it; the message of an error may quote the text.
            _LOG.error("Un texte n'a pas pu être analysé (%s).", type(error).__name__)
            return self.failed(id, "invalid_text", f"Le texte n'a pas pu être analysé ({type(error).__name__}).")
        self._metrics.count(prediction)
        return prediction

    def item(self, item: Any) -> Prediction:
        """The prediction of an item of a batch; one that is not a text is a prediction with an error."""
        try:
            checked = PredictItem.model_validate(item)
        except ValidationError as error:
            given = item.get("id") if isinstance(item, dict) else None
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"])) or "élément"
            message = f'Champ « {place} » : un objet {{"id"?: chaîne, "text": chaîne}} est attendu ({fault["type"]}).'
            known = given if isinstance(given, str) and given.isprintable() else None
            return self.failed(known, "invalid_text", message)
        return self.text(checked.text, checked.id)

    def line(self, number: int, line: bytes | None) -> Prediction:
        """The prediction of a line of a stream; None stands for a line that was too long to be kept."""
        if line is None:
            message = f"Ligne {number} : plus de {self._settings.max_line_bytes} octets."
            return self.failed(None, "invalid_text", message)
        try:
            return self.item(json.loads(line))
        except (ValueError, RecursionError):
            return self.failed(None, "invalid_text", f"Ligne {number} : JSON illisible (UTF-8 attendu).")

    def failed(self, id: str | None, code: str, message: str) -> Prediction:
        """The prediction of what could not be analysed."""
        prediction = Prediction(
            id=id,
            status="error",
            model_version=self._analyser.artefact.version,
            operating_point=self._options.operating_point,
            error=Problem(code=code, message=message),
        )
        self._metrics.count(prediction)
        return prediction


def encoded(prediction: Prediction) -> bytes:
    """A prediction as JSON, on one line; done where the text is read, so that the event loop stays free."""
    return prediction.model_dump_json().encode()
