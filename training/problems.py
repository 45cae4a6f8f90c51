"""Grade-school word problems in the shape of GSM8K (Cobbe et al. 2021): a question, a short chain of thought with every
calculation written out, and `#### answer`.

Numbers are whole and every result has two digits, so that what varies is the wording: each step of the chain is said in one
of three ways, chosen evenly and apart from the question, that differ in length and in the place of the numbers. A reader of
the question cannot know which comes, so tokens that are revealed together can contradict each other, as in real text.
"""

from dataclasses import dataclass, field
from random import Random

GIRLS = ["Mia", "Anna", "Lily", "Emma", "Zoe", "Nora", "Ruby", "Ella", "Ivy", "Rosa"]
BOYS = ["Tom", "Leo", "Sam", "Ben", "Max", "Jack", "Noah", "Adam", "Hugo", "Omar"]
NAMES = GIRLS + BOYS
THINGS = ["apples", "pears", "coins", "books", "cards", "stamps", "shells", "pens", "stones", "cookies"]
THINGS += ["eggs", "plums", "toys", "beads", "cups", "nuts", "kites", "balls", "roses", "figs"]
BOXES = ["boxes", "bags", "baskets", "jars", "trays", "packs"]
PLACES = ["shop", "park", "school", "market", "farm", "library"]
DAYS = ["Monday", "Tuesday", "Friday", "Sunday"]
SEATS = ["chairs", "desks", "trees", "seats", "plants"]
SMALLEST, LARGEST = 10, 99  # of every result


class Unfit(Exception):
    """A result left the range; the draw is thrown away."""


@dataclass
class Problem:
    question: list[str] = field(default_factory=list)  # sentences
    steps: list[str] = field(default_factory=list)
    result: int = 0

    def ask(self, *wordings: str, r: Random) -> None:
        self.question.append(r.choice(wordings))

    def step(self, *wordings: str, r: Random) -> None:
        self.steps.append(r.choice(wordings))

    def calculate(self, a: int, operator: str, b: int) -> str:
        """`a+b=c`; the result becomes the problem's."""
        if operator == "/" and a % b:
            raise Unfit
        c = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[operator]
        if not SMALLEST <= c <= LARGEST:
            raise Unfit
        self.result = c
        return f"{a}{operator}{b}={c}"


def person(r: Random) -> tuple[str, str, str, str]:
    """A name and its pronouns: (Mia, She, she, her)."""
    if r.random() < 0.5:
        return r.choice(GIRLS), "She", "she", "her"
    return r.choice(BOYS), "He", "he", "his"


def another(r: Random, name: str) -> str:
    return r.choice([n for n in NAMES if n != name])


