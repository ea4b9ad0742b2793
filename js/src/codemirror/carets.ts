/** The carets and selections of others in an editor, and its own for them. */
import { StateEffect, type Range } from "@codemirror/state";
import { Decoration, EditorView, WidgetType, type DecorationSet, type ViewUpdate } from "@codemirror/view";
import { EyotError } from "../base/error.js";
import { caretsOf, OwnCaret, textColorOn, type Caret } from "../editor/carets.js";
import type { Cursor, Presence, Unsubscribe } from "../space/types.js";
import type { TextSync } from "./sync.js";

/** Others show something else. */
const caretsMoved = StateEffect.define<null>();

interface Placed {
  readonly caret: Caret;
  readonly anchor: number;
  readonly head: number;
  /** Another one each time that they have moved it. */
  readonly moves: number;
}

export class Carets {
  decorations: DecorationSet = Decoration.none;
  readonly #view: EditorView;
  readonly #sync: TextSync;
  readonly #presence: Presence;
  readonly #mustWait: () => boolean;
  readonly #own: OwnCaret;
  readonly #stop: Unsubscribe | undefined;
  #placed: readonly Placed[] = [];
  #isScheduled = false;
  #isOver = false;

  /** `mustWait`: carets may only move along with the text at present. `schedule` is called after that. */
  constructor(view: EditorView, sync: TextSync, presence: Presence, mustWait: () => boolean) {
    this.#view = view;
    this.#sync = sync;
    this.#presence = presence;
    this.#mustWait = mustWait;
    this.#own = new OwnCaret(presence, () => this.#read());
    try {
      this.#stop = presence.subscribe(() => this.schedule());
    } catch (error) {
      // A space that is closed: nobody is there.
      if (!(error instanceof EyotError)) throw error;
    }
    this.schedule();
  }

  stop(): void {
    this.#isOver = true;
    this.#stop?.();
    this.#own.stop();
  }

  /** Called for every update of the view, after the text was passed on. */
  update(update: ViewUpdate): void {
    const { docChanged, changes, transactions } = update;
    if (docChanged || update.selectionSet || update.focusChanged) this.#own.moved();
    if (docChanged) {
      const moved = (position: number): number => changes.mapPos(position, 1);
      this.#placed = this.#placed.map((placed) => ({
        ...placed,
        anchor: moved(placed.anchor),
        head: moved(placed.head),
      }));
    }
    // One that was told of before its text is placed now.
    if (transactions.some((transaction) => this.#sync.isFromHere(transaction))) this.schedule();
    const haveMoved = transactions.some(({ effects }) => effects.some((effect) => effect.is(caretsMoved)));
    if (docChanged || haveMoved) this.decorations = decorationsOf(this.#placed, update);
  }

  /** Looks at what others show, once nothing else is being done. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (!this.#isOver) this.#place();
    });
  }

  #place(): void {
    const before = new Map(this.#placed.map((placed) => [placed.caret.id, placed]));
    const placed = caretsOf(this.#presence.others).flatMap((caret): Placed[] => {
      const found = this.#find(caret);
      if (found === undefined) return [];
      const known = before.get(caret.id);
      const isSame = known !== undefined && shownOf(known.caret) === shownOf(caret);
      return [{ caret, ...found, moves: isSame ? known.moves : (known?.moves ?? 0) + 1 }];
    });
    if (JSON.stringify(placed) === JSON.stringify(this.#placed) || this.#mustWait()) return;
    this.#placed = placed;
    const here = new Set(placed.map(({ caret }) => caret.id));
    const come = placed.filter(({ caret }) => !before.has(caret.id));
    const gone = [...before.values()].filter(({ caret }) => !here.has(caret.id));
    this.#view.dispatch({
      effects: [
        caretsMoved.of(null),
        ...come.map(({ caret }) => this.#announced("$ is in this text", caret)),
        ...gone.map(({ caret }) => this.#announced("$ has left this text", caret)),
      ],
    });
  }

  #announced(phrase: string, { name }: Caret): StateEffect<string> {
    const { state } = this.#view;
    return EditorView.announce.of(state.phrase(phrase, name || state.phrase("Somebody")));
  }

  /** Where a caret is in this editor. It may be in another text, or in one that is not here yet. */
  #find({ anchor, head }: Caret): { anchor: number; head: number } | undefined {
    const { doc } = this.#sync;
    try {
      const object = this.#object();
      if (![anchor, head].every((cursor) => objectOf(cursor) === object)) return undefined;
      const at = (cursor: Cursor): number => this.#sync.toEditor(doc.position(cursor));
      return { anchor: at(anchor), head: at(head) };
    } catch (error) {
      if (error instanceof EyotError) return undefined;
      throw error;
    }
  }

  /** The editor's own caret, while it has the focus of its window. */
  #read(): { anchor: Cursor; head: Cursor } | undefined {
    const { main } = this.#view.state.selection;
    const { path, doc } = this.#sync;
    const isFocused = this.#view.root.activeElement === this.#view.contentDOM;
    if (!isFocused || path === undefined) return undefined;
    try {
      const at = (position: number): Cursor => doc.cursor(path, this.#sync.toDocument(position));
      return { anchor: at(main.anchor), head: at(main.head) };
    } catch (error) {
      if (error instanceof EyotError) return undefined;
      throw error;
    }
  }

  #object(): string {
    const { path, doc } = this.#sync;
    return path === undefined ? "" : objectOf(doc.cursor(path, 0));
  }
}

