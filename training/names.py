"""French names of what describes a corpus text beside its labels."""

from collections.abc import Mapping
from typing import Final

LOOKALIKES: Final[Mapping[str | None, str]] = {
    "warning": "mise en garde",
    "victim": "récit de victime",
    "news": "presse, justice",
    "satire": "satire",
    "question": "question, hésitation",
    "regulated_care": "soin reconnu",
    "prudent_wellness": "bien-être prudent",
    "homonym": "mêmes mots, autre monde",
}
REGISTERS: Final[Mapping[str | None, str]] = {
    "polished": "soigné",
    "commercial": "commercial",
    "chatty": "parlé",
    "sms": "SMS",
    "capitals": "capitales",
    "scholarly": "savant",
    "speech": "transcrit",
    "plain": "sec",
}
GENRES: Final[Mapping[str | None, str]] = {
    "presentation": "présentation",
    "service": "prestation",
    "faq": "questions fréquentes",
    "testimonial": "témoignages",
    "price_list": "tarifs",
    "blog": "article",
    "event": "événement",
    "legal_notice": "mentions légales",
    "menu_remains": "restes de menu",
    "entry": "fiche d'annuaire",
    "other": "autre passage",
}
REGIONS: Final[Mapping[str | None, str]] = {
    None: "France métropolitaine, ou sans marque",
    "be": "Belgique",
    "ch": "Suisse",
    "qc": "Québec",
    "antilles": "Antilles",
    "reunion": "Réunion",
    "africa": "Afrique",
}
MARKS: Final[Mapping[str | None, str]] = {
    "soft_sentence": "une seule phrase douce fait le risque",
    "facade_disclaimer": "clause de prudence de façade",
    "evasive_spelling": "graphie d'évitement",
    "noise": "bruit",
    "person_at_risk": "personne en danger",
}
CONTRASTS: Final[Mapping[str | None, str]] = {
    "negation": "négation",
    "bare_negation": "négation sans « ne »",
    "condition": "condition",
    "question": "question",
    "quotation": "citation",
    "warning": "mise en garde",
    "regret": "regret",
    "recognised_care": "soin reconnu",
    "speaker": "qui parle",
}
