/**
 * Four builds of one tree: `--mode lib` (dist/lib), `--mode pages` (dist/pages: the demo and the page the command line drives), `--mode cli`
 * (dist/cli, Node) and `--mode playwright` (dist/playwright, Node). Without a mode: the dev server of the demo.
 */
import { cp } from "node:fs/promises";
import { builtinModules } from "node:module";
import { defineConfig, type Plugin, type UserConfig } from "vite";
import manifest from "./package.json" with { type: "json" };

const NODE_TARGET = "node20";
const packages = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)];
const external = [...packages, ...builtinModules, /^node:/].map((name) =>
  typeof name === "string" ? new RegExp(`^${name}(/|$)`) : name,
);

/** `/` of the dev server is the demo. */
function demoAtRoot(): Plugin {
  return {
    name: "ridgepoint:demo-at-root",
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        if (request.url !== "/") return next();
        response.writeHead(302, { location: "/demo/" }).end();
      });
    },
  };
}

/** Puts the embedded models beside the built demo, which looks for them one folder up: `dist/pages` can then be served by any web server. */
function modelsBesidePages(): Plugin {
  return {
    name: "ridgepoint:models-beside-pages",
    apply: "build",
    closeBundle: () => cp("models", "dist/pages/models", { recursive: true }),
  };
}

const builds: Record<string, UserConfig> = {
  lib: {
    build: {
      outDir: "dist/lib",
      lib: { entry: "src/index.ts", formats: ["es"], fileName: () => "index.js" },
      rolldownOptions: { external },
      minify: false,
      sourcemap: true,
    },
  },
  pages: {
    plugins: [modelsBesidePages()],
    build: {
      outDir: "dist/pages",
      rolldownOptions: { input: ["demo/index.html", "cli/page/index.html"] },
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
    },
  },
  cli: {
    build: {
      outDir: "dist/cli",
      ssr: true,
      target: NODE_TARGET,
      rolldownOptions: { input: "cli/main.ts", external, output: { entryFileNames: "main.js", banner: "#!/usr/bin/env node" } },
      minify: false,
    },
  },
  playwright: {
    build: {
      outDir: "dist/playwright",
      ssr: true,
      target: NODE_TARGET,
      rolldownOptions: { input: "perf/index.ts", external, output: { entryFileNames: "index.js" } },
      minify: false,
    },
  },
};

export default defineConfig(({ mode }) => ({
  base: "./",
  publicDir: false,
  worker: { format: "es" },
  ...builds[mode],
  plugins: [demoAtRoot(), ...(builds[mode]?.plugins ?? [])],
}));