def possessions(r: Random) -> Problem:
    """Somebody's things through one to three events."""
    p = Problem()
    n, S, s, h = person(r)
    m, o = another(r, n), r.choice(THINGS)
    if r.random() < 0.6:
        p.result = r.randint(12, 60)
        p.ask(f"{n} has {p.result} {o}.", f"At first {n} has {p.result} {o}.", r=r)
        if r.random() < 0.5:
            p.step(f"{n} starts with {p.result} {o}.", f"At first there are {p.result}.", r=r)
    else:
        x, y, b = r.randint(2, 9), r.randint(2, 9), r.choice(BOXES)
        e = p.calculate(x, "*", y)
        p.ask(f"{n} has {x} {b} with {y} {o} in each.", f"{n} has {x} {b}. There are {y} {o} in each.", r=r)
        p.step(f"The {b} hold {e} {o}.", f"{n} has {e} {o} at first.", f"{x} times {y} is {e}.", r=r)
    events = r.choice([1, 2, 2, 3])
    for i in range(events):
        kind = r.choice("+++---*h" if i == 0 else "+++---*h/")
        P = S if i == 0 else ["Then ", "Later "][min(i, 2) - 1] + s
        b = r.randint(10, 40)
        v = p.result
        if kind == "+":
            e = p.calculate(v, "+", b)
            verb, doing = r.choice([("buys", "buying"), ("finds", "finding"), ("gets", "getting")])
            p.ask(f"{P} {verb} {b} more {o}.", f"{P} {verb} {b} {o}.", r=r)
            p.step(f"After {doing} {b} {s} has {e}.", f"{S} {verb} {b} more: {e}.", f"Now there are {e} {o}.", r=r)
        elif kind == "-":
            e = p.calculate(v, "-", b)
            verb, doing, to = r.choice(
                [("gives", "giving", f" to {m}"), ("loses", "losing", ""), ("sells", "selling", f" at the {r.choice(PLACES)}")]
            )
            p.ask(f"{P} {verb} {b} {o}{to}.", f"{P} {verb} {b} of them{to}.", r=r)
            p.step(f"After {doing} {b} {s} has {e}.", f"{S} {verb} {b}, so {e} are left.", f"That leaves {e} {o}.", r=r)
        elif kind == "*":
            b, verb = r.choice([(2, "doubles"), (2, "doubles"), (3, "triples")])
            e = p.calculate(v, "*", b)
            p.ask(f"{P} {verb} {h} {o}.", f"{P} {verb} the number of {o}.", r=r)
            p.step(f"{S} {verb} them: {e}.", f"Now {s} has {e}.", f"{b} times as many is {e} {o}.", r=r)
        elif kind == "h":
            e = p.calculate(v, "/", 2)
            p.ask(f"{P} gives half of the {o} to {m}.", f"{P} gives {m} half of them.", r=r)
            p.step(f"Half of them is {e}.", f"{S} keeps half: {e}.", f"After giving half {s} has {e} {o}.", r=r)
        else:
            b = r.randint(3, 6)
            e = p.calculate(v, "/", b)
            if i != events - 1:
                raise Unfit
            p.ask(f"{P} shares the {o} equally among {b} friends.", f"{P} shares them among {b} friends.", r=r)
            p.step(f"Each friend gets {e}.", f"Sharing among {b} gives {e} each.", f"So {e} {o} go to each friend.", r=r)
            p.ask(f"How many {o} does each friend get?", r=r)
            return p
    p.ask(f"How many {o} does {n} have now?", f"How many {o} does {s} have in the end?", f"How many are left with {n}?", r=r)
    return p


def comparison(r: Random) -> Problem:
    p = Problem()
    n = r.choice(NAMES)
    m, o, x = another(r, n), r.choice(THINGS), r.randint(10, 45)
    p.ask(f"{n} has {x} {o}.", f"There are {x} {o} with {n}.", r=r)
    kind, b = r.choice("+-*"), r.randint(10, 30)
    if kind == "*":
        b = r.randint(2, 4)
    e = p.calculate(x, kind, b)
    y = p.result
    relation = {"+": "more {} than", "-": "fewer {} than", "*": "times as many {} as"}[kind].format(o)
    p.ask(f"{m} has {b} {relation} {n}.", r=r)
    p.step(f"{m} has {e} {o}.", f"So {m} has {e}.", f"That makes {e} {o} for {m}.", r=r)
    if r.random() < 0.6:
        e = p.calculate(x, "+", y)
        p.ask(f"How many {o} do they have in total?", f"How many {o} do {n} and {m} have together?", r=r)
        p.step(f"Together they have {e}.", f"The total is {e} {o}.", f"In all it is {e}.", r=r)
        return p
    b = r.randint(10, 30)
    if r.random() < 0.5:
        e = p.calculate(y, "+", b)
        p.ask(f"Then {m} buys {b} more.", f"Later {m} gets {b} more {o}.", r=r)
    else:
        e = p.calculate(y, "-", b)
        p.ask(f"Then {m} loses {b} of them.", f"Later {m} sells {b} {o}.", r=r)
    p.ask(f"How many {o} does {m} have now?", f"How many {o} are there with {m} in the end?", r=r)
    p.step(f"Then {m} has {e}.", f"After that it is {e} {o}.", f"Now there are {e}.", r=r)
    return p


