/*
 * Puts the page together, without its data: build.mjs PACKAGES OUTPUT.
 *
 * PACKAGES is the folder in which npm has installed what package-lock.json names. Script and style
 * go into one file; the page's policy names them by their hashes, so that a browser runs nothing
 * else. The licences of what the script contains go into it too.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [packages, output] = process.argv.slice(2);
const { build } = createRequire(join(packages, "package.json"))("esbuild");

function licenses() {
  const { dependencies } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
  return Object.keys(dependencies).map((name) => {
    const folder = join(packages, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return { name, version, license, text: readFileSync(join(folder, "LICENSE"), "utf8") };
  });
}

async function bundle(entry, loader) {
  const result = await build({
    entryPoints: [join(here, entry)],
    bundle: true,
    minify: !process.env.PAGE_PLAIN,
    write: false,
    format: "iife",
    target: "es2022",
    charset: "ascii",
    legalComments: "none",
    nodePaths: [join(packages, "node_modules")],
    define: { LICENSES: JSON.stringify(licenses()) },
    logLevel: "warning",
    loader,
  });
  // Nothing in it may look like the end of its element.
  return result.outputFiles[0].text.trim().replace(/<\/(script|style)/gi, "<\\/$1").replace(/<!--/g, "<\\!--");
}

const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

const script = await bundle("src/main.ts", {});
const style = await bundle("src/style.css", {});
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const parts = { POLICY: policy, STYLE: style, SCRIPT: script };
const page = readFileSync(join(here, "page.html"), "utf8").replace(/@(POLICY|STYLE|SCRIPT)@/g, (_, name) => parts[name]);
if (page.split("@HEAPLINE_DATA@").length !== 2) throw new Error("the page has not one place for its data");
writeFileSync(output, page);
