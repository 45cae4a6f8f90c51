/** The `ridge` of a test: profiles generations in the browser that its worker keeps open. It knows no budgets. */
import { ensure } from "../src/errors";
import type { Calibration, Family, GenerateOptions, PairedProfile, Profile, ProfileMode, Prompt } from "../src/index";
import { type PerfDevice, PerfProfile } from "./perf-profile";

/** Where and how a worker measures. */
export interface RidgeOptions {
  /** A path, `chromium` or `chrome`. Default: the first one found. */
  readonly browser?: string;
  /** `default` is the browser's own adapter, or SwiftShader where it has none. */
  readonly adapter?: "default" | "swiftshader" | "lavapipe";
  readonly headed?: boolean;
  /** Switches of the browser beside those that WebGPU needs. */
  readonly args?: readonly string[];
  /** WebSocket address of a Playwright server in place of a browser of this machine. */
  readonly connect?: string;
  /** Address of a running browser's DevTools in place of one of this machine. */
  readonly cdp?: string;
  /** Port of this machine that the page is served on, to be forwarded to a phone. Default: a free one. */
  readonly port?: number;
  /** Longest time of one call into the page, s. Default 600. */
  readonly timeout?: number;
  /** JavaScript that the page runs before its own, e.g. to withhold a feature of the device. */
  readonly initScripts?: readonly string[];
}

/** A generation to profile: the model and prompt, and options as `model.generate` takes them. */
export interface ProfileRequest extends Omit<GenerateOptions, "signal" | "trace"> {
  /** `builtin:ar|mdlm|block`, `hf:org/repo/file.gguf`, a URL, a file or a folder. */
  readonly model: string;
  readonly prompt: Prompt;
  /** Room to load the model with. Default: its own context. */
  readonly contextLength?: number;
  /** How `profile.profile` times kernels, see `ProfileMode`. Default: as fine as the clock allows. */
  readonly mode?: ProfileMode;
  /** A kernel is sampled until the interval of its median is this share of it, both ways. Default 0.02. */
  readonly precision?: number;
  /** … but no longer than this for all kernels together, ms. Default 20 000. */
  readonly patienceMs?: number;
}

/** A generation as the browser is told of it. */
export interface Run {
  readonly prompt: Prompt;
  readonly options: GenerateOptions;
  readonly calibration: Calibration;
}

/** What a {@link Ridge} needs of a browser. */
export interface PerfSession {
  readonly device: PerfDevice;
  calibrate(): Promise<Calibration>;
  /** Loads a model in place of the one before; gives its family. */
  load(model: string, contextLength: number | undefined): Promise<Family>;
  profile(run: Run & Pick<ProfileRequest, "mode">): Promise<Profile>;
  pairKernels(run: Run & Pick<ProfileRequest, "precision" | "patienceMs">): Promise<PairedProfile>;
}

/** A browser, a calibrated device and the model that was last asked for. */
export class Ridge {
  readonly #session: PerfSession;
  #calibration: Calibration | null = null;
  #loaded: { readonly as: string; readonly family: Family } | null = null;
  /** Told of every profile: attaches it to the running test. */
  onProfile: ((profile: PerfProfile) => Promise<void>) | null = null;

  /** @param session stays the caller's */
  constructor(session: PerfSession) {
    this.#session = session;
  }

  get device(): PerfDevice {
    return this.#session.device;
  }

  /** The roofs of the device, measured once a worker. */
  async calibrate(): Promise<Calibration> {
    this.#calibration ??= await this.#session.calibrate();
    return this.#calibration;
  }

  async #load(model: string, contextLength: number | undefined): Promise<Family> {
    const as = JSON.stringify([model, contextLength]);
    if (this.#loaded?.as === as) return this.#loaded.family;
    this.#loaded = null;
    const family = await this.#session.load(model, contextLength);
    this.#loaded = { as, family };
    return family;
  }

  /**
   * Runs the generation three times for its profile, once more for its forwards, and times their kernels in turns with the sentinel.
   * @throws RidgepointError what loading and generating throw; `bad-option` for options that do not apply
   */
  async profile(request: ProfileRequest): Promise<PerfProfile> {
    const { model, prompt, contextLength, mode, precision, patienceMs, ...options } = request;
    ensure(typeof model === "string" && prompt !== undefined, "bad-option", "ridge.profile: expected { model, prompt, … }");
    const family = await this.#load(model, contextLength);
    const calibration = await this.calibrate();
    const run = { prompt, options, calibration };
    const profile = await this.#session.profile({ ...run, ...(mode !== undefined && { mode }) });
    const pace = { ...(precision !== undefined && { precision }), ...(patienceMs !== undefined && { patienceMs }) };
    const paired = await this.#session.pairKernels({ ...run, ...pace });
    const workload = { model, family, prompt, options };
    const made = new PerfProfile({ workload, device: this.device, calibration, paired, profile });
    await this.onProfile?.(made);
    return made;
  }
}
