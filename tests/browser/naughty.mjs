// Naughty texts through every field of every form, and back. Run by tests/tests/naughty/main.rs, which sets the stage.
//
// The pages are walked from the first page of each role; every form on them is filled from its own HTML. In each round every field of
// words has another text of the corpus, so that after as many rounds as there are texts each text went through each field. The forms are
// sent by HTTP, and every answer is read as a browser reads it, without running it; half-way and at the end every page is opened in the
// browser itself.
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";
import { cellsOf, formulas, pattern as patternOf, plain, read, unzip } from "./naughty/reading.mjs";
import { settled, sideways, watch } from "./standards.mjs";

const { BASE, CONTROL, PASSWORD, CORPUS, CHROMIUM } = process.env;
const PEOPLE = { owner: "owner@riverside.test", physiotherapist: "physio@riverside.test", patient: "farah@example.test" };
const STARTS = {
  nobody: ["/", "/sign-in?next=/patients", "/password/forgot"],
  owner: ["/patients", "/account", "/account/confirm?next=/team"],
  physiotherapist: ["/patients"],
  patient: ["/today", "/account", "/account/confirm?next=/account"],
};
/** Forms that would end the story, or undo what it needs: they take no words of anybody. */
const NOT_THESE = [/^\/sign-out$/, /^\/account\/sessions/, /\/(archive|finish|disable|withdraw)$/];
const WORDS = new Set(["text", "search", "url", "textarea"]);
const STRICT = new Set(["email", "hidden", "password", "tel", "date", "time", "datetime-local", "number", "select-one", "radio"]);
/** Where a text that is taken stays for good, for one of each kind of thing. */
const MUST_BE_TAKEN = new Set([
  "owner post /account name", "owner post /team name", "owner post /settings name", "owner post /patients name", "owner post /patients/{id}/edit name",
  "owner post /exercises name", "owner post /exercises steps", "owner post /templates/{id} name", "owner post /patients/{id}/programs name",
  "owner post /audit/breaches what", "owner post /attention/{id}/acknowledge note", "patient post /account name", "patient post /logs/{id} note",
]);
const pattern = (url) => patternOf(url, BASE);
const began = Date.now();
const faults = [];
const fault = (text) => {
  if (!faults.includes(text) && faults.length < 60) { faults.push(text); console.error(`  - ${text}`); }
};
const unescape = (line) => line
  .replaceAll(/\\u\{([0-9a-f]+)\}(?:\*(\d+))?/gi, (_, code, times) => String.fromCodePoint(parseInt(code, 16)).repeat(Number(times ?? 1)))
  .replaceAll("\\r", "\r").replaceAll("\\n", "\n").replaceAll("\\t", "\t");
const corpus = (await readFile(CORPUS, "utf8")).split("\n").filter((line) => line.trim() && !line.startsWith("# ")).map(unescape);
const known = new Set(corpus.map(plain).filter(Boolean));

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const counts = { sent: 0, kept: 0, fields: new Map(), strict: new Set(), elsewhere: new Set(), pages: new Set(), cells: new Set(), files: new Set(), subjects: new Set(), bodies: new Set() };

let addresses = 0;
/** Another address for every request: what slows down guessing is not what is tried here. */
const elsewhere = () => { addresses += 1; return { "x-forwarded-for": `10.${(addresses >> 16) & 255}.${(addresses >> 8) & 255}.${addresses & 255}` }; };

async function person(name) {
  const context = await browser.newContext({ baseURL: BASE, locale: "en-GB", timezoneId: "Asia/Kuala_Lumpur", reducedMotion: "reduce", viewport: { width: 320, height: 640 }, extraHTTPHeaders: elsewhere() });
  context.setDefaultTimeout(20000);
  const complaints = [];
  await watch(context, complaints);
  const page = await context.newPage();
  page.on("dialog", (dialog) => { complaints.push(`${page.url()}: a dialog said ${dialog.message()}`); dialog.dismiss(); });
  // A page that only reads: nothing that it parses runs.
  const reader = await (await browser.newContext()).newPage();
  const who = { name, page, reader, context, complaints };
  if (PEOPLE[name]) {
    await page.goto("/sign-in");
    await page.getByLabel("Email", { exact: true }).fill(PEOPLE[name]);
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.waitForURL((url) => url.pathname !== "/sign-in");
  }
  who.jar = new Map((await context.cookies()).map(({ name, value }) => [name, value]));
  return who;
}

