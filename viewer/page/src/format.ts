/*
 * Numbers and names in words. Sizes are printed as heapline and tracemalloc print them.
 *
 * Names come from the watched program: what cannot be seen, or would turn the direction of the text
 * around, is written out. They are put into the page as text and nothing else.
 */
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function size(bytes: number): string {
  let value = Math.abs(bytes);
  const sign = bytes < 0 ? "−" : "";
  for (let unit = 0; ; unit++, value /= 1024) {
    if (value < 100 && unit > 0) return `${sign}${value.toFixed(1)} ${UNITS[unit]}`;
    if (value < 10 * 1024 || unit === UNITS.length - 1) return `${sign}${value.toFixed(0)} ${UNITS[unit]}`;
  }
}

/** A whole number with its thousands apart. */
export function count(value: number): string {
  const digits = Math.abs(Math.round(value)).toString();
  return (value < 0 ? "−" : "") + digits.replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

export function amount(value: number, isCount: boolean): string {
  return isCount ? count(value) : size(value);
}

export function change(value: number, isCount: boolean): string {
  return (value > 0 ? "+" : "") + amount(value, isCount);
}

export function share(part: number, whole: number): string {
  return whole ? `${((100 * part) / whole).toFixed(1)}\u202f%` : "–";
}

export function seconds(value: number | null): string {
  if (value === null || Number.isNaN(value)) return "an unknown time";
  if (value < 10) return `${value.toFixed(3)} s`;
  if (value < 120) return `${value.toFixed(1)} s`;
  if (value < 7200) return `${Math.floor(value / 60)} min ${Math.floor(value % 60)} s`;
  return `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`;
}

const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const SHORT: Record<string, string> = { "\n": "\\n", "\t": "\\t", "\r": "\\r" };

function written(character: string): string {
  return SHORT[character] ?? `\\u{${character.charCodeAt(0).toString(16)}}`;
}

/** A name from the watched program, all of which can be seen. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, written);
}

/** A line of source: the same, but tabs stay. */
export function visibleSource(text: string): string {
  return text.replace(INVISIBLE, (character) => (character === "\t" ? "\t" : written(character)));
}

/** A text of at most so many characters, the end of which matters as much as the beginning. */
export function middle(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.floor((most - 1) / 3);
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
}

/** A word as a shell would need it. */
function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`;
}

export function command(words: string[]): string {
  return visible(words.map(word).join(" "));
}

/** A path without its folder. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1) || path;
}

/** The command without the folder of its program. */
export function shortCommand(words: string[]): string {
  const [program = "", ...rest] = words;
  return command([baseName(program), ...rest]);
}

/** A file with the folder that it is in: who compiled it knows the rest. */
export function lastFolder(path: string): string {
  return path.split("/").slice(-2).join("/");
}

/** A path without what everybody knows: the run's own folders, where packages and the library lie. */
export function shortPath(path: string, folders: readonly string[]): string {
  for (const folder of folders)
    if (folder.length > 1 && path.startsWith(folder + "/")) return visible(path.slice(folder.length + 1));
  const known = /^.*\/(?:site-packages|dist-packages|lib\/python3\.\d+|lib64\/python3\.\d+)\/(?=[^/])/.exec(path);
  return visible(known ? path.slice(known[0].length) : path);
}
