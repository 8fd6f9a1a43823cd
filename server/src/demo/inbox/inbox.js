// Fetches the page again every two seconds, and leaves it alone while a reader has something open.
"use strict";
setInterval(async () => {
  if (document.hidden || document.querySelector("details[open]")) return;
  try {
    const answer = await fetch("/");
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!document.querySelector("details[open]")) {
      document.querySelector("main").replaceWith(fresh.querySelector("main"));
    }
  } catch {
    // The demo has stopped or is starting: what is shown stays.
  }
}, 2000);
