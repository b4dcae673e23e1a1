/*
 * Looking for frames by their names, and how much of all their stacks have.
 *
 * What is looked for is part of "function file:line module", in any case, or, between two slashes,
 * an expression. A stack counts once, however many of its frames match.
 */
import { PLACE_FIRST, PLACE_FOLDED, PLACE_NONE } from "./data";
import { placeLine, type Model } from "./model";
import type { StackTree } from "./stacks";

export interface Found {
  keys: Uint8Array; // by place
  count: number; // of the places
  problem: string; // of an expression
}

function matcher(text: string): (name: string) => boolean {
  const expression = /^\/(.+)\/$/s.exec(text);
  if (expression) {
    const compiled = new RegExp(expression[1]!, "i");
    return (name) => compiled.test(name);
  }
  const wanted = text.toLowerCase();
  return (name) => name.toLowerCase().includes(wanted);
}

/** What a place is called when it is looked for. */
export function searchedName(model: Model, place: number): string {
  if (place === PLACE_NONE) return "no Python frame";
  if (place === PLACE_FOLDED) return "other";
  const { file, function: functions, module } = model.places;
  const name = `${model.functions[functions[place]!]} ${model.files[file[place]!]}:${placeLine(model, place)}`;
  return module[place] ? `${name} ${model.modules[module[place]!]}` : name;
}

export function findPlaces(model: Model, text: string): Found {
  const keys = new Uint8Array(model.places.count);
  if (!text) return { keys, count: 0, problem: "" };
  try {
    const matches = matcher(text);
    let count = 0;
    for (let place = 0; place < keys.length; place++) {
      if (place < PLACE_FIRST && text.startsWith("/")) continue;
      keys[place] = matches(searchedName(model, place)) ? 1 : 0;
      count += keys[place]!;
    }
    return { keys, count, problem: "" };
  } catch (error) {
    return { keys, count: 0, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** What the stacks of a tree have in which a frame is found. */
export function foundTotal(tree: StackTree, keys: Uint8Array): number {
  const isFound = new Uint8Array(tree.count);
  let sum = 0;
  for (let node = 1; node < tree.count; node++) {
    isFound[node] = isFound[tree.parent[node]!] || keys[tree.key[node]!] ? 1 : 0;
    if (isFound[node]) sum += tree.own[node]!;
  }
  return sum;
}
