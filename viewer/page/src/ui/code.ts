/*
 * Lines of source with numbers beside them. They stand in blocks of a known height, which are filled
 * when they come into sight: a file of ten thousand lines costs as much as one of a hundred.
 */
import { h } from "../dom";
import { visibleSource } from "../format";
import type { Token } from "../syntax";

export interface CodeLine {
  number: number; // 0: no line of the file, but a remark
  tokens: Token[];
}

/** What stands beside a line. */
export interface Beside {
  own: string;
  total: string;
  colour: string; // behind the first of them; "": none
}

const BLOCK = 30;
const LINE_HEIGHT = 19; // as the style sheet has it

interface Block {
  element: HTMLElement;
  lines: CodeLine[];
}

export class Code {
  readonly element: HTMLElement;
  private blocks: Block[] = [];
  private current = 0;
  private readonly observer: IntersectionObserver;

  constructor(
    private readonly beside: (line: number) => Beside,
    choose: (line: number) => void,
  ) {
    this.element = h("div", {
      class: "code",
      tabindex: "0",
      role: "region",
      "aria-label": "Lines of the file",
      on: {
        click: (event) => {
          const line = (event.target as HTMLElement).closest<HTMLElement>("button.code-line");
          if (line) choose(Number(line.dataset["line"]));
        },
      },
    });
    this.observer = new IntersectionObserver((entries) => this.fill(entries), { root: this.element, rootMargin: "150px" });
  }

  /** Shows these lines, under a head. */
  show(head: HTMLElement, lines: CodeLine[]): void {
    this.observer.disconnect();
    this.blocks = [];
    for (let i = 0; i < lines.length; i += BLOCK) {
      const part = lines.slice(i, i + BLOCK);
      const element = h("div", { class: "code-block" });
      element.style.height = `${part.length * LINE_HEIGHT}px`;
      this.blocks.push({ element, lines: part });
    }
    this.element.replaceChildren(head, ...this.blocks.map((block) => block.element));
    for (const block of this.blocks) this.observer.observe(block.element);
  }

  private fill(entries: IntersectionObserverEntry[]): void {
    for (const entry of entries) {
      const block = this.blocks.find(({ element }) => element === entry.target);
      if (!entry.isIntersecting || !block || block.element.firstChild) continue;
      block.element.append(...block.lines.map((line) => this.line(line)));
      this.observer.unobserve(block.element);
    }
  }

  private line({ number, tokens }: CodeLine): HTMLElement {
    const text = h(
      "span",
      { class: "line-text" },
      ...tokens.map((token) => (token.kind ? h("span", { class: token.kind, text: visibleSource(token.text) }) : visibleSource(token.text))),
    );
    if (number === 0) return h("div", { class: "code-line code-gap" }, text);
    const { own, total, colour } = this.beside(number);
    const first = h("span", { class: "line-value", text: own });
    if (colour) first.style.backgroundColor = colour;
    const isButton = own !== "" || total !== "";
    const element = h(
      isButton ? "button" : "div",
      { class: "code-line", type: isButton ? "button" : undefined, "aria-current": number === this.current ? "true" : undefined },
      h("span", { class: "line-number", text: String(number) }),
      first,
      h("span", { class: "line-value faint", text: total }),
      text,
    );
    element.dataset["line"] = String(number);
    return element;
  }

  /** Marks a line, 0: none. */
  mark(line: number): void {
    this.current = line;
    for (const element of this.element.querySelectorAll("[aria-current]")) element.removeAttribute("aria-current");
    this.element.querySelector(`[data-line="${line}"]`)?.setAttribute("aria-current", "true");
  }

  /** Brings a line into sight. */
  scrollTo(line: number): void {
    let y = 0;
    for (const { lines } of this.blocks)
      for (const one of lines) {
        if (one.number === line) {
          this.element.scrollTop = y - this.element.clientHeight / 3;
          return;
        }
        y += LINE_HEIGHT;
      }
  }
}
