/** `eyot/codemirror`: two browsers that edit one text, with carets, undo and an input method. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, beforeEach, it } from "node:test";
import { startRelay } from "../relay.mjs";
import { bundle, tests } from "./bundle.mjs";
import { newProfile, serveSite } from "./site.mjs";

const timeout = 120_000;

let site, relay, profiles;
before(
  async () => {
    [relay, ...profiles] = await Promise.all([startRelay(), newProfile(), newProfile()]);
    const html = (script) => `<!doctype html><meta charset="utf-8"><title>Editor</title><link rel="icon" href="data:,">
      <main id="note"></main><script type="module">import * as eyot from "/${script}"; globalThis.eyot = eyot;</script>`;
    const page = await bundle({ entryPoints: ["browser/codemirror/page.mjs"] });
    const files = { "editor.html": html("page.js"), "page.js": page };
    for (const name of ["plain", "react"]) {
      files[`${name}.html`] = html(`${name}.js`);
      files[`${name}.js`] = await bundle({
        stdin: { contents: await example(name), loader: "jsx", resolveDir: tests },
      });
    }
    site = await serveSite(files);
  },
  { timeout },
);
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
});
after(async () => {
  await Promise.all([...profiles.map((profile) => profile.remove()), site.close()]);
  await relay.stop();
});

/** What `docs/guide/editors.md` shows, with this test's relay. */
async function example(name) {
  const text = await readFile(new URL("../../docs/guide/editors.md", import.meta.url), "utf8");
  const [, code] = new RegExp(
    `^## CodeMirror$[^]*?^\`\`\`${name === "react" ? "jsx" : "js"}\n([^]*?)^\`\`\`$`,
    "m",
  ).exec(text);
  if (name === "plain") return code.replace("wss://relay.example", relay.url);
  return `import { openSpace } from "eyot";
    import { SpaceProvider } from "eyot/react";
    import { StrictMode, Suspense } from "react";
    import { createRoot } from "react-dom/client";
    ${code}
    const open = () => openSpace("team", { relays: ["${relay.url}"] });
    createRoot(document.querySelector("#note")).render(
      <StrictMode><SpaceProvider open={open}><Suspense><Editor /></Suspense></SpaceProvider></StrictMode>);`;
}

const pages = [];
/** The space of a test. */
let name;
let number = 0;
beforeEach(() => (name = `editor ${(number += 1)}`));

async function visit(profile, path) {
  const page = await profile.visit(`${site.url}${path}.html`);
  pages.push(page);
  return page;
}

const call = (page, name, ...all) => page.evaluate(([name, all]) => eyot[name](...all), [name, all]);

/** A page of somebody with an editor. */
async function opens(profile, text, person) {
  const page = await visit(profile, "editor");
  await call(page, "start", name, relay.url, text, person);
  return page;
}

/** Two people at one text. */
async function two(text) {
  const [ada, bob] = await Promise.all([
    opens(profiles[0], text, { name: "Ada", color: "#c2410c" }),
    opens(profiles[1], text, { name: "Bob" }),
  ]);
  for (const page of [ada, bob]) await page.waitForFunction(() => space.status.state === "live");
  return [ada, bob];
}

/** Resolves once the document of a page, and all its editors, have this text. */
async function show(page, text) {
  await page.waitForFunction((text) => eyot.texts().every((shown) => shown === text), text);
}

/** Resolves once what a function of the page gives is this. */
const comesTo = (page, name, wanted, ...all) =>
  page.waitForFunction(
    ([name, all, wanted]) => JSON.stringify(eyot[name](...all)) === wanted,
    [name, all, JSON.stringify(wanted)],
  );

it("two who type at once in one line lose no letter, and neither's caret jumps", { timeout }, async () => {
  const [ada, bob] = await two("[]()\nlast line");
  await call(ada, "select", 1);
  await call(bob, "select", 3);
  const [letters, digits] = ["abcdefghijklmnopqrstuvwxyz".repeat(3), "0123456789".repeat(6)];
  await Promise.all([ada.keyboard.type(letters, { delay: 5 }), bob.keyboard.type(digits, { delay: 7 })]);
  const text = `[${letters}](${digits})\nlast line`;
  await Promise.all([show(ada, text), show(bob, text)]);
  assert.deepEqual(await call(ada, "selection"), [1 + letters.length, 1 + letters.length]);
  const end = letters.length + digits.length + 3;
  assert.deepEqual(await call(bob, "selection"), [end, end]);
  // At one place, too: what each has typed stays in its order.
  for (const page of [ada, bob]) await call(page, "select", 0);
  await Promise.all([ada.keyboard.type("over and\nover "), bob.keyboard.type("AGAIN\nAND AGAIN")]);
  const length = text.length + "over and\nover ".length + "AGAIN\nAND AGAIN".length;
  for (const page of [ada, bob]) await page.waitForFunction((length) => eyot.texts()[0].length === length, length);
  const [all] = await call(ada, "texts");
  await Promise.all([show(ada, all), show(bob, all)]);
  const typed = all.slice(0, -text.length);
  assert.equal(typed.replaceAll(/[A-Z]/g, "").replaceAll(/\s/g, ""), "overandover");
  assert.equal(typed.replaceAll(/[a-z]/g, "").replaceAll(/\s/g, ""), "AGAINANDAGAIN");
});

