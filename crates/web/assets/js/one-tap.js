// Opens today's session by itself: a person who tapped the link in a reminder has decided already. Programs that only look at links
// run no scripts, and without this file the button does the same.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form[data-one-tap]");
  // Coming back with the back button must not send the person forward again.
  const [entry] = performance.getEntriesByType("navigation");
  if (form && document.visibilityState === "visible" && (!entry || entry.type !== "back_forward")) form.requestSubmit();
});
