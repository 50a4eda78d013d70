"""What the audit log records: every action by name, with the words that people read of it."""

from typing import Final

#: By action: what was done, in French. The part before the dot groups them on pages.
ACTIONS: Final = {
    "journal.open": "journal d'audit ouvert",
    "journal.export": "journal d'audit exporté",
    # Coming in and going out.
    "session.open": "connexion",
    "session.refused": "connexion refusée",
    "session.locked": "connexions suspendues après des échecs",
    "session.unlocked": "suspension levée",
    "session.close": "déconnexion",
    "session.revoked": "session fermée d'autorité",
    # Accounts, keys, settings.
    "account.create": "compte ouvert",
    "account.role": "rôle changé",
    "account.password": "mot de passe changé",
    "account.disable": "compte fermé",
    "account.enable": "compte rouvert",
    "account.link": "compte relié à un fournisseur d'identité",
    "key.create": "clé créée",
    "key.revoke": "clé révoquée",
    "setting.change": "réglage changé",
    # Personal data that people see.
    "masking.on": "données personnelles masquées",
    "masking.off": "données personnelles montrées",
    "text.view": "texte ouvert",
    "contact.view": "contact ouvert",
    "campaign.view": "campagne ouverte",
    "case.view": "dossier ouvert",
    # What people say of texts.
    "decision.made": "décision enregistrée",
    "decision.withdrawn": "décision retirée",
    "reading.given_up": "seconde lecture abandonnée",
    "golden.add": "texte étalon",
    "golden.remove": "retiré des étalons",
    "correction.received": "correction reçue",
    "text.commented": "commentaire enregistré",
    # Work on several texts at once: one record a text.
    "text.take": "texte pris",
    "text.release": "texte rendu",
    "text.free": "texte libéré d'autorité",
    "text.assign": "texte attribué",
    "campaign.decided": "décision prise dans une campagne",
    "campaign.change": "campagne changée",
    # In and out.
    "import.begin": "import demandé",
    "import.columns": "colonnes d'un import choisies",
    "import.stop": "import arrêté",
    "import.resume": "import repris",
    "import.end": "import terminé",
    "export.ask": "export demandé",
    "export.end": "export terminé",
    "export.fetch": "fichier d'un export téléchargé",
    "corpus.export": "corpus relu exporté",
    # Cases and their dossiers.
    "case.opened": "dossier créé",
    "case.edited": "dossier modifié",
    "case.moved": "état d'un dossier changé",
    "case.added": "texte ajouté à un dossier",
    "case.removed": "texte retiré d'un dossier",
    "case.erased": "texte d'un dossier effacé",
    "case.explained": "raison d'un texte récrite",
    "case.noted": "note ajoutée à un dossier",
    "case.told": "ce qui est su d'un dossier",
    "case.answered": "réponse de la personne concernée",
    "case.sent": "transmission notée",
    "case.exported": "dossier exporté",
    # Models.
    "model.promotion": "modèle mis en service",
    "model.override": "modèle mis en service contre la barrière",
    "model.rollback": "retour au modèle d'avant",
    "model.undone": "changement de modèle qui n'a pas eu lieu",
    "model.serves": "modèle servi",
    # Erasure, and what people ask about their data.
    "text.erase": "texte effacé",
    "text.pseudonymised": "texte pseudonymisé",
    "retention.plan": "purge préparée",
    "retention.purge": "purge faite",
    "privacy.request": "demande d'une personne concernée",
    "privacy.answer": "réponse à une demande",
    "privacy.refused": "demande refusée",
    "privacy.contested": "contestation à réexaminer",
    # What watches over the service.
    "backup.made": "sauvegarde faite",
    "backup.restored": "sauvegarde restaurée",
    "drift.reference": "référence de dérive changée",
}

#: How a record was acted on, in French.
MEANS: Final = {
    "session": "dans le navigateur",
    "key": "avec une clé d'accès",
    "command": "par la ligne de commande",
    "service": "par le service",
    "visitor": "sans être connecté",
}

#: The groups that the journal can be narrowed to: the beginning of an action, and its name.
GROUPS: Final = {
    "session": "Connexions",
    "account": "Comptes",
    "key": "Clés d'accès",
    "setting": "Réglages",
    "masking": "Masquage",
    "text": "Textes",
    "decision": "Décisions",
    "reading": "Relecture",
    "golden": "Textes étalons",
    "correction": "Corrections",
    "contact": "Contacts",
    "campaign": "Campagnes",
    "case": "Dossiers",
    "import": "Imports",
    "export": "Exports",
    "corpus": "Corpus",
    "model": "Modèles",
    "retention": "Purges",
    "privacy": "Demandes des personnes",
    "backup": "Sauvegardes",
    "drift": "Dérive",
    "journal": "Journal d'audit",
}