it("each sees where the other is and what they have selected, whatever is typed around it", { timeout }, async () => {
  const [ada, bob] = await two("one two three");
  await call(ada, "select", 4, 7);
  await comesTo(bob, "carets", ["Ada at 7"]);
  assert.deepEqual(await call(bob, "selected"), ["two"]);
  assert.equal(await call(bob, "announced"), "Ada is in this text");
  await call(bob, "change", 0, 0, "zero ");
  assert.deepEqual(await call(bob, "carets"), ["Ada at 12"]);
  assert.deepEqual(await call(bob, "selected"), ["two"]);
  assert.deepEqual(await call(ada, "carets"), [], "one who has not been in the text has no caret");
  const color = await bob.evaluate(() => getComputedStyle(document.querySelector(".eyot-caret")).borderLeftColor);
  assert.equal(color, "rgb(194, 65, 12)");
  const isHidden = await bob.evaluate(() => document.querySelector(".eyot-caret").getAttribute("aria-hidden"));
  assert.equal(isHidden, "true", "it is announced, and is no part of the text");

  // Somebody else changes their name; a caret goes with its editor.
  await ada.evaluate(() => space.presence.set({ name: "Countess" }));
  await comesTo(bob, "carets", ["Countess at 12"]);
  await call(ada, "destroy");
  await comesTo(bob, "carets", []);
  assert.equal(await call(bob, "announced"), "Countess has left this text");
});

it("a caret's name stays within the editor, at its upper and right end too", { timeout }, async () => {
  const [ada, bob] = await two("one line");
  await ada.evaluate(() => space.presence.set({ name: "A name that is longer than its line" }));
  await bob.addStyleTag({ content: ".cm-editor { width: 200px }" });
  await call(ada, "select", 8);
  await bob.waitForFunction(() => {
    const [name, editor] = [".eyot-caret-name", ".cm-scroller"].map((part) => document.querySelector(part));
    if (name === null || editor.scrollWidth > editor.clientWidth) return false;
    const [inner, outer] = [name.getBoundingClientRect(), editor.getBoundingClientRect()];
    return inner.right <= outer.right && inner.top >= outer.top;
  });
});

it("the keys for undo take back what was done here, and put the caret there", { timeout }, async () => {
  const [ada, bob] = await two("middle");
  await call(ada, "select", 0);
  // Keys may come so slowly that each is a step of its own.
  await ada.keyboard.insertText("ab");
  await call(bob, "select", 6);
  await show(bob, "abmiddle");
  await bob.keyboard.press("Control+End");
  await bob.keyboard.type("!");
  await show(ada, "abmiddle!");
  await call(ada, "select", 9);
  await ada.keyboard.press("Control+z");
  await show(ada, "middle!");
  assert.deepEqual(await call(ada, "selection"), [0, 0]);
  await show(bob, "middle!");
  await ada.keyboard.press("Control+y");
  await show(ada, "abmiddle!");
  assert.deepEqual(await call(ada, "selection"), [2, 2]);
  await bob.keyboard.press("Control+z");
  await show(bob, "abmiddle");
  await bob.keyboard.press("Control+Shift+Z");
  await show(bob, "abmiddle!");
  assert.deepEqual(await call(bob, "selection"), [9, 9]);
});

