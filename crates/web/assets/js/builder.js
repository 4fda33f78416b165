// The program builder without leaving the page. The server stays the one that knows: adding, searching and the summary post the
// very form that works without this file, and take from the answer only the part that changed, so nothing typed meanwhile is
// lost. Moving and removing need nobody's help.
"use strict";

(() => {
  const form = document.querySelector("form[data-builder]");
  if (!form || !window.fetch || !window.DOMParser) return;
  const list = form.querySelector("[data-rows]");
  let asked = 0;

  // The only place where text becomes markup (the policy of every page says so): an answer of ours, in a document that runs nothing.
  const policy = window.trustedTypes?.createPolicy("homestretch-builder", { createHTML: (html) => html });
  const parse = (html) => new DOMParser().parseFromString(policy ? policy.createHTML(html) : html, "text/html");

  const rows = () => [...list.children];

  async function ask(action) {
    const mine = ++asked;
    const body = new URLSearchParams(new FormData(form));
    body.set("action", action);
    form.setAttribute("aria-busy", "true");
    try {
      // Not form.action: the buttons are called "action" and stand in front of the form's own property.
      const answer = await fetch(form.getAttribute("action"), { method: "POST", body, headers: { accept: "text/html" }, credentials: "same-origin", redirect: "manual" });
      if (answer.type === "opaqueredirect" || !(answer.headers.get("content-type") || "").startsWith("text/html")) return null;
      const page = parse(await answer.text()).querySelector("form[data-builder]");
      return page && { page, latest: mine === asked };
    } catch {
      return null;
    } finally {
      if (mine === asked) form.removeAttribute("aria-busy");
    }
  }

  // Takes a part of the answer over.
  function take(page, selector) {
    const here = form.querySelector(selector);
    const there = page.querySelector(selector);
    if (here && there && here.innerHTML !== there.innerHTML) here.replaceChildren(...document.adoptNode(there).childNodes);
  }

  function takeFigures(page) {
    for (const part of ["[data-summary]", "[data-advice]", "[data-consequence]"]) take(page, part);
  }

  // Row numbers stand in ids and in the buttons' values.
  function renumber() {
    const all = rows();
    all.forEach((row, n) => {
      for (const element of row.querySelectorAll("[id], [for], [aria-describedby], [name='action']")) {
        if (element.id) element.id = element.id.replace(/^([a-z]+)-\d+/, `$1-${n}`);
        if (element.htmlFor) element.htmlFor = element.htmlFor.replace(/-\d+$/, `-${n}`);
        const described = element.getAttribute("aria-describedby");
        if (described) element.setAttribute("aria-describedby", described.replace(/-\d+-/, `-${n}-`));
        if (element.name === "action") element.value = element.value.replace(/\d+$/, String(n));
      }
      const up = row.querySelector("[value^='up-']");
      const down = row.querySelector("[value^='down-']");
      up.disabled = n === 0;
      down.disabled = n === all.length - 1;
    });
    const none = form.querySelector("[data-no-rows]");
    if (none) none.hidden = all.length > 0;
    if (all.length > 0) form.querySelector("[data-rows-error]").replaceChildren();
    const start = form.querySelector("[data-start]");
    if (start) start.hidden = all.length > 0;
  }

  let pending;
  function refreshSoon() {
    clearTimeout(pending);
    pending = setTimeout(async () => {
      const answer = await ask("look");
      if (answer?.latest) takeFigures(answer.page);
    }, 350);
  }

  function move(row, before) {
    list.insertBefore(row, before);
    renumber();
  }

  async function add(button) {
    const answer = await ask(button.value);
    if (!answer) return form.requestSubmit(button);
    const added = answer.page.querySelector("[data-rows]").lastElementChild;
    if (!added) return;
    list.append(document.adoptNode(added));
    prepare(added);
    added.classList.add("rx-new");
    renumber();
    takeFigures(answer.page);
    button.replaceChildren("Added");
    // The name that is read aloud begins with the words that are seen.
    button.setAttribute("aria-label", button.getAttribute("aria-label").replace(/^(Add|Again:|Added:) /, "Added: "));
    added.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }

  async function search() {
    const field = form.querySelector("[name='q']");
    const focused = document.activeElement === field;
    const typed = field.value;
    const answer = await ask("look");
    if (!answer?.latest || form.querySelector("[name='q']").value !== typed) return;
    // Only the list: the field and the pills are where the person is.
    const here = form.querySelector("[data-library]");
    for (const old of here.querySelectorAll(":scope > :not(.pad)")) old.remove();
    here.append(...document.adoptNode(answer.page.querySelector("[data-library]")).querySelectorAll(":scope > :not(.pad)"));
    if (focused) field.focus();
    takeFigures(answer.page);
  }

  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[name='action']");
    if (!button) return;
    const row = button.closest("[data-row]");
    const [what] = button.value.split("-");
    if (what === "add") {
      event.preventDefault();
      add(button);
    } else if (row && what === "remove") {
      event.preventDefault();
      const next = row.nextElementSibling || row.previousElementSibling;
      row.remove();
      renumber();
      (next?.querySelector("[value^='remove-']") || form.querySelector("[name='q']")).focus();
      refreshSoon();
    } else if (row && what === "up" && row.previousElementSibling) {
      event.preventDefault();
      move(row, row.previousElementSibling);
      (button.disabled ? row.querySelector("[value^='down-']") : button).focus();
    } else if (row && what === "down" && row.nextElementSibling) {
      event.preventDefault();
      move(row, row.nextElementSibling.nextElementSibling);
      (button.disabled ? row.querySelector("[value^='up-']") : button).focus();
    } else if (button.value === "look" && button.closest("[data-library]")) {
      event.preventDefault();
      search();
    }
  });

  // Enter in the search searches; Enter in another field leaves it at that.
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    if (event.target.name === "q") search();
    else refreshSoon();
  });

  let typing;
  form.addEventListener("input", (event) => {
    if (event.target.name === "q") {
      clearTimeout(typing);
      typing = setTimeout(search, 250);
    } else if (event.target.name !== "note" && event.target.name !== "region" && event.target.name !== "equipment") {
      if (event.target.name === "ends" && event.target.value) form.elements.namedItem("weeks").value = "";
      if (event.target.name === "weeks" && event.target.value && form.elements.namedItem("ends")) form.elements.namedItem("ends").value = "";
      refreshSoon();
    }
  });
  form.addEventListener("change", (event) => {
    if (event.target.name === "region" || event.target.name === "equipment") search();
  });

  // A preview opens beside this page, which stays ready to be sent.
  form.addEventListener("submit", (event) => {
    if (event.submitter?.formTarget === "_blank") {
      setTimeout(() => {
        delete form.dataset.sent;
        event.submitter.removeAttribute("aria-busy");
      });
    }
  });

  // --- dragging a row by its handle, with a pointer of any kind
  const grip = form.querySelector("template[data-grip]");
  function prepare(row) {
    if (!grip || row.querySelector(".rx-grip")) return;
    const handle = grip.content.firstElementChild.cloneNode(true);
    row.querySelector(".rx-order").insertBefore(handle, row.querySelector("[value^='down-']"));
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      handle.setPointerCapture(event.pointerId);
      row.classList.add("rx-dragged");
      const drag = (moved) => {
        for (const other of rows()) {
          if (other === row) continue;
          const box = other.getBoundingClientRect();
          const middle = box.top + box.height / 2;
          const after = row.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING;
          if (after && moved.clientY > middle) list.insertBefore(row, other.nextElementSibling);
          else if (!after && moved.clientY < middle) {
            list.insertBefore(row, other);
            break;
          }
        }
      };
      const drop = () => {
        handle.removeEventListener("pointermove", drag);
        row.classList.remove("rx-dragged");
        renumber();
      };
      handle.addEventListener("pointermove", drag);
      handle.addEventListener("lostpointercapture", drop, { once: true });
    });
  }
  rows().forEach(prepare);
})();
