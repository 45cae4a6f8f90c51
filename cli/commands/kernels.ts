/** `kernels`: every kernel of a model's forward alone, right or wrong, its time against its own floor; the autotuner. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { ensure } from "../../src/errors";
import {
  type Calibration,
  describeCheckpoint,
  type KernelBench,
  type KernelSubject,
  RidgepointError,
  scalingOf,
  scalingSvg,
  type TuneReport,
  weightFormatsOf,
} from "../../src/index";
import { deviceCard, deviceName } from "../device-card";
import { forwardTable, kernelTableText, scalingTable, tuningTable } from "../kernel-tables";
import { openModel, parseModel } from "../models";
import { type CommonFlags, parseCount, parseNumber, sessionOptions, withBrowserOptions } from "../options";
import { print, printDocument, SCHEMA, say } from "../output";
import { type Session, withSession } from "../session";

interface KernelsFlags extends CommonFlags {
  readonly model?: string;
  readonly shapes?: string;
  readonly format: string;
  readonly rows: string;
  readonly keys: string;
  readonly only?: string;
  readonly variants?: boolean;
  readonly approximate?: boolean;
  readonly scaling?: boolean;
  readonly samples: string;
  readonly tune?: boolean | string;
  readonly tuning?: string;
  readonly saveTuning?: string;
  readonly out?: string;
}

const FORMATS = ["f32", "f16", "q8", "q4"] as const;
const DEFAULT_MODEL = "builtin:ar";
/** Rows at which what rows cost is measured. */
const SCALING_ROWS = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64];
const DEFAULT_BUDGET_MS = 60_000;

const counts = (flag: string, text: string): number[] => text.split(",").map((part) => parseCount(flag, part));

/** Linear layers of given shapes, K×N. */
function layersOf(text: string, given: string): KernelSubject {
  const format = FORMATS.find((name) => name === given);
  ensure(format, "bad-option", `--format: expected one of ${FORMATS.join(", ")}, got "${given}"`);
  const layers = text.split(",").map((part) => {
    const [, inFeatures, outFeatures] = /^(\d+)[x×](\d+)$/.exec(part.trim()) ?? [];
    ensure(Number(inFeatures) > 0 && Number(outFeatures) > 0, "bad-option", () => `--shapes: expected KxN,KxN, got "${part}"`);
    return {
      role: `linear ${inFeatures}x${outFeatures}`,
      format,
      inFeatures: Number(inFeatures),
      outFeatures: Number(outFeatures),
    };
  });
  return { layers };
}

/** What the flags ask to be measured; of a model, headers alone are read. */
async function subjectOf({ model, shapes, format }: KernelsFlags): Promise<{ name: string; subject: KernelSubject }> {
  ensure(model === undefined || shapes === undefined, "bad-option", "expected --model or --shapes, got both");
  if (shapes !== undefined) return { name: `${shapes} in ${format}`, subject: layersOf(shapes, format) };
  const name = model ?? DEFAULT_MODEL;
  const description = await describeCheckpoint(await openModel(await parseModel(name)));
  return { name, subject: { config: description.config, formats: weightFormatsOf(description) } };
}

