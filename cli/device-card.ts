/** What a person reads about the device before any number. */
import { formatNs } from "./format";
import type { DeviceDocument } from "./session";

/** The adapter as it names itself. */
export const deviceName = ({ vendor, architecture, description }: DeviceDocument): string =>
  [vendor, architecture, description].filter(Boolean).join(" ") || "unknown";

/** Adapter, browser, features and clock in four lines. */
export function deviceCard(device: DeviceDocument): string {
  const { software, features, subgroupMinSize, subgroupMaxSize, timestampQuantumNs } = device;
  const subgroups =
    subgroupMaxSize > 0 ? `subgroups of ${[...new Set([subgroupMinSize, subgroupMaxSize])].join("–")}` : "no subgroups";
  const clock =
    timestampQuantumNs === null ? "no GPU clock (timestamp-query)" : `GPU clock steps of ${formatNs(timestampQuantumNs)}`;
  return [
    `device   ${deviceName(device)}${software ? " (a CPU: speeds say nothing of a GPU)" : ""}`,
    `browser  ${device.browser}`,
    `has      ${features.length > 0 ? features.join(", ") : "no optional features"}; ${subgroups}`,
    `timer    ${clock}`,
    "",
  ].join("\n");
}
