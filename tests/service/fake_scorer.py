"""A scorer whose texts do to their process what its words say; light, since processes of tests load it."""

import os
import signal
import time

from model import deadline
from model.records import Prediction
from service.batch.scoring import TextScorer


def _predict(text: str, id: str) -> Prediction:
    if text == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    elif text == "hangs":
        time.sleep(60)
    elif text == "slow":
        while True:
            time.sleep(0.01)
            deadline.check()
    return Prediction(id=id, status="ok", model_version="m", operating_point="balanced")


def load() -> TextScorer:
    return TextScorer("m", "balanced", _predict)