async function readTuningFile(path: string): Promise<unknown> {
  const text = await readFile(path, "utf8").catch((cause: Error) => {
    throw new RidgepointError("not-found", `--tuning ${path}: ${cause.message}`, { cause });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RidgepointError("bad-file", `--tuning ${path}: expected JSON: ${(cause as Error).message}`, { cause });
  }
}

async function writeText(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** The whole document, and what `--out` is given of it. */
interface Measured {
  readonly name: string;
  readonly device: Session["device"];
  readonly calibration: Calibration;
  readonly tuned: TuneReport | null;
  readonly bench: KernelBench;
  readonly scaling: KernelBench | null;
}

async function writeOut(folder: string, document: object, { name, device, scaling }: Measured): Promise<void> {
  await writeText(join(folder, "kernels.json"), `${JSON.stringify(document, null, 1)}\n`);
  if (!scaling) return;
  const title = `${name} on ${deviceName(device)}`;
  for (const theme of ["light", "dark"] as const) {
    await writeText(
      join(folder, `scaling-${theme}.svg`),
      scalingSvg(scalingOf(scaling.forwards, scaling.kernels), { title, theme }),
    );
  }
  say(`wrote ${join(folder, "kernels.json")} and scaling-light.svg, scaling-dark.svg beside it`);
}

function checkFlags(flags: KernelsFlags): void {
  const { tune, saveTuning, approximate, variants, scaling, shapes, only } = flags;
  ensure(saveTuning === undefined || tune, "bad-option", "--save-tuning: there is nothing to save without --tune");
  ensure(!approximate || variants || tune, "bad-option", "--approximate: expected --variants or --tune with it, got neither");
  ensure(
    !scaling || (shapes === undefined && only === undefined),
    "bad-option",
    "--scaling: a forward takes a whole model; leave --shapes and --only out",
  );
}

async function kernels(flags: KernelsFlags): Promise<void> {
  checkFlags(flags);
  const options = sessionOptions(flags);
  const budgetMs = typeof flags.tune === "string" ? parseNumber("--tune", flags.tune) : DEFAULT_BUDGET_MS;
  const request = {
    rows: counts("-m", flags.rows),
    keys: parseCount("--keys", flags.keys),
    samples: parseCount("--samples", flags.samples),
    ...(flags.only !== undefined && { only: flags.only }),
    variants: flags.variants ?? false,
    approximate: flags.approximate ?? false,
  };
  const tuning = flags.tuning === undefined ? undefined : await readTuningFile(flags.tuning);
  const { name, subject } = await subjectOf(flags);
  await withSession(options, [], async ({ device, call }) => {
    if (!flags.json) print(`${deviceCard(device)}\n`);
    if (tuning !== undefined) await call("useTuning", { tuning });
    const calibration = await call("calibrate", { quick: true });
    const tuned = flags.tune ? await call("tune", { subject, options: { budgetMs, approximate: request.approximate } }) : null;
    if (tuned && !flags.json) print(`${tuningTable(tuned)}\n`);
    if (tuned && flags.saveTuning !== undefined)
      await writeText(flags.saveTuning, `${JSON.stringify(tuned.document, null, 1)}\n`);
    const bench = await call("benchKernels", { subject, calibration, options: request });
    const scaled = { rows: SCALING_ROWS, keys: request.keys, samples: request.samples, essential: true };
    const scaling = flags.scaling ? await call("benchKernels", { subject, calibration, options: scaled }) : null;
    const document = {
      ...{ schema: SCHEMA, command: "kernels", device, model: name, calibration, clock: bench.clock },
      ...{ kernels: bench.kernels, forwards: bench.forwards },
      ...(tuned && { tuning: tuned }),
      ...(scaling && { scaling: scalingOf(scaling.forwards, scaling.kernels) }),
    };
    if (flags.out !== undefined) await writeOut(flags.out, document, { name, device, calibration, tuned, bench, scaling });
    const wrong = bench.kernels.filter(({ correct, chosen }) => !correct && chosen);
    if (flags.json) printDocument(document);
    else {
      print(`${kernelTableText(bench)}\n`);
      if (bench.forwards.length > 0) print(`${forwardTable(bench.forwards)}\n`);
      if (scaling) print(`${scalingTable(scalingOf(scaling.forwards, scaling.kernels))}\n`);
    }
    const [first] = wrong;
    if (!first) return;
    // The document is out already: what is wrong goes beside it, into the exit status too.
    const which = `${first.role} (${first.kernel} ${first.variant}, ${first.rows} rows): ${first.fault}`;
    say(`error [gpu-validation]: ${wrong.length} kernels are wrong on this device; ${which}`);
    process.exitCode = 1;
  });
}

/** Adds the command to the program. */
export function registerKernels(program: Command): void {
  withBrowserOptions(
    program
      .command("kernels")
      .description("each kernel alone: checked against float64, timed, set against its own floor; the autotuner"),
  )
    .option("--model <model>", `its sizes; no weights are loaded (default: ${DEFAULT_MODEL})`)
    .option("--shapes <KxN,…>", "linear layers of these shapes in place of a model")
    .option("--format <name>", `weights of --shapes: ${FORMATS.join(", ")}`, "q4")
    .option("-m, --rows <a,b>", "rows of the forwards", "1,8,32,128")
    .option("--keys <n>", "rows of the cache that attention sees", "256")
    .option("--only <name>", "one kernel, by its file's stem or its role")
    .option("--variants", "every variant that this device can run, not just the one that does")
    .option("--approximate", "with --variants and --tune: those too that round inputs to f16 or to bytes")
    .option("--scaling", `what rows cost: forwards of ${SCALING_ROWS.join(", ")} rows`)
    .option("--samples <n>", "samples of a time", "7")
    .option("--tune [ms]", `find the fastest variants first, within so many ms (default: ${DEFAULT_BUDGET_MS})`)
    .option("--tuning <file>", "variants as an earlier --save-tuning wrote them")
    .option("--save-tuning <file>", "with --tune: write what was found")
    .option("--out <folder>", "write kernels.json and, with --scaling, its figures")
    .action(kernels);
}
