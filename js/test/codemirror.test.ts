/** `eyot/codemirror` without a browser: the state of an editor and a text in a document. */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { EditorState, type TransactionSpec } from "@codemirror/state";
import fc from "fast-check";
import { LINE_SEPARATOR, TextSync } from "../src/codemirror/sync.js";
import { eyotText, type TextOptions } from "../src/codemirror/text.js";
import { caretsOf, COLORS, luminance, textColorOn } from "../src/editor/carets.js";
import { memory, openSpace, splice, type Doc, type Json, type Path, type Space } from "./eyot.js";

interface Note {
  text: string;
}

const spaces: Space[] = [];
afterEach(async () => void (await Promise.all(spaces.splice(0).map((space) => space.close()))));

async function open(): Promise<Space> {
  const space = await openSpace("editors", { storage: memory() });
  spaces.push(space);
  return space;
}

/** An editor as far as it needs no page. */
class TestEditor {
  state: EditorState;
  readonly sync: TextSync;
  /** Somebody composes a character. */
  isComposing = false;
  isEditable = true;
  readonly refused: unknown[] = [];

  constructor(doc: Doc<any>, path: readonly (string | number)[] = ["text"], text: string = doc.value.text) {
    this.state = EditorState.create({ doc: text, extensions: EditorState.lineSeparator.of(LINE_SEPARATOR) });
    this.sync = new TextSync(this, doc, path, {
      mustWait: () => this.isComposing,
      editable: (editable) => (this.isEditable = editable),
      refused: (error) => this.refused.push(error),
    });
  }

  get text(): string {
    return this.state.doc.toString();
  }

  dispatch(spec: TransactionSpec): void {
    const transaction = this.state.update(spec);
    this.state = transaction.state;
    this.sync.isUpdating = true;
    this.sync.applied([transaction]);
    this.sync.isUpdating = false;
  }

  type(from: number, to: number, insert: string): void {
    const length = this.state.doc.length;
    const [start, end] = [Math.min(from, length), Math.min(to, length)];
    this.dispatch({
      changes: { from: Math.min(start, end), to: Math.max(start, end), insert: this.state.toText(insert) },
    });
  }
}

