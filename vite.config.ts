/**
 * Three builds of one tree: `--mode lib` (dist/lib), `--mode pages` (dist/pages: the demo and the page the command line drives) and
 * `--mode cli` (dist/cli, Node). Without a mode: the dev server of the demo.
 */
import { existsSync } from "node:fs";
import { builtinModules } from "node:module";
import { defineConfig, type Plugin, type UserConfig } from "vite";
import manifest from "./package.json" with { type: "json" };

const NODE_TARGET = "node20";
const external = [...Object.keys(manifest.dependencies), ...builtinModules, /^node:/].map((name) =>
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
    build: {
      outDir: "dist/pages",
      rolldownOptions: { input: ["demo/index.html", "cli/page/index.html"].filter((path) => existsSync(path)) },
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
};

export default defineConfig(({ mode }) => ({
  base: "./",
  publicDir: false,
  worker: { format: "es" },
  plugins: [demoAtRoot()],
  ...builds[mode],
}));
