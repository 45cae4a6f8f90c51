import { describe, expect, test } from "vitest";
import type { ChatMessage } from "../../../src/decode/options";
import { RidgepointError } from "../../../src/errors";
import { encodeChat, renderChat } from "../../../src/text/chat";
import { createTokenizer } from "../../../src/text/tokenizer";
import { checkpoint, shipped, smollm2Metadata, tinyMetadata } from "./checkpoints";

const user = (content: string): ChatMessage[] => [{ role: "user", content }];

function refusal(template: string, messages = user("hello")): RidgepointError {
  const start = performance.now();
  try {
    renderChat(template, messages);
  } catch (error) {
    expect(error).toBeInstanceOf(RidgepointError);
    // Bounded, also on a slow machine: unbounded ones never come back.
    expect(performance.now() - start).toBeLessThan(20_000);
    return error as RidgepointError;
  }
  throw new Error("the template was not refused");
}

describe("a model's own template", () => {
  test("shipped", () => {
    const tokenizer = createTokenizer(shipped("ar"));
    const messages: ChatMessage[] = [
      { role: "user", content: "1+1?" },
      { role: "assistant", content: "2" },
      { role: "user", content: "So?" },
    ];
    const template = tokenizer.chatTemplate!;
    expect(renderChat(template, messages)).toBe("<|user|>1+1?<|assistant|>2<|endoftext|><|user|>So?<|assistant|>");
    expect(renderChat(template, user("x"), { addGenerationPrompt: false })).toBe("<|user|>x");
    const ids = encodeChat(tokenizer, user("1+1?"));
    expect([ids[0], ids.at(-1)]).toEqual([2, 3]);
  });

  test("SmolLM2: its default system message", () => {
    const tokenizer = createTokenizer(checkpoint({ metadata: smollm2Metadata() }));
    expect(renderChat(tokenizer.chatTemplate!, user("Hi"))).toBe(
      "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n" +
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    );
    expect(tokenizer.decode(encodeChat(tokenizer, user("Hi")))).toContain("<|im_start|>user\nHi<|im_end|>");
  });

  test("no template: the error says what to do", () => {
    const tokenizer = createTokenizer(checkpoint({ metadata: tinyMetadata() }));
    expect(() => encodeChat(tokenizer, user("x"))).toThrow(/no chat template; give the prompt as plain text/);
  });
});

describe("what templates use", () => {
  test.each<[string, string, string]>([
    ["filters", "{{ messages[0]['content'] | trim | upper }}", "HELLO"],
    ["methods", "{{ messages[0].content.split('l')[-1].strip() + messages[0].content.replace('l', 'L') }}", "oheLLo"],
    [
      "loops and namespaces",
      "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
      "1",
    ],
    ["slices", "{% for m in messages[::-1] %}{{ m.role }}{% if loop.last %}.{% endif %}{% endfor %}", "user."],
    ["macros", "{% macro turn(m) %}[{{ m.content }}]{% endmacro %}{{ turn(messages[0]) }}", "[hello]"],
    ["range", "{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(6, 0, -2) %}{{ i }}{% endfor %}", "012642"],
    ["special tokens and variables", "{{ bos_token }}{{ eos_token }}{{ enable_thinking }}", "<s></s>true"],
    ["tools are absent", "{% if tools is not none and tools %}T{% else %}-{% endif %}{{ tools is defined }}", "-true"],
    ["the date", "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% endif %}", "03 Feb 2025"],
    ["json", "{{ messages | tojson }}", '[{"role": "user", "content": "hello"}]'],
    ["search", "{{ 'ell' in messages[0].content }}{{ messages[0].role in ['user', 'system'] }}", "truetrue"],
    ["trimmed blocks", "{% if true %}\n  a\n  {% endif %}\nb", "  a\nb"],
  ])("%s", (_, template, text) => {
    const variables = { enable_thinking: true };
    const now = new Date(2025, 1, 3);
    expect(renderChat(template, user("hello"), { bosToken: "<s>", eosToken: "</s>", variables, now })).toBe(text);
  });

  test("raise_exception is a refusal with the template's words", () => {
    const error = refusal("{{ raise_exception('roles must alternate') }}");
    expect(error.code).toBe("bad-template");
    expect(error.message).toContain("roles must alternate");
  });

  test("a long chat is within the bounds", () => {
    const template = createTokenizer(checkpoint({ metadata: smollm2Metadata() })).chatTemplate!;
    const long = Array.from({ length: 400 }, (_, i) => ({ role: i % 2 ? "assistant" : "user", content: "word ".repeat(200) }));
    expect(renderChat(template, long).length).toBeGreaterThan(400_000);
    const counting =
      "{% for m in messages[::-1] %}{% set i = (messages|length - 1) - loop.index0 %}" +
      "{% if m.role == 'user' and not m.content.startswith('<tool>') %}{{ i }}{{ m.content.split('</think>')[-1] | trim }}{% endif %}{% endfor %}";
    expect(renderChat(counting, long).length).toBeGreaterThan(199_000);
  });
});

