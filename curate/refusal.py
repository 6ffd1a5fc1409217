"""Refusals, and what a model says to who asked it, in English, German, French and Spanish; and which rows are in another language, so that none was found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["KNOWN", "language_of", "phrase_of", "unknown_words"]

KNOWN: Mapping[str, str] = {"en": "English", "de": "German", "fr": "French", "es": "Spanish"}
"""Languages whose phrases are known, by ISO 639 code."""
SURE, READ, SHORT = 0.9, 300, 20
"""From which probability on a language counts, of how many characters it is told, and how many a text has at least."""

REFUSAL = {
    "en": r"\bas an? (?:ai|artificial intelligence|(?:large )?language model|virtual assistant|chatbot)\b"
    r"|\bi(?:'|’)?(?:m| am) (?:just |only )?an? (?:ai|(?:large )?language model|chatbot)\b"
    r"|\bi(?:'|’)?(?:m| am) (?:sorry|afraid),? (?:but )?(?:i |that )"
    r"|\bi (?:can(?:no|'|’)t|am (?:not able|unable) to|will not|won(?:'|’)t) "
    r"(?:assist|help|fulfil+|comply|provide|generate|create|answer|complete|access|browse)\b"
    r"|\bi (?:do not|don(?:'|’)t) have (?:access to (?:real-time|current|the internet|your)|personal (?:opinions|feelings|experiences|beliefs))"
    r"|\bmy (?:knowledge cut-?off|training data|last (?:knowledge )?update)\b|\bas of my (?:last|latest|knowledge)\b"
    r"|\bviolates? (?:our|my|the) (?:content |usage )?(?:policy|policies|guidelines)\b",
    "de": r"\bals (?:eine? )?(?:ki|künstliche intelligenz|(?:großes )?sprachmodell|virtueller assistent|chatbot)\b[^.!?\n]{0,30}?"
    r"\b(?:(?:kann|darf|habe|bin|besitze|möchte) ich|ist es mir)\b"
    r"|\bich bin (?:nur |lediglich )?eine? (?:ki|künstliche intelligenz|(?:großes )?(?:ki-)?sprachmodell|chatbot)\b"
    r"|\btut mir (?:sehr )?leid,? (?:aber )?(?:ich|dass|das|dabei|hierbei)\b"
    r"|\b(?:ich kann|kann ich|ich darf|darf ich)(?: (?:ihnen|dir|euch|leider|dabei|damit|hierbei|das|diese (?:an)?frage|dieser anfrage)){0,3} nicht "
    r"(?:weiter)?(?:helfen|beantworten|erfüllen|bereitstellen|erstellen|unterstützen|nachkommen)\b"
    r"|\bich habe keinen? (?:zugriff auf (?:echtzeit|aktuelle|das internet)|persönlichen? (?:meinung(?:en)?|gefühle|erfahrungen|überzeugungen))"
    r"|\bmeine[nr]? trainingsdaten\b|\bmeine[ms]? (?:letzten updates?|wissensstands?)\b"
    r"|\bverst(?:ö|oe)(?:ß|ss)t gegen (?:unsere|meine|die) (?:inhalts|nutzungs)?(?:richtlinien|bedingungen)\b",
    "fr": r"\ben tant qu(?:e |'|’)(?:une? )?(?:ia|intelligence artificielle|(?:grand )?modèle (?:de langage|linguistique)|assistant virtuel|chatbot)\b"
    r"|\bje (?:ne )?suis (?:qu(?:'|’))?une? (?:simple )?(?:ia|intelligence artificielle|modèle (?:de langage|linguistique)|chatbot)\b"
    r"|\bdésolée?,? (?:mais )?(?:je|cela|ça)\b"
    r"|\bje ne (?:peux pas|suis pas (?:en mesure|capable) (?:de|d(?:'|’))|saurais) ?(?:vous |te |t(?:'|’)|y )?"
    r"(?:aider|assister|répondre|fournir|générer|créer|satisfaire)\b"
    r"|\bje n(?:'|’)ai pas (?:accès (?:à internet|aux données en temps réel|à des informations)|d(?:'|’)(?:opinions?|expériences?|émotions?) personnel)"
    r"|\bmes données d(?:'|’)entraînement\b|\bma dernière mise à jour\b"
    r"|\bcontraires? (?:à|aux) (?:nos|mes|la|les|notre) (?:politiques?|directives|conditions d(?:'|’)utilisation)\b",
    "es": r"\bcomo (?:una? )?(?:ia|inteligencia artificial|(?:gran )?modelo de lenguaje|asistente virtual|chatbot)\b[^.!?\n]{0,30}? "
    r"(?:no (?:puedo|tengo|soy|estoy)|mi|yo)\b"
    r"|\bsoy (?:solo |sólo |solamente )?una? (?:ia|inteligencia artificial|modelo de lenguaje|chatbot|asistente virtual)\b"
    r"|\blo (?:siento|lamento)(?: mucho)?,? (?:pero )?(?:no|eso|esto)\b"
    r"|\bno (?:puedo|podré|soy capaz de|estoy en condiciones de) (?:ayudar|asistir|proporcionar|generar|crear|responder|cumplir|brindar)"
    r"|\bno tengo (?:acceso a (?:internet|(?:información|datos) en tiempo real)|(?:opiniones|sentimientos|experiencias|creencias) personales)"
    r"|\bmis datos de entrenamiento\b|\bmi última actualización\b"
    r"|\b(?:viola|infringe|incumple) (?:nuestras?|mis|las?) (?:políticas?|directrices|normas)\b",
}
"""Refusals and a model's words on itself."""
OPENING = {
    "en": r"(?:sure|certainly|of course|absolutely|great|okay|ok)\b[!,. ]+(?:here|i|let|this|that)\b"
    r"|here(?:'|’)?s? (?:is |are )?(?:an?|the|your|some|one) (?:\w+ ){0,4}?"
    r"(?:example|version|paraphrase|response|answer|instruction|question|rewrit\w+|variation)s?\b",
    "de": r"(?:natürlich|gerne?|klar|selbstverständlich|sicher)\b[!,. ]+(?:hier|ich|lass)\b"
    r"|hier (?:ist|sind) (?:eine?|der|die|das|ihre?|deine?|einige) (?:\w+ ){0,4}?(?:beispiel|antwort|version|umformulierung|anweisung|frage|variante)",
    "fr": r"(?:bien sûr|certainement|d(?:'|’)accord|volontiers)\b ?[!,. ]+(?:voici|voilà|je)\b"
    r"|voici (?:une?|la|le|les|votre|quelques) (?:\w+ ){0,4}?(?:exemple|version|réponse|paraphrase|reformulation|instruction|question|variante)s?\b",
    "es": r"(?:claro(?: que sí)?|por supuesto|desde luego)\b[!,. ]+(?:aquí|a continuación|te|le)\b"
    r"|aquí (?:tienes?|está|hay) (?:una?|la|el|los|las|tu|su|algunas?) (?:\w+ ){0,4}?"
    r"(?:ejemplo|versión|respuesta|paráfrasis|instrucción|pregunta|variante)s?\b",
}
"""What a model says before the text that was asked for."""
CLOSING = {
    "en": r"(?:i )?hope (?:this|that) helps|let me know if you|feel free to (?:ask|reach)|is there anything else i can",
    "de": r"ich hoffe,? (?:das|dies) hilft|lass(?:en sie)? (?:es )?mich wissen,? (?:wenn|falls)|kann ich (?:ihnen|dir) (?:sonst )?noch",
    "fr": r"j(?:'|’)espère que (?:cela|ça) (?:vous |t(?:'|’))?aide|n(?:'|’)hésite[sz]? pas à (?:me|demander)|faites-moi savoir si",
    "es": r"espero que (?:esto|eso) (?:te |le )?(?:ayude|sirva)|no dudes? en (?:preguntar|decir|contactar)|hazme saber si|avísame si",
}
"""What it says after it."""
ANYWHERE = re.compile("|".join(REFUSAL.values()), re.I)
ENDS = re.compile(rf"^\W*(?:{'|'.join(OPENING.values())})", re.I), re.compile(rf"(?:{'|'.join(CLOSING.values())})[^\n]{{0,80}}\W*$", re.I)


