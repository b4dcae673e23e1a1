/*
 * The end of the page: the recording, what is not exact, the keys, and whose work the page contains.
 */
import { h } from "../dom";
import { command, seconds, visible } from "../format";
import type { View } from "../view";
import { notesOf } from "./notes";

declare const LICENSES: { name: string; version: string; license: string; text: string }[];

const KEYS = [
  ["/", "search"],
  ["Tab to a handle of the timeline, ← →", "another moment; with Shift a span; Page Up and Down for longer steps; Escape for the peak"],
  ["Tab to the flame graph, arrows", "to callers, callees and neighbours; Enter zooms in, Escape out"],
  ["the browser's back button", "the view before"],
];

function facts(view: View): HTMLElement {
  const list = h("dl", { class: "about-facts" });
  const add = (name: string, value: string) => list.append(h("dt", { text: name }), h("dd", { text: value }));
  view.model.runs.forEach((run, side) => {
    const name = view.isCompared ? ["before: ", "after: "][side]! : "";
    add(`${name}recording`, visible(run.run.file));
    add(`${name}command`, command(run.run.command));
    add(`${name}folder`, visible(run.run.directory));
    add(`${name}started`, run.run.started);
    add(`${name}duration`, run.run.seconds === null ? "still going, or cut short" : seconds(run.run.seconds));
  });
  return list;
}

export function about(view: View, version: string): HTMLElement {
  const notes = view.model.runs.flatMap((run, side) =>
    notesOf(run).remarks.map((text) => (view.isCompared ? `${["Before", "After"][side]}: ${text}` : text)),
  );
  return h(
    "section",
    { class: "panel about-panel", "aria-label": "About this page" },
    h("div", { class: "panel-head" }, h("h2", { text: "About this page" })),
    h(
      "div",
      { class: "about-body" },
      h("div", {}, h("h3", { text: "Recording" }), facts(view)),
      h("div", {}, h("h3", { text: "How exact it is" }), h("ul", {}, ...notes.map((text) => h("li", { text })))),
      h("div", {}, h("h3", { text: "Keys" }), h("dl", { class: "keys" }, ...KEYS.flatMap(([key, text]) => [h("dt", { text: key }), h("dd", { text: text })]))),
      h(
        "div",
        {},
        h("h3", { text: "Licences" }),
        h("p", { text: `Made by heapline ${version}, Apache-2.0. This page contains:` }),
        ...LICENSES.map(({ name, version, license, text }) =>
          h("details", { class: "license" }, h("summary", { text: `${name} ${version}, ${license}` }), h("pre", { text })),
        ),
      ),
    ),
  );
}