/** All that was put off is done. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("an editor and a text in a document", () => {
  it("are the same after any edits of both, here and at another replica", async () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "\n", "\r", "é", "😀", "\ud83d"), maxLength: 5 });
    const step = fc.tuple(fc.nat(9), fc.nat(30), fc.nat(6), text, fc.nat(2));
    await fc.assert(
      fc.asyncProperty(text, fc.array(step, { maxLength: 30 }), async (initial, steps) => {
        const [here, there] = [await open(), await open()];
        const docs = [
          await here.named<Note>("doc", { text: initial }),
          await there.named<Note>("doc", { text: initial }),
        ] as const;
        const [a, b] = docs;
        // Two of them are at one replica.
        const editors = [new TestEditor(a), new TestEditor(a), new TestEditor(b)] as const;
        for (const [what, at, length, insert, who] of steps) {
          const editor = editors[who]!;
          const doc = docs[who === 2 ? 1 : 0];
          const before = doc.value.text;
          if (what < 4) editor.type(at, at + length, insert);
          else if (what === 4) editor.isComposing = !editor.isComposing;
          else if (what === 5) a.merge(b.export());
          else if (what === 6) b.merge(a.export());
          else if (what === 7)
            doc.change((draft) => splice(draft, ["text"], Math.min(at, before.length), length, insert));
          else if (what === 8) editor.sync.step("undo", () => void doc.undo());
          else await turn();
        }
        a.merge(b.export());
        b.merge(a.export());
        for (const editor of editors) {
          editor.isComposing = false;
          editor.sync.schedule();
        }
        await turn();
        assert.deepEqual(a.heads, b.heads);
        assert.equal(a.value.text, b.value.text);
        for (const editor of editors) {
          assert.equal(editor.text, a.value.text);
          assert.deepEqual(editor.refused, []);
          editor.sync.stop();
        }
        await Promise.all(spaces.splice(0).map((space) => space.close()));
      }),
      { numRuns: 120 },
    );
  });

  it("lose nothing that was typed, while one composes and the other goes on", async () => {
    const step = fc.tuple(fc.nat(5), fc.nat(40), fc.nat(1));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const [a, b] = [
          await (await open()).named<Note>("doc", { text: "" }),
          await (await open()).named<Note>("doc", { text: "" }),
        ];
        const editors = [new TestEditor(a), new TestEditor(b)] as const;
        const typed: string[] = [];
        for (const [what, at, who] of steps) {
          const editor = editors[who]!;
          if (what === 0) editor.isComposing = !editor.isComposing;
          else if (what === 1) a.merge(b.export());
          else if (what === 2) b.merge(a.export());
          else {
            typed.push(String.fromCodePoint(0x4e00 + typed.length));
            editor.type(at, at, typed[typed.length - 1]!);
          }
        }
        a.merge(b.export());
        b.merge(a.export());
        for (const editor of editors) {
          editor.isComposing = false;
          editor.sync.schedule();
        }
        await turn();
        assert.equal(editors[0].text, editors[1].text);
        assert.deepEqual([...editors[0].text].sort(), typed);
        await Promise.all(spaces.splice(0).map((space) => space.close()));
      }),
      { numRuns: 80 },
    );
  });

  it("an edit elsewhere leaves the selection where it is in the text, and is told as the splice that it is", async () => {
    const doc = (await open()).create<Note>({ text: "one two three" });
    const editor = new TestEditor(doc);
    editor.dispatch({ selection: { anchor: 4, head: 7 } });
    doc.change((draft) => {
      splice(draft, ["text"], 0, 3, "1");
      splice(draft, ["text"], 6, 5, "3");
    });
    assert.equal(editor.text, "1 two 3");
    const { anchor, head } = editor.state.selection.main;
    assert.equal(editor.text.slice(anchor, head), "two");
    const patches: unknown[] = [];
    doc.subscribe((_, event) => patches.push(...event.patches));
    editor.dispatch({
      changes: [
        { from: 0, to: 1, insert: "one" },
        { from: 7, insert: "!" },
      ],
    });
    assert.deepEqual(patches, [
      { action: "del", path: ["text", 0] },
      { action: "splice", path: ["text", 0], value: "one" },
      { action: "splice", path: ["text", 9], value: "!" },
    ]);
  });

  it("the document's text is the editor's, whatever that was made with", async () => {
    const doc = (await open()).create<Note>({ text: "of the document\r\n" });
    const editor = new TestEditor(doc, ["text"], "of nobody");
    await turn();
    assert.deepEqual([editor.text, doc.value.text], ["of the document\r\n", "of the document\r\n"]);
  });

  it("a text in a list is followed when items move, until it is gone", async () => {
    interface List {
      items: { text: string }[];
    }
    const doc = (await open()).create<List>({ items: [{ text: "one" }, { text: "two" }] });
    const editor = new TestEditor(doc, ["items", 1, "text"], "two");
    doc.change((draft) => draft.items.unshift({ text: "zero" }, { text: "half" }));
    editor.type(3, 3, "!");
    assert.deepEqual(
      doc.value.items.map(({ text }) => text),
      ["zero", "half", "one", "two!"],
    );
    doc.change((draft) => draft.items.splice(0, 2));
    editor.type(0, 0, "a");
    assert.deepEqual(
      doc.value.items.map(({ text }) => text),
      ["one", "atwo!"],
    );
    doc.change((draft) => draft.items.pop());
    assert.deepEqual([editor.text, editor.isEditable], ["", false]);
    editor.type(0, 0, "late");
    await turn();
    assert.equal(editor.text, "");
    doc.change((draft) => draft.items.push({ text: "another" }));
    assert.deepEqual([editor.text, editor.isEditable], ["", false]);
  });

  it("a text that is removed may come back", async () => {
    const doc = (await open()).create<{ text?: string }>({ text: "text" });
    const editor = new TestEditor(doc);
    doc.change((draft) => delete draft.text);
    assert.deepEqual([editor.text, editor.isEditable], ["", false]);
    doc.change((draft) => void (draft.text = "again"));
    assert.deepEqual([editor.text, editor.isEditable], ["again", true]);
  });

  it("what is typed while the document is busy is kept until it is not", async () => {
    const space = await open();
    const doc = space.create<Note>({ text: "0" });
    const editor = new TestEditor(doc);
    // In a draft, in a listener that is called before the editor's own, and in a transaction that is rolled back.
    doc.change(() => editor.type(1, 1, "1"));
    await turn();
    assert.deepEqual([editor.text, doc.value.text], ["01", "01"]);
    editor.sync.stop();
    let isFirst = true;
    doc.subscribe(() => {
      if (isFirst) later.type(0, 0, "2");
      isFirst = false;
    });
    const later = new TestEditor(doc);
    doc.change((draft) => splice(draft, ["text"], 0, 0, "a"));
    await turn();
    assert.deepEqual([later.text, doc.value.text], ["2a01", "2a01"]);
    const roll = (): unknown =>
      space.transact(() => {
        doc.change((draft) => splice(draft, ["text"], 0, 0, "b"));
        later.type(0, 0, "3");
        throw new Error("rolled back");
      });
    assert.throws(roll, /rolled back/);
    await turn();
    assert.deepEqual([later.text, doc.value.text], ["32a01", "32a01"]);
    assert.deepEqual(later.refused, []);
  });

  it("an edit that the document refuses is taken back, and reported", async () => {
    const doc = (await open()).create<Note>({ text: "small" });
    const editor = new TestEditor(doc);
    editor.type(5, 5, "x".repeat(17 * 2 ** 20));
    await turn();
    assert.deepEqual([editor.text, doc.value.text, editor.isEditable], ["small", "small", true]);
    assert.deepEqual(
      editor.refused.map((error) => (error as { code: string }).code),
      ["too-large"],
    );
    editor.type(5, 5, "!");
    assert.equal(doc.value.text, "small!");
  });
});

describe("an editor's extension", () => {
  it("refuses what it cannot use", async () => {
    const space = await open();
    const doc = space.create<Note>({ text: "" });
    const wrong: [unknown, unknown][] = [
      ["text", undefined],
      [["text"], { presense: space.presence }],
      [["text"], { presence: space }],
      [["text"], { undo: true }],
      [["text"], { undo: { undo: () => undefined } }],
    ];
    for (const [path, options] of wrong) {
      assert.throws(() => eyotText(doc, path as Path, options as TextOptions), { code: "invalid" });
    }
    eyotText(doc, ["text"], { presence: space.presence, undo: space });
  });
});

describe("the carets of others", () => {
  it("are taken from what they show, which may be anything", () => {
    const others = new Map<string, Json>([
      ["00", { name: " Ada ", color: "#AA0011", caret: { anchor: "a", head: "b" } }],
      ["01", { name: "x".repeat(100), color: "red; background: url(//x)", caret: { anchor: "a" } }],
      ["02", { caret: { anchor: 5 } }],
      ["03", "text"],
      ["04", null],
      ["05", { caret: "a" }],
      ["06", { name: {}, color: 7, caret: { anchor: "a", head: ["b"] } }],
    ]);
    const carets = caretsOf(others);
    assert.deepEqual(carets, [
      { id: "00", name: "Ada", color: "#AA0011", anchor: "a", head: "b" },
      { id: "01", name: "x".repeat(40), color: COLORS[1], anchor: "a", head: "a" },
    ]);
  });

  it("have colours that are seen on white and on black, and names that are read on them", () => {
    const contrast = (a: number, b: number): number => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    for (const color of COLORS) {
      assert.ok(contrast(luminance(color), 1) >= 3, color);
      assert.ok(contrast(luminance(color), 0) >= 3, color);
    }
    for (const color of [...COLORS, "#ffff00", "#000000", "#808080", "#ffffff"]) {
      assert.ok(
        contrast(luminance(color), luminance(textColorOn(color).replace(/^#(.)..$/, "#$1$1$1$1$1$1"))) >= 4.5,
        color,
      );
    }
  });
});