def price(r: Random) -> Problem:
    p = Problem()
    n, S, s, _ = person(r)
    (o, other), x, y, place = r.sample(THINGS, 2), r.randint(2, 9), r.randint(2, 9), r.choice(PLACES)
    e = p.calculate(x, "*", y)
    p.ask(f"At the {place} {n} buys {x} {o} for {y} dollars each.", f"{n} buys {x} {o}. Each one costs {y} dollars.", r=r)
    p.step(f"The {o} cost {e} dollars.", f"{n} pays {e} for the {o}.", f"{x} times {y} dollars is {e}.", r=r)
    z = r.randint(10, 40)
    e = p.calculate(p.result, "+", z)
    p.ask(f"{S} also buys some {other} for {z} dollars.", f"The {other} cost {z} dollars.", r=r)
    p.step(f"In total {s} pays {e} dollars.", f"With the {other} it is {e}.", f"Adding {z} makes {e} dollars.", r=r)
    if r.random() < 0.5:
        money = r.choice([50, 60, 70, 80, 90, 99])
        e = p.calculate(money, "-", p.result)
        p.ask(f"{S} had {money} dollars. How much money is left?", f"How much is left of {money} dollars?", r=r)
        p.step(f"{S} has {e} dollars left.", f"So {e} is left.", f"From {money} dollars {s} keeps {e}.", r=r)
    else:
        p.ask(f"How much does {n} pay in total?", f"How many dollars does {s} spend?", r=r)
    return p


def wages(r: Random) -> Problem:
    p = Problem()
    n, S, s, _ = person(r)
    x, y, b = r.randint(2, 9), r.randint(2, 9), r.randint(10, 30)
    e = p.calculate(x, "*", y)
    p.ask(f"{n} earns {x} dollars an hour and works {y} hours on {r.choice(DAYS)}.", f"{n} works {y} hours for {x} dollars an hour.", r=r)
    p.step(f"{n} earns {e} dollars.", f"The work pays {e}.", f"For {y} hours {s} gets {e} dollars.", r=r)
    if r.random() < 0.5:
        e = p.calculate(p.result, "-", b)
        p.ask(f"{S} spends {b} dollars at the {r.choice(PLACES)}.", f"Then {s} spends {b} dollars.", r=r)
        p.step(f"After spending {b} {s} has {e}.", f"So {e} is left.", f"{S} still has {e} dollars.", r=r)
    else:
        e = p.calculate(p.result, "+", b)
        p.ask(f"{S} already had {b} dollars.", f"{S} had {b} dollars before.", r=r)
        p.step(f"With the {b} dollars {s} has {e}.", f"Now {s} has {e}.", f"Adding the {b} makes {e} dollars.", r=r)
    p.ask(f"How many dollars does {n} have now?", f"How much money does {s} have?", r=r)
    return p


def distance(r: Random) -> Problem:
    p = Problem()
    n, S, s, _ = person(r)
    verb, unit = r.choice([("walks", "miles"), ("reads", "pages"), ("runs", "miles")])
    x, y, b = r.randint(2, 9), r.randint(2, 9), r.randint(10, 30)
    e = p.calculate(x, "*", y)
    p.ask(f"{n} {verb} {x} {unit} each day for {y} days.", f"For {y} days {n} {verb} {x} {unit} a day.", r=r)
    p.step(f"In {y} days {s} {verb} {e} {unit}.", f"That is {e} {unit}.", f"{S} {verb} {e} at first.", r=r)
    e = p.calculate(p.result, "+", b)
    p.ask(f"Then {s} {verb} {b} more {unit} on {r.choice(DAYS)}.", f"Later {s} {verb} {b} more.", r=r)
    p.ask(f"How many {unit} does {n} {verb[:-1]} in total?", f"How many {unit} is it in all?", r=r)
    p.step(f"With {b} more it is {e}.", f"In total {s} {verb} {e} {unit}.", f"Adding {b} gives {e}.", r=r)
    return p


