// The profiler's page in headless Chromium: records a model at work, renders the page, and opens it from disk without a network.
//
//   node page_test.mjs PROGRAM [--screenshot FILE] [--page FILE] [--dark] [--width 1280]
//
// Fails on any message on the console, any request, an element that is missing or empty, or text that runs out of the window.
// Exit status 77, with a line on stderr, where playwright-core (npm install) or Chromium is not installed.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    screenshot: { type: "string" },
    page: { type: "string" },
    dark: { type: "boolean", default: false },
    width: { type: "string", default: "1280" },
  },
});
function skip(why) {
  console.error(`skipped: ${why}`);
  process.exit(77);
}
let chromium;
try {
  ({ chromium } = (await import("playwright-core")).default);
} catch (error) {
  skip(`npm's playwright-core cannot be loaded (${error.message.split("\n")[0]})`);
}
const browser_path = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
if (!browser_path) skip("Chromium is not installed");

const folder = mkdtempSync(join(tmpdir(), "smallmind-page-"));
const problems = [];
const expect = (holds, what) => holds || problems.push(what);
let browser;
try {
  let file = values.page && resolve(values.page);
  if (!file) {
    const recording = join(folder, "run.smprof");
    file = join(folder, "run.html");
    execFileSync(positionals[0], ["profile", "tiny", "--out", recording, "--prompt", "8", "--tokens", "20", "--repeats", "3"]);
    execFileSync(positionals[0], ["profile", "report", recording, "--format", "html", "--out", file]);
  }
  browser = await chromium.launch({ executablePath: browser_path, args: ["--no-sandbox", "--disable-gpu"] });
  const page = await browser.newPage({
    viewport: { width: Number(values.width), height: 900 },
    colorScheme: values.dark ? "dark" : "light",
  });
  page.on("console", (message) => problems.push(`the console says: ${message.text()}`));
  page.on("pageerror", (error) => problems.push(`an error: ${error.message}`));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith("file:") && !url.startsWith("data:")) problems.push(`a request: ${url}`);
    else if (url.startsWith("file:") && url !== pathToFileURL(file).href) problems.push(`another file: ${url}`);
  });
  await page.goto(pathToFileURL(file).href);
  await page.waitForSelector("body[data-ready=yes]", { timeout: 20_000, state: "attached" });

  const counts = await page.evaluate(() => Object.fromEntries(
    ["#cards .card", "#findings li", "#operations tbody tr", "#flame .frame", "#roofline circle", "#roofline .roof", "#phases tbody tr", "#memory path",
      "#lanes canvas", "#environment tbody tr"].map((selector) => [selector, document.querySelectorAll(selector).length])));
  for (const [selector, found] of Object.entries(counts)) expect(found > 0, `${selector} expected, none found`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(wide <= 0, `a page as wide as the window expected, it is ${wide} pixels wider`);

  // Sorting, looking into a frame, zooming the lanes.
  const first = () => page.textContent("#operations tbody tr td");
  await page.click("#operations th:nth-child(1)");
  const up = await first();
  await page.click("#operations th:nth-child(1)");
  expect(up !== (await first()), "another order after a second click on a heading expected, the same found");
  await page.click("#operations th:nth-child(4)");
  const label = () => page.$$eval("#flame .frame", (frames) => frames.length);
  const before = await label();
  await page.click("#flame .frame:nth-of-type(3)", { force: true });
  expect((await label()) > 0, "frames after a click on one expected, none found");
  await page.click("#flame .reset");
  expect((await label()) === before, "all frames after going back expected, others found");
  const ink = () => page.$eval("#lanes canvas", (canvas) => {
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
    const colours = new Set();
    for (let i = 0; i < pixels.length; i += 4 * 97) colours.add((pixels[i] << 16) | (pixels[i + 1] << 8) | pixels[i + 2]);
    return colours.size;
  });
  expect((await ink()) > 3, "coloured lanes expected, an empty canvas found");
  await page.click("#lanes .in");
  expect((await ink()) > 1, "lanes after zooming expected, an empty canvas found");
  await page.click("#lanes .reset");
  await page.mouse.move(1, 1);
  if (values.screenshot) await page.screenshot({ path: values.screenshot, fullPage: true });
} catch (error) {
  problems.push(String(error));
} finally {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
}
for (const problem of problems) console.error(problem);
process.exit(problems.length === 0 ? 0 : 1);
