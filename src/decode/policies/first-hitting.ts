/**
 * First-hitting sampling (Zheng et al., arXiv 2409.02908; BD3-LM's sampler): the times at which masks fall are drawn first, so every forward reveals exactly
 * one place, uniformly at random. Models here are not conditioned on time, so the times themselves need not be drawn.
 */
import { policy } from "./policy";

export const firstHitting = policy({
  name: "first-hitting",
  source: "arXiv 2409.02908",
  settings: {},
  rule: () => ({ rule: "schedule", metric: "random" }),
});
