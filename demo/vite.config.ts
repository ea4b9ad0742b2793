import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { defineConfig, type Plugin } from "vite";

/** Emits the service worker, which names the built files, so that another build is another worker. */
function serviceWorker(): Plugin {
  return {
    name: "service-worker",
    apply: "build",
    generateBundle: {
      // After the page is there: it decides with the rest what this build is.
      order: "post",
      handler(_, bundle) {
        // As the worker's own address has them: the folder may be anywhere on a host.
        const files = ["./", ...Object.keys(bundle).filter((name) => name !== "index.html")];
        const contents = Object.values(bundle).map((file) => (file.type === "asset" ? file.source : file.code));
        const hash = createHash("sha256");
        for (const content of contents) hash.update(content);
        const source = readFileSync(fileURLToPath(new URL("src/sw.js", import.meta.url)), "utf8");
        const constants = `const VERSION = ${JSON.stringify(hash.digest("hex").slice(0, 16))};\nconst FILES = ${JSON.stringify(files)};\n`;
        this.emitFile({ type: "asset", fileName: "sw.js", source: constants + source });
      },
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [serviceWorker()],
  worker: { format: "es" },
  build: {
    target: "esnext",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1_000,
    rolldownOptions: {
      input: ["index.html", "map.html"],
      checks: { pluginTimings: false },
      // "use client" is for servers that render, and there is none.
      onLog(level, log, report) {
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") report(level, log);
      },
    },
  },
});
