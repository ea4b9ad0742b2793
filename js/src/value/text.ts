/**
 * Text, counted in UTF-16 code units as JavaScript does. Documents hold well-formed text only: no lone surrogate gets
 * in, and no edit splits a surrogate pair. Otherwise the core would replace it and count differently.
 */

/** Replaces `remove` code units at `start` by `insert`. */
export interface TextEdit {
  start: number;
  remove: number;
  insert: string;
}

const native = (String.prototype as { toWellFormed?: () => string }).toWellFormed;

/** The same text with every lone surrogate replaced by U+FFFD. */
export function wellFormed(text: string): string {
  return native === undefined ? text.replace(/\p{Surrogate}/gu, "\uFFFD") : native.call(text);
}

/** Widens an edit so that it splits no surrogate pair. An insertion inside a pair moves before it. */
export function align(text: string, start: number, remove: number, insert: string): TextEdit {
  const from = cutsCharacter(text, start) ? start - 1 : start;
  if (remove === 0) return { start: from, remove: 0, insert };
  const end = start + remove;
  const to = cutsCharacter(text, end) ? end + 1 : end;
  return { start: from, remove: to - from, insert };
}

export function applyEdit(text: string, edit: TextEdit): string {
  return text.slice(0, edit.start) + edit.insert + text.slice(edit.start + edit.remove);
}

/** One edit that turns `before` into `after`: what lies between their common beginning and their common end. */
export function difference(before: string, after: string): TextEdit {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before.charCodeAt(start) === after.charCodeAt(start)) start++;
  if (cutsCharacter(before, start) || cutsCharacter(after, start)) start--;
  let end = 0;
  while (
    end < most - start &&
    before.charCodeAt(before.length - 1 - end) === after.charCodeAt(after.length - 1 - end)
  ) {
    end++;
  }
  if (cutsCharacter(before, before.length - end) || cutsCharacter(after, after.length - end)) end--;
  return { start, remove: before.length - end - start, insert: after.slice(start, after.length - end) };
}

function cutsCharacter(text: string, index: number): boolean {
  if (index <= 0 || index >= text.length) return false;
  const low = text.charCodeAt(index);
  const high = text.charCodeAt(index - 1);
  return low >= 0xdc00 && low <= 0xdfff && high >= 0xd800 && high <= 0xdbff;
}
