/*
 * A browser for tests: browser.mjs PACKAGES CHROMIUM.
 *
 * Reads commands from its standard input, one JSON array a line: what to do, and with what. Answers
 * each with a line: {"value": …}, or {"error": …}. Whatever a page says on its console, throws, asks
 * from a network or pops up is kept, and told by "noise".
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [packages, executable] = process.argv.slice(2);
const require = createRequire(join(packages, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({ executablePath: executable, args: ["--no-sandbox"] });
let page;
let noise = [];

function listen(file) {
  page.on("console", (message) => noise.push(`console: ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => noise.push(`error: ${error.stack}`));
  page.on("dialog", (dialog) => {
    noise.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (request.url().split("#")[0] !== file) noise.push(`request: ${request.url()}`);
  });
}

/** Two frames later everything that follows from an action has been drawn. */
async function drawn() {
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        let frames = 4;
        const next = () => (frames-- ? requestAnimationFrame(next) : resolve());
        next();
      }),
  );
}

/** A point in an element, as parts of its width and height. */
async function point(selector, x, y) {
  const element = page.locator(selector).first();
  await element.scrollIntoViewIfNeeded();
  const box = await element.boundingBox();
  return [box.x + box.width * x, box.y + box.height * y];
}

const commands = {
  async open(file, fragment, options) {
    await page?.context().close();
    const { width, height, dark, bypass } = options;
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? "dark" : "light",
      bypassCSP: bypass,
      offline: true,
    });
    page = await context.newPage();
    noise = [];
    const address = `file://${encodeURI(file)}`;
    listen(address);
    await page.goto(address + fragment);
    await page.waitForSelector("html[data-ready]", { timeout: 20000 });
    await drawn();
  },
  async noise() {
    return noise;
  },
  async evaluate(source) {
    return page.evaluate(source);
  },
  async texts(selector) {
    return page.locator(selector).allTextContents();
  },
  async text(selector) {
    return page.locator(selector).first().innerText();
  },
  async fragment() {
    return page.evaluate("location.hash");
  },
  async click(selector) {
    await page.locator(selector).first().click();
    await drawn();
  },
  async clickAt(selector, x, y) {
    await page.mouse.click(...(await point(selector, x, y)));
    await drawn();
  },
  async hoverAt(selector, x, y) {
    await page.mouse.move(...(await point(selector, x, y)));
    await drawn();
  },
  async drag(selector, from, to) {
    await page.mouse.move(...(await point(selector, from, 0.5)));
    await page.mouse.down();
    await page.mouse.move(...(await point(selector, (from + to) / 2, 0.5)));
    await page.mouse.move(...(await point(selector, to, 0.5)));
    await page.mouse.up();
    await drawn();
  },
  async fill(selector, text) {
    await page.locator(selector).first().fill(text);
    await drawn();
  },
  async select(selector, value) {
    await page.locator(selector).first().selectOption(value);
    await drawn();
  },
  async press(selector, key) {
    await page.locator(selector).first().focus();
    await page.keyboard.press(key);
    await drawn();
  },
  /** Another view of the page that is open. */
  async look(fragment) {
    await page.evaluate((text) => (location.hash = text), fragment);
    await drawn();
  },
  async back() {
    await page.evaluate("history.back()");
    await drawn();
    await drawn();
  },
  async waitFor(source) {
    await page.waitForFunction(source, undefined, { timeout: 10000 });
  },
  async screenshot(file, whole) {
    await page.screenshot({ path: file, fullPage: whole });
  },
  async axe() {
    await page.evaluate(axe);
    const { violations } = await page.evaluate("axe.run()");
    return violations.map(({ id, impact, nodes }) => [id, impact, nodes.map((node) => node.html)]);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...values] = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[name](...values)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
await browser.close();
