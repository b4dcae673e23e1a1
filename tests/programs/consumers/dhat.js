// Opens a file with valgrind's DHAT viewer and prints what it has understood, as JSON: the sums of
// its root, its leaves, and the page that it shows.
//
//   node dhat.js DH_VIEW.JS FILE
//
// The viewer is run as it is, from its onLoad() on, with the little of a page that it asks for.
"use strict";
const fs = require("fs");
const vm = require("vm");

const [script, file] = process.argv.slice(2);

class Element {
  constructor(tag) {
    this.tag = tag;
    this.childNodes = [];
    this.text = "";
    this.selectedIndex = 0;
  }
  appendChild(child) {
    child.parentNode = this;
    this.childNodes.push(child);
  }
  replaceChild(child, old) {
    child.parentNode = this;
    this.childNodes[this.childNodes.indexOf(old)] = child;
  }
  cloneNode() {
    return new Element(this.tag);
  }
  set textContent(text) {
    this.text = text;
    this.childNodes = [];
  }
  get textContent() {
    return this.text + this.childNodes.map((child) => child.textContent).join("");
  }
}

class FileReader {
  readAsText() {
    this.onload({ target: { result: fs.readFileSync(file, "utf8") } });
  }
}

const page = {
  document: {
    body: new Element("body"),
    location: { search: "" },
    createElement: (tag) => new Element(tag),
    createTextNode: (text) => Object.assign(new Element("text"), { text }),
  },
  FileReader, URLSearchParams, performance, console,
};
vm.createContext(page);
vm.runInContext(fs.readFileSync(script, "utf8"), page);
vm.runInContext(
  `onLoad();
   gSelect.selectedIndex = gSelectData.findIndex((data) => data.isDefault);
   gInput.files = [{ name: "file" }];
   loadFile();`,
  page,
);

const FIELDS = ["totalBytes", "totalBlocks", "totalLifetimes", "maxBytes", "maxBlocks",
                "atTGmaxBytes", "atTGmaxBlocks", "atTEndBytes", "atTEndBlocks"];

function sums(node) {
  return Object.fromEntries(FIELDS.map((field) => [field, node["_" + field] ?? null]));
}

// Every leaf with its whole stack, the innermost frame first.
function leaves(node, above, found) {
  const frames = [...above, ...node._frames];
  if (node._kids) node._kids.forEach((kid) => leaves(kid, frames, found));
  else found.push({ frames: frames.slice(1), ...sums(node) });
  return found;
}

const [root, data, main] = vm.runInContext("[gRoot, gData, gMainDiv]", page);
console.log(JSON.stringify({
  root: sums(root),
  leaves: leaves(root, [], []).map((leaf) => ({ ...leaf, frames: leaf.frames.map((frame) => data.ftbl[frame]) })),
  page: main.textContent,
}));
