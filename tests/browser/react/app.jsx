/** An application as one writes it: it runs in pages, and is rendered by servers. */
import { memory, openSpace } from "eyot";
import { SpaceProvider, useDoc, useNamed, useSpace } from "eyot/react";
import { Suspense } from "react";

export function App({ name, onOpen = () => undefined }) {
  const open = async () => {
    const space = await openSpace(name, { storage: memory() });
    onOpen(space);
    return space;
  };
  return (
    <SpaceProvider open={open} fallback={<p>opening</p>}>
      <Suspense fallback={<p>loading</p>}>
        <Note />
      </Suspense>
    </SpaceProvider>
  );
}

function Note() {
  const note = useNamed(useSpace(), "note", { text: "xyz" });
  const text = useDoc(note, (value) => value.text);
  const edit = ({ target }) => note.change((draft) => void (draft.text = target.value));
  return <textarea value={text} onChange={edit} />;
}
