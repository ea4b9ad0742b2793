/** The note: a shared text in an editor, with the carets of who is here. */
import { defaultKeymap } from "@codemirror/commands";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import type { Space } from "eyot";
import { eyotText } from "eyot/codemirror";

interface Note {
  text: string;
}

export async function showNote(space: Space): Promise<void> {
  const note = await space.named<Note>("note", { text: "" });
  new EditorView({
    parent: document.querySelector("#note")!,
    doc: note.value.text,
    extensions: [
      eyotText(note, ["text"], { presence: space.presence }),
      keymap.of(defaultKeymap),
      EditorView.lineWrapping,
      placeholder("Type here. Open this page in a second window and watch."),
      EditorView.contentAttributes.of({ "aria-labelledby": "note-title", "data-testid": "note", spellcheck: "false" }),
    ],
  });
}
