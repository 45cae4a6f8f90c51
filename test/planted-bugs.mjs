/**
 * Does the suite go red for the bugs it was written for? Applies one-line mutations of the sources, one at a time, on a temporary copy of the working
 * tree, runs the tests that should notice, and lists those that nobody noticed. Not part of `npm test`: it takes several minutes.
 *
 *     node test/planted-bugs.mjs [part of a mutation's name]…
 *
 * The copy's tests must pass before anything is planted. A run that does not get to its tests counts as neither caught nor missed, but as an error.
 * Exit status 0: every mutation was caught.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const kernel = (name) => `test/kernel/${name}.test.ts`;
const TRAJECTORIES = "test/decode/trajectories.test.ts";
const AHEAD = "test/unit/decode/ahead.test.ts";

/** What is wrong, where, the text (exactly once in the file), what it becomes, the tests that must fail. */
const MUTATIONS = [
  [
    "rotary pair turns the wrong way",
    "shaders/rope_cache.wgsl",
    "pair.x * turn.x - pair.y * turn.y",
    "pair.x * turn.x + pair.y * turn.y",
    kernel("rope-cache"),
  ],
  ["k is normed with q's gain", "shaders/rope_cache.wgsl", "select(HEAD_DIM, 0u, head < HEADS)", "0u", kernel("rope-cache")],
  [
    "stale cache: values go to the row's number",
    "shaders/rope_cache.wgsl",
    "store_value(head - HEADS - KV_HEADS, slot,",
    "store_value(head - HEADS - KV_HEADS, row,",
    kernel("rope-cache"),
  ],
  [
    "no causal limit",
    "shaders/lib/four_pairs.wgsl",
    "& (vec4u(key) < seen.limit)",
    "& (vec4u(key) < vec4u(end_of(seen)))",
    kernel("attention"),
  ],
  ["left padding is seen", "shaders/lib/four_pairs.wgsl", "(vec4u(key) >= seen.start) & ", "", kernel("attention")],
  [
    "an empty interval divides by zero",
    "shaders/lib/attended_whole.wgsl",
    "select(1.0 / place.total, vec4f(0.0), place.total == vec4f(0.0))",
    "1.0 / place.total",
    kernel("attention"),
  ],
  [
    "a piece loses its last key",
    "shaders/attention.wgsl",
    "end = min(end, first + share)",
    "end = min(end, first + share - 1u)",
    kernel("attention"),
  ],
  [
    "holes are seen",
    "shaders/lib/four_pairs.wgsl",
    "(vec4u(key) < seen.hole_limit)",
    "(vec4u(key) < seen.hole_start)",
    kernel("attention"),
  ],
  [
    "half of a word of f16 is not cached",
    "shaders/lib/cache_write_f16.wgsl",
    "packed(turned(source, i))",
    "packed(turned(source, i).xx)",
    kernel("rope-cache"),
  ],
  [
    "scores in the wrong base",
    "src/kernels/attention.ts",
    "Math.LOG2E / Math.sqrt(headDim)",
    "1 / Math.sqrt(headDim)",
    kernel("attention"),
  ],
  [
    "last row of a product is not stored",
    "shaders/lib/linear_store.wgsl",
    "row >= plan.rows",
    "row + 1u >= plan.rows",
    kernel("linear"),
  ],
  ["a column too many is stored", "shaders/lib/linear_store.wgsl", "column >= OUT)", "column > OUT)", kernel("linear")],
  ["high nibbles are the low ones", "shaders/lib/weight_q4.wgsl", "(word >> 4u)", "word", kernel("linear")],
  [
    "f16 pairs are swapped",
    "shaders/lib/weight_f16.wgsl",
    "unpack2x16float(weight_words[at])",
    "unpack2x16float(weight_words[at]).yx",
    kernel("layer"),
  ],
  ["no epsilon", "shaders/rmsnorm.wgsl", "f32(SIZE) + EPS)", "f32(SIZE))", kernel("layer")],
  ["the head reads row t, not its source", "shaders/rmsnorm.wgsl", "plan.row[row].source", "row", kernel("layer")],
  ["equal logits: the last id wins", "shaders/row_stats.wgsl", "value > p.peak", "value >= p.peak", kernel("row-stats")],
  [
    "equal partials: the higher id wins",
    "shaders/lib/partial.wgsl",
    "y.winner < x.winner",
    "y.winner > x.winner",
    kernel("row-stats"),
  ],
  [
    "doubt only as fine as confidence",
    "shaders/row_answer.wgsl",
    "p.peak, p.rest, 0.0",
    "p.peak, bitcast<f32>(bitcast<u32>(1.0 + p.rest)) - 1.0, 0.0",
    kernel("row-stats"),
  ],
  [
    "entropy ranks the unsure first",
    "shaders/row_answer.wgsl",
    "answer.score = -answer.entropy",
    "answer.score = answer.entropy",
    kernel("row-stats"),
  ],
  [
    "top-p and top-k keep one too few",
    "shaders/sample_cutoff.wgsl",
    "plan.temperature), mass);",
    "plan.temperature), mass) * 1.02;",
    kernel("sampling"),
  ],
  ["top-p bound", "shaders/sample_cutoff.wgsl", "all * plan.top_p", "plan.top_p", kernel("sampling")],
  [
    "confidence of the wrong distribution",
    "shaders/row_answer.wgsl",
    "plan.tempered != 0u",
    "plan.tempered == 0u",
    kernel("sampling"),
  ],
  ["noise is not Gumbel's", "shaders/lib/random.wgsl", "return -log(exponential);", "return -exponential;", kernel("sampling")],
  ["Gumbel's upper tail is cut", "shaders/lib/random.wgsl", "w < 0.001)", "false)", kernel("random")],
  [
    "draws forget the place",
    "shaders/row_stats.wgsl",
    "plan.row[row].draw, plan.row[row].key, v",
    "plan.row[row].draw, 0u, v",
    kernel("sampling"),
  ],
  [
    "threshold is always strict",
    "shaders/reveal.wgsl",
    "(plan.strict == 0u && confidence == plan.bound)",
    "false",
    kernel("reveal"),
  ],
  ["factor off by one", "shaders/reveal.wgsl", "f32(n + 2u)", "f32(n + 1u)", kernel("reveal")],
  ["the largest entropy counts", "shaders/reveal.wgsl", "sum - peak > plan.bound", "sum > plan.bound", kernel("reveal")],
  [
    "known places are overwritten",
    "shaders/reveal.wgsl",
    "return canvas[answers[plan.first + i].goal] == plan.mask_id;",
    "return true;",
    kernel("reveal"),
  ],
  [
    "equal scores: the later place first",
    "shaders/reveal.wgsl",
    "return a.goal < b.goal;",
    "return a.goal > b.goal;",
    kernel("reveal"),
  ],
  [
    "no commit pass",
    "src/decode/block-diffusion.ts",
    "if (!ended && kept && !denoiser.followed) {",
    "if (ended && kept && !denoiser.followed) {",
    TRAJECTORIES,
  ],
  [
    "a block sees one place less",
    "src/decode/block-diffusion.ts",
    "    () => stop,\n    () => null,",
    "    () => stop - 1,\n    () => null,",
    TRAJECTORIES,
  ],
  ["a token sees the next one", "src/decode/autoregressive.ts", "=> place + 1;", "=> place + 2;", TRAJECTORIES],
  ["a guard is not asked", "shaders/reveal.wgsl", "if (!guarded()) {", "if (true) {", kernel("reveal")],
  [
    "reports overwrite those of the reveal before",
    "shaders/reveal.wgsl",
    "behind += taken_of[r];",
    "behind = 0u;",
    kernel("reveal"),
  ],
  [
    "one report without room is lost",
    "src/model/readback.ts",
    "if (total > room) reports",
    "if (total > room + 16) reports",
    "test/model/rows.test.ts",
  ],
  [
    "a pass counts although its guard does not hold",
    "src/decode/runner.ts",
    "if (guard && canvas.masks(...guard).length > 0) return true;",
    "",
    AHEAD,
  ],
  [
    "the next block's pass overwrites keys that this block still needs",
    "src/decode/masked-diffusion.ts",
    'other = cache === "none" ? base : end - base;',
    "other = base;",
    AHEAD,
  ],
  ["a block whose first pass went ahead begins anew", "src/decode/masked-diffusion.ts", "next.denoiser.begin();", "", AHEAD],
  ["a commit that went ahead is made twice", "src/decode/block-diffusion.ts", "kept && !denoiser.followed", "kept", AHEAD],
  [
    "the host waits for every token",
    "src/decode/resolve.ts",
    "const TOKENS_PER_SUBMIT = 4;",
    "const TOKENS_PER_SUBMIT = 1;",
    "test/decode/readbacks.test.ts",
  ],
  ["a bitmap is read from its highest bit", "shaders/allow.wgsl", "(id.x & 31u)", "(31u - (id.x & 31u))", kernel("logits")],
  [
    "a constraint that is ignored",
    "src/model/recorder.ts",
    "constrained: pass.allowed !== undefined,",
    "constrained: false,",
    "test/decode/constraint.test.ts",
  ],
  [
    "an end of text that is ignored is allowed",
    "src/decode/constraint.ts",
    "return mayEnd ? bits :",
    "return mayEnd || !mayEnd ? bits :",
    "test/decode/constraint.test.ts",
  ],
  [
    "a divergence without the sum of what was kept",
    "shaders/divergence.wgsl",
    "(kept[base + v] - log_sum_before)",
    "kept[base + v]",
    kernel("logits"),
  ],
  ["logits are compared and not kept", "shaders/divergence.wgsl", "      kept[base + v] = value;\n", "", kernel("logits")],
  [
    "KLASS counts a place's first pass",
    "src/decode/policies/klass.ts",
    "last !== undefined && divergence < this.#v.divergence ? last + 1 : 0",
    "divergence < this.#v.divergence ? (last ?? 0) + 1 : 0",
    "test/unit/decode/policies.test.ts",
  ],
  [
    "sequences of a batch keep their logits in the same slots",
    "src/model/batch.ts",
    "[index * row.kept[1] + row.kept[0],",
    "[row.kept[0],",
    "test/decode/batch.test.ts",
  ],
  [
    "several answers to a prompt draw alike",
    "src/decode/runner.ts",
    "const drawn = DRAWS * (this.#options.sequence ?? 0);",
    "const drawn = 0;",
    "test/decode/batch.test.ts",
  ],
  [
    "penalties cost nothing",
    "src/model/recorder.ts",
    "length ** 2, 0) };",
    "0 * length, 0) };",
    "test/unit/model/penalties.test.ts",
  ],
].map(([name, file, from, to, test]) => ({ name, file, from, to, test }));

