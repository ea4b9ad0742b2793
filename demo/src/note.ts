/** The note: a textarea whose edits are splices of shared text, and which keeps the caret through the edits of others. */
import { splice, type Patch, type Space } from "eyot";

interface Note {
  text: string;
}

export async function showNote(space: Space): Promise<void> {
  const area = document.querySelector<HTMLTextAreaElement>("#note")!;
  const doc = await space.named<Note>("note", { text: "" });
  area.value = doc.value.text;

  area.addEventListener("input", () => {
    const edit = difference(doc.value.text, area.value);
    doc.change((draft) => splice(draft, ["text"], edit.index, edit.remove, edit.insert));
  });
  doc.subscribe((value, event) => {
    if (event.origin === "local" && area.value === value.text) return;
    const { selectionStart, selectionEnd } = area;
    area.value = value.text;
    area.setSelectionRange(moved(selectionStart, event.patches), moved(selectionEnd, event.patches));
  });
}

/** What was typed, pasted or cut: all between what the two texts begin and end with alike. */
function difference(before: string, after: string): { index: number; remove: number; insert: string } {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start++;
  if (start > 0 && isFirstHalf(before, start - 1)) start--;
  let end = 0;
  while (end < shorter - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
  if (end > 0 && isFirstHalf(before, before.length - end - 1)) end--;
  return { index: start, remove: before.length - start - end, insert: after.slice(start, after.length - end) };
}

/** Whether the unit at this index is the first of the two that an emoji, say, is made of: they are not parted. */
function isFirstHalf(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  return unit >= 0xd800 && unit < 0xdc00;
}

/** Where a place in the text is after these patches. */
function moved(place: number, patches: readonly Patch[]): number {
  for (const patch of patches) {
    const at = patch.path[1];
    if (patch.path[0] !== "text" || typeof at !== "number") continue;
    if (patch.action === "splice" && at < place) place += patch.value.length;
    if (patch.action === "del" && at < place) place -= Math.min(patch.length ?? 1, place - at);
  }
  return place;
}
