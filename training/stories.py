"""Short stories of five sentences about a child, an animal and a thing, and the checker of their grammar.

A story is valid when it is one that `draw` can make for its prompt: each sentence one of its three forms, the child, the
animal and the thing the same all through, pronouns that fit, the friend somebody else, "an" before a vowel.
"""

import re
from random import Random

from problems import GIRLS, NAMES, PLACES, another, person

MOODS = ["little", "old", "happy", "small", "kind", "brave", "quiet", "big"]
ANIMALS = ["dog", "cat", "bird", "fox", "bear", "frog", "duck", "horse"]
TREASURES = ["red ball", "blue hat", "warm cake", "shiny key", "paper boat", "yellow flower", "long rope", "soft blanket"]
FEELINGS = ["happy", "proud", "glad", "tired", "calm"]


def article(word: str) -> str:
    return ("an " if word[0] in "aeiou" else "a ") + word


def sentences(n: str, S: str, s: str, mood: str, animal: str, thing: str, place: str, friend: str, feeling: str) -> list[list[str]]:
    """The three forms of each of the five sentences."""
    m = article(mood)
    return [
        [f"One day {n} went to the {place}.", f"Once there was a child named {n}.", f"In the morning {n} walked to the {place}."],
        [f"{S} saw {m} {animal} with a {thing}.", f"There {s} met {m} {animal}.", f"{m[0].upper()}{m[1:]} {animal} was looking for a {thing}."],
        [f"The {animal} lost the {thing} and was sad.", f"The {animal} wanted to play with the {thing}.", f'"Can you help me find the {thing}?" said the {animal}.'],
        [f"{n} and {friend} looked for it all day.", f"{S} said yes and they played until the sun went down.", f"{S} called {friend} and they helped the {animal}."],
        [f"In the end they were {feeling}.", f"Then they all went home and were {feeling}.", f"The {animal} said thank you and {n} was {feeling}."],
    ]


def draw(r: Random) -> tuple[str, str]:
    """One story: (prompt, text)."""
    n, S, s, _ = person(r)
    mood, animal, thing, place = r.choice(MOODS), r.choice(ANIMALS), r.choice(TREASURES), r.choice(PLACES)
    forms = sentences(n, S, s, mood, animal, thing, place, another(r, n), r.choice(FEELINGS))
    prompt = r.choice(
        [
            f"Tell a story about {n} and a {animal}.",
            f"Tell a story about {n} and {article(mood)} {animal}.",
            f"Tell a story about {n} and a {animal} at the {place}.",
            f"Write a short story about {n}, a {animal} and a {thing}.",
        ]
    )
    return prompt, " ".join(r.choice(f) for f in forms)


def subject(prompt: str) -> dict[str, str] | None:
    """What a prompt asks for: name and animal, and where it says so mood, place or thing."""
    for pattern in (
        r"Tell a story about (?P<name>\w+) and an? (?:(?P<mood>\w+) )?(?P<animal>\w+?)(?: at the (?P<place>\w+))?\.",
        r"Write a short story about (?P<name>\w+), a (?P<animal>\w+) and a (?P<thing>.+)\.",
    ):
        m = re.fullmatch(pattern, prompt)
        if m:
            return {k: v for k, v in m.groupdict().items() if v}
    return None


def valid(prompt: str, text: str) -> bool:
    """True when `draw` can answer the prompt with this text."""
    asked = subject(prompt)
    if not asked:
        return False
    n = asked["name"]
    S, s = ("She", "she") if n in GIRLS else ("He", "he")
    moods = [asked["mood"]] if "mood" in asked else MOODS
    words = {
        "a MOOD": [article(x) for x in moods],
        "A MOOD": [article(x).capitalize() for x in moods],
        "PLACE": [asked["place"]] if "place" in asked else PLACES,
        "FRIEND": [x for x in NAMES if x != n],
        "FEELING": FEELINGS,
    }
    for thing in [asked["thing"]] if "thing" in asked else TREASURES:
        forms = sentences(n, S, s, "MOOD", asked["animal"], thing, "PLACE", "FRIEND", "FEELING")
        pattern = " ".join(either(f) for f in forms)
        for slot, fillers in words.items():
            pattern = pattern.replace(re.escape(slot), either(fillers))
        if re.fullmatch(pattern, text):
            return True
    return False


def either(texts: list[str]) -> str:
    return "(?:" + "|".join(map(re.escape, texts)) + ")"
