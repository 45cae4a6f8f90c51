/** A profile into what a person looks at beside a test's result: its JSON, the report page, the roofline figure. */
import { type CompareDocument, renderReport, rooflineSvg } from "../src/index";
import type { PerfProfile } from "./perf-profile";

export interface Artefact {
  readonly name: string;
  readonly contentType: string;
  readonly body: string;
}

function documentOf({ workload, device, calibration, profile }: PerfProfile): CompareDocument {
  const { canvas, trace, usage, ...result } = profile.result;
  const { model, family, prompt, options } = workload;
  return {
    device: { ...calibration.device, browser: device.browser },
    calibration,
    runs: [
      {
        ...result,
        model,
        family,
        decoding: { name: "profiled", ...options },
        prompt: typeof prompt === "string" ? prompt : JSON.stringify(prompt),
        phases: profile.phases,
        kernels: profile.kernels,
        bubbleNs: profile.bubbleNs,
      },
    ],
  };
}

/** The artefacts of a profile; their names begin with `name`. */
export function artefactsOf(profile: PerfProfile, name: string): Artefact[] {
  const { calibration, workload } = profile;
  const kernels = [{ series: workload.model, rows: profile.profile.kernels }];
  return [
    { name: `${name}.json`, contentType: "application/json", body: JSON.stringify(profile) },
    { name: `${name}-report.html`, contentType: "text/html", body: renderReport(documentOf(profile)) },
    {
      name: `${name}-roofline.svg`,
      contentType: "image/svg+xml",
      body: rooflineSvg({ calibration, kernels, title: workload.model }, { theme: "light" }),
    },
  ];
}
