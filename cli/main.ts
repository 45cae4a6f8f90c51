/** `ridgepoint`: reads the command line, runs one command, and turns whatever goes wrong into one line and an exit status. */
import { Command, CommanderError } from "commander";
import manifest from "../package.json" with { type: "json" };
import { closeAll, closeOnSignals } from "./cleanup";
import { registerAccuracy } from "./commands/accuracy";
import { registerBench } from "./commands/bench";
import { registerCalibrate } from "./commands/calibrate";
import { registerCompare } from "./commands/compare";
import { registerEval } from "./commands/eval";
import { registerGenerate } from "./commands/generate";
import { registerInspect } from "./commands/inspect";
import { registerKernels } from "./commands/kernels";
import { registerLogits } from "./commands/logits";
import { registerReplay } from "./commands/replay";
import { registerReport } from "./commands/report";
import { registerSweep } from "./commands/sweep";
import { registerTokenize } from "./commands/tokenize";
import { describeError, printDocument, SCHEMA, say } from "./output";

/** Exit status of wrong usage, as opposed to 1 for a command that failed. */
const USAGE = 2;

function buildProgram(): Command {
  const program = new Command("ridgepoint")
    .description(manifest.description)
    .version(manifest.version)
    .exitOverride()
    // Errors are printed below, on one line.
    .configureOutput({ outputError: () => {} });
  for (const register of [
    registerCompare,
    registerGenerate,
    registerEval,
    registerAccuracy,
    registerLogits,
    registerReplay,
    registerCalibrate,
    registerInspect,
    registerBench,
    registerKernels,
    registerSweep,
    registerReport,
    registerTokenize,
  ]) {
    register(program);
  }
  return program;
}

/** Commands with decoding options. */
const DECODING = ["generate", "eval"];

/** Commander's errors in this project's words. An option that a decoding command does not know is a decoding option that does not exist. */
function usageError(error: CommanderError, command: string | undefined): { code: string; message: string; status: number } {
  const message = error.message.replace(/^error: /, "");
  const decoding = DECODING.includes(command ?? "") && error.code === "commander.unknownOption";
  const { message: line } = describeError(new Error(message));
  return decoding ? { code: "bad-option", message: line, status: 1 } : { code: "usage", message: line, status: USAGE };
}

function report(error: unknown, argv: readonly string[]): number {
  const command = argv[0];
  if (error instanceof CommanderError) {
    // Help and version have been printed already; without a command, help goes to stderr.
    if (error.exitCode === 0) return 0;
    if (error.code === "commander.help") return USAGE;
  }
  const { code, message, status } =
    error instanceof CommanderError ? usageError(error, command) : { ...describeError(error), status: 1 };
  say(`error [${code}]: ${message}`);
  if (process.env.RIDGEPOINT_DEBUG && error instanceof Error) say(error.stack ?? "");
  if (argv.includes("--json")) printDocument({ schema: SCHEMA, command, error: { code, message } });
  return status;
}

async function main(argv: readonly string[]): Promise<void> {
  closeOnSignals();
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  try {
    await buildProgram().parseAsync(argv, { from: "user" });
  } catch (error) {
    process.exitCode = report(error, argv);
  } finally {
    await closeAll();
  }
}

await main(process.argv.slice(2));
