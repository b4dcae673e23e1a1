// Opens files with speedscope's own importer and prints what it has understood, as JSON.
//
//   node speedscope.js FOLDER FILE…      FOLDER: dist/release of speedscope's package
//
// The package is one bundle for a browser. All of it is run but the last statement, which draws the
// page; instead the function is taken out that the page gives files to.
"use strict";
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const [folder, ...files] = process.argv.slice(2);

// Stands in for what only a page has; it is never asked for anything that matters.
const anything = new Proxy(function () {}, {
  get: (target, key) => (key === Symbol.toPrimitive ? () => "" : anything),
  apply: () => anything,
  construct: () => anything,
  set: () => true,
  has: () => true,
});

function importer() {
  const name = fs.readdirSync(folder).find((file) => /^speedscope-.*\.js$/.test(file));
  const bundle = fs.readFileSync(path.join(folder, name), "utf8");
  const [, , , entry] = bundle.match(
    /loadFileFromBase64:\((\w+),(\w+)\)=>\{this\.loadProfile\(\(\)=>([\w$]+)\(\1,\2\)\)/,
  );
  const end = bundle.lastIndexOf("console.log(`speedscope v");
  const page = {
    console: { ...console, log() {} },
    setTimeout, TextDecoder, TextEncoder, URL, URLSearchParams, atob, performance,
    document: anything, window: anything, navigator: anything, localStorage: anything,
    matchMedia: anything, location: { hash: "", href: "" },
    addEventListener() {}, removeEventListener() {}, requestAnimationFrame() {},
  };
  page.globalThis = page.self = page;
  vm.runInNewContext(`${bundle.slice(0, end)} globalThis.take = ${entry}; })();`, page);
  return page.take;
}

function describe(profile) {
  const frames = [];
  profile.forEachFrame((frame) => {
    frames.push([frame.name, frame.file ?? null, frame.line ?? null,
                 frame.getSelfWeight(), frame.getTotalWeight()]);
  });
  let nodes = 0;
  profile.forEachCall(() => nodes++, () => {});
  return { name: profile.getName(), unit: profile.getWeightUnit(), nodes,
           total: profile.getTotalNonIdleWeight(), weight: profile.getTotalWeight(), frames };
}

async function main() {
  const take = importer();
  const results = [];
  for (const file of files) {
    const group = await take(path.basename(file), fs.readFileSync(file).toString("base64"));
    results.push(group && { name: group.name, profiles: group.profiles.map(describe) });
  }
  console.log(JSON.stringify(results));
}

// The message alone: the line of the bundle that it names is all of it.
main().catch((error) => {
  console.error(`${error.name}: ${error.message}`);
  process.exitCode = 1;
});
