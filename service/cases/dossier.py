"""The content of a dossier as plain data: what is written, word for word, in every form of export. Masked where asked."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from model.labels import INDICATOR_IDS, INDICATOR_NAMES
from service.cases.cases import STATUS_NAMES
from service.cases.excerpts import passage_of
from service.cases.gathering import APART_NAMES, Gathered, Read, SetApart
from service.cases.guidance import advice_block, law_questions, practice_sources, proposed_recipients, situation_of_texts
from service.cases.thirds import Masks, Span, shown
from service.cases.told import KIND, Told, awaiting, told_of
from service.themes import theme_name
from service.workplace.decided import REASON_NAMES, Decided, Mark
from service.workplace.textpage import CHANNEL_NAMES, KIND_NAMES, LEVEL_NAMES, NAMES, POINT_NAMES, VERDICT_NAMES

FORMAT: Final = "vigie-dossier-1"
WITNESS: Final = "[auteur masqué]"
HIDDEN_URL: Final = "[adresse masquée]"

Content = dict[str, Any]


def content_of(gathered: Gathered, *, masked: bool) -> Content:
    """What the dossier of a case holds. Two dossiers of an unchanged case hold the same; who exports, and when, is not in it."""
    case = gathered.case
    masks = _masks(gathered) if masked else Masks(on=False)
    held = [(one.item, one.prediction, one.holds) for one in gathered.read]
    situation = situation_of_texts(held, [one.kept.place for one in gathered.read], told_of(gathered.events))
    # A text in which people found nothing is named, and its words stay out: nobody needs them. A warning is a testimony.
    texts = [_text(one, gathered, masks, masked=masked) for one in gathered.read if not _is_cleared(one)]
    promoting = {one.kept.place for one in gathered.read if one.holds.level and one.holds.stance == "promotes"}
    practices = list(dict.fromkeys(id for one in texts if one["place"] in promoting for id in one["practices"]))
    content: Content = {
        "format": FORMAT,
        "masked": masked,
        "masked_values": 0,
        "case": _case(gathered, masks),
        "counts": _counts(gathered),
        "answers": [_answer(one, masks) for one in gathered.answers],
        "answer_awaited_by": [masks.words(one) for one in awaiting(gathered.answers, gathered.sendings)],
        "texts": texts,
        "cleared": [_cleared(one, gathered, masks) for one in gathered.read if _is_cleared(one)],
        "apart": [_apart(one, gathered, masks, masked=masked) for one in gathered.apart],
        "notes": [
            {"who": note.who, "at": _at(note.made_at), "text": masks.words(note.text)} for note in gathered.notes if note.exported
        ],
        "practices": practice_sources(practices),
        "recipients": _masked(proposed_recipients(situation, case.recipients), masks),
        "questions": _masked(law_questions(situation), masks),
        "sendings": [
            {"who": one.who, "recipient": one.recipient, "on": one.sent_on.isoformat(), "reference": one.reference}
            for one in gathered.sendings
        ],
        # Exports are left out: each would change the next one.
        "history": [
            {"who": event.who, "at": _at(event.made_at), "what": event_words(event.kind, event.detail)}
            for event in gathered.events
            if event.kind != "exported"
        ],
        "models": [dict(model) for model in gathered.models],
        "advice": advice_block(case.audience),
    }
    # Counted last: every word was read by then.
    content["masked_values"] = masks.count
    return content


def canonical(content: Any) -> bytes:
    """JSON in one form only: keys sorted, UTF-8, no spaces."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def digest_of(content: Any) -> str:
    """Hexadecimal SHA-256 of the canonical form."""
    return hashlib.sha256(canonical(content)).hexdigest()


