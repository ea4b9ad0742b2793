#!/usr/bin/env node
/** The program `eyot`: `npx eyot relay`. */
import { messageOf } from "../base/error.js";
import { helpOf, WrongFlags } from "../server/command-line.js";
import { FLAGS, settingsOf } from "../server/flags.js";
import { serve } from "../server/serve.js";
import { readRelayWasm } from "./relay-wasm.js";

const USAGE = "Usage: eyot relay --region <REGION> --data <DIR> [OPTIONS]";

async function run([command, ...args]: string[]): Promise<number> {
  if (command === "--help" || command === "help" || command === undefined) {
    console.log(`A relay of eyot.\n\n${USAGE}\n\n${helpOf(FLAGS)}`);
    return command === undefined ? 2 : 0;
  }
  if (command !== "relay") throw new WrongFlags(`unrecognized subcommand '${command}'`);
  const settings = settingsOf(args);
  if (settings === undefined) {
    console.log(`Serves spaces until SIGTERM or SIGINT.\n\n${USAGE}\n\n${helpOf(FLAGS)}`);
    return 0;
  }
  return serve(settings, await readRelayWasm());
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.exitCode = 2;
  console.error(`error: ${messageOf(error)}`);
  if (error instanceof WrongFlags) console.error(`\n${USAGE}\n\nFor more information, try 'eyot relay --help'.`);
}
