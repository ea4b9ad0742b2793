/** Recorded keystrokes, and what a patch of them means in UTF-16, as JavaScript counts. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

export async function readTrace(name) {
  const file = fileURLToPath(new URL(`${name}.json.gz`, import.meta.url));
  return JSON.parse((await promisify(gunzip)(await readFile(file))).toString());
}

/** A patch, whose position and removal count code points, in code units of the text that it is applied to. */
export function inUnits(text, [position, removed, inserted]) {
  if (!/[\ud800-\udfff]/.test(text)) return [position, removed, inserted];
  const points = [...text];
  const start = points.slice(0, position).join("").length;
  return [start, points.slice(position, position + removed).join("").length, inserted];
}

export function apply(text, [start, removed, inserted]) {
  return text.slice(0, start) + inserted + text.slice(start + removed);
}

/** What transactions of one person come to, and their patches in code units. */
export function play(txns) {
  let text = "";
  const edits = txns.map(({ patches }) =>
    patches.map((patch) => {
      const edit = inUnits(text, patch);
      text = apply(text, edit);
      return edit;
    }),
  );
  return { edits, text };
}
