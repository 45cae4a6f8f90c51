/** What tests do to a page before the engine is there, which knows nothing of it: kernels that are slower than they are, a device without a clock. */

/** Runs in the page before the engine: modules whose label begins so get a `main` that calls the old one several times. */
function patch(start: string, times: number): void {
  const { createShaderModule } = GPUDevice.prototype;
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    if (!descriptor.label?.startsWith(start)) return createShaderModule.call(this, descriptor);
    const entry = /(@compute\s+@workgroup_size\([^)]*\)\s*)fn main\(((?:[^()]|\([^()]*\))*)\)\s*\{/;
    const [, attributes = "", parameters = ""] = entry.exec(descriptor.code) ?? [];
    if (attributes === "") throw new Error(`${descriptor.label}: no entry point to slow down`);
    const bare = parameters.replace(/@builtin\([^)]*\)\s*/g, "");
    const names = [...bare.matchAll(/(\w+)\s*:/g)].map(([, name]) => name).join(", ");
    const calls = `  work(${names});\n`.repeat(times);
    const code = `${descriptor.code.replace(entry, `fn work(${bare}) {`)}\n${attributes}fn main(${parameters}) {\n${calls}}\n`;
    return createShaderModule.call(this, { ...descriptor, code });
  };
}

/** JavaScript for a page in which kernels whose WGSL file begins with `start` do their work `times` times. */
export const slowed = (start: string, times: number): string => `(${patch})(${JSON.stringify(start)}, ${times});`;

/** Runs in the page before the engine: no adapter has timestamps. */
function withhold(feature: string): void {
  const features = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, "features")?.get as () => GPUSupportedFeatures;
  Object.defineProperty(GPUAdapter.prototype, "features", {
    get(this: GPUAdapter) {
      return new Set([...features.call(this)].filter((name) => name !== feature));
    },
  });
}

/** JavaScript for a page whose devices have no `timestamp-query`. */
export const withoutTimestamps = (): string => `(${withhold})("timestamp-query");`;
