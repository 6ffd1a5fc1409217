"""What planted rows say: small stories of six topics, each fact told in two wordings with the same meaning.

Wordings hold no three words in a row that are not a slot's. So rows that were not made from one another share almost no word 3-grams, as in real text,
at any number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

__all__ = ["FACTS", "QUESTIONS", "TOPICS", "WORDS", "Story", "Values", "draw_story", "draw_values", "facts_told", "question_told"]

Values = dict[str, str]
"""Slot → its words: who (first and last name), place and other (one word), n and m (numbers), item (adjective and noun), day ("12 March")."""

TOPICS = ("trade", "travel", "garden", "kitchen", "repair", "music")

QUESTIONS = (
    ("Report to {who} in {place} what {day} brought about {item}.", "Tell {who} from {place} everything of {day} concerning {item}."),
    ("Draft the {place} memo for {who} about {item} as of {day}.", "For {who}, summarise {item} in {place} up to {day}."),
    ("What did {who} note about {item} in {place} by {day}?", "By {day}, which {place} notes on {item} had {who} made?"),
    ("List the {item} news of {place} that {who} awaits since {day}.", "Since {day}, which {place} events with {item} concern {who}?"),
)

FACTS = {
    "trade": (
        (
            "{who} of {place} ordered {n} {item} from {other} on {day} for {m} euros.",
            "On {day} a buyer, {who} from {place}, paid {m} euros for {n} {item} made in {other}.",
        ),
        (
            "The {place} warehouse shipped {n} {item} to {who} in {other}, where {m} arrived by {day}.",
            "By {day}, {who} had received {m} of {n} {item} that {place} dispatched to {other}.",
        ),
        (
            "{who} returned {n} {item} to {place} on {day} after {m} complaints from {other}.",
            "After {other} complained {m} times, {n} {item} travelled to {place} again with {who} on {day}.",
        ),
        (
            "{who} and {place} agreed {n} euros for {item} on {day}, {m} below {other}.",
            "For {item} the {day} deal between {place} and {who} stood at {n} euros, undercutting {other} by {m}.",
        ),
    ),
    "travel": (
        (
            "{who} left {place} for {other} on {day} with {n} {item}, {m} kilometres away.",
            "Carrying {n} {item}, {who} set off {m} kilometres from {place} towards {other} on {day}.",
        ),
        (
            "The {place} ferry carried {n} {item} and {who} to {other} on {day}, {m} minutes late.",
            "Delayed by {m} minutes, {who} and {n} {item} reached {other} on {day} aboard a {place} ship.",
        ),
        (
            "{who} booked {n} {item} between {place} and {other} until {day}, paying {m} crowns.",
            "For {m} crowns, {who} reserved {n} {item} linking {other} with {place} through {day}.",
        ),
        (
            "Near {place}, {who} counted {n} {item} and {m} guests of {other} on {day}.",
            "{m} visitors from {other} and {n} {item} were near {place} on {day}, says {who}.",
        ),
    ),
    "garden": (
        ("{who} planted {n} {item} beside {place} on {day}, {m} more than {other}.", "Outdoing {other} by {m}, {who} put {n} {item} in {place} soil on {day}."),
        (
            "Frost in {place} killed {n} {item} that {who} bought from {other} for {m} euros before {day}.",
            "Before {day}, cold {place} nights cost {who} {n} {item}, {m} euros at {other} prices.",
        ),
        (
            "By {day}, {who} had watered {n} {item} in {place} and {m} in {other}.",
            "{place} saw {n} {item} watered, {other} another {m}, by {who} before {day}.",
        ),
        (
            "{who} sold {place} growers {n} {item} on {day}, keeping {m} for {other}.",
            "With {m} kept for {other}, {n} {item} went to {place} farmers through {who} on {day}.",
        ),
    ),
    "kitchen": (
        (
            "{who} baked {n} {item} in {place} on {day}, using {m} eggs from {other}.",
            "Needing {m} eggs, all {other} ones, {who} made {n} {item} in a {place} oven on {day}.",
        ),
        (
            "The {place} canteen served {n} {item} to {who} and {m} guests of {other} on {day}.",
            "On {day}, {m} people from {other} and {who} ate {n} {item} at a {place} table.",
        ),
        (
            "{who} spent {m} euros on {n} {item} in {place} by {day}, like {other}.",
            "Up to {day}, as in {other}, {place} billed {who} {m} euros for {n} {item}.",
        ),
        (
            "{place} cooks taught {who} {n} {item} on {day}, and {other} another {m}.",
            "On {day}, {who} learned {n} {item} from {place} chefs plus {m} from {other}.",
        ),
    ),
    "repair": (
        (
            "{who} repaired {n} {item} in {place} on {day} with {m} parts from {other}.",
            "Parts from {other}, {m} altogether, let {who} mend {n} {item} at {place} on {day}.",
        ),
        (
            "In {place}, {n} {item} failed on {day}, so {who} waited {m} hours for {other} mechanics.",
            "{who} lost {m} hours on {day} before {other} engineers reached {n} {item} stranded in {place}.",
        ),
        (
            "{who} inspected {n} {item} between {place} and {other} before {day} and rejected {m}.",
            "Of {n} {item} checked from {other} to {place} until {day}, {who} turned down {m}.",
        ),
        (
            "{place} paid {who} {m} crowns: {n} {item} rebuilt for {other} by {day}.",
            "By {day}, {other} had {n} {item} renewed, earning {who} {m} crowns from {place}.",
        ),
    ),
    "music": (
        (
            "{who} performed {n} {item} in {place} on {day} before {m} listeners from {other}.",
            "On {day}, {m} {other} listeners heard {who} give {n} {item} at {place}.",
        ),
        (
            "The {place} orchestra borrowed {n} {item} from {who} of {other} for {m} euros until {day}.",
            "Until {day}, {who} in {other} lent {place} musicians {n} {item}, charging {m} euros.",
        ),
        (
            "{who} recorded {n} {item} near {place} by {day}, selling {m} copies in {other}.",
            "{other} bought {m} recordings of {n} {item} that {who} finished near {place} by {day}.",
        ),
        (
            "{place} awarded {who} {m} crowns on {day} for {n} {item} composed in {other}.",
            "For writing {n} {item} in {other}, {who} won {m} {place} crowns on {day}.",
        ),
    ),
}
"""Topic → facts, each in two wordings."""

_LISTS = {
    "first": (
        "Ada Aldo Amira Anders Beata Bruno Carla Cemal Dagny Dario Edda Emil Farah Felix Gilda Goran Hanna Hugo Ilse Ivo Jana Jonas Katya Kiran "
        "Lena Leif Maja Marek Mira Nadia Nils Olga Oskar Paula Pavel Quinn Rosa Ruben Sanna Silvio Tarek Tilda Ulla Viktor Wanda Yara Yusuf Zora"
    ),
    "last": (
        "Abrams Almeida Bakker Berger Castell Cordova Dahl Dvorak Eriksen Esposito Farkas Fontaine Gallo Greene Haddad Holm Ibsen Jansen Jurado "
        "Kaya Kowal Larsen Lindt Lukic Marsh Moretti Nakata Novak Okafor Olsen Petrov Quist Ramos Rossi Sanchez Sorel Tanaka Toth Ueda Urban "
        "Valdez Varga Weber Winter Yilmaz Young Zeller Zuniga"
    ),
    "place": (
        "Aarhus Ankara Antwerp Athens Baku Basel Bergen Berlin Bilbao Bologna Bonn Bremen Brno Cairo Cork Cusco Dakar Delft Dover Dublin Durban "
        "Essen Fargo Faro Geneva Genoa Ghent Graz Hague Hanoi Havana Hobart Izmir Jaipur Kazan Kiel Kobe Kyoto Lagos Leeds Lecce Lille Lima Linz "
        "Lisbon Lodz Lucca Lyon Malmo Manila Mexico Milan Minsk Modena Munich Nairobi Nantes Naples Narvik Odense Oporto Osaka Oslo Padua "
        "Palermo Paris Parma Perth Pisa Prague Quito Reno Riga Rome Rouen Salem Seoul Siena Sofia Split Tallinn Tampa Tartu Tokyo Toledo Trento "
        "Trieste Tunis Turin Turku Utrecht Varna Venice Verona Vienna Vilnius Warsaw Zagreb Zurich"
    ),
    "adjective": (
        "plain fine rare spare modern sturdy simple handsome foreign local narrow broad heavy light dark pale bright costly cheap antique "
        "painted wooden famous unusual ordinary early woven tall short round square tiny"
    ),
    "month": "January February March April May June July August September October November December",
    "trade": (
        "kettles lamps chairs rugs clocks mirrors vases baskets ladders frames trays candles blankets cups barrels knives curtains desks pillows umbrellas"
    ),
    "travel": (
        "tickets cabins coaches seats suitcases guidebooks maps passports tents bicycles trams sleepers hostels tours rucksacks canoes sledges "
        "hampers parcels trunks"
    ),
    "garden": ("roses pears onions ferns tulips beans hedges vines apples lilies herbs plums poplars mosses leeks shrubs orchids irises willows cherries"),
    "kitchen": (
        "pies soups dumplings pancakes stews cakes sauces salads loaves biscuits omelettes noodles pickles puddings curries pastries waffles "
        "custards sausages cheeses"
    ),
    "repair": (
        "engines pumps bridges boilers roofs valves gears lifts fences gates cranes wagons pipes bearings generators radios tractors turbines cables locks"
    ),
    "music": (
        "violins flutes songs quartets waltzes trumpets symphonies pianos drums choirs ballads cellos operas harps marches concertos organs "
        "guitars hymns overtures"
    ),
}

WORDS = {name: tuple(words.split()) for name, words in _LISTS.items()}
"""Names, places, adjectives, months, and nouns by topic."""

_UNEVEN = {name: tuple(words[int(len(words) * ((i + 0.5) / 1024) ** 2)] for i in range(1024)) for name, words in WORDS.items()}
"""The same 1,024 long, so that ten bits choose and the first words of each list are common, as words are."""


@dataclass(frozen=True)
class Story:
    """What a row tells, before any wording. facts: (which fact of the topic, its values)."""

    topic: str
    question: int
    facts: tuple[tuple[int, Values], ...]


def draw_values(rng: Random, topic: str) -> Values:
    """Words for the slots, cut from one draw of bits, since a million rows need six million of them."""
    bits = rng.getrandbits(96)
    return {
        "who": f"{_UNEVEN['first'][bits & 1023]} {_UNEVEN['last'][bits >> 10 & 1023]}",
        "place": _UNEVEN["place"][bits >> 20 & 1023],
        "other": _UNEVEN["place"][bits >> 30 & 1023],
        "n": str(11 + (bits >> 40 & 8191)),
        "m": str(11 + (bits >> 53 & 8191)),
        "item": f"{_UNEVEN['adjective'][bits >> 66 & 1023]} {_UNEVEN[topic][bits >> 76 & 1023]}",
        "day": f"{1 + (bits >> 86 & 31) % 28} {WORDS['month'][(bits >> 91) % 12]}",
    }


def draw_story(rng: Random, facts: int) -> Story:
    """A story of so many facts on a topic."""
    topic = rng.choice(TOPICS)
    return Story(topic, rng.randrange(len(QUESTIONS)), tuple((rng.randrange(len(FACTS[topic])), draw_values(rng, topic)) for _ in range(facts)))


def question_told(story: Story, wording: int, fact: int = 0) -> str:
    """What is asked of the story, about one of its facts. wording: 0 or 1."""
    return QUESTIONS[story.question][wording].format_map(story.facts[fact][1])


def facts_told(story: Story, wording: int) -> list[str]:
    """One sentence a fact. wording: 0 or 1."""
    return [FACTS[story.topic][which][wording].format_map(values) for which, values in story.facts]
