import htmx from "htmx.org";
import { announce, dismiss, showTimes, toast } from "./live.js";

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

/* The key `/` leads to the search, unless somebody is writing. */

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable], .cm-editor, iframe")) return;
  const field = document.getElementById("search-query");
  const link = document.querySelector("a[data-search]");
  if (!field && !link) return;
  event.preventDefault();
  if (field) field.select();
  else link.click();
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
  if (event.defaultPrevented || form.matches("[hx-post]")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "true";
  event.submitter?.setAttribute("aria-busy", "true");
  if (form.matches("[data-again]")) untilItCame(form);
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) release(form);
});

function release(form) {
  delete form.dataset.sent;
  form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
}

/* A form that gives a file leaves the page as it is: the answer says by a cookie that it came, and the form may be sent again. */

const FILE_SECONDS = 120;

function untilItCame(form) {
  const mark = `pg-file=${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  let field = form.querySelector("[name=mark]");
  if (!field) {
    field = Object.assign(document.createElement("input"), { type: "hidden", name: "mark" });
    form.append(field);
  }
  field.value = mark.split("=")[1];
  announce("The file is being made.");
  const start = Date.now();
  const look = setInterval(() => {
    const came = document.cookie.split("; ").includes(mark);
    if (!came && Date.now() - start < FILE_SECONDS * 1000) return;
    clearInterval(look);
    release(form);
    if (came) announce("The file is there.");
  }, 250);
}

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

/* An account whose time zone is unknown takes this browser's, once; who moves chooses another on the account's page. */

const zoneAddress = document.body.dataset.tellZone;
if (zoneAddress && !told()) {
  const body = new URLSearchParams({
    csrf_token: document.querySelector("input[name=csrf_token]")?.value ?? "",
    by: "browser",
    time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone ?? "",
  });
  fetch(zoneAddress, { method: "POST", body, keepalive: true }).catch(() => {}); // the next visit tells it
}

/** Whether this window has told its zone before; a zone that the portal doesn't know is not told on every page. */
function told() {
  try {
    const before = sessionStorage.getItem("pg-zone-told") !== null;
    sessionStorage.setItem("pg-zone-told", "yes");
    return before;
  } catch {
    return false; // storage is blocked
  }
}

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

const safe = document.body.classList.contains("is-lab")
  ? "Your notebook is safe; this"
  : document.querySelector("form[data-editor]")
    ? "This window keeps your text; this"
    : "This";
const UNREACHABLE = `The portal does not answer. ${safe} page goes on when the portal is back.`;
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
  toast(UNREACHABLE);
});
document.addEventListener("htmx:after:swap", () => {
  missed = 0;
  dismiss(UNREACHABLE);
});
