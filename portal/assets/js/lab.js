import htmx from "htmx.org";
import { announce, clock, dismiss, toast } from "./live.js";

const lab = document.querySelector("[data-lab]");
const origin = lab.dataset.sandboxOrigin;
const narrow = matchMedia("(max-width: 991.98px)");
/** How long a notebook may take to say that it is saved: one that has not told that it is open yet, and one that has. */
const SAVE_TIMEOUT = 4000;
const OPEN_SAVE_TIMEOUT = 60_000;
const STILL_SAVING = "Still saving the notebook. Look whether it asks you something.";

const frame = () => lab.querySelector("iframe.lab-frame");

/* Views: tasks, notebook, attempts. */

const tabs = [...lab.querySelectorAll("[role=tab]")];
const visibleTabs = () => tabs.filter((tab) => tab.offsetParent !== null);

function show(view, { focus = false } = {}) {
  lab.dataset.view = view;
  for (const tab of tabs) {
    const selected = tab.dataset.view === view;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
    if (selected && focus) tab.focus();
  }
}

lab.addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab) show(tab.dataset.view);
  const link = event.target.closest("[data-show]");
  if (link) show(link.dataset.show, { focus: true });
});
lab.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
  const shown = visibleTabs();
  const at = shown.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: shown.length - 1 }[event.key];
  if (to === undefined || at < 0) return;
  event.preventDefault();
  show(shown[(to + shown.length) % shown.length].dataset.view, { focus: true });
});

const settle = () => {
  if (!narrow.matches && lab.dataset.view === "notebook") show("tasks");
};
narrow.addEventListener("change", settle);
show(narrow.matches && frame() ? "notebook" : "tasks");

/* The divider: drag it, or use the arrow keys. */

const divider = lab.querySelector(".lab-divider");
const WIDTH_KEY = "pg-lab-panel";
const limits = () => [320, Math.max(320, Math.round(lab.clientWidth * 0.6))];

function setWidth(pixels, { keep = true } = {}) {
  const [least, most] = limits();
  const width = Math.round(Math.min(most, Math.max(least, pixels)));
  lab.style.setProperty("--lab-panel", `${width}px`);
  divider.setAttribute("aria-valuemin", String(least));
  divider.setAttribute("aria-valuemax", String(most));
  divider.setAttribute("aria-valuenow", String(width));
  if (!keep) return;
  try {
    localStorage.setItem(WIDTH_KEY, String(width));
  } catch {
    // storage is blocked: the width lasts for this page
  }
}

let stored = NaN;
try {
  stored = Number.parseInt(localStorage.getItem(WIDTH_KEY) ?? "", 10);
} catch {
  // see setWidth
}
setWidth(stored || 432, { keep: false });

divider.addEventListener("pointerdown", (event) => {
  divider.setPointerCapture(event.pointerId);
  document.documentElement.classList.add("is-resizing");
});
divider.addEventListener("pointermove", (event) => {
  if (divider.hasPointerCapture(event.pointerId)) setWidth(event.clientX - lab.getBoundingClientRect().left - 4);
});
for (const end of ["pointerup", "pointercancel"]) {
  divider.addEventListener(end, () => document.documentElement.classList.remove("is-resizing"));
}
divider.addEventListener("dblclick", () => setWidth(432));
divider.addEventListener("keydown", (event) => {
  const now = Number(divider.getAttribute("aria-valuenow"));
  const [least, most] = limits();
  const to = { ArrowLeft: now - 24, ArrowRight: now + 24, Home: least, End: most }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  setWidth(to);
});

/* Talking to the notebook. Only the frame we made, on the sandboxes' origin, is listened to. */

const waiting = new Map();
/** The frame whose notebook has said that it is open: before that, there is nothing to save. */
let opened = null;

function tell(message) {
  frame()?.contentWindow?.postMessage({ source: "proving-ground", ...message }, origin);
}

const tellTheme = () => tell({ type: "theme", theme: document.documentElement.dataset.bsTheme });

addEventListener("message", (event) => {
  if (event.origin !== origin || event.source !== frame()?.contentWindow) return;
  const { type, request, ok, error } = event.data ?? {};
  if (type === "ready") {
    opened = frame();
    tellTheme();
  }
  if (type === "saved") waiting.get(request)?.(ok === true ? "saved" : "refused", ok === true ? "" : String(error ?? "").slice(0, 300));
});
document.addEventListener("pg:theme", tellTheme);

/**
 * Ask the notebook to save; resolves to an outcome (`saved`, `refused`, `silent`: no answer in time, or `closed`: no notebook)
 * and to why it was refused.
 */
