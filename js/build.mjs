/**
 * Builds `dist/` from `src/` and the Wasm in `wasm/`: one ES module for each entry, what they share in
 * chunks, the .wasm files of replicas and of relays, and the types.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const WASM = { "eyot.wasm": "eyot_web_replica_bg.wasm", "eyot-relay.wasm": "eyot_web_relay_bg.wasm" };
const ENTRIES = [
  "index",
  "node",
  "workerd",
  "slim",
  "cloudflare",
  "react",
  "inspector",
  "codemirror",
  "conformance",
  "conformance-node",
  "testing",
  "testing-node",
];
/** What is a program, and no entry: it exports nothing. */
const PROGRAMS = ["cli"];

const WASM_TYPES = `/** The file for \`initialize\` of eyot/slim. What an import of it gives is up to the bundler: an address, or a module. */
declare const wasm: any;
export default wasm;
`;

if (!Object.values(WASM).every((name) => existsSync(join(here, "wasm", name)))) {
  console.error("js/wasm is empty: `cargo xtask wasm` makes it");
  process.exit(1);
}

const started = performance.now();
rmSync(dist, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  target: "es2022",
  // Scripts are read and debugged as they are written. Whoever bundles them minifies them too.
  sourcemap: true,
  legalComments: "none",
  metafile: true,
  outdir: dist,
  entryPoints: [...ENTRIES, ...PROGRAMS].map((entry) => `src/entries/${entry}.ts`),
  chunkNames: "chunk-[hash]",
  splitting: true,
  external: [
    "node:*",
    "react",
    "@codemirror/*",
    "ws",
    "node-datachannel/*",
    "cloudflare:*",
    ...Object.keys(WASM).map((name) => `./${name}`),
  ],
});
for (const [name, made] of Object.entries(WASM)) copyFileSync(join(here, "wasm", made), join(dist, name));
for (const name of PROGRAMS) chmodSync(join(dist, `${name}.js`), 0o755);
declarations();
licences(metafile);
report();

function declarations() {
  const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
  execFileSync(process.execPath, [tsc, "--project", join(here, "tsconfig.build.json")], { stdio: "inherit" });
  // The types of an entry are beside the folders of `src`, as its script is, wherever its source is.
  for (const entry of ENTRIES) {
    writeFileSync(join(dist, `types/${entry}.d.ts`), `export * from "./entries/${entry}.js";\n`);
  }
  writeFileSync(join(dist, "types/wasm.d.ts"), WASM_TYPES);
  // The types of an entry name those of the engines. From `dist/types` they are where they are from `src`.
  mkdirSync(join(dist, "wasm"));
  for (const name of readdirSync(join(here, "wasm"))) {
    if (/^eyot_web_(replica|relay)\.d\.ts$/.test(name))
      copyFileSync(join(here, "wasm", name), join(dist, "wasm", name));
  }
}

/** The licences of what is bundled, as they ask to be told. */
function licences({ inputs }) {
  const packages = new Set();
  for (const input of Object.keys(inputs)) {
    const found = /^(.*node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(input);
    if (found) packages.add(join(here, found[1]));
  }
  const notices = [...packages].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((name) => /^licen[cs]e(\.|$)/i.test(name));
    const text = file ? readFileSync(join(folder, file), "utf8").trim() : license;
    return `## ${name} ${version} (${license})\n\n\`\`\`\n${text}\n\`\`\`\n`;
  });
  const head = "# Third-party software in this package\n\nThe JavaScript in `dist/` contains these packages:\n\n";
  writeFileSync(join(here, "THIRD-PARTY.md"), head + notices.join("\n"));
  for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) copyFileSync(join(here, "..", name), join(here, name));
}

function report() {
  const size = (name) => statSync(join(dist, name)).size;
  const scripts = readdirSync(dist).filter((name) => name.endsWith(".js"));
  const bytes = scripts.reduce((sum, name) => sum + size(name), 0);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const compiled = Object.keys(WASM).map((name) => `${name} ${size(name)} bytes`);
  console.log(`js/dist: ${scripts.length} scripts, ${bytes} bytes; ${compiled.join("; ")}; ${seconds} s`);
}
