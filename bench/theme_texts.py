"""Texts as people write them under a poll: eight themes in four languages, from phrases, with typos and chatter."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime

from feedback.texts import Text

NOW = datetime(2026, 11, 16, tzinfo=UTC)
LANGUAGES = ("en", "en", "en", "de", "es", "fr")
# theme → language → (what it is about, what is wrong with it)
PHRASES: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "slow": {
        "en": (("it", "the scan", "recognition", "the answer", "loading"),
               ("takes forever", "is so slow", "needs ages", "lags a lot", "is really sluggish", "takes ten seconds")),
        "de": (("es", "der Scan", "die Erkennung", "das Laden"),
               ("dauert ewig", "ist viel zu langsam", "ruckelt ständig", "braucht zehn Sekunden")),
        "es": (("el escaneo", "la respuesta", "cargar"), ("tarda mucho", "es muy lento", "va lentísimo")),
        "fr": (("le scan", "la réponse", "le chargement"), ("prend trop de temps", "est très lent", "rame")),
    },
    "heat": {
        "en": (("my phone", "the phone", "the device", "the back"),
               ("gets hot", "is burning", "heats up", "overheats after a minute", "feels warm")),
        "de": (("mein Handy", "das Telefon", "die Rückseite"), ("wird heiß", "glüht", "überhitzt", "wird sehr warm")),
        "es": (("mi teléfono", "el móvil"), ("se calienta", "está ardiendo", "se sobrecalienta")),
        "fr": (("mon téléphone", "l'appareil"), ("chauffe", "est brûlant", "surchauffe vite")),
    },
    "battery": {
        "en": (("the battery", "my charge", "power"), ("drains fast", "is empty by noon", "drops 20 percent", "dies")),
        "de": (("der Akku", "die Batterie"), ("ist schnell leer", "hält nicht mehr", "verliert 20 Prozent")),
        "es": (("la batería", "la carga"), ("se agota rápido", "no dura nada", "baja mucho")),
        "fr": (("la batterie", "l'autonomie"), ("se vide vite", "ne tient pas", "fond")),
    },
    "wrong": {
        "en": (("it", "the scan", "the result", "the label"),
               ("was wrong", "showed another item", "mixed up products", "recognized a wrong thing", "guessed")),
        "de": (("das Ergebnis", "der Scan", "die Anzeige"), ("war falsch", "zeigte anderes", "verwechselt alles")),
        "es": (("el resultado", "la etiqueta"), ("era incorrecto", "mostró otra cosa", "se confundió")),
        "fr": (("le résultat", "l'étiquette"), ("était faux", "montrait autre chose", "s'est trompé")),
    },
    "crash": {
        "en": (("the app", "it", "everything"), ("crashed", "closes by itself", "froze and quit", "stopped working")),
        "de": (("die App", "alles"), ("stürzt ab", "schließt sich von selbst", "hängt sich auf")),
        "es": (("la app", "la aplicación"), ("se cierra sola", "se bloquea", "dejó de funcionar")),
        "fr": (("l'appli", "l'application"), ("plante", "se ferme toute seule", "se bloque")),
    },
    "dark": {
        "en": (("in low light", "at night", "in the dark", "without lamp"),
               ("it sees nothing", "the camera fails", "no item is found", "it cannot focus")),
        "de": (("bei wenig Licht", "nachts", "im Dunkeln"), ("erkennt sie nichts", "versagt die Kamera")),
        "es": (("con poca luz", "de noche"), ("no ve nada", "la cámara falla")),
        "fr": (("la nuit", "dans le noir"), ("elle ne voit rien", "la caméra échoue")),
    },
    "privacy": {
        "en": (("my photos", "my data", "the pictures"), ("go where", "are uploaded I fear", "should stay private")),
        "de": (("meine Fotos", "meine Daten"), ("gehen wohin", "sollten privat bleiben", "werden hochgeladen")),
        "es": (("mis fotos", "mis datos"), ("adónde van", "deberían ser privados")),
        "fr": (("mes photos", "mes données"), ("vont où", "devraient rester privées")),
    },
    "praise": {
        "en": (("love it", "great", "works well", "nice app"), ("thank you", "very helpful", "keep on", "five stars")),
        "de": (("super", "klasse", "funktioniert gut"), ("danke", "sehr hilfreich", "weiter so")),
        "es": (("genial", "me encanta"), ("gracias", "muy útil")),
        "fr": (("super", "j'adore"), ("merci", "très utile")),
    },
}  # fmt: skip
OPENINGS = {
    "en": ("", "", "hi,", "honestly", "since the update", "sorry but", "well", "sometimes", "again"),
    "de": ("", "", "hallo,", "ehrlich gesagt", "seit dem Update", "leider", "manchmal"),
    "es": ("", "", "hola,", "la verdad", "desde la actualización", "a veces"),
    "fr": ("", "", "bonjour,", "franchement", "depuis la mise à jour", "parfois"),
}
ENDINGS = {
    "en": ("", "", "please fix", "on my old phone", "every time", "when shopping", "with milk", "at the store", "!!!"),
    "de": ("", "", "bitte beheben", "auf meinem alten Gerät", "jedes Mal", "beim Einkaufen", "im Laden", "!!!"),
    "es": ("", "", "por favor", "en mi móvil viejo", "cada vez", "en la tienda", "!!!"),
    "fr": ("", "", "merci de corriger", "à chaque fois", "au magasin", "!!!"),
}


def a_text(rng: random.Random, theme: str, *, stray: float = 0.1, languages: Sequence[str] = LANGUAGES) -> str:
    """Return a text of a theme; with chance `stray` it speaks of another one too."""
    language = rng.choice(languages)
    parts = [rng.choice(OPENINGS[language]), _phrase(rng, theme, language)]
    if rng.random() < stray:
        parts.append(_phrase(rng, rng.choice(sorted(PHRASES)), language))
    parts.append(rng.choice(ENDINGS[language]))
    return _typo(rng, " ".join(part for part in parts if part))


def _phrase(rng: random.Random, theme: str, language: str) -> str:
    about, wrong = PHRASES[theme][language]
    return f"{rng.choice(about)} {rng.choice(wrong)}"


def _typo(rng: random.Random, text: str) -> str:
    if rng.random() > 0.25 or len(text) < 4:
        return text
    place = rng.randrange(1, len(text) - 2)
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    return rng.choice((swapped, text[:place] + text[place + 1 :]))


def corpus(seed: int, n: int, *, languages: Sequence[str] = LANGUAGES) -> list[tuple[str, str]]:
    """Return (text, theme) of n texts, themes some themes rarer than others."""
    rng = random.Random(seed)
    shares = {theme: 1 / (1 + 0.3 * place) for place, theme in enumerate(PHRASES)}
    drawn = rng.choices(list(shares), weights=list(shares.values()), k=n)
    return [(a_text(rng, theme, languages=languages), theme) for theme in drawn]


def texts(seed: int, n: int, *, people: int | None = None, release: str | None = None) -> list[Text]:
    """Return answers of many people; bad ratings go with all themes but praise."""
    rng = random.Random(seed)
    return [
        Text(
            words=words,
            install=f"i{seed}-{rng.randrange(people or n)}",
            at=NOW,
            is_low=(theme != "praise") == (rng.random() < 0.9),
            release=release,
        )
        for words, theme in corpus(seed, n)
    ]
