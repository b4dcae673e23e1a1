/*
 * Which rows count: those of a process, a thread, an allocator, and of files whose names match
 * patterns. Patterns are a shell's, of which a * also matches slashes; they match a whole name or
 * one without leading folders, and of native code also its library's, as those of the command line
 * do.
 */
import { PLACE_FIRST } from "./data";
import type { Model } from "./model";
import type { State } from "./state";

function expression(pattern: string): RegExp {
  let text = "";
  for (let i = 0; i < pattern.length; i++) {
    const at = pattern[i]!;
    const end = at === "[" ? pattern.indexOf("]", i + 2) : -1;
    if (at === "*") text += ".*";
    else if (at === "?") text += ".";
    else if (end > 0) {
      text += "[" + pattern.slice(i + 1, end).replace(/^!/, "^").replace(/\\/g, "\\\\") + "]";
      i = end;
    } else text += at.replace(/[\\^$.|+()[\]{}/]/g, "\\$&");
  }
  try {
    return new RegExp(`^(.*/)?${text}$`, "s");
  } catch {
    return /^\b$/; // nothing
  }
}

function patterns(text: string): RegExp[] {
  return text.split(/\s+/).filter(Boolean).map(expression);
}

/** By place: does its file or its module match one of the patterns? */
function matchingPlaces(model: Model, text: string): (place: number) => boolean {
  const list = patterns(text);
  const matches = (path: string) => list.some((pattern) => pattern.test(path));
  const files = model.files.map(matches);
  const modules = model.modules.map(matches);
  return (place) => files[model.places.file[place]!]! || modules[model.places.module[place]!]!;
}

/** Is anything left out? */
export function isFiltered(state: State): boolean {
  return (
    state.process >= 0 || state.thread >= 0 || state.allocators !== 0 || !!state.include.trim() || !!state.exclude.trim()
  );
}

/** By row: 1 when it counts. */
export function wantedRows(model: Model, state: State): Uint8Array {
  const wanted = new Uint8Array(model.node.length).fill(1);
  if (!isFiltered(state)) return wanted;
  const includesAll = !state.include.trim();
  const isIncluded = matchingPlaces(model, state.include);
  const isExcluded = matchingPlaces(model, state.exclude);
  for (let row = 0; row < wanted.length; row++) {
    const thread = model.thread[row]!;
    const place = model.place[model.node[row]!]!;
    const ok =
      (state.process < 0 || model.threads[thread]!.process === state.process) &&
      (state.thread < 0 || thread === state.thread) &&
      (state.allocators === 0 || ((state.allocators >> model.allocator[row]!) & 1) === 1) &&
      (includesAll || (place >= PLACE_FIRST && isIncluded(place))) &&
      !(place >= PLACE_FIRST && isExcluded(place));
    wanted[row] = ok ? 1 : 0;
  }
  return wanted;
}
