/** `logits`: one forward pass, for checking a conversion against another implementation. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Writable } from "node:stream";
import type { Command } from "commander";
import { writeSafetensors } from "../../src/index";
import { parseModel } from "../models";
import { type CommonFlags, parseAttention, parseIds, sessionOptions, withBrowserOptions } from "../options";
import { print, printDocument, SCHEMA } from "../output";
import { withSession } from "../session";

interface LogitsFlags extends CommonFlags {
  readonly model: string;
  readonly tokens: string;
  readonly attention: string;
  readonly out?: string;
}

async function logits(flags: LogitsFlags): Promise<void> {
  const tokens = parseIds("--tokens", flags.tokens);
  const attention = parseAttention(flags.attention);
  const spec = await parseModel(flags.model);
  await withSession(sessionOptions(flags), [spec], async (session) => {
    const { info, load } = await session.load(spec);
    const pieces: Buffer[] = [];
    const sink = new Writable({
      write(piece: Buffer, _encoding, done) {
        pieces.push(piece);
        done();
      },
    });
    const upload = flags.out === undefined ? {} : { upload: session.server.receive(sink) };
    const { argmax, shape } = await session.call("forward", { tokens, attention, ...upload });
    const file = flags.out === undefined ? undefined : resolve(flags.out);
    if (file !== undefined) {
      const bytes = Buffer.concat(pieces);
      const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
      await writeFile(file, writeSafetensors([{ name: "logits", dtype: "F32", shape, data }]));
    }
    if (!flags.json) {
      print(`logits [${shape.join(", ")}]${file === undefined ? "" : ` in ${file}`}\nargmax ${argmax.join(",")}\n`);
      return;
    }
    const { device } = session;
    const model = { name: flags.model, ...info };
    printDocument({
      schema: SCHEMA,
      command: "logits",
      device,
      model,
      load,
      argmax,
      shape,
      ...(file !== undefined && { out: file }),
    });
  });
}

/** Adds the command to the program. */
export function registerLogits(program: Command): void {
  withBrowserOptions(program.command("logits").description("logits of one forward pass"))
    .requiredOption("--model <model>", "the model")
    .requiredOption("--tokens <ids>", "token ids, separated by commas")
    .option("--attention <kind>", "causal, full or block:N", "causal")
    .option("--out <file>", "write the logits (tensor `logits`, f32 [n, V]) to a .safetensors file")
    .action(logits);
}
