import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** The folder of tests. */
export const tests = fileURLToPath(new URL("..", import.meta.url));

/** One file of a test's program, whose paths are those of `tests`. `options` are more of esbuild's. */
export async function bundle(options) {
  const { outputFiles } = await build({
    absWorkingDir: tests,
    bundle: true,
    format: "esm",
    jsx: "automatic",
    write: false,
    logLevel: "error",
    logOverride: { "ignored-bare-import": "silent" },
    define: { "process.env.NODE_ENV": '"development"' },
    ...options,
  });
  return outputFiles[0].text;
}