function save() {
  if (!frame()) return Promise.resolve({ outcome: "closed", why: "" });
  const request = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish("silent"), opened === frame() ? OPEN_SAVE_TIMEOUT : SAVE_TIMEOUT);
    const finish = (outcome, why = "") => {
      clearTimeout(timer);
      waiting.delete(request);
      resolve({ outcome, why });
    };
    waiting.set(request, finish);
    tell({ type: "save", request });
  });
}

/* Check, Submit and Stop: save first, then send the form. */

let sending = false;

async function saveAndSend(form) {
  const button = form.querySelector("button");
  if (sending || button.getAttribute("aria-disabled") === "true") return;
  sending = true;
  button.setAttribute("aria-busy", "true");
  const slow = setTimeout(() => toast(STILL_SAVING), SAVE_TIMEOUT);
  const graded = form.matches("[hx-post]");
  try {
    if (frame()) announce("Saving the notebook.");
    const { outcome, why } = await save();
    if (graded && (outcome === "silent" || outcome === "refused")) {
      if (opened === frame()) {
        // What was saved before is not what the learner sees: it must not be what is graded.
        const because = why ? `: ${why.replace(/[.\s]+$/, "")}` : "";
        toast(`The notebook could not be saved, so nothing was sent${because}. Save it (Ctrl+S), or reload this page, and try again.`);
        return;
      }
      toast("The notebook did not confirm that it was saved. What it autosaved last is what is graded.");
    }
    if (!form.isConnected) return;
    if (graded) htmx.trigger(form, "pg:saved", {});
    else form.submit();
  } finally {
    clearTimeout(slow);
    dismiss(STILL_SAVING);
    sending = false;
    button.removeAttribute("aria-busy");
  }
}

document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (!form.matches("[data-save-first]")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    saveAndSend(form);
  },
  { capture: true },
);

/* What changed since the last fragment */

const stageOf = () => lab.querySelector("#lab-stage-inner")?.dataset.stage;
let stage = stageOf();

/** The hint that was asked for last: it gets the focus when it is there, so that it is read out. */
let asked = null;

function changed() {
  const now = stageOf();
  if (now !== stage) {
    if (narrow.matches && ["queued", "starting", "ready"].includes(now)) show("notebook");
    // The button that was pressed is gone: go on where it stood.
    if (document.activeElement === document.body) lab.querySelector("#lab-stage-inner [tabindex='-1']")?.focus();
    stage = now;
  }
  const hint = asked && document.getElementById(asked);
  if (hint) {
    asked = null;
    hint.focus();
  }
  compareClocks();
  tick();
}
document.addEventListener("htmx:after:settle", changed);

lab.addEventListener("submit", (event) => {
  if (narrow.matches && event.target.matches("[data-launch]")) show("notebook");
  if (event.target.matches("[data-hint]")) asked = event.target.dataset.hint;
});

/* The session's clock and its warnings. The end is a moment of the portal's clock: this machine's may be wrong. */

const SECONDS_SHOWN = 300;
const LAST_SAVE = 8;
const plainTitle = document.title;
let ahead = 0;
let announced = "";
let savedFor = "";

const secondsUntil = (moment) => (new Date(moment).getTime() - Date.now() - ahead) / 1000;

/** Read how far the portal's clock is ahead of ours; called when its answer has just come. */
function compareClocks() {
  const now = lab.querySelector("time[data-now]")?.dataset.now;
  if (now) ahead = new Date(now).getTime() - Date.now();
}

function showClock() {
  const element = lab.querySelector("time[data-until]");
  if (!element) return;
  const left = secondsUntil(element.dateTime);
  const isShort = left < SECONDS_SHOWN;
  const minutes = Math.round(left / 60);
  const text = isShort ? clock(left) : minutes < 180 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  if (element.textContent !== text) element.textContent = text;
  element.closest(".clock")?.classList.toggle("is-short", isShort);
}

const saveQuietly = () => frame() && opened === frame() && save();

/** A new warning is read out once, and what is unsaved is saved; then once more when the end is a few seconds away. */
function showWarning() {
  const banner = lab.querySelector("[data-warning]");
  const key = banner ? `${banner.dataset.warning} ${banner.dataset.at ?? ""}` : "";
  if (key !== announced) {
    announced = key;
    if (banner) {
      announce(banner.querySelector("[data-announce]").textContent.replace(/\s+/g, " ").trim());
      saveQuietly();
    }
  }
  const left = banner?.dataset.at ? secondsUntil(banner.dataset.at) : null;
  if (left !== null && left <= LAST_SAVE && savedFor !== key) {
    savedFor = key;
    saveQuietly();
  }
  const title = left === null ? plainTitle : `(${left < 60 ? "under 1" : Math.round(left / 60)} min left) ${plainTitle}`;
  if (document.title !== title) document.title = title;
}

function tick() {
  showClock();
  showWarning();
}
compareClocks();
tick();
setInterval(tick, 1000);
