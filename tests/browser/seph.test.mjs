/** A blog post typed in one browser and watched in another, and what both write while apart. */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { play, readTrace } from "../data/trace.mjs";
import { countingProxy } from "../proxy.mjs";
import { startRelay } from "../relay.mjs";
import { heads, newProfile, open, push, serveSite, until, value } from "./site.mjs";

const timeout = 60_000;
const TRANSACTIONS = 3_000;
/** How many keystrokes come between two breaths of the one who types. */
const BREATH = 50;

let site, relay, network, one, two, writer, watcher;
before(
  async () => {
    [site, relay, one, two] = await Promise.all([serveSite(), startRelay(), newProfile(), newProfile()]);
    network = await countingProxy(relay.port);
    [writer, watcher] = await Promise.all([one.visit(site.url), two.visit(site.url)]);
    await Promise.all([open(writer, "post", [network.url]), open(watcher, "post", [relay.url])]);
  },
  { timeout },
);
after(async () => {
  await Promise.all([one.remove(), two.remove()]);
  network.close();
  await Promise.all([site.close(), relay.stop()]);
});

it("a post typed in one browser is watched in another as it grows", { timeout }, async () => {
  const trace = await readTrace("seph-blog1");
  const { edits, text } = play(trace.txns.slice(0, TRANSACTIONS));
  await watcher.evaluate(() => {
    globalThis.seen = 0;
    doc.subscribe(() => (seen += 1));
  });
  await writer.evaluate(
    async ([edits, breath]) => {
      for (const [index, patches] of edits.entries()) {
        const commit = doc.change((draft) => {
          for (const [start, removed, inserted] of patches) eyot.splice(draft, ["text"], start, removed, inserted);
        });
        if (index % breath === 0) await commit.durable();
      }
    },
    [edits, BREATH],
  );
  await until(watcher, (value, text) => value.text === text, text);
  assert.equal((await value(writer)).text, text);
  assert.deepEqual(await heads(watcher), await heads(writer));
  assert.ok((await watcher.evaluate(() => seen)) > 1, "it came in parts");
});

it("both write offline, one through a closed page, and meet with all of it", { timeout }, async () => {
  const { text } = await value(watcher);
  await Promise.all([writer, watcher].map((page) => page.evaluate(() => space.setOnline(false))));
  await writer.evaluate(() => {
    doc.change((draft) => eyot.splice(draft, ["text"], 0, 0, "from the writer\n"));
    return doc.change((draft) => void draft.list.push("writer")).saved;
  });
  await watcher.evaluate(() => {
    doc.change((draft) => eyot.splice(draft, ["text"], draft.text.length, 0, "\nfrom the watcher"));
    return doc.change((draft) => void draft.list.push("watcher")).saved;
  });

  network.cut();
  await writer.close();
  writer = await one.visit(site.url);
  await open(writer, "post", [network.url]);
  assert.deepEqual(await value(writer), { text: `from the writer\n${text}`, list: ["writer"] });
  await push(writer, "writer again");
  assert.deepEqual((await value(watcher)).list, ["watcher"]);

  network.mend();
  await Promise.all(
    [writer, watcher].map((page) => page.evaluate(() => (space.setOnline(false), space.setOnline(true)))),
  );
  const all = ["watcher", "writer", "writer again"];
  const met = (value, count) => value.list.length === count;
  await Promise.all([until(writer, met, all.length), until(watcher, met, all.length)]);
  const [written, watched] = await Promise.all([value(writer), value(watcher)]);
  assert.deepEqual(written, watched);
  assert.equal(written.text, `from the writer\n${text}\nfrom the watcher`);
  assert.deepEqual(written.list.toSorted(), all);
  assert.deepEqual(await heads(writer), await heads(watcher));
});
