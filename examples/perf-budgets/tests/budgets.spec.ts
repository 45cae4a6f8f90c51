import { expect, type ProfileRequest, test } from "ridgepoint/playwright";

const prompt = "Ann has 3 apples and buys 4 more. How many apples does Ann have?";
const autoregressive: ProfileRequest = { model: "builtin:ar", prompt, maxNewTokens: 16, ignoreEos: true };
const diffusion: ProfileRequest = {
  model: "builtin:mdlm",
  prompt,
  genLength: 16,
  blockLength: 16,
  cache: "dual",
  threshold: 0.9,
};

test("matrix products reach their share of the roof", async ({ ridge }) => {
  const profile = await ridge.profile(autoregressive);
  expect(profile.kernel("matmul", { phase: "prefill" })).toReachRoof(0.1);
  expect(profile.kernel("lm_head", { phase: "decode" })).toReachRoof(0.1);
});

test("decoding costs what it did", async ({ ridge }) => {
  const profile = await ridge.profile(autoregressive);
  expect(profile).toStayWithin("autoregressive", { tolerance: 0.5 });
});

test("denoising costs what it did", async ({ ridge }) => {
  const profile = await ridge.profile(diffusion);
  expect(profile).toStayWithin("diffusion", { tolerance: 0.5 });
  expect(profile.counts.forwards).toBeLessThanOrEqual(16);
});
