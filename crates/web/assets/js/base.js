// Comforts only; every page works without this file.
"use strict";

// A form that was sent is not sent twice by an impatient second press.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const question = form.dataset.confirm;
  if (question && !window.confirm(question)) {
    event.preventDefault();
    return;
  }
  if (event.defaultPrevented || form.method === "get") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  const button = event.submitter;
  if (button) button.setAttribute("aria-busy", "true");
});

// Coming back with the back button, the form may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  }
});

// Menus close on Escape and on a press elsewhere.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// After a refused form, reading starts at what is wrong; a long chart starts at its latest day.
document.addEventListener("DOMContentLoaded", () => {
  const fault = document.querySelector("[data-focus], [aria-invalid='true']");
  if (fault) fault.focus();
  for (const box of document.querySelectorAll("[data-scroll-end]")) box.scrollLeft = box.scrollWidth;
});

// "Print" buttons, where a script may ask for it.
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});
