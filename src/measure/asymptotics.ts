/**
 * The asymptotic table of both efficiency papers (arXiv 2510.04146, Table 1; arXiv 2510.18480, Table 1): leading terms without constants, in B sequences,
 * L = L_p + L_g places, hidden size d, K forwards, block length G. Projections lead while L ≪ d, attention once L ≫ d.
 */

/** Sizes that the terms are in. */
export interface AsymptoticSizes {
  /** B */
  readonly batch: number;
  /** L_p */
  readonly promptLength: number;
  /** L_g */
  readonly genLength: number;
  /** d */
  readonly hiddenSize: number;
  /** K: denoising forwards. Not used by autoregressive rows. */
  readonly steps: number;
  /** G */
  readonly blockLength: number;
}

export type AsymptoticRow = "ar-prefill" | "ar-decode" | "mdlm-naive" | "mdlm-dual-cache" | "block-diffusion";

export interface Asymptotic {
  readonly name: string;
  /** As text, for a table. */
  readonly flops: string;
  readonly bytes: string;
  readonly intensity: string;
  /** Terms of FLOP and byte, projections first, attention second. */
  readonly flopTerms: (sizes: AsymptoticSizes) => readonly [projections: number, attention: number];
  readonly byteTerms: (sizes: AsymptoticSizes) => readonly [projections: number, attention: number];
  /** FLOP a byte where projections lead. */
  readonly leadingIntensity: (sizes: AsymptoticSizes) => number;
}

const lengthOf = ({ promptLength, genLength }: AsymptoticSizes): number => promptLength + genLength;

const blockwise = {
  flops: "O(K·B·G·d²) + O(K·B·G·L·d)",
  bytes: "O(K·d²) + O(K·B·L·d)",
  intensity: "O(B·G) while B·L ≪ d, O(G) once B·L ≫ d",
  flopTerms: (s: AsymptoticSizes) => {
    const rows = s.steps * s.batch * s.blockLength * s.hiddenSize;
    return [rows * s.hiddenSize, rows * lengthOf(s)] as const;
  },
  byteTerms: (s: AsymptoticSizes) => [s.steps * s.hiddenSize ** 2, s.steps * s.batch * lengthOf(s) * s.hiddenSize] as const,
  leadingIntensity: (s: AsymptoticSizes) => s.batch * s.blockLength,
};

/** One row a way of decoding. */
export const ASYMPTOTICS: Readonly<Record<AsymptoticRow, Asymptotic>> = {
  "ar-prefill": {
    name: "autoregressive, prefill",
    flops: "O(B·L_p·d²) + O(B·L_p²·d)",
    bytes: "O(d²) + O(B·L_p·d)",
    intensity: "O(B·L_p) while B·L_p ≪ d, O(d + L_p) once B·L_p ≫ d",
    flopTerms: (s) => {
      const rows = s.batch * s.promptLength * s.hiddenSize;
      return [rows * s.hiddenSize, rows * s.promptLength];
    },
    byteTerms: (s) => [s.hiddenSize ** 2, s.batch * s.promptLength * s.hiddenSize],
    leadingIntensity: (s) => s.batch * s.promptLength,
  },
  "ar-decode": {
    name: "autoregressive, decode",
    flops: "O(B·L_g·d²) + O(B·L_g·L·d)",
    bytes: "O(L_g·d²) + O(B·L_g·L·d)",
    intensity: "O(B) while B·L ≪ d, O(1) once B·L ≫ d",
    flopTerms: (s) => {
      const rows = s.batch * s.genLength * s.hiddenSize;
      return [rows * s.hiddenSize, rows * lengthOf(s)];
    },
    byteTerms: (s) => [s.genLength * s.hiddenSize ** 2, s.batch * s.genLength * lengthOf(s) * s.hiddenSize],
    leadingIntensity: (s) => s.batch,
  },
  "mdlm-naive": {
    name: "masked diffusion, no cache",
    flops: "O(K·B·L·d²) + O(K·B·L²·d)",
    bytes: "O(K·d²) + O(K·B·L·d)",
    intensity: "O(B·L) while B·L ≪ d, O(d + L) once B·L ≫ d",
    flopTerms: (s) => {
      const rows = s.steps * s.batch * lengthOf(s) * s.hiddenSize;
      return [rows * s.hiddenSize, rows * lengthOf(s)];
    },
    byteTerms: (s) => [s.steps * s.hiddenSize ** 2, s.steps * s.batch * lengthOf(s) * s.hiddenSize],
    leadingIntensity: (s) => s.batch * lengthOf(s),
  },
  "mdlm-dual-cache": { name: "masked diffusion, dual cache", ...blockwise },
  "block-diffusion": { name: "block diffusion", ...blockwise },
};

/** The table's order of magnitude: sums of both terms. */
export function asymptotic(row: AsymptoticRow, sizes: AsymptoticSizes): { readonly flops: number; readonly bytes: number } {
  const { flopTerms, byteTerms } = ASYMPTOTICS[row];
  const sum = ([projections, attention]: readonly [number, number]): number => projections + attention;
  return { flops: sum(flopTerms(sizes)), bytes: sum(byteTerms(sizes)) };
}
