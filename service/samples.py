"""Sample texts, written for this page, that let a newcomer see the product at work."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sample:
    """A short French title and a text."""

    title: str
    text: str


SAMPLES: Final = (
    Sample(
        "Une offre à examiner",
        "Soins énergétiques à Varennes-le-Haut, au cabinet ou à distance sur photo.\n\n"
        "Depuis que j'ai reçu ce don de ma grand-mère, j'accompagne les personnes que la médecine a laissées sans réponse. "
        "Fibromyalgie, endométriose, dépression : je traite la cause, en libérant les mémoires de votre lignée. Plusieurs "
        "personnes ont pu ranger leurs antidépresseurs dès la troisième séance, le corps sait quand il n'en a plus besoin.\n\n"
        "Je ne suis pas médecin et ne pose pas de diagnostic. Forfait de dix séances : 1 900 €, à régler à l'inscription, "
        "non remboursable.",
    ),
    Sample(
        "Une offre prudente",
        "Réflexologie plantaire, sur rendez-vous à Montreuil-sous-Bois.\n"
        "Un moment pour souffler : une heure, allongé, au calme. La séance aide à se détendre et à relâcher les tensions de "
        "la semaine. Elle ne remplace pas un avis médical ; en cas de douleur qui dure, parlez-en à votre médecin.\n"
        "55 € la séance, 45 € pour les étudiants.",
    ),
    Sample(
        "Une mise en garde",
        "« En trois semaines, votre tumeur aura fondu » : c'est ce qu'on avait promis à ma sœur. Elle a arrêté sa chimio en "
        "mars. Je raconte ici ce qui s'est passé, parce que personne ne nous avait prévenus. L'association qui nous a aidés "
        "répond au téléphone du lundi au vendredi, n'attendez pas comme nous.",
    ),
)
