/*
 * What there is to say about a frame: where it is, its source, what it has for itself and in all.
 */
import { PLACE_FIRST, PLACE_FOLDED } from "../data";
import { h } from "../dom";
import { amount, change, share, visibleSource } from "../format";
import { placeText } from "../model";
import { isCount } from "../selection";
import type { StackTree } from "../stacks";
import type { View } from "../view";

function fact(name: string, value: string, more = ""): HTMLElement[] {
  return [h("dt", { text: name }), h("dd", {}, h("b", { text: value }), more && h("span", { class: "muted", text: ` ${more}` }))];
}

function numbers(view: View, tree: StackTree, node: number): HTMLElement {
  const counts = isCount(view.what);
  const whole = tree.total[0]!;
  const parent = tree.parent[node]!;
  const list = h("dl", { class: "facts" });
  if (tree.sides.length) {
    const [before, after] = [tree.sides[0]!.total[node]!, tree.sides[1]!.total[node]!];
    list.append(
      ...fact("before", amount(before, counts)),
      ...fact("after", amount(after, counts)),
      ...fact("change", change(after - before, counts)),
    );
    return list;
  }
  const total = tree.total[node]!;
  const ofCaller = parent ? `, ${share(total, tree.total[parent]!)} of its ${view.state.inverted ? "callee" : "caller"}` : "";
  list.append(
    ...fact("total", amount(total, counts), share(total, whole) + ofCaller),
    ...fact("own", amount(tree.own[node]!, counts), share(tree.own[node]!, whole)),
  );
  return list;
}

export function frameFacts(view: View, tree: StackTree, node: number): HTMLElement[] {
  const key = tree.key[node]!;
  if (node === 0) return [h("strong", { text: "all stacks" }), numbers(view, tree, node)];
  const parts = [h("strong", { class: "name", text: view.frameName(key) })];
  if (!view.isSplit(key)) {
    parts.push(h("div", { class: "where", text: view.position(key, !view.state.functions) }));
    if (key >= PLACE_FIRST) {
      const belongs = [view.moduleName(key), view.packageOf(key) === "program" ? "" : view.packageName(key)].filter(Boolean);
      if (belongs.length) parts.push(h("div", { class: "muted", text: belongs.join(", ") }));
      const text = view.state.functions ? undefined : placeText(view.model, key);
      if (text?.trim()) parts.push(h("code", { class: "source", text: visibleSource(text.trim()) }));
    }
    if (key === PLACE_FOLDED)
      parts.push(h("div", { class: "muted", text: "To keep the page small, frames of smaller stacks are left out here." }));
  }
  parts.push(numbers(view, tree, node));
  return parts;
}

/** The same in one sentence. */
export function frameSentence(view: View, tree: StackTree, node: number): string {
  const key = tree.key[node]!;
  const counts = isCount(view.what);
  const name = node === 0 ? "all stacks" : view.frameName(key);
  const position = node === 0 || view.isSplit(key) ? "" : `, ${view.position(key)}`;
  const children = tree.childStart[node + 1]! - tree.childStart[node]!;
  const numbers = tree.sides.length
    ? `${amount(tree.sides[0]!.total[node]!, counts)} before, ${amount(tree.sides[1]!.total[node]!, counts)} after`
    : `${amount(tree.total[node]!, counts)}, ${share(tree.total[node]!, tree.total[0]!)}, own ${amount(tree.own[node]!, counts)}`;
  return `${name}${position}: ${numbers}; ${children} below`;
}
