/** A document of notes that replicas write to, and waits for what they see. */
import type { Space, Status } from "./eyot.js";

type Note = { list: string[] };

export const note = (space: Space) => space.named<Note>("note", { list: [] });

export async function write(space: Space, item: string): Promise<void> {
  (await note(space)).change(({ list }) => void list.push(item));
}

export async function has(space: Space, item: string): Promise<void> {
  const doc = await note(space);
  await new Promise<void>((resolve) => {
    const look = ({ list }: { readonly list: readonly string[] }) => list.includes(item) && resolve();
    doc.subscribe(look);
    look(doc.value);
  });
}

export function until(space: Space, wanted: (status: Status) => boolean): Promise<Status> {
  return new Promise((resolve) => {
    const stop = space.subscribe(look);
    function look(status: Status): void {
      if (!wanted(status)) return;
      stop();
      resolve(status);
    }
    look(space.status);
  });
}
