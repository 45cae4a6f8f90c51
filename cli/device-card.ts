/** What a person reads about the device before any number. */
import { formatNs } from "./format";
import type { DeviceDocument } from "./session";

/** Adapter, browser, features and clock in four lines. */
export function deviceCard(device: DeviceDocument): string {
  const { vendor, architecture, description, software, features, subgroupMinSize, subgroupMaxSize, timestampQuantumNs } = device;
  const name = [vendor, architecture, description].filter(Boolean).join(" ");
  const subgroups =
    subgroupMaxSize > 0 ? `subgroups of ${[...new Set([subgroupMinSize, subgroupMaxSize])].join("–")}` : "no subgroups";
  const clock =
    timestampQuantumNs === null ? "no GPU clock (timestamp-query)" : `GPU clock steps of ${formatNs(timestampQuantumNs)}`;
  return [
    `device   ${name || "unknown"}${software ? " (a CPU: speeds say nothing of a GPU)" : ""}`,
    `browser  ${device.browser}`,
    `has      ${features.length > 0 ? features.join(", ") : "no optional features"}; ${subgroups}`,
    `timer    ${clock}`,
    "",
  ].join("\n");
}