describe("a hostile template", () => {
  test.each(["constructor", "__proto__", "prototype", "toString", "valueOf", "hasOwnProperty", "__class__", "__defineGetter__"])(
    "%s is no name",
    (name) => {
      const targets = ["messages", "messages[0]", "messages[0].content", "''", "[]", "{}", "1", "namespace()", "loop", "true"];
      for (const target of targets) {
        expect(renderChat(`{{ ${target}.${name} is defined }}`, user("x"))).toBe("false");
        if (target !== "1" && target !== "loop" && target !== "true") {
          expect(renderChat(`{{ ${target}['${name}'] is defined }}`, user("x"))).toBe("false");
        }
      }
      expect(renderChat(`{{ ${name} is defined }}`, user("x"))).toBe("false");
    },
  );

  test("nothing but role and content of a message is seen", () => {
    const message = Object.assign(Object.create({ inherited: "I" }), { role: "user", content: "x", secret: "S" });
    expect(renderChat("{{ messages[0].secret }}{{ messages[0].inherited }}{{ messages[0].content }}", [message])).toBe("x");
  });

  const double = (n: number, step: string) => `{% for i in range(${n}) %}${step}{% endfor %}`;
  test.each<[string, string, RegExp]>([
    ["a syntax error", "{% if %}", /chat template: /],
    ["an unfinished tag", "{{ messages", /chat template: /],
    ["an unknown filter", "{{ 'a' | shell }}", /shell/],
    ["a long source", "a".repeat(200_000), /200000 characters/],
    ["range of a billion", "{% for i in range(1000000000) %}{% endfor %}", /range of 1000000000/],
    ["range of no number", "{{ range('a') }}", /whole numbers/],
    ["range without a step", "{{ range(0, 9, 0) }}", /a step/],
    ["nested loops", "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", /too long/],
    ["nested loops of text", double(9999, double(9999, "x")), /too long|characters/],
    ["endless recursion", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", /chat template: /],
    ["deep nesting", `{{ ${"(".repeat(30_000)}1${")".repeat(30_000)} }}`, /chat template: /],
    ["doubled text", `{% set ns = namespace(s='ab') %}${double(60, "{% set ns.s = ns.s + ns.s %}")}`, /characters/],
    ["doubled lists", `{% set ns = namespace(s=[1]) %}${double(60, "{% set ns.s = ns.s + ns.s %}")}`, /list of/],
    [
      "lists of lists, written out",
      `{% set ns = namespace(s=['a']) %}${double(60, "{% set ns.s = [ns.s, ns.s] %}")}{{ ns.s | tojson }}`,
      /too many items|characters|too long/,
    ],
    [
      "namespaces that hold one another",
      `${Array.from({ length: 40 }, (_, i) => `{% set n${i} = namespace() %}{% set a${i} = [n${i}, n${i}] %}`).join("")}` +
        `${Array.from({ length: 39 }, (_, i) => `{% set n${i + 1}.x = a${i} %}`).join("")}{{ n39 | tojson }}`,
      /too many items|characters|too long/,
    ],
    ["a namespace that holds itself", "{% set n = namespace() %}{% set n.n = n %}{{ n | tojson }}", /chat template: /],
    [
      "text replaced by text",
      `{% set ns = namespace(s='aaaaaaaa') %}${double(9, "{% set ns.s = ns.s.replace('a', ns.s) %}")}`,
      /argument|characters/,
    ],
    [
      "replace, by a computed name",
      "{% set ns = namespace(s='ab') %}{% for i in range(9) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ 'aaa'['rep' + 'lace']('a', ns.s) }}",
      /argument/,
    ],
    ["replace, kept for later", "{% set f = 'aaa'.replace %}{{ f('a', 'b') }}", /only be called/],
    ["indent by a billion", "{{ 'a\\nb' | indent(1000000000) }}", /argument/],
    ["json indented by a billion", "{{ [1, 2] | tojson(indent=1000000000) }}", /argument/],
    [
      "a long text looked for in a long text",
      `{% set ns = namespace(s='aa') %}${double(12, "{% set ns.s = ns.s + ns.s %}")}{{ ('b' + ns.s) in (ns.s + ns.s) }}`,
      /argument|looked for/,
    ],
    ["the source of a function", "{{ range }}", /only be called/],
    ["the source of a method", "{{ 'a'.upper ~ '' }}", /only be called/],
    ["sorting again and again", double(9999, "{% set x = range(9999) | sort %}"), /too long/],
  ])("%s", (_, template, message) => {
    const error = refusal(template);
    expect(error.code).toBe("bad-template");
    expect(error.message).toMatch(message);
    expect(error.message.length).toBeLessThan(2000);
  });
});

describe("messages", () => {
  test.each<[string, unknown]>([
    ["none", []],
    ["no content", [{ role: "user" }]],
    ["no object", [null]],
    ["too many", Array.from({ length: 2000 }, () => ({ role: "user", content: "" }))],
    ["too long", user("x".repeat(600_000))],
  ])("bad-option: %s", (_, messages) => {
    const act = () => renderChat("{{ messages }}", messages as ChatMessage[]);
    expect(act).toThrow(expect.objectContaining({ code: "bad-option" }));
  });
});
