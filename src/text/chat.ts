/** Messages to a prompt, by the model's own chat template. It knows nothing of tokens' meaning. */

import { ensure, RidgepointError } from "../errors";
import { MAX_TEXT_LENGTH, renderTemplate } from "./template-sandbox";
import type { Tokenizer } from "./tokenizer";

/** One turn of a chat. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

/** Most messages in one chat. */
const MAX_MESSAGES = 1024;

export interface ChatOptions {
  /** End with the marker that opens the assistant's turn. Default true. */
  addGenerationPrompt?: boolean;
  /** What the template sees as `bos_token` and `eos_token`. Default "". */
  bosToken?: string;
  eosToken?: string;
  /** Further variables of the template, e.g. `enable_thinking`. */
  variables?: Readonly<Record<string, string | number | boolean | null>>;
  /** What `strftime_now` tells. Default now. */
  now?: Date;
}

function checkMessages(messages: readonly ChatMessage[]): void {
  ensure(messages.length > 0 && messages.length <= MAX_MESSAGES, "bad-option", () => {
    return `messages: expected 1 to ${MAX_MESSAGES}, got ${messages.length}`;
  });
  let length = 0;
  messages.forEach((message, i) => {
    const { role, content } = message ?? {};
    ensure(
      typeof role === "string" && typeof content === "string",
      "bad-option",
      () => `messages[${i}]: expected { role, content } of strings, got ${typeof role} and ${typeof content}`,
    );
    length += role.length + content.length;
  });
  ensure(
    length <= MAX_TEXT_LENGTH,
    "bad-option",
    () => `messages: ${length} characters together; at most ${MAX_TEXT_LENGTH} are taken`,
  );
}

/**
 * The prompt that a Jinja chat template makes of `messages`.
 * Throws `bad-option` for malformed messages, `bad-template` when the template is wrong, refuses them, or passes a bound
 * (see `template-sandbox.ts`).
 */
export function renderChat(template: string, messages: readonly ChatMessage[], options: ChatOptions = {}): string {
  checkMessages(messages);
  return renderTemplate(
    template,
    {
      ...options.variables,
      // Own, plain copies: nothing else that hangs on the caller's objects reaches the template.
      messages: messages.map(({ role, content }) => ({ role, content })),
      tools: null,
      documents: null,
      add_generation_prompt: options.addGenerationPrompt ?? true,
      bos_token: options.bosToken ?? "",
      eos_token: options.eosToken ?? "",
    },
    options.now ?? new Date(),
  );
}

/**
 * The prompt ids of a chat, by the tokenizer's own template and special tokens.
 * Throws `bad-template` when the tokenizer has no template.
 */
export function encodeChat(tokenizer: Tokenizer, messages: readonly ChatMessage[], options: ChatOptions = {}): number[] {
  if (tokenizer.chatTemplate === null) {
    throw new RidgepointError(
      "bad-template",
      "chat: this tokenizer has no chat template; give the prompt as plain text or as token ids",
    );
  }
  const named = (id: number | null) => (id === null ? "" : tokenizer.piece(id));
  const prompt = renderChat(tokenizer.chatTemplate, messages, {
    bosToken: named(tokenizer.bosTokenId),
    eosToken: named(tokenizer.eosTokenId),
    ...options,
  });
  // The template writes BOS itself where the model wants one.
  return tokenizer.encode(prompt, { addSpecialTokens: false });
}