/** Copies what git knows or would add, and the installed packages without their caches. */
async function copyTree(folder) {
  const list = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
    maxBuffer: 2 ** 26,
  });
  for (const path of list.toString().split("\0").filter(Boolean)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    // A file deleted but not yet committed is listed too.
    await cp(join(ROOT, path), join(folder, path)).catch((error) => {
      if (error.code !== "ENOENT") throw error;
    });
  }
  const filter = (path) => !path.includes(`node_modules${"/"}.vite`);
  await cp(join(ROOT, "node_modules"), join(folder, "node_modules"), { recursive: true, verbatimSymlinks: true, filter });
}

/** "green", "red", or what kept the tests from running. */
async function outcomeOf(folder, tests) {
  const report = join(folder, "planted-report.json");
  await rm(report, { force: true });
  const vitest = join(folder, "node_modules/vitest/vitest.mjs");
  const projects = new Set(tests.map((test) => (test.startsWith("test/unit/") ? "unit" : "browser")));
  const asked = [...projects].flatMap((project) => ["--project", project]);
  const args = [vitest, "run", ...asked, "--bail", "1", "--reporter", "json", "--outputFile", report, ...tests];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", timeout: 600_000 });
  const counts = await readFile(report, "utf8").then(JSON.parse, () => null);
  if (counts?.numFailedTests > 0) return "red";
  if (status === 0 && counts?.numPassedTests > 0) return "green";
  return `did not run (status ${status}): ${stderr.trim().split("\n").slice(-3).join(" ")}`;
}

