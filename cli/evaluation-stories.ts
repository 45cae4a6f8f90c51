/**
 * The checker of the story prompts: whether a text is one that the corpus' generator (`training/stories.py`) can answer a prompt with.
 * Each of five sentences has one of three forms; child, animal and thing stay the same, pronouns fit, the friend is somebody else.
 */

const GIRLS = ["Mia", "Anna", "Lily", "Emma", "Zoe", "Nora", "Ruby", "Ella", "Ivy", "Rosa"];
const BOYS = ["Tom", "Leo", "Sam", "Ben", "Max", "Jack", "Noah", "Adam", "Hugo", "Omar"];
const PLACES = ["shop", "park", "school", "market", "farm", "library"];
const MOODS = ["little", "old", "happy", "small", "kind", "brave", "quiet", "big"];
const TREASURES = ["red ball", "blue hat", "warm cake", "shiny key", "paper boat", "yellow flower", "long rope", "soft blanket"];
const FEELINGS = ["happy", "proud", "glad", "tired", "calm"];

const PROMPTS = [
  /^Tell a story about (?<name>\w+) and an? (?:(?<mood>\w+) )?(?<animal>\w+?)(?: at the (?<place>\w+))?\.$/,
  /^Write a short story about (?<name>\w+), a (?<animal>\w+) and a (?<thing>.+)\.$/,
];

/** What a story prompt asks for; name and animal always, of the others one at most. */
export interface StorySubject {
  readonly name: string;
  readonly animal: string;
  readonly mood?: string;
  readonly place?: string;
  readonly thing?: string;
}

/** The subject of a prompt, null for one that asks for no story. */
export function storySubject(prompt: string): StorySubject | null {
  for (const pattern of PROMPTS) {
    const groups = pattern.exec(prompt)?.groups;
    if (groups)
      return Object.fromEntries(Object.entries(groups).filter(([, word]) => word !== undefined)) as unknown as StorySubject;
  }
  return null;
}

/** A part of a sentence: words as they are, or a choice of words. */
type Piece = string | readonly string[];
type Form = readonly Piece[];

const article = (word: string): string => `${"aeiou".includes(word[0]!) ? "an" : "a"} ${word}`;
const capitalized = (text: string): string => text[0]!.toUpperCase() + text.slice(1);

/** The three forms of each of the five sentences about one thing. */
function sentences({ name: n, animal, mood, place }: StorySubject, thing: string): (readonly Form[])[] {
  const [S, s] = GIRLS.includes(n) ? ["She", "she"] : ["He", "he"];
  const moods = (mood ? [mood] : MOODS).map(article);
  const places = place ? [place] : PLACES;
  const friends = [...GIRLS, ...BOYS].filter((other) => other !== n);
  return [
    [
      [`One day ${n} went to the `, places, "."],
      [`Once there was a child named ${n}.`],
      [`In the morning ${n} walked to the `, places, "."],
    ],
    [
      [`${S} saw `, moods, ` ${animal} with a ${thing}.`],
      [`There ${s} met `, moods, ` ${animal}.`],
      [moods.map(capitalized), ` ${animal} was looking for a ${thing}.`],
    ],
    [
      [`The ${animal} lost the ${thing} and was sad.`],
      [`The ${animal} wanted to play with the ${thing}.`],
      [`"Can you help me find the ${thing}?" said the ${animal}.`],
    ],
    [
      [`${n} and `, friends, " looked for it all day."],
      [`${S} said yes and they played until the sun went down.`],
      [`${S} called `, friends, ` and they helped the ${animal}.`],
    ],
    [
      ["In the end they were ", FEELINGS, "."],
      ["Then they all went home and were ", FEELINGS, "."],
      [`The ${animal} said thank you and ${n} was `, FEELINGS, "."],
    ],
  ];
}

/** Where `form` can end in `text` when it begins at `start`. */
function endsOf(text: string, start: number, form: Form): number[] {
  return form.reduce<number[]>(
    (ends, piece) =>
      ends.flatMap((at) => [piece].flat().flatMap((words) => (text.startsWith(words, at) ? [at + words.length] : []))),
    [start],
  );
}

/** Whether `text` is a story that answers `prompt`, to the letter. */
export function isStory(prompt: string, text: string): boolean {
  const subject = storySubject(prompt);
  if (!subject) return false;
  return (subject.thing ? [subject.thing] : TREASURES).some((thing) => {
    const story = sentences(subject, thing);
    const ends = story.reduce(
      (starts, forms, sentence) =>
        starts.flatMap((start) => forms.flatMap((form) => endsOf(text, start, sentence === 0 ? form : [" ", ...form]))),
      [0],
    );
    return ends.includes(text.length);
  });
}
