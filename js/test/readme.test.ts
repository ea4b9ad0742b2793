/** The README names all that there is. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { it } from "node:test";
import * as conformance from "../src/entries/conformance.js";
import * as slim from "../src/entries/slim.js";
import * as testing from "../src/entries/testing.js";

const source = (name: string): Promise<string> => readFile(new URL(`../${name}`, import.meta.url), "utf8");

/** A word in what is set as code. */
const named = (text: string): Set<string> =>
  new Set([...text.matchAll(/`+[^`]+`+/g)].flatMap(([code]) => code.match(/\w+/g) ?? []));

it("the exports of every entry", async () => {
  const names = named(await source("README.md"));
  const others = await Promise.all(["react", "codemirror"].map((name) => source(`src/entries/${name}.ts`)));
  const exported = [...others.join("\n").matchAll(/^export \{ (.*) \}/gm)].flatMap(([, list]) => list!.split(", "));
  const all = [...Object.keys(slim), ...Object.keys(conformance), ...Object.keys(testing), ...exported];
  for (const name of ["useDoc", "eyotText", "openSpace"]) assert.ok(all.includes(name), name);
  assert.deepEqual(
    all.filter((name) => !names.has(name)),
    [],
  );
});

it("the members of spaces, documents, commits and statuses, in its reference", async () => {
  const [, reference] = (await source("README.md")).split("## Reference");
  const names = named(reference!);
  const types = await source("src/space/types.ts");
  const interfaces = [...types.matchAll(/^export interface (\w+)[^]*?^\}/gm)];
  assert.ok(interfaces.length >= 7);
  for (const [text, name] of interfaces) {
    const members = [...text.matchAll(/^  (?:readonly )?(\w+)[?(<:]/gm)].map(([, member]) => member!);
    assert.ok(members.length > 0, name);
    assert.deepEqual(
      members.filter((member) => !names.has(member)),
      [],
      name,
    );
  }
});