def _at(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _masks(gathered: Gathered) -> Masks:
    names = {one.item.author for one in gathered.read if one.item.author and one.holds.stance == "promotes"}
    asked = [line.strip() for line in gathered.case.masks.splitlines() if line.strip()]
    masks = Masks(sorted({*names, gathered.case.concerned} - {""}), asked)
    for one in gathered.read:
        masks.learn(one.item.text, one.prediction, one.item.channel, promotes=one.holds.stance == "promotes")
        masks.read(*(decided.note for decided in one.decisions))
    masks.read(gathered.case.title, gathered.case.summary)
    masks.read(*(one.kept.why for one in gathered.read), *(one.kept.why for one in gathered.apart))
    masks.read(*(note.text for note in gathered.notes if note.exported), *(answer.text for answer in gathered.answers))
    return masks


def _masked(rows: Sequence[dict[str, Any]], masks: Masks) -> list[dict[str, Any]]:
    return [row | {"reasons": [masks.words(reason, reach=False) for reason in row["reasons"]]} for row in rows]


def _case(gathered: Gathered, masks: Masks) -> dict[str, Any]:
    case = gathered.case
    return {
        "name": case.name,
        "title": masks.words(case.title),
        "summary": masks.words(case.summary),
        "concerned": masks.words(case.concerned),
        "status": case.status,
        "status_name": STATUS_NAMES[case.status],
        "created_at": _at(case.created_at),
        "changed_at": _at(case.changed_at),
        "people": sorted(gathered.people.get(id, "?") for id in case.people),
    }


def _counts(gathered: Gathered) -> dict[str, Any]:
    signs = Counter(sign for one in gathered.read for sign in {mark.label for mark in one.holds.indicators})
    levels = Counter(one.holds.level for one in gathered.read)
    days = sorted(one.item.captured_at for one in gathered.read if one.item.captured_at)
    return {
        "read": len(gathered.read),
        "apart": len(gathered.apart),
        "levels": {str(level): levels[level] for level in range(3, -1, -1)},
        "signs": [{"id": id, "name": INDICATOR_NAMES[id], "texts": signs[id]} for id in INDICATOR_IDS if signs[id]],
        "from": _at(days[0]) if days else None,
        "to": _at(days[-1]) if days else None,
    }


def _answer(answer: Any, masks: Masks) -> dict[str, Any]:
    return {
        "received_on": answer.received_on.isoformat(),
        "way": answer.way_name,
        "text": masks.words(answer.text),
        "sha256": answer.sha256,
        "recorded_by": answer.who,
        "recorded_at": _at(answer.made_at),
        "replaced": answer.replaced,
    }


def _about(one: Read | SetApart, gathered: Gathered, masks: Masks) -> dict[str, Any]:
    item, kept = one.item, one.kept
    return {
        "place": kept.place,
        "id": item.id,
        "external_id": masks.words(item.external_id) or None,
        "source": masks.words(item.source),
        "channel": CHANNEL_NAMES.get(item.channel or "", item.channel),
        "theme": theme_name(item.theme) if item.theme else None,
        "captured_at": _at(item.captured_at),
        "received_at": _at(item.received_at),
        "sha256": item.sha256,
        "why": masks.words(kept.why),
        "added_by": gathered.people.get(kept.added_by, "?"),
        "added_at": _at(kept.added_at),
    }


def _apart(one: SetApart, gathered: Gathered, masks: Masks, *, masked: bool) -> dict[str, Any]:
    url = HIDDEN_URL if masked and one.item.url else one.item.url
    return _about(one, gathered, masks) | {"url": url, "state": one.why, "state_name": APART_NAMES[one.why]}


def _is_cleared(one: Read) -> bool:
    return not one.holds.level and one.holds.stance != "warns"


def _cleared(one: Read, gathered: Gathered, masks: Masks) -> dict[str, Any]:
    """A text that people read to the end without finding anything: what names it, without its words, author or address."""
    about = _about(one, gathered, masks)
    names = ("place", "id", "source", "channel", "captured_at", "received_at", "sha256", "why", "added_by", "added_at")
    return {name: about[name] for name in names} | {"state": "cleared", "state_name": "relu, aucun indice retenu"}


def _text(one: Read, gathered: Gathered, masks: Masks, *, masked: bool) -> dict[str, Any]:
    item, prediction = one.item, one.prediction
    spans = masks.spans(item.text)
    # Who writes without promoting anything is a witness, a victim or a journalist: a third party.
    witness = masked and one.holds.stance != "promotes"
    practices = list(dict.fromkeys(mention.id for mention in prediction.practices)) if prediction else []
    return _about(one, gathered, masks) | {
        "author": WITNESS if witness and item.author else masks.words(item.author) or None,
        "url": HIDDEN_URL if witness and item.url else item.url,
        "seen": item.seen,
        "file": f"textes/{one.kept.place:03d}.txt",
        "text": shown(item.text, 0, len(item.text), spans),
        "as_received": not spans,
        "pieces": _pieces(item.text, one.holds.indicators, spans),
        "decision": _decision(one.holds, one, gathered, masks, spans),
        "decisions": [_decision(decided, one, gathered, masks, spans) for decided in one.decisions],
        "model": _model(one, spans),
        "practices": practices,
    }


def _pieces(text: str, marks: Sequence[Mark], spans: Sequence[Span]) -> list[dict[str, Any]]:
    """The text cut where passages start and end; each piece names the numbers of its signs, in the guide's order."""
    labels = [id for id in INDICATOR_IDS if any(mark.label == id for mark in marks)]
    number = {label: place for place, label in enumerate(labels, start=1)}
    edges = sorted({0, len(text), *(mark.start for mark in marks), *(mark.end for mark in marks)})
    return [
        {
            "text": shown(text, start, end, spans, alone=start == 0),
            "signs": sorted({number[mark.label] for mark in marks if mark.start <= start and end <= mark.end}),
            "ends": sorted({number[mark.label] for mark in marks if mark.end == end}),
        }
        for start, end in pairwise(edges)
    ]


def _decision(decided: Decided, one: Read, gathered: Gathered, masks: Masks, spans: Sequence[Span]) -> dict[str, Any]:
    text = one.item.text
    return {
        "id": decided.id,
        "who": gathered.people.get(decided.user_id, "?"),
        "at": _at(decided.made_at),
        "kind": KIND_NAMES.get(decided.kind, decided.kind),
        "verdict": VERDICT_NAMES.get(decided.verdict, decided.verdict),
        "holds": decided.id == one.holds.id,
        "withdrawn": decided.kind != "withdrawal" and decided.id not in one.valid,
        "withdraws": decided.withdraws,
        "level": decided.level,
        "level_name": LEVEL_NAMES[decided.level] if decided.level is not None else None,
        "stance": NAMES.get(decided.stance or "", None),
        "targets": [NAMES[target] for target in decided.targets],
        "reason": REASON_NAMES.get(decided.reason or "", None),
        "note": masks.words(decided.note) or None,
        "model_version": decided.model_version,
        "operating_point": decided.operating_point,
        "passages": [passage_of(mark.label, text, mark.start, mark.end, spans) for mark in sorted(decided.indicators)],
    }


def _model(one: Read, spans: Sequence[Span]) -> dict[str, Any] | None:
    said = one.prediction
    if said is None:
        return None
    point = said.operating_point
    about = {"version": said.model_version, "operating_point": point, "operating_point_name": POINT_NAMES.get(point, point)}
    if said.risk is None or said.stance is None:
        return about | {"analysed": False}
    return about | {
        "analysed": True,
        "level": said.risk.level,
        "level_name": LEVEL_NAMES[said.risk.level],
        "score": said.risk.score,
        "stance": NAMES[said.stance.value],
        "present": [
            {
                "name": sign.label,
                "score": sign.score,
                "passages": [shown(one.item.text, place.start, place.end, spans) for place in sign.evidence],
            }
            for sign in said.indicators
            if sign.present
        ],
    }


_FIELDS: Final = {
    "title": "titre",
    "summary": "objet",
    "concerned": "personne ou structure concernée",
    "audience": "conseils",
    "masks": "expressions à masquer",
    "people": "personnes en charge",
    "recipients": "destinataires",
}


def event_words(kind: str, detail: Mapping[str, Any]) -> str:
    """What was done, in one French phrase, without the words of the texts."""
    count = len(detail.get("items", ()))
    texts = f"{count} texte" + ("s" if count > 1 else "")
    # Other kinds of event keep a number of texts under this name.
    gone = detail["texts"] if kind == "erased" else ()
    words = {
        "opened": "dossier ouvert",
        "edited": "modifié : " + ", ".join(_FIELDS.get(name, name) for name in detail),
        "moved": " → ".join(STATUS_NAMES.get(detail.get(name, ""), "?") for name in ("before", "after")),
        "added": f"{texts} ajouté" + ("s" if count > 1 else ""),
        "removed": f"{texts} retiré" + ("s" if count > 1 else ""),
        "erased": f"{texts} effacé"
        + ("s" if count > 1 else "")
        + " : "
        + ", ".join(f"{one['id']} (SHA-256 {one['sha256']})" for one in gone),
        "explained": "raison de la présence d'un texte récrite",
        "noted": "note ajoutée" + ("" if detail.get("exported") else " (interne)"),
        KIND: "dit du dossier : " + Told(bool(detail.get("victim")), bool(detail.get("urgency"))).words,
        "answered": "réponse de la personne concernée enregistrée" + (" (corrige une entrée)" if detail.get("replaces") else ""),
        "sent": f"dit transmis à {detail.get('recipient', '?')}",
        "exported": f"exporté ({detail.get('kind', '?')})",
    }
    return words.get(kind, kind)