/** That the watch sees: scripts in a page of ours, as if a text had come through, are stopped by the policy and reported. */
async function proveTheWatch(who) {
  await who.page.route("**/sign-in", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${await response.text()}<script>alert(1)</script><img src=x onerror=alert(2)>` });
  });
  await who.page.goto("/sign-in", { waitUntil: "networkidle" });
  await who.page.unroute("**/sign-in");
  for (const directive of ["script-src-elem", "script-src-attr"]) {
    if (!who.complaints.some((complaint) => complaint.includes(`the policy stopped ${directive}`))) fault(`a violation of ${directive} goes unnoticed: ${who.complaints.join(" | ")}`);
  }
  if (who.complaints.some((complaint) => /a dialog said/.test(complaint))) fault("the policy lets a script run that is not ours");
  who.complaints.length = 0;
}

async function once(who, method, url, values) {
  const headers = { origin: BASE, cookie: [...who.jar].map((pair) => pair.join("=")).join("; "), ...elsewhere() };
  const response = await fetch(new URL(url, BASE), { method, body: values && new URLSearchParams(values), headers, redirect: "manual" });
  const { status } = response;
  for (const cookie of response.headers.getSetCookie()) {
    const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
    if (/max-age=0/i.test(cookie) || value === "") who.jar.delete(name); else who.jar.set(name, value);
  }
  if (status >= 500) fault(`${who.name} ${method} ${url}: ${status} for ${JSON.stringify(values)?.slice(0, 300)}`);
  for (const name of ["x-injected", "bcc"]) if (response.headers.has(name)) fault(`${who.name} ${url}: a header ${name}`);
  return { status, type: response.headers.get("content-type") ?? "", location: response.headers.get("location"), bytes: Buffer.from(await response.arrayBuffer()) };
}

/** Asks, and gives the password again where that is wanted first. */
async function ask(who, method, url, values) {
  const answer = await once(who, method, url, values);
  if (answer.status !== 303 || !answer.location?.startsWith("/account/confirm") || /^\/account\/confirm/.test(url)) return answer;
  const proved = await once(who, "POST", "/account/confirm", [["password", PASSWORD], ["next", "/account"]]);
  if (proved.status !== 303) fault(`${who.name}: the password is not taken again: ${proved.status}`);
  return once(who, method, url, values);
}

/** Reads an answer, whatever it is, and finds fault with what could run in it. */
async function judge(who, url, answer, what) {
  if (answer.type.startsWith("text/csv")) judgeTable(url, answer.bytes.toString("utf8"));
  if (answer.type.startsWith("application/zip")) {
    for (const [name, text] of unzip(answer.bytes)) {
      counts.files.add(name.replaceAll(/[^/]*-/g, ""));
      if (/\.csv$/.test(name)) judgeTable(`${url} ${name}`, text);
      if (/\.json$/.test(name)) JSON.parse(text);
      if (/\.html?$/.test(name)) judge(who, `${url} ${name}`, { type: "text/html", bytes: Buffer.from(text) }, what);
    }
  }
  if (!answer.type.startsWith("text/html")) return null;
  const seen = await read(who.reader, answer.bytes.toString("utf8"), new URL(url, BASE).href);
  if (seen.active.length) fault(`${who.name} ${url}${what}: markup of ours it is not: ${seen.active.slice(0, 3).join(" | ")}`);
  return seen;
}

function judgeTable(url, text) {
  const cells = cellsOf(text);
  for (const cell of formulas(cells)) fault(`${url}: a cell begins as a formula does: ${JSON.stringify(cell.slice(0, 60))}`);
  for (const cell of cells) if (known.has(plain(cell.replace(/^'/, ""))) || known.has(plain(cell))) counts.cells.add(plain(cell));
}

/** Every page of somebody, two of each pattern, each read for what could run. */
async function walk(who, what) {
  const pages = new Map(), seen = new Map(), queue = [...STARTS[who.name]];
  while (queue.length) {
    const url = queue.shift();
    const kind = pattern(url);
    if (pages.has(url) || (seen.get(kind) ?? 0) >= 2 || /^\/(assets|sign-out)/.test(url)) continue;
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
    const answer = await ask(who, "GET", url);
    const page = await judge(who, url, answer, what);
    pages.set(url, { forms: page?.forms ?? [], html: page !== null });
    if (answer.location) queue.push(answer.location);
    queue.push(...(page?.links ?? []).map((href) => href.replace(/#.*/, "")));
  }
  return pages;
}

let number = 0;
/** The form as somebody leaves it who fills in what must be, with these texts in these fields. */
function filled(form, texts) {
  const taken = new Set();
  const values = [];
  for (const { name, type, value, required, checked, options } of form.fields) {
    if (type === "file" || type === "submit") continue;
    if (texts.has(name)) {
      // Fields that are there once for each exercise belong together: all of them have the text.
      if (WORDS.has(type) || !taken.has(name)) values.push([name, texts.get(name)]);
      taken.add(name);
    } else if (type === "checkbox") {
      if (checked || required) values.push([name, value]);
    } else if (type === "radio") {
      const group = form.fields.filter((other) => other.name === name);
      if (!taken.has(name)) values.push([name, (group.find((other) => other.checked) ?? group[0]).value]);
      taken.add(name);
    } else {
      number += 1;
      const usual = { email: `n${number}@home.test`, date: "2026-03-02", "datetime-local": "2026-03-02T09:00", "select-one": options[0] ?? "", password: "no password of anybody" }[type] ?? (required ? "Plain words" : "");
      values.push([name, value || usual]);
    }
  }
  // The button that saves.
  const save = form.fields.find(({ type, name, value }) => type === "submit" && name === "action" && /^(save|assign|create)?$/.test(value));
  if (save) values.push(["action", save.value]);
  return values;
}

/** Numbers, times and searches for one thing stand in fields of text, too; a word in one of them refuses the whole form. */
const isStrict = ({ name, type, value }, method) => STRICT.has(type)
  || (WORDS.has(type) && (/zone|time|date|^from$|^to$|sets|reps|hold|rest|weeks|days|code|phone|whatsapp|address/.test(name) || /^[\d:.–-]+$/.test(value) || (name === "q" && method === "post")));

/** Sends a form with these texts; the answer and the page that it leads to are read. */
async function send(who, url, form, texts, what, follow = true) {
  counts.sent += 1;
  const action = new URL(form.action, new URL(url, BASE)).pathname;
  const values = filled(form, texts);
  const to = form.method === "get" ? `${action}?${new URLSearchParams(values)}` : action;
  const answer = form.method === "get" ? await ask(who, "GET", to) : await ask(who, "POST", to, values);
  let page = await judge(who, to, answer, what);
  const kept = answer.status === 303 || (form.method === "get" && answer.status === 200);
  if (answer.status === 303) {
    if (!answer.location.startsWith("/") || answer.location.startsWith("//") || answer.location.startsWith("/\\")) fault(`${who.name} ${to}${what} leads to ${answer.location}`);
    else if (follow) page = await judge(who, to, await ask(who, "GET", answer.location), what);
  }
  return { kept, status: answer.status, page };
}

/** One round: every form of every page, each field of words with another text of the corpus. */
async function round(who, places, at) {
  const done = new Set();
  for (const url of places) {
    // As it stands now: a form holds what was saved, and ids of its own.
    const before = await judge(who, url, await ask(who, "GET", url), ` in round ${at}`);
    for (const form of before?.forms ?? []) {
      const action = new URL(form.action, new URL(url, BASE)).pathname;
      const kind = `${form.method} ${pattern(action)}`;
      const names = new Set(form.fields.filter((field) => WORDS.has(field.type) && !isStrict(field, form.method)).map(({ name }) => name));
      const strict = [...new Set(form.fields.filter((field) => isStrict(field, form.method) && !names.has(field.name)).map(({ name }) => name))];
      // Forms to different places may share an address, as those of the pages of two things: once a round is enough.
      const same = form.method === "get" ? kind : `${kind} ${[...names]} ${strict}`;
      if (NOT_THESE.some((not) => not.test(action)) || done.has(same) || names.size + strict.length === 0) continue;
      done.add(same);
      const texts = new Map([...names].map((name, nth) => [name, at < 0 ? "Plain words" : corpus[(at + 29 * nth) % corpus.length]]));
      if (names.size) await sendWords(who, url, form, kind, texts, at);
      if (strict.length && at >= 0 && (at + done.size) % 2) await sendStrict(who, url, form, kind, strict, at);
    }
  }
}

async function sendWords(who, url, form, kind, texts, at) {
  const what = ` (round ${at})`;
  const { kept, status, page } = await send(who, url, form, texts, what);
  if (at < 0) return;
  if (kept) counts.kept += 1;
  let shown = page && plain(page.shown);
  const missed = [...texts].filter(([name, text]) => !shown?.includes(plain(text)) && !counts.elsewhere.has(`${kind} ${name}`));
  if (kept && shown && missed.length) {
    const again = await judge(who, url, await ask(who, "GET", url), what);
    shown += plain(again?.shown ?? "");
    // What is asked once in a while is not asked again: its answers stand behind a link.
    for (const href of page.links.filter((href) => href.startsWith("/answers/"))) {
      shown += plain((await judge(who, href, await ask(who, "GET", href), what))?.shown ?? "");
    }
    // What neither page shows at all is looked for on the others, by the walks.
    for (const [name] of missed) if (at > 4 && !counts.fields.get(`${who.name} ${kind} ${name}`)?.shown) counts.elsewhere.add(`${kind} ${name}`);
  }
  for (const [name, text] of texts) {
    const field = counts.fields.get(`${who.name} ${kind} ${name}`) ?? { sent: new Set(), kept: 0, shown: 0, lost: [] };
    counts.fields.set(`${who.name} ${kind} ${name}`, field);
    field.sent.add(text);
    const came = shown?.includes(plain(text));
    if (kept) { field.kept += 1; if (came) field.shown += 1; else field.lost.push(text); }
    // What was refused stands where it was typed.
    if (status === 422 && page?.forms.length && !came) fault(`${who.name} ${kind} ${name} ${JSON.stringify(text.slice(0, 60))}: refused, and what was typed is gone`);
  }
}

/** Fields that are no words, every other round: all of them at once, or one by itself, so that none hides behind another's refusal. */
async function sendStrict(who, url, form, kind, strict, at) {
  const names = (at >> 1) % 2 ? [strict[(at >> 2) % strict.length]] : strict;
  for (const name of names) counts.strict.add(`${who.name} ${kind} ${name}`);
  await send(who, url, form, new Map(names.map((name, nth) => [name, corpus[(at + 17 * nth) % corpus.length]])), ` (round ${at}, ${names.slice(0, 3)})`, false);
}

/** Opens every page in the browser, 320 px wide. */
async function look(who, what) {
  const seen = new Set();
  for (const [url, { html }] of await walk(who, what)) {
    if (seen.has(pattern(url)) || !html) continue;
    seen.add(pattern(url));
    const answer = await who.page.goto(url);
    if (answer.status() >= 500) fault(`${who.name} ${url}: ${answer.status()}`);
    await settled(who.page, "(max-width: 320px)");
    for (const wide of await sideways(who.page)) fault(`${who.name} ${url}${what}: ${wide}`);
    counts.pages.add(`${who.name} ${pattern(url)}`);
  }
}

/** The mails that were sent since: headers, both parts, opened with scripts on and no policy to stop them. */
async function openMails(from) {
  for (let sent = 1; sent > 0;) sent = (await (await fetch(`${CONTROL}/tick`, { method: "POST" })).json()).sent;
  const mails = (await (await fetch(`${CONTROL}/mail?from=${from}`)).json());
  const context = await browser.newContext();
  const page = await context.newPage();
  page.on("dialog", (dialog) => { fault(`a mail said ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (!/^(about|data):/.test(request.url())) fault(`a mail asked for ${request.url()}`); });
  for (const mail of mails) {
    const twice = mail.headers.filter((header, at) => mail.headers.indexOf(header) !== at && !/^(received|dkim-signature)$/i.test(header));
    if (twice.length || mail.headers.some((header) => /^(bcc|cc|x-injected)$/i.test(header))) fault(`a mail has the headers ${mail.headers}`);
    if (mail.to.length !== 1 || !mail.to.every((to) => /@(home|riverside|example)\.test$/.test(to))) fault(`a mail went to ${mail.to}`);
    if (/[\r\n]/.test(mail.subject)) fault(`a mail's subject: ${JSON.stringify(mail.subject)}`);
    await page.setContent(mail.html, { waitUntil: "domcontentloaded" });
    const { active, shown } = await page.evaluate(() => ({
      active: [...document.querySelectorAll("*")].filter((part) => ["script", "svg", "iframe", "object", "img", "input", "form", "base"].includes(part.localName) || [...part.attributes].some(({ name }) => name.startsWith("on"))).map((part) => part.outerHTML.slice(0, 80)),
      shown: document.documentElement.textContent,
    }));
    if (active.length) fault(`a mail holds ${active.slice(0, 2).join(" | ")}`);
    const [html, text, subject] = [plain(shown), plain(mail.text), plain(mail.subject)];
    for (const word of known) {
      if (word.length < 6) continue;
      if (subject.includes(word)) counts.subjects.add(word);
      if (html.includes(word) !== text.includes(word)) fault(`a mail says ${JSON.stringify(word.slice(0, 60))} in one of its parts only`);
      if (html.includes(word)) counts.bodies.add(word);
    }
  }
  await context.close();
  return from + mails.length;
}

