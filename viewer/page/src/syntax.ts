/*
 * Python's text in parts that look different: comments, strings, keywords, numbers. It goes by what
 * a line looks like and remembers strings of several lines; where an excerpt begins inside of such a
 * string it is wrong until the string's end, and nothing but colours depends on it.
 */

/** A part of a line. */
export interface Token {
  kind: "" | "comment" | "string" | "number-literal" | "keyword";
  text: string;
}

const KEYWORDS = new Set(
  ("False None True and as assert async await break class continue def del elif else except finally for from global " +
    "if import in is lambda nonlocal not or pass raise return try while with yield match case").split(" "),
);

const TOKEN =
  /(#.*)|([rbfuRBFU]{0,2}(?:"""|'''))|([rbfuRBFU]{0,2}"(?:\\.|[^"\\])*"?|[rbfuRBFU]{0,2}'(?:\\.|[^'\\])*'?)|(\d[\w.]*)|([A-Za-z_]\w*)/g;

class Lines {
  private open = ""; // the quotes that end the string that has begun

  line(text: string): Token[] {
    const parts: Token[] = [];
    let at = 0;
    const put = (kind: Token["kind"], to: number) => {
      if (to > at) parts.push({ kind, text: text.slice(at, to) });
      at = to;
    };
    if (this.open && !this.close(text, 0, (end) => put("string", end))) {
      put("string", text.length);
      return parts;
    }
    TOKEN.lastIndex = at;
    for (let token = TOKEN.exec(text); token; token = TOKEN.exec(text)) {
      const [whole, comment, quotes, string, number, word] = token;
      put("", token.index);
      const end = token.index + whole.length;
      if (quotes !== undefined) {
        this.open = quotes.slice(-3);
        if (!this.close(text, end, (to) => put("string", to))) put("string", text.length);
        TOKEN.lastIndex = at;
        continue;
      }
      const kind = comment !== undefined ? "comment" : string !== undefined ? "string" : number !== undefined ? "number-literal" : "";
      put(kind || (word !== undefined && KEYWORDS.has(word) ? "keyword" : ""), end);
    }
    put("", text.length);
    return parts;
  }

  /** Looks for the end of the open string; false when it goes on. */
  private close(text: string, from: number, found: (end: number) => void): boolean {
    const end = text.indexOf(this.open, from);
    if (end < 0) return false;
    found(end + this.open.length);
    this.open = "";
    return true;
  }
}

export function tokensOf(lines: string[]): Token[][] {
  const reader = new Lines();
  return lines.map((line) => reader.line(line));
}
