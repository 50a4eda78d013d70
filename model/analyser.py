"""One way through: a raw text in, a prediction with evidence out. The same code trains, serves and scores in batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from model import deadline, encoder, entities, language
from model.context import RuleHit
from model.context import affirmed as affirmed_rules
from model.decide import Affirmed, Decision, decide, with_prior
from model.described import described, raw_range
from model.document import Document, completed, glance, mentioned_targets, read_document
from model.errors import TextError
from model.evidence import ReadWindow, find_evidence
from model.features import View, bare_view, encoded
from model.firstlook import Looked
from model.labels import DEFAULT_OPERATING_POINT, INDICATORS, LEVELS, OPERATING_POINTS
from model.levels import level_of
from model.records import (
    SCORE_DECIMALS,
    Evidence,
    IndicatorScore,
    LanguageInfo,
    OperatingPointName,
    Prediction,
    Problem,
    Risk,
    Stance,
)
from model.signing import Trust
from model.store import Artefact, load_artefact
from model.text import MAX_CHARACTERS, check_text, sentences, windows, words_of

_LEAST_WORDS: Final = 3
_FEW_WORDS: Final = 8
_TELLING: Final = frozenset(
    {"practice", "condition"}
    | {
        f"lexicon.{name}"
        for name in ("cure_verb", "treatment_noun", "doctor_noun", "mystic_force", "pseudo_science_word", "danger_word")
    }
)


@dataclass(frozen=True, slots=True)
class Options:
    """How to analyse: operating point, base rate to assume for `risk.score` (None: that of the model card), limit.

    `screen`: whether cheap looks may leave alone a text that holds nothing to examine.
    """

    operating_point: OperatingPointName = "balanced"
    prior: float | None = None
    max_characters: int = MAX_CHARACTERS
    screen: bool = False


class Analyser:
    """Reads texts with one artefact. Thread-safe: nothing is kept from one text to the next."""

    def __init__(self, artefact: Artefact) -> None:
        self.artefact = artefact

    @classmethod
    def load(cls, root: Path, name: str | None = None, trust: Trust | None = None) -> "Analyser":
        """An analyser on the artefact `name` under `root` (default: the one that serves), ready for French texts.

        `trust`: the keys whose signature is believed, as for `model.store.load_artefact`.

        Raises:
            ArtefactError: the artefact cannot be trusted or is missing.
        """
        analyser = cls(load_artefact(root, name, trust))
        # One BLAS thread: small matrices gain nothing from more, and sums keep one order.
        threadpool_limits(limits=1, user_api="blas")
        encoder.warm_up()
        entities.warm_up()
        return analyser

    @staticmethod
    def warm_up() -> None:
        """Load what texts that may not be French need: seconds that the first of them would wait, or be out of time for."""
        language.warm_up()

    def predict(self, text: str, *, id: str | None = None, options: Options | None = None) -> Prediction:
        """The prediction of one text; a text that cannot be analysed gives status `error`, never an exception.

        Raises:
            ValueError: an option is out of range (operating point unknown, prior not in (0, 1)).
            OutOfTime: the caller gave a time limit (`model.deadline`), and it is over.
        """
        chosen = options or Options(DEFAULT_OPERATING_POINT)
        _check_options(chosen)
        blank = Prediction(id=id, status="error", model_version=self.artefact.version, operating_point=chosen.operating_point)
        try:
            check_text(text, chosen.max_characters)
        except TextError as error:
            return blank.model_copy(update={"error": Problem(code=error.code, message=error.message)})
        document = glance(text)
        if not document.text:
            message = "Le texte ne contient que des balises ou des caractères invisibles."
            return blank.model_copy(update={"error": Problem(code="empty_text", message=message)})
        return self._analyse(document, blank, chosen)

    def levels(self, text: str) -> dict[str, int]:
        """The level at each operating point, without passages or entities; for measuring.

        Raises:
            TextError: the text cannot be analysed.
        """
        check_text(text)
        document = read_document(text)
        logits = self.artefact.classifier.page([window.scores for window in self._read(_Seen.of(document))])
        mentioned = mentioned_targets(document)
        affirmed = self._affirmed(affirmed_rules(document.rules, document.cues))
        found = {}
        for name, point in self.artefact.points.items():
            decision = _judged(document, decide(logits, mentioned, point, affirmed))
            found[name] = level_of(decision.stance, decision.present, decision.targets).value
        return found

    def spares(self, text: str, point: str) -> bool:
        """Whether the cheap looks leave a text alone at an operating point; for measuring.

        Raises:
            TextError: the text cannot be analysed.
        """
        check_text(text)
        return isinstance(self._seen(glance(text), point), Looked)

    def _analyse(self, document: Document, blank: Prediction, options: Options) -> Prediction:
        guess = language.guess_language(document.text, [document.unit_text(unit) for unit in document.units])
        found: dict[str, object] = {"language": LanguageInfo(code=guess.code, confidence=guess.confidence)}
        if not guess.supported:
            message = f"Langue « {guess.code} » : Vigie ne juge que le français."
            found |= {
                "status": "unsupported_language",
                "warnings": [Problem(code="unsupported_language", message=message)],
            }
            return blank.model_copy(update=found)
        warnings = []
        if guess.mixed:
            warnings.append(Problem(code="mixed_language", message="Le texte mêle le français et une autre langue."))
        if _too_short(document):
            warnings.append(Problem(code="too_short", message="Texte trop court pour être jugé."))
        found["warnings"] = warnings
        seen = self._seen(document, options.operating_point if options.screen else None)
        if isinstance(seen, Looked):
            return blank.model_copy(update=found | self._left_alone(document, seen.logits, options))
        return blank.model_copy(update=found | self._in_full(seen, options))

    def _seen(self, document: Document, point: str | None) -> "Looked | _Seen":
        """What the encoder is to read of a document; the look that leaves it alone at an operating point, where one does."""
        looks = self.artefact.looks if point else None
        if looks is not None and point and not (looked := looks.glance(document, point)).matters:
            return looked
        seen = _Seen.of(completed(document))
        # A long page that the first look sends on is read in full: its windows are longer than what looks were tried on.
        if looks is None or not point or len(seen.parts) > 1:
            return seen
        looked = looks.again(seen.views, self.artefact.classifier.window_heads.features, point)
        return seen if looked.matters else looked

    def _in_full(self, seen: "_Seen", options: Options) -> dict[str, object]:
        """What the full analysis says of a French text."""
        document, read = seen.document, self._read(seen)
        point = self.artefact.points[options.operating_point]
        logits = self.artefact.classifier.page([window.scores for window in read])
        rules = affirmed_rules(document.rules, document.cues)
        decision = _judged(document, decide(logits, mentioned_targets(document), point, self._affirmed(rules)))
        return {
            **self._judgement(decision, options),
            "indicators": self._indicators(document, read, decision, rules),
            **described(document, decision.stance),
        }

    def _left_alone(self, document: Document, logits: NDArray[np.float64], options: Options) -> dict[str, object]:
        """What a cheap look says of a French text that holds nothing to examine: scores, and nothing present."""
        point = self.artefact.points[options.operating_point]
        decision = replace(_judged(document, decide(logits, mentioned_targets(document), point)), present=())
        return {
            "analysis": "screen",
            **self._judgement(decision, options),
            "indicators": self._indicators(document, (), decision, ()),
            **described(document, decision.stance, people=False),
        }

    def _judgement(self, decision: Decision, options: Options) -> dict[str, object]:
        return {
            "status": "ok",
            "risk": self._risk(decision, options),
            "stance": Stance.model_validate({"value": decision.stance, "scores": _summing_to_one(decision.stance_scores)}),
            "targets": list(decision.targets),
        }

    def _read(self, seen: "_Seen") -> list[ReadWindow]:
        views = []
        for part, bare in zip(seen.parts, seen.views, strict=True):
            deadline.check()
            views.append(encoded(part, bare))
        scores = self.artefact.classifier.score(views)
        return [ReadWindow(*items) for items in zip(seen.parts, views, scores, strict=True)]

    def _risk(self, decision: Decision, options: Options) -> Risk:
        level = level_of(decision.stance, decision.present, decision.targets)
        score = decision.flag
        if options.prior is not None:
            score = with_prior(score, float(self.artefact.manifest["base_rate"]), options.prior)
        return Risk(
            score=round(score, SCORE_DECIMALS),
            level=level.value,
            label=LEVELS[level.value].name,
            reasons=list(level.reasons),
        )

    def _affirmed(self, rules: Sequence[RuleHit]) -> Affirmed:
        return Affirmed(frozenset(hit.label for hit in rules), float(self.artefact.manifest["rule_precision"]))

    def _indicators(
        self, document: Document, read: Sequence[ReadWindow], decision: Decision, rules: Sequence[RuleHit]
    ) -> list[IndicatorScore]:
        found = []
        for label in INDICATORS:
            deadline.check()
            present = label.id in decision.present
            evidence = []
            if present:
                for shown in find_evidence(self.artefact.classifier, read, label.id, rules):
                    start, end, text = raw_range(document, shown.span)
                    evidence.append(
                        Evidence(
                            start=start,
                            end=end,
                            text=text,
                            source="rule" if shown.rule else "model",
                            score=round(shown.score, SCORE_DECIMALS),
                            rule=shown.rule,
                        )
                    )
            score = round(decision.scores[label.id], SCORE_DECIMALS)
            found.append(IndicatorScore(id=label.id, label=label.name, score=score, present=present, evidence=evidence))
        return found


@dataclass(frozen=True, slots=True)
class _Seen:
    """A document read whole, its windows, and their views without vectors."""

    document: Document
    parts: tuple[Document, ...]
    views: tuple[View, ...]

    @classmethod
    def of(cls, document: Document) -> "_Seen":
        parts = tuple(document.part(span) for span in windows(document.text, sentences(document.text)))
        return cls(document, parts, tuple(map(bare_view, parts)))


def _too_short(document: Document) -> bool:
    """Whether a text has too few words to be judged: under three, or under eight none of which speaks of care or belief."""
    count = len(words_of(document.text))
    if count >= _FEW_WORDS:
        return False
    return count < _LEAST_WORDS or not any(hit.table in _TELLING for hit in document.hits)


def _judged(document: Document, decision: Decision) -> Decision:
    """The decision, or neutral with nothing present where the text is too short to be judged (guide, section 4)."""
    return replace(decision, stance="neutral", present=()) if _too_short(document) else decision


def _check_options(options: Options) -> None:
    if options.operating_point not in OPERATING_POINTS:
        raise ValueError(f"Point de fonctionnement inconnu : {options.operating_point!r} ({', '.join(OPERATING_POINTS)}).")
    if options.prior is not None and not 0 < options.prior < 1:
        raise ValueError(f"Fréquence de base {options.prior} : un nombre entre 0 et 1, bornes exclues, est attendu.")


def _summing_to_one(scores: Mapping[str, float]) -> dict[str, float]:
    rounded = {name: round(value, SCORE_DECIMALS) for name, value in scores.items()}
    largest = max(rounded, key=lambda name: rounded[name])
    rest = sum(value for name, value in rounded.items() if name != largest)
    return rounded | {largest: round(1 - rest, SCORE_DECIMALS)}
