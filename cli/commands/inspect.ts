/** `inspect`: what a model file holds and how much memory it will take, without a browser. */
import { totalmem } from "node:os";
import type { Command } from "commander";
import { ensure } from "../../src/errors";
import { describeCheckpoint } from "../../src/index";
import { formatBytes } from "../format";
import { openModel, parseModel } from "../models";
import { print, printDocument, SCHEMA } from "../output";
import { formatTable } from "../table";

interface InspectFlags {
  readonly model?: string;
  readonly json?: boolean;
}

async function inspect(file: string | undefined, flags: InspectFlags): Promise<void> {
  const name = file ?? flags.model;
  ensure(
    name !== undefined && (file === undefined || flags.model === undefined),
    "bad-option",
    "expected either FILE or --model MODEL",
  );
  const description = await describeCheckpoint(await openModel(await parseModel(name)));
  const { architecture, config, tensors, plan } = description;
  const { weightBytes, cacheBytes, scratchBytes } = plan;
  const totalBytes = weightBytes + cacheBytes + scratchBytes;
  // Without a device nobody knows better: GPUs that share this memory, and CPU adapters, are bounded by it.
  const fits = totalBytes <= totalmem();
  if (flags.json) {
    const model = { name };
    return printDocument({ schema: SCHEMA, command: "inspect", device: null, model, ...description, plan: { ...plan, fits } });
  }
  const settings = Object.entries(config).map(([key, value]) => ({ key, value: JSON.stringify(value) }));
  print(`${name}: ${architecture}\n\n`);
  print(
    formatTable(settings, [
      { head: "config", cell: ({ key }) => key, left: true },
      { head: "value", cell: ({ value }) => value, left: true },
    ]),
  );
  print("\n");
  print(
    formatTable(tensors, [
      { head: "tensor", cell: (tensor) => tensor.name, left: true },
      { head: "dtype", cell: ({ dtype }) => dtype, left: true },
      { head: "shape", cell: ({ shape }) => (shape ? `[${shape.join(", ")}]` : "not supported"), left: true },
      { head: "bytes", cell: ({ bytes }) => formatBytes(bytes) },
    ]),
  );
  const sizes = `weights ${formatBytes(weightBytes)} + cache ${formatBytes(cacheBytes)} + scratch ${formatBytes(scratchBytes)}`;
  const verdict = fits ? "" : `, more than the ${formatBytes(totalmem())} of this machine`;
  print(`\nmemory on the GPU: ${sizes} = ${formatBytes(totalBytes)}${verdict}\n`);
}

/** Adds the command to the program. */
export function registerInspect(program: Command): void {
  program
    .command("inspect")
    .description("metadata, tensors and memory plan of a model; needs no browser")
    .argument("[file]", "a model file or directory")
    .option("--model <model>", "the model")
    .option("--json", "print one JSON document on stdout")
    .action(inspect);
}
