/** One replica's editor, with the carets of the others. */
import { defaultKeymap } from "@codemirror/commands";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { eyotText } from "eyot/codemirror";
import { useEffect, useRef, type ReactNode } from "react";

import { TEXT } from "./note.js";
import type { Site } from "./site.js";

interface Props {
  site: Site;
  /** Somebody writes in it, by hand. */
  onWrite: () => void;
}

export function Editor({ site: { note, space, place }, onWrite }: Props): ReactNode {
  const parent = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const view = new EditorView({
      parent: parent.current!,
      doc: note.value.text,
      extensions: [
        eyotText(note, TEXT, { presence: space.presence }),
        keymap.of(defaultKeymap),
        EditorView.lineWrapping,
        EditorState.tabSize.of(2),
        EditorView.contentAttributes.of({ "aria-label": `The note in ${place.name}`, spellcheck: "false" }),
        EditorView.updateListener.of(({ transactions, view }) => {
          const isByHand = transactions.some(
            (each) => each.docChanged && (each.isUserEvent("input") || each.isUserEvent("delete")),
          );
          if (isByHand) onWrite();
          // What is written elsewhere is written at the end: it is followed, unless somebody is at work here.
          else if (!view.hasFocus && transactions.some((each) => each.docChanged)) follow(view);
        }),
      ],
    });
    follow(view);
    return () => view.destroy();
  }, [note, space, place, onWrite]);
  return <div className="editor" ref={parent} />;
}

function follow(view: EditorView): void {
  view.requestMeasure({
    read: ({ scrollDOM }) => scrollDOM.scrollHeight,
    write: (height, { scrollDOM }) => void (scrollDOM.scrollTop = height),
  });
}
