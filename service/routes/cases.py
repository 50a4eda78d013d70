"""Cases: the list `/dossiers`, a case's page, its forms, its preview and exports, and the check of an archive."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection
from starlette.datastructures import FormData, UploadFile

from service.access import AnalystDep
from service.cases.blocks import moment
from service.cases.bundle import KINDS, keep_export, make_export
from service.cases.cases import STATUS_NAMES, Case, CaseError, StaleCaseError, Words, create_case, edit_case, find_case, move_case
from service.cases.contents import add_texts, explain_text, hidden_among, remove_text
from service.cases.dossier import content_of
from service.cases.gathering import gather
from service.cases.guidance import authority_names
from service.cases.layout import Export, blocks_of, title_of
from service.cases.lists import Wanted, list_cases, themes_of
from service.cases.pages import case_values, form_values, put_in_case
from service.cases.records import add_answer, add_note, add_sending
from service.cases.verify import known_export, verify
from service.pages import PageError, render
from service.routes.queue import FormDep, field_of, said_of
from service.state import State, StateDep
from service.workplace.people import Person, list_people
from service.workplace.times import now

router = APIRouter(include_in_schema=False)

_LATER: Final = "Ceux que vous pourriez lire à l'aveugle n'y sont pas encore."
_SAID: Final = {
    "cree": ("good", "Le dossier est ouvert."),
    "modifie": ("good", "Le dossier est modifié ; ce qui était écrit reste dans l'historique."),
    "etat": ("good", "L'état du dossier a changé."),
    "textes": ("good", "{n} texte ajouté.|{n} textes ajoutés."),
    "campagne": ("good", f"{{n}} texte ajouté. {_LATER}|{{n}} textes ajoutés. {_LATER}"),
    "retire": ("good", "Le texte est retiré du dossier ; l'historique le garde."),
    "raison": ("good", "La raison est enregistrée."),
    "note": ("good", "La note est enregistrée."),
    "reponse": ("good", "La réponse de la personne concernée est enregistrée."),
    "transmis": ("good", "La transmission est notée."),
}
_LINE_BREAKS: Final = str.maketrans(",;\n\r\t", "     ")


def _refused(error: CaseError, back: tuple[str, str], title: str = "Dossier non modifié") -> PageError:
    return PageError(409 if isinstance(error, StaleCaseError) else 422, title, str(error), back)


def _to_case(case: Case) -> tuple[str, str]:
    return f"/dossiers/{case.name}", f"Retour au dossier {case.name}"


def _found(state: State, name: str) -> Case:
    with state.engine.connect() as connection:
        case = find_case(connection, name[:36])
    if case is None:
        raise PageError(404, "Dossier introuvable", "Ce dossier n'existe pas.", ("/dossiers", "Retour aux dossiers"))
    return case


def _to(case: Case, told: str, place: str = "", **more: Any) -> Response:
    extra = "".join(f"&{name}={value}" for name, value in more.items())
    return RedirectResponse(f"/dossiers/{case.name}?dit={told}{extra}{place}", 303)


def _start(request: Request) -> int:
    given = parse_qs(request.url.query[:4_000]).get("debut", ["0"])[-1]
    return int(given) if given.isdecimal() and len(given) < 8 else 0


@router.get("/dossiers")
def show_list(request: Request, state: StateDep, person: AnalystDep) -> Response:
    """The list of cases."""
    wanted, start = Wanted.read(request.url.query), _start(request)
    with state.engine.connect() as connection:
        page = list_cases(connection, wanted, person, start)
        themes = themes_of(connection)
    names = authority_names()
    return render(
        request,
        "cases.html",
        person,
        page=page,
        wanted=wanted,
        start=start,
        themes=themes,
        names=names,
        people=list_people(state.engine),
        status_names=STATUS_NAMES,
    )


def _words(form: FormData) -> Words:
    lists = {
        name: tuple(one[:60] for one in form.getlist(name) if isinstance(one, str) and one) for name in ("people", "recipients")
    }
    return Words(
        field_of(form, "title"),
        field_of(form, "summary"),
        field_of(form, "concerned"),
        field_of(form, "audience") or None,
        field_of(form, "masks"),
        lists["people"],
        lists["recipients"],
    )


def _form(
    request: Request, state: State, person: Person, words: Words, *, case: Case | None = None, wrong: str = "", status: int = 200
) -> Response:
    values = form_values(list_people(state.engine), words)
    return render(request, "case_form.html", person, status, **values, case=case, wrong=wrong)


@router.get("/dossiers/nouveau")
def new(request: Request, state: StateDep, person: AnalystDep) -> Response:
    """The form of a new case."""
    return _form(request, state, person, Words("", people=(person.id,)))


@router.post("/dossiers")
def create(request: Request, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Open a case."""
    words = _words(form)
    try:
        case = create_case(state.engine, person, words)
    except CaseError as error:
        return _form(request, state, person, words, wrong=str(error), status=422)
    return _to(case, "cree")