it("what is composed with an input method is not disturbed by others", { timeout }, async () => {
  const [ada, bob] = await two("first line\nsecond line\nthird line");
  const input = await ada.context().newCDPSession(ada);
  await call(ada, "select", 6);
  await call(bob, "select", 0);
  await comesTo(bob, "carets", ["Ada at 6"]);
  await call(ada, "watchCompositions");
  await input.send("Input.imeSetComposition", { text: "に", selectionStart: 1, selectionEnd: 1 });
  await show(bob, "first にline\nsecond line\nthird line");

  // Another line is shown at once. In the line itself edits wait, those around the composed text as well.
  await call(bob, "change", 13, 0, "changed ");
  await ada.waitForFunction(() => eyot.texts()[1].includes("changed"));
  await call(bob, "change", 7, 0, "#");
  await call(bob, "change", 0, 0, "the ");
  await ada.waitForFunction(() => eyot.texts()[0].startsWith("the first に#"));
  const [, shown] = await call(ada, "texts");
  assert.equal(shown.split("\n")[0], "first にline");
  await input.send("Input.imeSetComposition", { text: "にほ", selectionStart: 2, selectionEnd: 2 });
  await input.send("Input.imeSetComposition", { text: "日本", selectionStart: 2, selectionEnd: 2 });
  await ada.waitForFunction(() => eyot.texts()[0].includes("日本"));
  assert.deepEqual(await ada.evaluate(() => compositions), ["compositionstart"]);
  await input.send("Input.insertText", { text: "日本" });
  for (const page of [ada, bob]) {
    await page.waitForFunction(() => new Set(eyot.texts()).size === 1 && /^the first .*日本/.test(eyot.texts()[0]));
  }
  const [text] = await call(bob, "texts");
  assert.match(text.split("\n")[0], /^the first (日本#|#日本)line$/);
  await Promise.all([show(ada, text), show(bob, text)]);
  assert.deepEqual(await ada.evaluate(() => compositions), ["compositionstart", "compositionend"]);
  const caret = text.indexOf("本") + 1;
  assert.deepEqual(await call(ada, "selection"), [caret, caret]);
});

it("two editors on one page show the same, and the one with the focus shows its caret", { timeout }, async () => {
  const [ada, bob] = await two("text");
  await call(ada, "addEditor");
  await call(ada, "select", 0, 0, 1);
  await ada.keyboard.type("my ");
  await show(ada, "my text");
  await show(bob, "my text");
  await comesTo(bob, "carets", ["Ada at 3"]);
  assert.deepEqual(await call(ada, "carets"), [], "one's own caret in another editor is no other's");
  await call(ada, "select", 7, 7, 0);
  await comesTo(bob, "carets", ["Ada at 7"]);
  await call(ada, "destroy", 1);
  await ada.keyboard.type("!");
  await show(bob, "my text!");
  await comesTo(bob, "carets", ["Ada at 8"]);
});

it("who may only read sees the edits and carets of others, and types and undoes nothing", { timeout }, async () => {
  const [ada, bob] = await two("text");
  await call(bob, "setTitle", "a title");
  await call(bob, "addReadOnly");
  await call(bob, "select", 0, 0, 1);
  await bob.keyboard.type("not written");
  await bob.keyboard.press("Control+z");
  await call(ada, "select", 4);
  await ada.keyboard.type("!");
  await show(bob, "text!");
  await comesTo(bob, "carets", ["Ada at 5"], 1);
  assert.equal(await bob.evaluate(() => doc.value.title), "a title");
});

it("an editor whose document is deleted keeps what it shows, and is read-only", { timeout }, async () => {
  const [ada, bob] = await two("text");
  await ada.evaluate(() => void space.delete(doc.id));
  for (const page of [ada, bob]) await comesTo(page, "isReadOnly", true);
  await call(bob, "select", 0);
  await bob.keyboard.type("late");
  assert.deepEqual(await call(bob, "texts"), ["text", "text"]);
});

it("an editor whose space is closed takes back what is typed then, and is read-only", { timeout }, async () => {
  const [ada] = await two("text");
  const errors = [];
  ada.on("pageerror", (error) => errors.push(error));
  await call(ada, "select", 0);
  await ada.evaluate(() => space.close());
  await ada.keyboard.type("x");
  await comesTo(ada, "isReadOnly", true);
  await comesTo(ada, "texts", ["text", "text"]);
  await ada.keyboard.type("y");
  await call(ada, "destroy");
  // A view may be drawn once more before its framework hears of that.
  await call(ada, "addEditor");
  await comesTo(ada, "isReadOnly", true, 1);
  assert.deepEqual(await call(ada, "texts"), ["text", "text", "text"]);
  assert.deepEqual(errors, []);
});

it("what the documentation shows works, by itself and in React", { timeout }, async () => {
  const plain = await visit(profiles[0], "plain");
  const react = await visit(profiles[1], "react");
  await react.click(".cm-content");
  await react.keyboard.type("from React");
  await plain.waitForFunction(() => document.querySelector(".cm-line").textContent.startsWith("from React"));
  await plain.click(".cm-content");
  await plain.keyboard.press("Control+Home");
  await plain.keyboard.type("and here, ");
  await react.waitForSelector(".eyot-caret");
  assert.equal(await react.evaluate(() => document.querySelectorAll(".cm-editor").length), 1);
  assert.equal(await react.evaluate(() => document.querySelector(".eyot-caret").textContent), "Ada");
  await react.waitForFunction(() => document.querySelector(".cm-line").textContent.includes("and here, "));
});