def rows(r: Random) -> Problem:
    p = Problem()
    x, y, b, o, place = r.randint(2, 9), r.randint(2, 9), r.randint(10, 30), r.choice(SEATS), r.choice(PLACES)
    e = p.calculate(x, "*", y)
    p.ask(f"The {place} has {x} rows of {o} with {y} {o} in each row.", f"At the {place} there are {x} rows of {y} {o}.", r=r)
    p.step(f"There are {e} {o}.", f"The rows have {e}.", f"{x} rows of {y} is {e} {o}.", r=r)
    if r.random() < 0.5:
        e = p.calculate(p.result, "-", b)
        p.ask(f"{b} of the {o} are broken. How many {o} are fine?", f"{b} are broken. How many are left?", r=r)
        p.step(f"Of these {e} are fine.", f"Without the broken ones it is {e}.", f"So {e} {o} are left.", r=r)
    else:
        e = p.calculate(p.result, "+", b)
        p.ask(f"Then {b} new {o} arrive. How many {o} are there now?", f"Then {b} more come. How many are there now?", r=r)
        p.step(f"With the new ones it is {e}.", f"Now there are {e} {o}.", f"Adding {b} makes {e}.", r=r)
    return p


def pages(r: Random) -> Problem:
    p = Problem()
    n, S, s, _ = person(r)
    x, b, c, (d1, d2) = r.randint(40, 99), r.randint(10, 40), r.randint(10, 40), r.sample(DAYS, 2)
    p.ask(f"{n} has a book of {x} pages.", f"A book has {x} pages.", r=r)
    p.ask(f"{S} reads {b} pages on {d1} and {c} pages on {d2}." if p.question[0].startswith(n) else f"{n} reads {b} pages on {d1} and {c} on {d2}.", r=r)
    p.ask("How many pages are left?", f"How many pages does {n} have left?", r=r)
    e = p.calculate(b, "+", c)
    read = p.result
    p.step(f"{n} reads {e} pages.", f"In two days {s} reads {e}.", f"On both days it is {e} pages.", r=r)
    e = p.calculate(x, "-", read)
    p.step(f"So {e} pages are left.", f"The book has {e} pages left.", f"There are {e} left.", r=r)
    return p


def ages(r: Random) -> Problem:
    p = Problem()
    n = r.choice(NAMES)
    m, x, b, c = another(r, n), r.randint(12, 50), r.randint(10, 30), r.randint(10, 20)
    p.ask(f"{n} is {x} years old.", f"{n} is {x}.", r=r)
    sign, word = r.choice([("+", "older"), ("-", "younger")])
    e = p.calculate(x, sign, b)
    p.ask(f"{m} is {b} years {word} than {n}.", r=r)
    p.step(f"Now {m} is {e} years old.", f"{m} is {e}.", f"The age of {m} is {e} now.", r=r)
    e = p.calculate(p.result, "+", c)
    p.ask(f"How old will {m} be in {c} years?", f"What is the age of {m} after {c} years?", r=r)
    p.step(f"In {c} years {m} will be {e}.", f"After {c} years it is {e}.", f"Later {m} is {e} years old.", r=r)
    return p


FAMILIES = [possessions] * 6 + [comparison] * 3 + [price] * 2 + [wages, distance, rows, pages, ages]


def draw(r: Random) -> tuple[str, str]:
    """One problem: (question, answer that ends with `#### number`)."""
    while True:
        try:
            p = r.choice(FAMILIES)(r)
        except Unfit:
            continue
        return " ".join(p.question), " ".join([*p.steps, f"#### {p.result}"])
