/*
 * Making elements. What comes from the data goes in as text, never as markup.
 */
type Child = Node | string | number | false | null | undefined;

interface Properties {
  class?: string;
  text?: string;
  title?: string;
  on?: Partial<{ [Name in keyof HTMLElementEventMap]: (event: HTMLElementEventMap[Name]) => void }>;
  [attribute: string]: unknown;
}

const OWN = new Set(["class", "text", "on"]);

export function h<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  if (properties.class) element.className = properties.class;
  if (properties.text !== undefined) element.textContent = properties.text;
  for (const [attribute, value] of Object.entries(properties)) {
    if (OWN.has(attribute) || value === undefined || value === null || value === false) continue;
    element.setAttribute(attribute, value === true ? "" : String(value));
  }
  for (const [event, listener] of Object.entries(properties.on ?? {}))
    element.addEventListener(event, listener as EventListener);
  append(element, children);
  return element;
}

export function append(element: Element, children: Child[]): void {
  for (const child of children)
    if (child !== false && child !== null && child !== undefined) element.append(child instanceof Node ? child : String(child));
}

/** Puts other children in the place of what is there. */
export function replace(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  append(element, children);
}

/** A choice of one of several: buttons that know which of them is pressed. */
export interface Choice<Value> {
  element: HTMLElement;
  show(value: Value, enabled?: (value: Value) => boolean): void;
}

export function choice<Value extends string>(
  label: string,
  values: readonly { value: Value; text: string; title?: string }[],
  choose: (value: Value) => void,
): Choice<Value> {
  const buttons = values.map(({ value, text, title }) =>
    h("button", { type: "button", title, text, "aria-pressed": "false", on: { click: () => choose(value) } }),
  );
  return {
    element: h("div", { class: "choice", role: "group", "aria-label": label }, ...buttons),
    show(chosen, enabled) {
      values.forEach(({ value }, i) => {
        const button = buttons[i]!;
        button.setAttribute("aria-pressed", String(value === chosen));
        button.disabled = enabled ? !enabled(value) : false;
      });
    },
  };
}

/** A box that is ticked or not. */
export function tick(text: string, title: string, change: (on: boolean) => void): { element: HTMLElement; show(on: boolean): void } {
  const box = h("input", { type: "checkbox", on: { change: () => change(box.checked) } });
  return { element: h("label", { class: "tick", title }, box, text), show: (on) => (box.checked = on) };
}

/** A list to choose from. */
export function select<Value extends string>(
  label: string,
  change: (value: Value) => void,
): { element: HTMLSelectElement; show(values: readonly { value: Value; text: string }[], chosen: Value): void } {
  const element = h("select", { "aria-label": label, on: { change: () => change(element.value as Value) } });
  let shown = "";
  return {
    element,
    show(values, chosen) {
      const now = JSON.stringify(values);
      if (now !== shown) replace(element, ...values.map(({ value, text }) => h("option", { value, text })));
      shown = now;
      element.value = chosen;
    },
  };
}

/** Is one of these not what it was? */
export function isOther(now: readonly unknown[], before: readonly unknown[]): boolean {
  return now.length !== before.length || now.some((value, i) => !Object.is(value, before[i]));
}

const said = h("div", { class: "unseen", role: "status", "aria-live": "polite" });

/** Says something to who cannot see it. */
export function say(text: string): void {
  if (!said.isConnected) document.body.append(said);
  said.textContent = text;
}

/** Runs a function once before the next frame, however often it was asked for. */
export function eachFrame(run: () => void): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      run();
    });
  };
}

/** Runs a function once when the page has nothing better to do, however often it was asked for. */
export function afterwards(run: () => void): () => void {
  let isDue = false;
  const due = () => {
    isDue = false;
    run();
  };
  return () => {
    if (isDue) return;
    isDue = true;
    if ("requestIdleCallback" in globalThis) requestIdleCallback(due, { timeout: 200 });
    else setTimeout(due, 30);
  };
}
