import htmx from "htmx.org";
import { announce, showTimes, toast } from "./live.js";

// Errors are shown by us, never swapped into a fragment; what a person opened stays open when its part is replaced.
Object.assign(htmx.config, {
  history: false,
  noSwap: [204, 304, "4xx", "5xx"],
  morphIgnore: ["data-htmx-powered", "open", "style"],
});

/* Theme */

const choices = ["system", "light", "dark"];
const names = { system: "as the system", light: "light", dark: "dark" };

function labelTheme() {
  const choice = document.documentElement.dataset.themeChoice ?? "system";
  for (const button of document.querySelectorAll(".theme-toggle")) {
    button.setAttribute("aria-label", `Colours: ${names[choice]}. Change.`);
    button.title = `Colours: ${names[choice]}`;
  }
}

document.addEventListener("pg:theme", labelTheme);
document.addEventListener("click", (event) => {
  if (!event.target.closest?.(".theme-toggle")) return;
  const now = document.documentElement.dataset.themeChoice ?? "system";
  const next = choices[(choices.indexOf(now) + 1) % choices.length];
  document.dispatchEvent(new CustomEvent("pg:choose-theme", { detail: next }));
  announce(`Colours: ${names[next]}`);
});
labelTheme();

/* Menus: a native details element, which closes on Escape and on a click elsewhere. */

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest?.("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

/* Evidence of a state: shown on hover and focus; Escape takes it away until the pointer or the focus has left. */

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const shown of document.querySelectorAll(".evidence:is(:hover, :focus-within)")) shown.classList.add("is-dismissed");
});
for (const left of ["pointerleave", "focusout"]) {
  const forget = (event) => {
    const shown = event.target.closest?.(".evidence");
    // Pointer and focus have moved on only once the event is over.
    if (shown) setTimeout(() => shown.matches(":hover, :focus-within") || shown.classList.remove("is-dismissed"));
  };
  document.addEventListener(left, forget, true);
}

/* Forms that load a page: a second click does nothing. */

document.addEventListener("submit", (event) => {
  const form = event.target;
  // A form that gives a file may be sent again.
  if (event.defaultPrevented || form.matches("[hx-post], [data-again]")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "true";
  event.submitter?.setAttribute("aria-busy", "true");
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
  }
});

/* The first field with an error gets the focus, so that nobody has to look for it. */
document.querySelector("[aria-invalid='true']")?.focus();

/* On a narrow screen the row of tabs may begin with others than the one that is open. */
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

/* What scrolls sideways can be reached, and scrolled, by keyboard. */

function makeReachable() {
  for (const block of document.querySelectorAll(".prose pre, .prose table, .notebook pre, .notebook table")) {
    if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
    else block.removeAttribute("tabindex");
  }
}
makeReachable();
addEventListener("resize", makeReachable);

/* Times */

showTimes();
setInterval(showTimes, 30_000);
document.addEventListener("htmx:after:settle", (event) => showTimes(event.target));

/* Errors of fragments */

const said = {
  400: "This page is out of date. Reload it and try again.",
  401: "You are signed out. Reload the page to sign in again.",
  403: "You may not do this.",
  404: "This is not there any more. Reload the page.",
  413: "That is too large.",
  429: "That was too often. Wait a minute and try again.",
};

function isPoll(context) {
  return context?.sourceElement?.matches?.("[data-poll]");
}

let missed = 0;

document.addEventListener("htmx:response:error", (event) => {
  const context = event.detail.ctx;
  const status = context?.response?.status;
  if (isPoll(context) && status >= 500 && (missed += 1) < 5) return;
  const sentence = new DOMParser()
    .parseFromString(context?.text ?? "", "text/html")
    .querySelector("[data-error-message]")
    ?.textContent.trim();
  toast(sentence || said[status] || "The portal could not do this. Try again in a moment.");
});
document.addEventListener("htmx:error", (event) => {
  const context = event.detail.ctx;
  if (isPoll(context) && (missed += 1) < 5) return;
  toast("The portal does not answer. Your notebook is safe; this page goes on when the portal is back.");
});
document.addEventListener("htmx:after:swap", () => {
  missed = 0;
});
