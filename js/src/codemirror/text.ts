/** A text of a document in an editor. */
import { Compartment, EditorState, Prec, type ChangeSet, type Extension } from "@codemirror/state";
import {
  Decoration,
  EditorView,
  keymap,
  logException,
  ViewPlugin,
  type PluginValue,
  type ViewUpdate,
} from "@codemirror/view";
import { checkFunction, optionsOf } from "../base/check.js";
import { invalid } from "../base/error.js";
import type { Doc, Presence } from "../space/types.js";
import { pathOf, type Path } from "../value/patch.js";
import { Carets, caretTheme } from "./carets.js";
import { LINE_SEPARATOR, TextSync } from "./sync.js";

/** How soon changes are looked at again that disturb what somebody composes. */
const COMPOSING_MS = 60;

export interface TextOptions {
  /**
   * Shows this editor's caret to others while it has the focus, and theirs in it: `space.presence`. Their names and colours
   * (`#rrggbb`) are `name` and `color` of what they show: `presence.set({ name: "Ada", color: "#c2410c" })`.
   */
  presence?: Presence | undefined;
  /** What the keys for undo and redo work on. Default: the document. The space: all of its documents. False: no keys. */
  undo?: UndoTarget | false | undefined;
}

/** A document, or a space. */
export interface UndoTarget {
  undo(): unknown;
  redo(): unknown;
}

/**
 * Makes an editor one of the text at a path: what is typed is in the document at once, and what others do to it appears in
 * the editor. Where there is no text, or the document is deleted or closed, the editor is read-only. The editor's own
 * history is not needed, because the keys for undo undo what this replica has done.
 */
export function eyotText<T extends object>(doc: Doc<T>, path: Path, options?: TextOptions): Extension {
  const { presence, undo = doc } = optionsOf<TextOptions>("eyotText()", options, ["presence", "undo"]);
  pathOf("eyotText()", path);
  if (undo !== false) {
    checkFunction("undo of eyotText()", undo?.undo);
    checkFunction("redo of eyotText()", undo?.redo);
  }
  if (presence !== undefined && typeof presence?.setPart !== "function") {
    throw invalid("presence of eyotText() is that of a space");
  }
  const ifEditable = new Compartment();
  const plugin = ViewPlugin.define((view) => new TextPlugin(view, doc, [...path], presence, ifEditable), {
    decorations: ({ carets }) => carets?.decorations ?? Decoration.none,
    eventObservers: {
      compositionend() {
        this.composedAt = Date.now();
      },
    },
  });
  return [
    EditorState.lineSeparator.of(LINE_SEPARATOR),
    EditorView.clipboardInputFilter.of((text) => text.replace(/\r\n?/g, "\n")),
    Prec.highest(ifEditable.of([])),
    plugin,
    presence === undefined ? [] : caretTheme,
    undo === false ? [] : undoing(undo, (view) => view.plugin(plugin)?.sync),
  ];
}

class TextPlugin implements PluginValue {
  readonly sync: TextSync;
  readonly carets: Carets | undefined;
  /** When a composition was over last. The editor may read what became of it a little later. */
  composedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly view: EditorView,
    doc: Doc<any>,
    path: Path,
    presence: Presence | undefined,
    ifEditable: Compartment,
  ) {
    this.sync = new TextSync(view, doc, path, {
      mustWait: (changes) => this.#disturbs(changes),
      editable: (editable) =>
        view.dispatch({ effects: ifEditable.reconfigure(editable ? [] : EditorState.readOnly.of(true)) }),
      refused: (error) => logException(view.state, error, "eyot"),
    });
    if (presence !== undefined) this.carets = new Carets(view, this.sync, presence, () => this.#mustWait());
  }

  update(update: ViewUpdate): void {
    this.sync.isUpdating = true;
    try {
      this.sync.applied(update.transactions);
      this.carets?.update(update);
    } finally {
      this.sync.isUpdating = false;
    }
  }

  destroy(): void {
    clearTimeout(this.#timer);
    this.sync.stop();
    this.carets?.stop();
  }

  /** Whether changes are in a line in which somebody composes a character: the browser would end that. */
  #disturbs(changes: ChangeSet): boolean {
    const { state } = this.view;
    const { from, to } = state.doc.lineAt(state.selection.main.head);
    return changes.touchesRange(from, to) !== false && this.#mustWait();
  }

  /** Whether a character is being composed. If so, what waits is looked at again later. */
  #mustWait(): boolean {
    const isComposing = this.view.compositionStarted || Date.now() - this.composedAt < COMPOSING_MS;
    if (isComposing) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.sync.settle();
        this.carets?.schedule();
      }, COMPOSING_MS);
    }
    return isComposing;
  }
}

/** The keys, and what menus and gestures of the platform ask for. */
function undoing(target: UndoTarget, syncOf: (view: EditorView) => TextSync | undefined): Extension {
  const step = (view: EditorView, name: "undo" | "redo"): boolean => {
    if (!view.state.readOnly) syncOf(view)?.step(name, () => void target[name]());
    return true;
  };
  const undo = (view: EditorView): boolean => step(view, "undo");
  const redo = (view: EditorView): boolean => step(view, "redo");
  return [
    Prec.high(
      keymap.of([
        { key: "Mod-z", run: undo, preventDefault: true },
        { key: "Mod-Shift-z", run: redo, preventDefault: true },
        { win: "Ctrl-y", linux: "Ctrl-y", run: redo, preventDefault: true },
      ]),
    ),
    Prec.high(
      EditorView.domEventHandlers({
        beforeinput({ inputType }, view) {
          if (inputType !== "historyUndo" && inputType !== "historyRedo") return false;
          return inputType === "historyUndo" ? undo(view) : redo(view);
        },
      }),
    ),
  ];
}
