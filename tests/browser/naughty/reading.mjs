// How answers are read: pages as a browser reads them, without running them; tables as a spreadsheet does; zips; and texts, so that
// what was typed is found again.
import { inflateRawSync } from "node:zlib";

/** White space is gathered by fields of one line, and marks that turn the writing round are taken out; all else comes back as typed. */
export const plain = (text) => text.normalize("NFC").replaceAll(/[\s\p{Cc}\u2028-\u202E\u2066-\u2069\uFEFF]+/gu, "");

/** An address without its ids and values: what is the same page for another thing. */
export const pattern = (url, base) => {
  const { pathname, searchParams } = new URL(url, base);
  return pathname.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "{id}") + [...new Set(searchParams.keys())].sort().map((key) => `?${key}`).join("");
};

/** Reads an answer: its links, its forms with their fields as they stand, what it shows, and whatever in it could run. */
export function read(reader, html, url) {
  return reader.evaluate(([html, url]) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const active = [];
    for (const part of page.querySelectorAll("*")) {
      for (const { name, value } of part.attributes) {
        if (name.startsWith("on") || name === "style" || name === "srcdoc") active.push(`${part.localName} ${name}=${value}`);
        const leads = /^(href|src|action|formaction|data|xlink:href)$/.test(name);
        if (leads && !/^(\/(?!\/)|#|\?|mailto:|tel:|https:\/\/wa\.me\/\d+$|$)/.test(value) && !value.startsWith(new URL(url).origin)) active.push(`${part.localName} ${name}=${value}`);
      }
      if (part.localName === "script" && !part.getAttribute("src")?.startsWith("/assets/")) active.push("script");
      if (["iframe", "object", "embed", "base", "style", "animate", "math", "mtext", "marquee"].includes(part.localName) || (part.localName === "meta" && part.httpEquiv)) active.push(part.localName);
    }
    const fields = (form) => [...form.elements].filter((field) => field.name && !field.disabled && field.type !== "button").map((field) => ({
      name: field.name, type: field.type, value: field.value, required: field.required, checked: field.checked === true,
      options: field.options ? [...field.options].map((option) => option.value).filter(Boolean) : [],
    }));
    const forms = [...page.forms].map((form) => ({ action: form.getAttribute("action") ?? new URL(url).pathname, method: form.method, fields: fields(form) }));
    const links = [...page.querySelectorAll("a[href]")].map((link) => link.getAttribute("href"))
      .filter((href) => href.startsWith("/") && !href.startsWith("//") && !/^\/(unsubscribe|go)\//.test(href));
    const values = [...page.querySelectorAll("input, textarea")].map((field) => field.value);
    return { active, forms, links, shown: [page.documentElement.textContent, ...values].join("\u0001") };
  }, [html, url]);
}

/** The cells of a table, quoted as RFC 4180 has it. */
export function cellsOf(table) {
  const cells = [];
  let cell = "", quoted = false;
  const text = table.replace(/^\uFEFF/, "");
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[at + 1] === '"') { cell += '"'; at += 1; } else quoted = false;
    } else if (c === '"' && cell === "") quoted = true;
    else if (c === "," || c === "\n") { cells.push(cell); cell = ""; }
    else if (!(c === "\r" && text[at + 1] === "\n")) cell += c;
  }
  return [...cells, cell];
}

/** The cells that a spreadsheet would reckon. A number is one, and harmless. */
export const formulas = (cells) => cells.filter((cell) => /^[=+@\t\r]/.test(cell) || /^-(?!\d+([.,]\d+)?$)/.test(cell));

/** The files in a zip, by name: read from its directory, as every unpacker does. */
export function unzip(bytes) {
  const files = new Map();
  const end = bytes.lastIndexOf("PK\x05\x06", undefined, "latin1");
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left -= 1) {
    const [method, size, long, extra, note, start] = [bytes.readUInt16LE(at + 10), bytes.readUInt32LE(at + 20), bytes.readUInt16LE(at + 28), bytes.readUInt16LE(at + 30), bytes.readUInt16LE(at + 32), bytes.readUInt32LE(at + 42)];
    const name = bytes.toString("utf8", at + 46, at + 46 + long);
    const from = start + 30 + bytes.readUInt16LE(start + 26) + bytes.readUInt16LE(start + 28);
    const body = bytes.subarray(from, from + size);
    files.set(name, (method === 8 ? inflateRawSync(body) : body).toString("utf8"));
    at += 46 + long + extra + note;
  }
  return files;
}
