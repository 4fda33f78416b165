// Logs that were finished without a connection wait on this phone and are sent when there is one. The same log_id twice is one
// log, so sending again never hurts. Keys in localStorage: "hs:out:<log_id>" waits to be sent, "hs:draft:…" is a session begun.
"use strict";
window.hs = (() => {
  const read = (key) => {
    try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
  };
  const write = (key, value) => {
    try { localStorage.setItem(key, JSON.stringify(value)); return true; } catch { return false; }
  };
  const drop = (key) => {
    try { localStorage.removeItem(key); } catch { /* nothing was kept */ }
  };
  const keys = (prefix) => {
    try { return Object.keys(localStorage).filter((key) => key.startsWith(prefix)); } catch { return []; }
  };
  const busy = new Set();

  // Sends one: "sent" (with the page it leads to), "waiting", "signed-out", "refused", or "busy" while it is on its way.
  async function send(id) {
    const key = "hs:out:" + id, entry = read(key);
    if (!entry || busy.has(id)) return { state: "busy" };
    busy.add(id);
    try {
      const answer = await fetch(entry.action, { method: "POST", body: new URLSearchParams(entry.body), credentials: "same-origin" });
      if (answer.redirected && new URL(answer.url).pathname.startsWith("/sign-in")) return { state: "signed-out" };
      if (answer.ok) {
        drop(key);
        drop(entry.draft);
        return { state: "sent", url: answer.url };
      }
      const later = answer.status >= 500 || answer.status === 429 || answer.status === 408;
      return { state: later ? "waiting" : "refused" };
    } catch {
      return { state: "waiting" };
    } finally {
      busy.delete(id);
    }
  }

  // Posts one as an ordinary form, so that the page itself says what is wrong with it.
  function show(id) {
    const entry = read("hs:out:" + id);
    if (!entry) return;
    drop("hs:out:" + id);
    const form = document.createElement("form");
    form.method = "post";
    form.action = entry.action;
    for (const [name, value] of new URLSearchParams(entry.body)) {
      const field = document.createElement("input");
      field.type = "hidden";
      field.name = name;
      field.value = value;
      form.append(field);
    }
    document.body.append(form);
    form.submit();
  }

  // Today says what is waiting, and sends it.
  const box = document.querySelector("[data-outbox]");
  async function flush() {
    const waiting = keys("hs:out:").map((key) => key.slice(7));
    if (!box || !waiting.length) return;
    const found = {};
    let url = "";
    for (const id of waiting) {
      const sent = await send(id);
      found[sent.state] = id;
      if (sent.url) url = sent.url;
    }
    if (url && !found.refused && !found.waiting) return location.replace(url);
    box.hidden = !(found.waiting || found.refused || found["signed-out"]);
    box.querySelector("[data-outbox-waiting]").hidden = !found.waiting;
    box.querySelector("[data-outbox-signin]").hidden = !found["signed-out"];
    box.querySelector("[data-outbox-refused]").hidden = !found.refused;
    box.querySelector("[data-outbox-look]").onclick = () => show(found.refused);
    box.querySelector("[data-outbox-discard]").onclick = () => { drop("hs:out:" + found.refused); box.hidden = true; };
  }
  if (box) {
    flush();
    addEventListener("online", flush);
    setInterval(flush, 30000);
  }

  // Signing out leaves nothing of a session behind; a log that was not sent yet is asked about.
  document.addEventListener("submit", (event) => {
    if (new URL(event.target.action, location).pathname !== "/sign-out") return;
    const question = document.querySelector("[data-unsent]");
    if (keys("hs:out:").length && question && !confirm(question.dataset.unsent)) return event.preventDefault();
    keys("hs:").forEach(drop);
  }, true);

  return { read, write, drop, keys, send, show };
})();
