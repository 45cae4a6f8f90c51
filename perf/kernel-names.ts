/** Names that people give kernels, looked up in a measured list: by WGSL file, by role in the model, or as `matmul`. */
import { ensure } from "../src/errors";
import type { PairedKernel } from "../src/index";

type Named = Pick<PairedKernel, "kernel" | "variant" | "role">;

/** Matrix products have files of several algorithms, which a device and the number of rows choose among. */
const MATMUL = /^gem[mv]_/;

/** Words of a kernel's full name: `gemv_lane` of variant `q4` is `gemv`, `lane`, `q4`. */
const wordsOf = ({ kernel, variant }: Named): string[] => `${kernel}_${variant}`.split(/[^A-Za-z0-9]+/).filter(Boolean);

/** Whether a kernel goes by `name`: its role, the first words of file and variant, or `matmul`, with a weight format behind it if wanted. */
export function goesBy(kernel: Named, name: string): boolean {
  if (name === kernel.role) return true;
  const [first, ...rest] = name.split("_");
  const words = wordsOf(kernel);
  if (first === "matmul") return MATMUL.test(kernel.kernel) && rest.every((word) => words.includes(word));
  return name.split("_").every((word, i) => word === words[i]);
}

/**
 * The kernels of a list that go by `name`, in its order.
 * @throws RidgepointError `bad-option`: there are none; the message lists the names there are
 */
export function findKernels<K extends Named & { readonly phase: string }>(
  kernels: readonly K[],
  name: string,
  phase?: string,
): K[] {
  const phases = [...new Set(kernels.map((kernel) => kernel.phase))];
  ensure(
    phase === undefined || phases.includes(phase),
    "bad-option",
    () => `kernel("${name}"): expected a phase of this run, ${phases.join(", ")}; came "${phase}"`,
  );
  const inPhase = kernels.filter((kernel) => phase === undefined || kernel.phase === phase);
  const found = inPhase.filter((kernel) => goesBy(kernel, name));
  ensure(found.length > 0, "bad-option", () => {
    const files = [...new Set(inPhase.map((kernel) => `${kernel.kernel} (${kernel.variant})`))].sort();
    const roles = [...new Set(inPhase.map(({ role }) => role))].sort();
    return `kernel("${name}"): this run has no such kernel; expected matmul, a file: ${files.join(", ")}; or a role: ${roles.join(", ")}`;
  });
  return found;
}