@router.post("/dossiers/ajout")
def add_from_text(state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Put a text, from its own page, in a case that is open or new."""
    item_id = field_of(form, "item")[:36]
    try:
        with state.engine.begin() as connection:
            chosen, why, title = (field_of(form, one) for one in ("case", "case_why", "case_title"))
            name, added = put_in_case(connection, person, chosen, [item_id], why, title)
    except CaseError as error:
        raise _refused(error, (f"/textes/{quote(item_id)}", "Retour au texte"), "Texte non ajouté") from error
    return RedirectResponse(f"/dossiers/{name}?dit=textes&n={added}", 303)


@router.get("/dossiers/verifier")
def verify_form(request: Request, state: StateDep, person: AnalystDep) -> Response:
    """The form to check an archive."""
    return render(request, "case_verify.html", person, report=None, known=None, wrong="", at="")


@router.post("/dossiers/verifier")
def verify_file(request: Request, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Check an archive that was sent; nothing of it is kept."""
    given = form.get("file")
    if not isinstance(given, UploadFile):
        wrong = "Archive : choisissez un fichier."
        return render(request, "case_verify.html", person, 422, report=None, known=None, wrong=wrong, at="")
    with given.file as source:
        report = verify(source)
    with state.engine.connect() as connection:
        known = known_export(connection, report)
    try:
        at = moment(report.at) if report.at else ""
    except ValueError:
        at = ""
    return render(request, "case_verify.html", person, report=report, known=known, wrong="", at=at)


@router.get("/dossiers/{name}")
def show(name: str, request: Request, state: StateDep, person: AnalystDep) -> Response:
    """A case."""
    case = _found(state, name)
    values = case_values(state.engine, case.id, person, state.settings.model_dir, _start(request))
    return render(
        request, "case.html", person, **values, said=said_of(parse_qs(request.url.query[:4_000]), _SAID), kinds=list(KINDS)
    )


@router.get("/dossiers/{name}/modifier")
def edit_form(name: str, request: Request, state: StateDep, person: AnalystDep) -> Response:
    """The form to change a case."""
    case = _found(state, name)
    if not case.editable:
        raise PageError(
            409, "Dossier non modifiable", f"Ce dossier est {STATUS_NAMES[case.status]} : rouvrez-le d'abord.", _to_case(case)
        )
    words = Words(case.title, case.summary, case.concerned, case.audience, case.masks, case.people, case.recipients)
    return _form(request, state, person, words, case=case)


@router.post("/dossiers/{name}/modifier")
def edit(name: str, request: Request, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Change the words of a case."""
    case, words = _found(state, name), _words(form)
    try:
        edit_case(state.engine, case.id, person, words, _version(form))
    except CaseError as error:
        status = 409 if isinstance(error, StaleCaseError) else 422
        return _form(request, state, person, words, case=case, wrong=str(error), status=status)
    return _to(case, "modifie")


def _version(form: FormData) -> int:
    given = field_of(form, "version")
    return int(given) if given.isdecimal() and len(given) < 10 else -1


@router.post("/dossiers/{name}/etat")
def move(name: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Move a case to another status."""
    case = _found(state, name)
    try:
        move_case(state.engine, case.id, person, field_of(form, "status"), _version(form))
    except CaseError as error:
        raise _refused(error, _to_case(case)) from error
    return _to(case, "etat")


def _write(state: State, name: str, work: Callable[[Connection, Case], Any]) -> tuple[Case, Any]:
    """Change what a case holds, in one transaction."""
    case = _found(state, name)
    try:
        with state.engine.begin() as connection:
            return case, work(connection, case)
    except CaseError as error:
        raise _refused(error, _to_case(case)) from error


@router.post("/dossiers/{name}/textes")
def add(name: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Put texts in a case, by their identifiers, or all those of a campaign."""
    given, campaign = field_of(form, "items")[:40_000].translate(_LINE_BREAKS).split(), field_of(form, "campaign").strip()[:36]

    def work(connection: Connection, case: Case) -> int:
        ids = [one.rstrip("/").rsplit("/", 1)[-1].split("?")[0] for one in given]
        if campaign:
            from service.campaigns.links import items_of

            found = items_of(connection, campaign)
            if not found:
                raise CaseError(f"Campagne : « {campaign} » n'existe pas, ou n'a aucun texte.")
            # Those that still wait for a blind reading of this person come later.
            blind = hidden_among(connection, found, person)
            ids += [one for one in found if one not in blind]
        return add_texts(connection, case.id, person, ids, field_of(form, "why"))

    case, added = _write(state, name, work)
    return _to(case, "textes", "#textes", n=added)


@router.post("/dossiers/{name}/textes/{item_id}/retrait")
def remove(name: str, item_id: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Take a text out of a case."""
    case, _ = _write(state, name, lambda connection, case: remove_text(connection, case.id, person, item_id[:36]))
    return _to(case, "retire", "#textes")


@router.post("/dossiers/{name}/textes/{item_id}/raison")
def explain(name: str, item_id: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Say anew why a text is in a case."""
    why = field_of(form, "why")
    case, _ = _write(state, name, lambda connection, case: explain_text(connection, case.id, person, item_id[:36], why))
    return _to(case, "raison", "#textes")


@router.post("/dossiers/{name}/notes")
def note(name: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Keep a note."""
    text, exported = field_of(form, "text"), field_of(form, "exported") == "1"
    case, _ = _write(state, name, lambda connection, case: add_note(connection, case.id, person, text, exported=exported))
    return _to(case, "note", "#notes")


@router.post("/dossiers/{name}/reponses")
def answer(name: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Keep an answer of the person concerned."""
    on, way, text, before = (field_of(form, one) for one in ("received_on", "way", "text", "replaces"))
    case, _ = _write(state, name, lambda connection, case: add_answer(connection, case.id, person, on, way, text, before or None))
    return _to(case, "reponse", "#reponse")


@router.post("/dossiers/{name}/transmissions")
def sending(name: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Keep to whom the case was handed on; Vigie sends nothing."""
    to, on, reference = (field_of(form, one) for one in ("recipient", "sent_on", "reference"))
    case, _ = _write(state, name, lambda connection, case: add_sending(connection, case.id, person, to, on, reference))
    return _to(case, "transmis", "#destinataires")


@router.get("/dossiers/{name}/apercu")
def preview(name: str, request: Request, state: StateDep, person: AnalystDep) -> Response:
    """The dossier as its documents will read; nothing is written."""
    case = _found(state, name)
    content = content_of(gather(state.engine, case.id, person, state.settings.model_dir), masked=True)
    export = Export(person.name, now().isoformat(timespec="seconds"), request.app.version, "connue à l'export")
    return render(request, "case_preview.html", person, case=case, title=title_of(content), blocks=blocks_of(content, export))


@router.post("/dossiers/{name}/export")
def export(name: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Make a file of the dossier; the history of the case keeps who did, when, and the file's hashes."""
    case = _found(state, name)
    masked = field_of(form, "masked") != "0"
    if not masked and (person.masks or not person.may("reviewer")):
        raise PageError(
            403, "Accès réservé", "Exporter sans masquer demande le rôle « relecture », données personnelles montrées."
        )
    try:
        gathered = gather(state.engine, case.id, person, state.settings.model_dir)
        made = make_export(content_of(gathered, masked=masked), field_of(form, "kind"), person)
        keep_export(state.engine, gathered, person, made)
    except CaseError as error:
        raise _refused(error, _to_case(case), "Dossier non exporté") from error
    told = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(made.name)}", "X-Content-SHA256": made.file_sha256}
    return Response(made.data, media_type=made.media_type, headers=told | {"Cache-Control": "no-store"})
