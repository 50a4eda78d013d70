"""Every setting in one class, read from the environment with the prefix VIGIE_; the defaults are safe on one machine."""

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from model.errors import VigieError
from model.labels import DEFAULT_OPERATING_POINT
from model.records import OperatingPointName
from model.signing import PRIVATE, TRUSTED, Keys, Trust
from model.text import MAX_CHARACTERS
from service.journaling import LogFormat, LogLevel

#: What VIGIE_PREVIOUS_SECRET_KEY is where tokens were made before there was any secret.
NO_SECRET: Final = "aucun"  # noqa: S105 - says that there was none

#: What is written nowhere, nor handed to another process, which reads it in the environment.
SECRETS: Final = frozenset({"admin_password", "secret_key", "previous_secret_key", "oidc_client_secret", "pseudonym_key"})


class SettingsError(VigieError):
    """A setting that cannot be used; the message names the variable and what was expected."""


class Settings(BaseSettings):
    """Settings of the command and the service; sizes in bytes or counts, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="VIGIE_", frozen=True, extra="ignore")

    model_dir: Annotated[Path, Field(description="Dossier des artefacts.")] = Path("artefacts")
    signing_key: Annotated[Path, Field(description="Clé privée qui signe les modèles, hors de leur dossier.")] = PRIVATE
    trusted_keys: Annotated[Path, Field(description="Clés publiques dont les modèles signés sont chargés.")] = TRUSTED
    database_url: Annotated[str, Field(description="Base de données (SQLAlchemy).")] = "sqlite:///var/vigie.db"
    database_pool: Annotated[int, Field(ge=1, le=500, description="Connexions à PostgreSQL gardées, par processus.")] = 5
    database_pool_more: Annotated[int, Field(ge=0, le=500, description="… et ouvertes en plus quand il en manque.")] = 10
    database_wait: Annotated[float, Field(gt=0, le=300, description="Attente d'une connexion libre.")] = 30.0
    database_connect_seconds: Annotated[int, Field(ge=2, le=300, description="Temps laissé à PostgreSQL pour l'ouvrir.")] = 10
    database_statement_seconds: Annotated[
        int, Field(ge=0, le=86_400, description="Temps laissé à une requête du service ; 0 : sans limite.")
    ] = 600
    database_application: Annotated[
        str, Field(pattern=r"^[!-~][ -~]{0,62}$", description="Nom que PostgreSQL montre (pg_stat_activity).")
    ] = "vigie"
    host: Annotated[str, Field(description="Adresse d'écoute.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535, description="Port d'écoute.")] = 8000
    operating_point: OperatingPointName = DEFAULT_OPERATING_POINT
    prior: Annotated[float | None, Field(gt=0, lt=1, description="Fréquence de base à supposer pour le score de risque.")] = None
    log_format: Annotated[LogFormat, Field(description="Lignes du journal de service : text ou json.")] = "text"
    log_level: Annotated[LogLevel, Field(description="Ce qu'il faut pour qu'une ligne y soit écrite.")] = "info"
    max_characters: Annotated[int, Field(ge=1, le=MAX_CHARACTERS)] = MAX_CHARACTERS
    max_items: Annotated[int, Field(ge=1, le=10_000)] = 256
    max_body_bytes: Annotated[int, Field(ge=1_000)] = 8_000_000
    max_line_bytes: Annotated[int, Field(ge=1_000)] = 200_000
    rate_per_minute: Annotated[int, Field(ge=0, description="Requêtes par client ; 0 : sans limite.")] = 0
    workers: Annotated[int, Field(ge=1, le=64, description="Processus qui servent.")] = 1
    compute_slots: Annotated[int, Field(ge=1, le=64, description="Textes analysés en même temps par un processus.")] = 1
    max_queue: Annotated[int, Field(ge=0, le=100_000, description="Requêtes en attente d'analyse, par processus.")] = 64
    max_wait: Annotated[float, Field(gt=0, le=3_600, description="Attente d'une requête avant d'être refusée.")] = 30.0
    max_streams: Annotated[int, Field(ge=1, le=10_000, description="Flux ouverts, par processus.")] = 16
    stream_idle: Annotated[float, Field(gt=0, description="Silence après lequel un flux est fermé.")] = 300.0
    timeout: Annotated[float, Field(gt=0, le=3_600, description="Temps d'analyse d'un texte.")] = 30.0
    model_poll: Annotated[float, Field(gt=0, le=60, description="Intervalle entre deux regards au modèle promu.")] = 1.0
    client_seconds: Annotated[float, Field(gt=0, le=3_600, description="Temps laissé à un client pour sa requête.")] = 30.0
    shutdown_seconds: Annotated[int, Field(ge=1, le=3_600, description="Temps laissé à ce qui est en cours à l'arrêt.")] = 30
    session_idle: Annotated[int, Field(ge=60, description="Silence après lequel une personne doit se reconnecter.")] = 28_800
    session_longest: Annotated[int, Field(ge=60, description="Durée d'une session, quoi qu'il arrive.")] = 604_800
    admin_login: Annotated[str | None, Field(description="Identifiant du premier compte d'administration.")] = None
    admin_password: Annotated[SecretStr | None, Field(description="Son mot de passe.")] = None
    scoring: Annotated[bool, Field(description="Analyser en tâche de fond les textes importés.")] = True
    scoring_batch: Annotated[int, Field(ge=1, le=1_000, description="Textes d'un lot analysé en tâche de fond.")] = 16
    spool_dir: Annotated[Path, Field(description="Où attendent les fichiers à importer.")] = Path("var/imports")
    max_import_bytes: Annotated[int, Field(ge=1_000)] = 2_000_000_000
    max_import_rows: Annotated[int, Field(ge=1)] = 5_000_000
    corpus_dir: Annotated[Path, Field(description="Corpus dont un challenger apprend.")] = Path("data/annotated")
    suites_dir: Annotated[Path, Field(description="Suites de cas ; DériveCheck y est cherchée.")] = Path("tests/suites")
    audit_anchor: Annotated[Path | None, Field(description="Fichier où relever la tête du journal d'audit.")] = None
    audit_anchor_seconds: Annotated[float, Field(ge=1, description="Intervalle entre deux relevés.")] = 3_600.0
    retention_new: Annotated[int, Field(ge=1, description="Jours de conservation d'un texte que personne n'a décidé.")] = 180
    retention_undecided: Annotated[int, Field(ge=1, description="… d'un texte sans conclusion.")] = 365
    retention_level0: Annotated[int, Field(ge=1, description="… d'un texte décidé de niveau 0.")] = 90
    retention_decided: Annotated[int, Field(ge=1, description="… d'un texte décidé de niveau 1 à 3, hors dossier.")] = 730
    retention_golden: Annotated[int, Field(ge=1, description="… d'un texte étalon.")] = 1_095
    retention_case: Annotated[int, Field(ge=1, description="… d'un dossier clos et de ses textes.")] = 1_825
    retention_stored: Annotated[int, Field(ge=1, description="… d'un texte gardé par l'API (store).")] = 90
    retention_feedback: Annotated[int, Field(ge=1, description="… d'une correction reçue par l'API.")] = 365
    retention_errors: Annotated[int, Field(ge=1, description="… des lignes refusées d'un import.")] = 90
    retention_files: Annotated[int, Field(ge=1, description="… d'un fichier d'import arrêté ou d'un export écrit.")] = 30
    retention_requests: Annotated[int, Field(ge=1, description="… d'une demande close d'une personne concernée.")] = 1_825
    purged_file: Annotated[Path, Field(description="Ce qui a été purgé, à appliquer à une sauvegarde restaurée.")] = Path(
        "var/purged.jsonl"
    )
    backup_dir: Annotated[Path | None, Field(description="Dossier des sauvegardes, dont « vigie doctor » regarde l'âge.")] = None
    pseudonym_key: Annotated[
        SecretStr | None, Field(description="Clé des pseudonymes des exports ; sinon, celle de la base.")
    ] = None
    start_check: Annotated[
        Literal["full", "quick", "none"], Field(description="Ce qui est vérifié d'une base SQLite au démarrage.")
    ] = "full"
    drift_threshold: Annotated[float, Field(gt=0, le=10, description="Indice de dérive d'où une mesure est en alerte.")] = 0.1
    demo: Annotated[bool, Field(description="Charger les textes de démonstration dans une base vide, au démarrage.")] = False
    require_key: Annotated[bool, Field(description="Demander une clé, ou d'être connecté, pour analyser par l'API.")] = False
    allow_remote: Annotated[bool, Field(description="Écouter ailleurs que sur la boucle locale.")] = False
    secret_key: Annotated[SecretStr | None, Field(description="Secret du service, tiré par « vigie secret ».")] = None
    previous_secret_key: Annotated[SecretStr | None, Field(description="Le secret d'avant, ou « aucun ».")] = None
    allowed_hosts: Annotated[str, Field(description="Noms sous lesquels le service répond, outre ceux de la machine.")] = ""
    trusted_proxies: Annotated[str, Field(description="Mandataires crus sur l'origine d'une requête.")] = "127.0.0.1,::1"
    account_rate_per_minute: Annotated[int | None, Field(ge=0, description="Requêtes par compte.")] = None
    key_rate_per_minute: Annotated[int | None, Field(ge=0, description="Requêtes par clé d'accès.")] = None
    oidc_issuer: Annotated[str | None, Field(description="Adresse du fournisseur d'identité (OpenID Connect).")] = None
    oidc_client_id: Annotated[str | None, Field(description="Identifiant de Vigie chez lui.")] = None
    oidc_client_secret: Annotated[SecretStr | None, Field(description="Secret de Vigie chez lui.")] = None
    oidc_name: Annotated[str, Field(description="Son nom, sur le bouton de connexion.")] = "le fournisseur d'identité"
    oidc_scopes: Annotated[str, Field(description="Ce qui lui est demandé.")] = "openid profile email"
    oidc_role_claim: Annotated[str, Field(description="Déclaration qui dit les rôles ; points pour descendre.")] = ""
    oidc_roles: Annotated[str, Field(description="Rôle que donne chaque valeur : valeur=rôle, séparés par « ; ».")] = ""
    oidc_create: Annotated[bool, Field(description="Ouvrir un compte à la première connexion.")] = True

    @property
    def keys(self) -> Keys:
        """Where the keys that sign models and that are believed are kept."""
        return Keys(self.signing_key, self.trusted_keys)

    def trust(self) -> Trust:
        """The keys whose models are loaded, read anew.

        Raises:
            SigningError: their file cannot be used.
        """
        return self.keys.trust()


@cache
def load_settings() -> Settings:
    """The settings of the environment.

    Raises:
        SettingsError: a variable has a value that is not of the expected kind; the message names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(f"VIGIE_{'_'.join(map(str, fault['loc'])).upper()} : {fault['msg']}" for fault in error.errors())
        raise SettingsError(f"Réglage invalide : {faults}.") from error


def names_given() -> frozenset[str]:
    """The names of all variables of the environment, those that are no setting included."""
    return frozenset(os.environ)


# The library of the counters reads this variable, and nothing else, when it is imported.
_SHARED = "PROMETHEUS_MULTIPROC_DIR"


def share_folder(folder: Path) -> None:
    """Name the folder that the processes of one service share (counters, last good model); to be called before they start."""
    os.environ[_SHARED] = str(folder)


def shared_folder() -> Path | None:
    """The folder that the processes of one service share; None where there is only one."""
    named = os.environ.get(_SHARED)
    return Path(named) if named else None
