/** A page with a text in an editor, and what its test asks of it. */
import { defaultKeymap } from "@codemirror/commands";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { openSpace, splice } from "eyot";
import { eyotText } from "eyot/codemirror";

let space, doc;
const views = [];

/** Opens the space as that person, with an editor of a text that begins with this one. */
export async function start(name, relay, text, person) {
  globalThis.space = space = await openSpace(name, { relays: [relay] });
  globalThis.doc = doc = await space.named("doc", { title: "", text });
  space.presence.set(person);
  addEditor();
}

/** One more editor of the text. */
export function addEditor(...extensions) {
  const parent = document.querySelector("main").appendChild(document.createElement("div"));
  const view = new EditorView({
    parent,
    doc: doc.value.text,
    extensions: [
      eyotText(doc, ["text"], { presence: space.presence }),
      keymap.of(defaultKeymap),
      EditorView.contentAttributes.of({ "aria-label": "Text" }),
      ...extensions,
    ],
  });
  views.push(view);
}

export const addReadOnly = () => addEditor(EditorState.readOnly.of(true));

export const texts = () => [doc.value.text, ...views.map((view) => view.state.doc.toString())];

export const change = (at, remove, insert) => void doc.change((draft) => splice(draft, ["text"], at, remove, insert));

export const setTitle = (title) => void doc.change((draft) => void (draft.title = title));

export function select(anchor, head = anchor, at = 0) {
  views[at].focus();
  views[at].dispatch({ selection: { anchor, head } });
}

export const selection = (at = 0) => [views[at].state.selection.main.anchor, views[at].state.selection.main.head];

export const isReadOnly = (at = 0) => views[at].state.readOnly;

/** The carets of others that an editor shows: of whom, and after which text in their line. */
export function carets(at = 0) {
  return [...views[at].dom.querySelectorAll(".eyot-caret")].map((caret) => {
    const position = views[at].posAtDOM(caret);
    return `${caret.textContent} at ${position}`;
  });
}

export const selected = (at = 0) =>
  [...views[at].dom.querySelectorAll(".eyot-selection")].map(({ textContent }) => textContent);

export const announced = (at = 0) => views[at].dom.querySelector(".cm-announced").textContent;

/** What happens to compositions from now on. */
export function watchCompositions() {
  globalThis.compositions = [];
  for (const type of ["compositionstart", "compositionend"]) {
    views[0].contentDOM.addEventListener(type, () => compositions.push(type));
  }
}

export const destroy = (at = 0) => views[at].destroy();
