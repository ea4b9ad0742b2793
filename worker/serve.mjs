// One relay on this machine, in the foreground: node serve.mjs --region eu --port 7701 --data DIR

import { rm } from "node:fs/promises";
import { parseArgs } from "node:util";

import { bundle, start } from "./workerd.mjs";

const PARENT_CHECK_MS = 500;

const { values } = parseArgs({
  options: {
    region: { type: "string", default: "local" },
    port: { type: "string", default: "0" },
    data: { type: "string" },
    origin: { type: "string", multiple: true, default: [] },
  },
});
if (values.data === undefined) {
  console.error("usage: node serve.mjs --data DIR [--region NAME] [--port NUMBER] [--origin URL …]");
  process.exit(2);
}

const parent = process.ppid;
const folder = await bundle();
try {
  const { region, data, port, origin: origins } = values;
  const relay = await start({ folder, region, data, port: Number(port), origins });
  console.log(`workerd pid ${relay.pid}`);
  console.log(`ready ${relay.url}`);

  let stopping = false;
  const stop = () => {
    stopping = true;
    void relay.stop();
  };
  process.once("SIGINT", stop).once("SIGTERM", stop).once("SIGHUP", stop);
  // Whoever started this may have been killed without a word.
  const watch = setInterval(() => process.ppid === parent || stop(), PARENT_CHECK_MS);
  await relay.exited;
  clearInterval(watch);
  if (!stopping) {
    console.error("workerd has ended by itself");
    process.exitCode = 1;
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
