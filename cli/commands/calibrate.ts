/** `calibrate`: the roofs of this device. */
import type { Command } from "commander";
import type { Calibration, Spread } from "../../src/index";
import { deviceCard } from "../device-card";
import { formatBytes, formatGbps, formatGflops, formatNs, formatNumber, formatPercent } from "../format";
import { type CommonFlags, sessionOptions, withBrowserOptions } from "../options";
import { print, printDocument, SCHEMA } from "../output";
import { withSession } from "../session";
import { formatTable } from "../table";

interface Roof {
  readonly name: string;
  readonly value: string;
  readonly spread: string;
}

function roof(name: string, { median, mad }: Spread, format: (value: number) => string): Roof {
  return { name, value: format(median), spread: `± ${formatPercent(median > 0 ? (100 * mad) / median : 0)}` };
}

/** The roofs as a table. */
export function calibrationTable({ flopsPerNs, bytesPerNs, loadsPerNs, dispatchNs, submitMapNs }: Calibration): string {
  const rows = [
    ...(["f32", "f16", "dp4a"] as const).flatMap((type) => {
      const spread = flopsPerNs[type];
      return spread ? [roof(`arithmetic ${type}`, spread, formatGflops)] : [];
    }),
    roof("memory read", bytesPerNs.read, formatGbps),
    roof("memory copy", bytesPerNs.copy, formatGbps),
    ...bytesPerNs.levels.map((level) => roof(`read within ${formatBytes(level.workingSetBytes)}`, level, formatGbps)),
    roof("loads issued", loadsPerNs, (value) => `${formatNumber(value)} G/s`),
    roof("a dispatch", dispatchNs, formatNs),
    roof("submit to mapped", submitMapNs, formatNs),
  ];
  return formatTable(rows, [
    { head: "roof", cell: ({ name }) => name, left: true },
    { head: "median", cell: ({ value }) => value },
    { head: "spread", cell: ({ spread }) => spread },
  ]);
}

/** Adds the command to the program. */
export function registerCalibrate(program: Command): void {
  withBrowserOptions(program.command("calibrate").description("measure the roofs of this device"))
    .option("--quick", "fewer repetitions")
    .action(async (flags: CommonFlags & { quick?: boolean }) => {
      await withSession(sessionOptions(flags), [], async ({ device, call }) => {
        const calibration = await call("calibrate", { quick: flags.quick ?? false });
        if (flags.json) return printDocument({ schema: SCHEMA, command: "calibrate", device, calibration });
        print(`${deviceCard(device)}\n${calibrationTable(calibration)}`);
      });
    });
}