const wanted = process.argv.slice(2);
const chosen = MUTATIONS.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
const folder = await mkdtemp(join(tmpdir(), "ridgepoint-planted-"));
const results = [];
try {
  console.log(`copying to ${folder}`);
  await copyTree(folder);
  const before = await outcomeOf(folder, [...new Set(chosen.map(({ test }) => test))]);
  if (before !== "green") throw new Error(`the tests must pass before a bug is planted: ${before}`);
  for (const { name, file, from, to, test } of chosen) {
    const path = join(folder, file);
    const source = await readFile(path, "utf8");
    const places = source.split(from).length - 1;
    let outcome = `"${from}" is in ${file} ${places} times, expected once`;
    if (places === 1) {
      await writeFile(
        path,
        source.replace(from, () => to),
      );
      outcome = await outcomeOf(folder, [test]);
      await writeFile(path, source);
    }
    results.push({ name, outcome });
    const verdict = { red: "caught    ", green: "NOT CAUGHT" }[outcome] ?? "error     ";
    console.log(`${verdict}  ${name} (${test})${outcome === "red" || outcome === "green" ? "" : `: ${outcome}`}`);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
const caught = results.filter(({ outcome }) => outcome === "red").length;
console.log(`\n${caught} of ${chosen.length} planted bugs caught`);
if (caught < chosen.length) process.exitCode = 1;
