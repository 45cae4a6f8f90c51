/**
 * Runs a Jinja template that came with a model, i.e. from a stranger, within bounds on work and size.
 *
 * The interpreter keeps values in maps and has no way to a JavaScript object's prototype (`constructor` and `__proto__` are
 * undefined names); what it lacks are bounds. They are put round its one recursive function, `evaluate`: every value is
 * weighed as it is made, and arguments that multiply text (`replace`, `join`, `indent`, `tojson`) must be short.
 * It knows nothing of chats.
 */

import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { ensure, RidgepointError } from "../errors";

/** Longest template source, UTF-16 units. */
export const MAX_TEMPLATE_LENGTH = 1 << 17;
/** Longest text a template may make, at the end or on the way; also the sum over all strings of a list. */
export const MAX_TEXT_LENGTH = 1 << 19;
/** Longest list a template may make. */
const MAX_LIST_LENGTH = 1 << 14;
/** Longest text and largest number that a text-multiplying filter or method takes as an argument. */
const MAX_ARGUMENT = 256;
/** Evaluations, each weighing 1 and a share of the size of its value; a second or two at most. */
const MAX_WORK = 250_000;
const CHARACTERS_PER_WORK = 64;
const ITEMS_PER_WORK = 4;
/** A loop turn makes a scope and a `loop` object. */
const WORK_PER_TURN = 4;

type Statement = NonNullable<Parameters<Interpreter["evaluate"]>[0]>;
type Value = ReturnType<Interpreter["evaluate"]>;
type Node = Statement & Readonly<Record<string, unknown>>;

const MULTIPLIERS = new Set(["replace", "join", "indent", "tojson"]);

const CHEAP_FILTERS = new Set(["length", "first", "last"]);

