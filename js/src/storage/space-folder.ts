/** The folder of a space, below the one that the application names: a folder holds any number of spaces. */

/** Longer names become several folders, one in the other: file systems limit the length of one name. */
const NAME_LENGTH_MAX = 200;
/** Names that Windows gives to devices. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)$/;

/**
 * The path of the space's folder in `folder`. Small letters, digits, `-` and `_` stand for themselves and all else is
 * written as `%` and two hexadecimal digits a byte, so that no two spaces share a folder, nor where a file system does not
 * tell small letters from capital ones.
 */
export function spaceFolder(folder: string, space: string): string {
  const bytes = new TextEncoder().encode(space);
  const keeps = DEVICE.test(space) ? /[]/ : /[a-z0-9_-]/;
  const name = Array.from(bytes, (byte) => {
    const letter = String.fromCharCode(byte);
    return keeps.test(letter) ? letter : `%${byte.toString(16).padStart(2, "0")}`;
  }).join("");
  const parts = name.match(new RegExp(`.{1,${NAME_LENGTH_MAX}}`, "g")) ?? [];
  return [folder, ...parts].join("/");
}
