/** Sizes that several kernels agree on. */

/** Next multiple of 32: row length of an activation. */
export const pad32 = (n: number): number => Math.ceil(n / 32) * 32;