/** The text that a cursor is in: what comes before the place in it. */
function objectOf(cursor: Cursor): string {
  return cursor.slice(0, cursor.indexOf("/"));
}

function shownOf({ name, color, anchor, head }: Caret): string {
  return JSON.stringify([name, color, anchor, head]);
}

function decorationsOf(placed: readonly Placed[], { state }: ViewUpdate): DecorationSet {
  const ranges: Range<Decoration>[] = [];
  for (const { caret, anchor, head, moves } of placed) {
    const [from, to] = [Math.min(anchor, head), Math.max(anchor, head)];
    if (from < to) {
      const style = `background-color: ${caret.color}40`;
      ranges.push(Decoration.mark({ class: "eyot-selection", attributes: { style } }).range(from, to));
    }
    const name = caret.name || state.phrase("Somebody");
    const isFirst = state.doc.lineAt(head).number === 1;
    const widget = new CaretWidget(caret.id, name, caret.color, moves, isFirst);
    // Outside of the selection that it ends.
    ranges.push(Decoration.widget({ widget, side: head > anchor ? -1 : 1 }).range(head));
  }
  return Decoration.set(ranges, true);
}

class CaretWidget extends WidgetType {
  constructor(
    readonly id: string,
    readonly name: string,
    readonly color: string,
    /** The name is shown anew whenever the caret was moved. */
    readonly moves: number,
    readonly isInFirstLine: boolean,
  ) {
    super();
  }

  override eq(other: CaretWidget): boolean {
    const isSame = this.id === other.id && this.moves === other.moves && this.isInFirstLine === other.isInFirstLine;
    return isSame && this.name === other.name && this.color === other.color;
  }

  override toDOM(view: EditorView): HTMLElement {
    const caret = document.createElement("span");
    caret.className = this.isInFirstLine ? "eyot-caret eyot-caret-first" : "eyot-caret";
    caret.style.setProperty("--eyot-caret", this.color);
    caret.style.setProperty("--eyot-caret-text", textColorOn(this.color));
    // Its coming and going is announced. Within the text it would be read as part of it.
    caret.setAttribute("aria-hidden", "true");
    const name = document.createElement("span");
    name.className = "eyot-caret-name";
    name.textContent = this.name;
    caret.append(name);
    // Beyond the right end it would make the editor scroll.
    view.requestMeasure({
      read: () => name.getBoundingClientRect().right > view.scrollDOM.getBoundingClientRect().right,
      write: (isOutside) => void (isOutside && caret.classList.add("eyot-caret-last")),
    });
    return caret;
  }

  override ignoreEvent(): boolean {
    return false;
  }
}

export const caretTheme = EditorView.baseTheme({
  ".eyot-caret": {
    position: "relative",
    borderLeft: "2px solid var(--eyot-caret)",
    margin: "0 -1px",
  },
  ".eyot-caret-name": {
    position: "absolute",
    bottom: "100%",
    left: "-2px",
    zIndex: "1",
    padding: "0 0.35em",
    borderRadius: "0.3em 0.3em 0.3em 0",
    background: "var(--eyot-caret)",
    color: "var(--eyot-caret-text)",
    font: "600 0.75rem / 1.4 system-ui, sans-serif",
    whiteSpace: "nowrap",
    userSelect: "none",
    pointerEvents: "none",
    // Shown for a while, without motion.
    animation: "eyot-caret-name 3s step-end forwards",
  },
  ".eyot-caret-first > .eyot-caret-name": { top: "100%", bottom: "auto", borderRadius: "0 0.3em 0.3em 0.3em" },
  ".eyot-caret-last > .eyot-caret-name": { left: "auto", right: "0" },
  // A caret is thin: its name comes back when the pointer is near.
  ".eyot-caret::after": { content: '""', position: "absolute", inset: "0 -5px" },
  ".eyot-caret:hover > .eyot-caret-name": { animation: "none" },
  "@keyframes eyot-caret-name": { from: { visibility: "visible" }, to: { visibility: "hidden" } },
});