function refuse(message: string): never {
  throw new RidgepointError("bad-template", `chat template: ${message}`);
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";

/** What each node of the tree may do, found by one walk before anything runs. */
class Roles {
  /** Called or tested, so it may be a function. */
  readonly callable = new Set<object>();
  /** An argument that multiplies text, so it must be small. */
  readonly multiplier = new Set<object>();
  /** Only indexed, counted or tested, so the size of what it holds costs nothing. */
  readonly indexed = new Set<object>();
  /** Looped over, so every item costs a turn. */
  readonly iterated = new Set<object>();

  constructor(program: object) {
    const open: unknown[] = [program];
    for (let value = open.pop(); value !== undefined; value = open.pop()) {
      if (value instanceof Map) open.push(...value.keys(), ...value.values());
      else if (Array.isArray(value)) open.push(...value);
      else if (isNode(value)) {
        this.classify(value);
        open.push(...Object.values(value).filter((child) => typeof child === "object" && child !== null));
      }
    }
  }

  private classify(node: Node): void {
    switch (node.type) {
      case "CallExpression": {
        const callee = node.callee as Node;
        this.callable.add(callee);
        if (callee.type !== "MemberExpression") return;
        const name = callee.computed ? null : (callee.property as Node).value;
        if (name === null || MULTIPLIERS.has(name as string)) this.limit(node.args as Node[]);
        return;
      }
      case "FilterExpression":
      case "FilterStatement": {
        const filter = node.filter as Node;
        if (CHEAP_FILTERS.has(filter.value as string)) this.indexed.add(node.operand as Node);
        if (filter.type === "CallExpression" && MULTIPLIERS.has((filter.callee as Node).value as string)) {
          this.limit(filter.args as Node[]);
        }
        return;
      }
      case "TestExpression":
        this.callable.add(node.operand as Node);
        this.indexed.add(node.operand as Node);
        return;
      case "If":
        this.indexed.add(node.test as Node);
        return;
      case "MemberExpression":
        this.indexed.add(node.object as Node);
        return;
      case "BinaryExpression":
        // Searching text for a long text can take the product of both lengths; a written-out list is only compared.
        if (!["in", "not in"].includes((node.operator as Node).value as string)) return;
        if (!["ArrayLiteral", "TupleLiteral"].includes((node.right as Node).type)) this.limit([node.left as Node]);
        return;
      case "For": {
        const iterable = node.iterable as Node;
        this.iterated.add(iterable.type === "SelectExpression" ? (iterable.lhs as Node) : iterable);
        return;
      }
    }
  }

  private limit(args: readonly Node[]): void {
    for (const arg of args) {
      if (arg.type === "KeywordArgumentExpression") this.multiplier.add(arg.value as Node);
      else if (arg.type === "SpreadExpression" || arg.type === "KeywordSpreadExpression")
        this.multiplier.add(arg.argument as Node);
      else this.multiplier.add(arg);
    }
  }
}

/** Characters and items of a value with all it contains, counted as often as they would be written out. */
function weigh(value: Value): { characters: number; items: number } {
  const total = { characters: 0, items: 0 };
  const open: Value[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const inside: unknown = next.value;
    if (typeof inside === "string") total.characters += inside.length;
    else if (Array.isArray(inside)) for (const item of inside as Value[]) open.push(item);
    else if (inside instanceof Map) {
      for (const [key, item] of inside as Map<string, Value>) {
        total.characters += key.length;
        open.push(item);
      }
    }
    total.items++;
    // Lists that hold one another many times over would take forever to count.
    if (total.characters > MAX_TEXT_LENGTH || total.items > MAX_TEXT_LENGTH) break;
  }
  return total;
}

class BoundedInterpreter extends Interpreter {
  private work = 0;

  constructor(
    environment: Environment,
    private readonly roles: Roles,
  ) {
    super(environment);
  }

  override evaluate(statement: Statement | undefined, environment: Environment): Value {
    this.spend(1);
    const value = super.evaluate(statement, environment);
    if (statement) this.check(statement, value);
    return value;
  }

  private spend(work: number): void {
    this.work += work;
    if (this.work > MAX_WORK) refuse("it runs too long (too many steps or loop turns)");
  }

  private check(statement: Statement, value: Value): void {
    const inside: unknown = value.value;
    if (typeof inside === "string") this.text(inside.length);
    else if (typeof inside === "function") {
      // A method kept in a variable would be called out of sight of the rules for its arguments.
      if (!this.roles.callable.has(statement)) refuse("a function can only be called or tested");
    } else if (Array.isArray(inside) || inside instanceof Map) {
      const length = Array.isArray(inside) ? inside.length : inside.size;
      if (length > MAX_LIST_LENGTH) refuse(`a list of ${length} items; at most ${MAX_LIST_LENGTH} are allowed`);
      if (this.roles.iterated.has(statement)) this.spend(length * WORK_PER_TURN);
      else if (!this.roles.indexed.has(statement)) {
        const { characters, items } = weigh(value);
        if (items > MAX_TEXT_LENGTH) refuse("a list that holds too many items");
        this.spend(Math.ceil(items / ITEMS_PER_WORK));
        this.text(characters);
      }
    }
    if (this.roles.multiplier.has(statement) && !isSmall(value)) {
      refuse(`an argument of replace, join, indent, tojson, or a text looked for, is longer than ${MAX_ARGUMENT}`);
    }
  }

  private text(length: number): void {
    if (length > MAX_TEXT_LENGTH) refuse(`it makes more than ${MAX_TEXT_LENGTH} characters`);
    this.spend(Math.ceil(length / CHARACTERS_PER_WORK));
  }
}

function isSmall(value: Value): boolean {
  const inside: unknown = value.value;
  if (typeof inside === "string") return inside.length <= MAX_ARGUMENT;
  if (typeof inside === "number") return Math.abs(inside) <= MAX_ARGUMENT;
  if (Array.isArray(inside)) return (inside as Value[]).every((item) => isSmall(item));
  if (inside instanceof Map) return [...(inside as Map<string, Value>).values()].every((item) => isSmall(item));
  return true;
}

function range(...args: unknown[]): number[] {
  const [first, second, third] = args;
  const [start, stop, step] = second === undefined ? [0, first, 1] : [first, second, third ?? 1];
  const bounds = [start, stop, step];
  if (!bounds.every(Number.isSafeInteger) || step === 0) refuse(`range(${bounds.join(", ")}): expected whole numbers and a step`);
  const [from, to, by] = bounds as [number, number, number];
  const length = Math.max(0, Math.ceil((to - from) / by));
  if (length > MAX_LIST_LENGTH) refuse(`range of ${length} items; at most ${MAX_LIST_LENGTH} are allowed`);
  return Array.from({ length }, (_, i) => from + i * by);
}

function formatTime(now: Date, format: unknown): string {
  const english = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat("en-US", options).format(now);
  const two = (n: number) => String(n).padStart(2, "0");
  const fields: Readonly<Record<string, () => string>> = {
    Y: () => String(now.getFullYear()),
    y: () => two(now.getFullYear() % 100),
    m: () => two(now.getMonth() + 1),
    d: () => two(now.getDate()),
    H: () => two(now.getHours()),
    M: () => two(now.getMinutes()),
    S: () => two(now.getSeconds()),
    B: () => english({ month: "long" }),
    b: () => english({ month: "short" }),
    A: () => english({ weekday: "long" }),
    a: () => english({ weekday: "short" }),
    "%": () => "%",
  };
  return String(format)
    .slice(0, MAX_ARGUMENT)
    .replace(/%(.)/g, (whole, letter: string) => fields[letter]?.() ?? whole);
}

function globals(now: Date): Record<string, unknown> {
  return {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    range,
    strftime_now: (format: unknown) => formatTime(now, format),
    raise_exception: (message: unknown) => refuse(`it says: ${String(message).slice(0, MAX_ARGUMENT)}`),
  };
}

/**
 * The text that `template` makes of `variables`. Trims blocks as Hugging Face does.
 * Throws `bad-template` for a syntax error, an error of the template's own, or a bound that is passed.
 * @param now what `strftime_now` tells
 */
export function renderTemplate(template: string, variables: Readonly<Record<string, unknown>>, now: Date): string {
  ensure(
    template.length <= MAX_TEMPLATE_LENGTH,
    "bad-template",
    `chat template: ${template.length} characters; at most ${MAX_TEMPLATE_LENGTH} are read`,
  );
  try {
    const program = parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true }));
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...globals(now), ...variables })) environment.set(name, value);
    const result: unknown = new BoundedInterpreter(environment, new Roles(program)).run(program).value;
    return typeof result === "string" ? result : "";
  } catch (cause) {
    if (cause instanceof RidgepointError) throw cause;
    throw new RidgepointError("bad-template", `chat template: ${(cause as Error).message}`, { cause });
  }
}
