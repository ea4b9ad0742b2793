/** The note: a shared text in an editor, with the carets of who is here. */
import { defaultKeymap } from "@codemirror/commands";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import { eyotText } from "eyot/codemirror";
import { useNamed, useSpace } from "eyot/react";
import { useEffect, useRef, type ReactNode } from "react";

const INITIAL = { text: "" };

export function Note(): ReactNode {
  const space = useSpace();
  const note = useNamed(space, "note", INITIAL);
  const parent = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const view = new EditorView({
      parent: parent.current!,
      doc: note.value.text,
      extensions: [
        // The keys for undo do what the buttons do: they work on all documents of the space.
        eyotText(note, ["text"], { presence: space.presence, undo: space }),
        keymap.of(defaultKeymap),
        EditorView.lineWrapping,
        placeholder("Type here. Open this page in a second window and watch."),
        EditorView.contentAttributes.of({
          "aria-labelledby": "note-title",
          "data-testid": "note",
          spellcheck: "false",
        }),
      ],
    });
    return () => view.destroy();
  }, [space, note]);
  return (
    <section aria-labelledby="note-title" data-place="note">
      <h2 id="note-title">Note</h2>
      <div id="note" ref={parent} />
    </section>
  );
}