def phrase_of(row: Mapping[str, Any]) -> str | None:
    """A refusal, or a phrase that a model says to who asked it, as it stands in the row; None where there is none.

    A refusal counts in any text, for the prompts are generated too; openings and closings at the ends of prompt and response.
    """
    for name in ("response", "prompt", "context"):
        text = row[name] or ""
        patterns = (ANYWHERE,) if name == "context" else (ANYWHERE, *ENDS)
        if found := next((m for p in patterns if (m := p.search(text))), None):
            return found.group().strip()[:80]
    return None


def language_of(text: str | None) -> str | None:
    """The language of a text as an ISO 639 code, by py3langid; None where the text is short or the language in doubt."""
    if text is None or sum(map(str.isalpha, text[:READ])) < SHORT:
        return None
    from curate.signals.text_quality import identifier

    code, chance = identifier().classify(text[:READ])
    return str(code) if chance >= SURE and code != "zxx" else None


def unknown_words(languages: Iterable[str | None]) -> str:
    """How many rows are in languages whose phrases are not known, in words; "" where none is."""
    found = Counter(code for code in languages if code and code not in KNOWN)
    told = ", ".join(f"{code} {n:,}" for code, n in found.most_common(5))
    return f"{sum(found.values()):,} rows are in languages of which no refusal is known ({told}); known are {', '.join(KNOWN.values())}" if told else ""
