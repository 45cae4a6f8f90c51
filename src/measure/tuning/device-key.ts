/** What must be equal for a tuning to hold: the device as kernels see it, the browser's version, and the code of the candidates. */
import type { DeviceProfile } from "../../gpu/profile";

/** Name and major version of the browser of a user agent, e.g. `Chrome 156`. */
export function browserOf(userAgent: string): string {
  // In this order: Edge says that it is Chrome, and Chrome that it is Safari.
  for (const name of ["Edg", "Firefox", "Chrome", "Version"]) {
    const major = new RegExp(`\\b${name}/(\\d+)`).exec(userAgent)?.[1];
    if (major) return `${name} ${major}`;
  }
  return userAgent;
}

/** One line of text that is equal for equal devices. The driver's version is not told to pages, which is why a tuning also grows old. */
export function deviceKey(profile: DeviceProfile): string {
  const { vendor, architecture, description, features, subgroupMinSize, subgroupMaxSize, userAgent } = profile;
  return JSON.stringify([
    vendor,
    architecture,
    description,
    `subgroups ${subgroupMinSize}–${subgroupMaxSize}`,
    [...features].sort().join(" "),
    browserOf(userAgent),
  ]);
}

/** SHA-256 of candidates, their ids and their code, in any order. */
export async function candidatesHash(candidates: readonly { readonly id: string; readonly code: string }[]): Promise<string> {
  const text = candidates.map(({ id, code }) => `${id}\n${code}`).sort();
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(text)));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
