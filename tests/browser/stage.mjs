// The stage: the browser, the story's voice, the hidden hand (clock, worker, mail), and people who count what they do.
import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { watch } from "./standards.mjs";

export const { BASE, CONTROL, PASSWORD, BEGIN } = process.env;
for (const name of ["BASE", "CONTROL", "CHROMIUM", "PASSWORD", "BEGIN"]) {
  if (!process.env[name]) throw new Error(`${name} is not set: the story is run by tests/tests/browser.rs (bin/test --test browser)`);
}

const DESKTOP = { viewport: { width: 1280, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

let browser;
const open = new Set();

export async function begin() {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

export async function end() {
  await browser?.close();
}

/** What was on every screen when the story failed: pictures and pages in a folder of its own. */
export async function keepEvidence() {
  const folder = await mkdtemp(join(tmpdir(), "homestretch-journey-"));
  let n = 0;
  for (const { page, name } of open) {
    if (page.isClosed()) continue;
    n += 1;
    await page.screenshot({ path: join(folder, `${n}-${name}.png`), fullPage: true }).catch(() => {});
    console.error(`  ${name} was at ${new URL(page.url()).pathname}`);
  }
  return folder;
}

let number = 0;
/** Says what happens next. */
export function step(text) {
  number += 1;
  console.log(`${String(number).padStart(2)}. ${text}`);
}

/** A person at a browser of their own. Every fill, click, choice and key is counted as one interaction. */
export class Someone {
  static async at(name, device, options = {}) {
    const context = await browser.newContext({
      ...device, baseURL: BASE, locale: "en-GB", timezoneId: "Asia/Kuala_Lumpur", reducedMotion: "reduce", ...options,
    });
    context.setDefaultTimeout(15000);
    const page = await context.newPage();
    const someone = new Someone(name, page, device === PHONE);
    if (options.javaScriptEnabled !== false) {
      // The browser's clock shows the story's hour, and goes on from there.
      await context.clock.install({ time: options.now ?? BEGIN });
      await watch(context, someone.faults);
    }
    open.add(someone);
    return someone;
  }

  constructor(name, page, phone) {
    this.name = name;
    this.page = page;
    this.phone = phone;
    this.interactions = 0;
    this.faults = [];
  }

  /** Opens a link, as from a mail. */
  async follow(link) {
    this.interactions += 1;
    await this.page.goto(link);
  }

  async fill(label, text) {
    this.interactions += 1;
    await this.page.getByLabel(label, { exact: true }).fill(text);
  }

  async choose(label, option) {
    this.interactions += 1;
    await this.page.getByLabel(label, { exact: true }).selectOption(option);
  }

  async press(what) {
    this.interactions += 1;
    await (this.phone ? what.tap() : what.click());
  }

  button(name, within = this.page) {
    return within.getByRole("button", { name, exact: typeof name === "string" });
  }

  link(name, within = this.page) {
    return within.getByRole("link", { name, exact: typeof name === "string" });
  }

  /** A link of the bar on every page. */
  menu(name) {
    return this.page.getByRole("navigation", { name: "Main" }).getByRole("link", { name, exact: true });
  }

  /** A radio or a box, by the words beside it: people press the words. */
  async tick(name, within = this.page) {
    await this.press(within.locator("label").filter({ hasText: name }).first());
  }

  async sees(text, within = this.page) {
    await within.getByText(text).filter({ visible: true }).first().waitFor();
  }

  async isAt(path) {
    await this.page.waitForURL((url) => (path instanceof RegExp ? path.test(url.pathname) : url.pathname === path));
  }

  /** Ends this person's browser, and fails if a page complained. */
  async leave() {
    open.delete(this);
    await this.page.context().close();
    assert.deepEqual(this.faults, [], `${this.name}'s pages complained`);
  }
}

export const atDesk = (name, options) => Someone.at(name, DESKTOP, options);
export const onPhone = (name, options) => Someone.at(name, PHONE, options);

async function control(method, path, query = {}) {
  const answer = await fetch(`${CONTROL}${path}?${new URLSearchParams(query)}`, { method });
  assert.ok(answer.ok, `${path} answered ${answer.status}`);
  return answer.json();
}

export const setClock = (to) => control("POST", "/clock", { to });
export const tick = () => control("POST", "/tick");
export const logElsewhere = (who, date) => control("POST", "/log", { who, date });
export const mailTo = (to) => control("GET", "/mail", { to });

/** Everybody who got a mail whose text has these words, sorted. */
export async function gotMail(words, since = 0) {
  const mails = await control("GET", "/mail");
  return mails.slice(since).filter((mail) => mail.text.includes(words)).flatMap((mail) => mail.to).sort();
}
export const mailCount = async () => (await control("GET", "/mail")).length;

/** The first link of a mail that leads to this path. */
export function linkIn(mail, path) {
  const link = mail.links.find((address) => new URL(address).pathname.startsWith(path));
  assert.ok(link, `no ${path} link in:\n${mail.text}`);
  return link;
}
