/** All documents with their sizes; of those that are unfolded the heads, the value and the history. */
import type { Doc, DocInfo, Space } from "../space/types.js";
import { list, make, type Panel, say, table } from "./dom.js";
import { bytes, clock, many, short, value } from "./format.js";

/** Of a document's changes, so many are listed: the latest. */
const CHANGES_MAX = 100;
/** Reading a long document and its history takes time: at most one part in so many is spent on it. */
const REST = 20;

export class Documents implements Panel {
  readonly title = "Documents";
  readonly element: HTMLElement;
  readonly #table = table("Documents that this replica holds", "Document", "Commits", "Size");
  readonly #unfolded = new Map<string, Unfolded>();

  constructor(
    readonly space: Space,
    /** To be called when something is to be shown anew. */
    readonly changed: () => void,
  ) {
    this.element = this.#table.element;
  }

  show(): void {
    if (this.space.status.state === "closed") return;
    const held = this.space.documents();
    for (const id of this.#unfolded.keys()) if (!held.some((document) => document.id === id)) this.#fold(id);
    list(
      this.#table.body,
      held.flatMap((document) => {
        const unfolded = this.#unfolded.get(document.id);
        return unfolded === undefined ? [{ document }] : [{ document }, { document, unfolded }];
      }),
      ({ document, unfolded }) => (unfolded === undefined ? document.id : `${document.id} unfolded`),
      ({ document, unfolded }) => (unfolded === undefined ? this.#row(document) : unfolded.row),
      (element, { document, unfolded }) => (unfolded === undefined ? this.#fill(element, document) : unfolded.show()),
    );
    say(this.#table.empty, held.length === 0 ? "There is no document yet." : "");
  }

  close(): void {
    for (const id of [...this.#unfolded.keys()]) this.#fold(id);
  }

  #row({ id }: DocInfo): HTMLTableRowElement {
    const button = make("button", { type: "button", "aria-expanded": "false" });
    button.addEventListener("click", () => {
      if (this.#unfolded.has(id)) this.#fold(id);
      else this.#unfolded.set(id, new Unfolded(this.space, id, this.changed));
      this.show();
    });
    return make("tr", {}, make("th", { scope: "row" }, button), make("td"), make("td"));
  }

  #fill(element: Element, { id, name, commits, bytes: size }: DocInfo): void {
    const button = element.querySelector("button")!;
    say(button, name === undefined ? short(id) : `${name} (${short(id)})`);
    button.setAttribute("aria-expanded", String(this.#unfolded.has(id)));
    say(element.children[1]!, String(commits));
    say(element.children[2]!, bytes(size));
  }

  #fold(id: string): void {
    this.#unfolded.get(id)?.close();
    this.#unfolded.delete(id);
  }
}

/** A document that is looked into: it is open for as long. */
class Unfolded {
  readonly row: HTMLTableRowElement;
  readonly #what = make("p", { class: "empty" }, "Opening …");
  readonly #heads = make("code");
  readonly #value = make("pre", { tabindex: "0", "aria-label": "Value", role: "region" });
  readonly #count = make("h3");
  readonly #changes = make("ol");
  readonly #found: HTMLElement;
  #doc: Doc<object> | undefined;
  #isClosed = false;
  #shown: readonly string[] | undefined;
  /** When it may be read again. */
  #due = 0;

  constructor(space: Space, id: string, changed: () => void) {
    this.#found = make(
      "div",
      { hidden: "" },
      make("p", {}, make("code", {}, `automerge:${id}`)),
      make("h3", {}, "Heads"),
      this.#heads,
      make("h3", {}, "Value"),
      this.#value,
      this.#count,
      this.#changes,
    );
    this.row = make("tr", {}, make("td", { colspan: "3" }, this.#what, this.#found));
    space.open(id).then(
      (doc) => {
        if (this.#isClosed) return doc.close();
        this.#doc = doc;
        changed();
      },
      (error: unknown) =>
        say(this.#what, `It can't be opened: ${error instanceof Error ? error.message : String(error)}`),
    );
  }

  show(): void {
    const doc = this.#doc;
    if (doc === undefined) return;
    this.#found.hidden = doc.deleted;
    say(this.#what, doc.deleted ? "It was deleted." : "");
    if (doc.deleted) return;
    const heads = doc.heads;
    const started = performance.now();
    if (started < this.#due || this.#shown?.join() === heads.join()) return;
    this.#shown = heads;
    this.#read(doc, heads);
    this.#due = started + REST * (performance.now() - started);
  }

  #read(doc: Doc<object>, heads: readonly string[]): void {
    say(this.#heads, heads.map(short).join(" "));
    say(this.#value, value(doc.value));
    const history = doc.history();
    const shown = history.slice(-CHANGES_MAX).reverse();
    const all = many(history.length, "change");
    say(this.#count, shown.length < history.length ? `The last ${shown.length} of ${all}` : all);
    list(
      this.#changes,
      shown,
      ({ hash }) => hash,
      ({ hash, actor, time, message, operations }) =>
        make(
          "li",
          {},
          make("time", { datetime: new Date(time).toISOString() }, clock(time)),
          make("code", {}, short(hash)),
          make("span", {}, `${many(operations, "operation")} by ${short(actor)}${message ? `: ${message}` : ""}`),
        ),
      () => undefined,
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#doc?.close();
  }
}