const seconds = () => `${Math.round((Date.now() - began) / 1000)} s`;
try {
  const people = [];
  for (const name of Object.keys(STARTS)) people.push(await person(name));
  await proveTheWatch(people[0]);
  const everybody = (work) => Promise.all(people.map(work));
  const findPlaces = async (who) => {
    const kinds = new Map();
    for (const [url, { forms }] of await walk(who, "")) if (forms.length && !kinds.has(pattern(url))) kinds.set(pattern(url), url);
    return [...kinds.values()];
  };
  // A round of plain words first, so that there is one of everything to be changed.
  await everybody(async (who) => { who.places = await findPlaces(who); await round(who, who.places, -1); });
  await everybody(async (who) => { who.places = await findPlaces(who); });
  let mails = await openMails(0);
  const looks = [Math.floor(corpus.length / 2), corpus.length - 1];
  for (let at = 0; at < corpus.length; at += 1) {
    // A physiotherapist's forms are the owner's too: a few rounds show that.
    await everybody((who) => who.name === "physiotherapist" && at % 20 ? undefined : round(who, who.places, at));
    if (looks.includes(at)) await everybody((who) => look(who, ` after round ${at}`));
    if (looks.includes(at) || at % 12 === 0) {
      mails = await openMails(mails);
      console.log(`    round ${at + 1} of ${corpus.length}, ${seconds()}: ${counts.sent} forms sent, ${mails} mails`);
    }
  }
  for (const who of people) for (const complaint of who.complaints) fault(`${who.name}: ${complaint}`);
  for (const [name, { sent, kept, shown, lost }] of counts.fields) {
    console.log(`    ${name}: ${sent.size} texts, ${kept} taken, ${shown} shown`);
    // A session that is sent twice keeps what it said first.
    if (lost.length && !/post \/session\//.test(name)) fault(`${name}: not shown as typed: ${lost.slice(0, 5).map((text) => JSON.stringify(text.slice(0, 40)))}`);
  }
  const missing = [...MUST_BE_TAKEN].filter((field) => ![...counts.fields].some(([name, { kept }]) => name === field && kept > corpus.length / 2));
  if (missing.length) fault(`too few texts were taken by ${missing}`);
  if (counts.fields.size < 25 || counts.strict.size < 150 || counts.pages.size < 80) fault("there are fewer fields or pages than there were");
  if (counts.bodies.size < 20 || counts.cells.size < corpus.length / 2 || counts.files.size < 5) fault("mails, tables and zips hold too few of the texts to show anything");
  console.log(`${corpus.length} texts through ${counts.fields.size} fields of words and ${counts.strict.size} others: ${counts.sent} forms sent, ${counts.kept} taken; ${counts.pages.size} pages opened, ${mails} mails (${counts.subjects.size} texts in subjects, ${counts.bodies.size} in bodies), ${counts.cells.size} texts in tables, files ${[...counts.files]}; ${seconds()}.`);
} catch (error) {
  fault(error.stack);
} finally {
  await browser.close();
}
if (faults.length) {
  console.error(`${faults.length} faults; they stand above.`);
  process.exitCode = 1;
}
