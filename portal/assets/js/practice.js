/**
 * Keys of a practice page. They are documented in its help (`?`) and in docs/learner.md.
 *
 * No key is taken from a field in which one types, nor together with Ctrl, Alt or Meta; Enter stays with what has the focus
 * when that is a button, a link or a summary.
 */
import { announce } from "./live.js";

const page = document.querySelector("[data-practice]");
const dialog = document.getElementById("keys");
const form = document.getElementById("answer");

const typing = (element) =>
  element.closest?.(
    "textarea, select, [contenteditable], input:not([type=radio], [type=checkbox], [type=submit], [type=button])",
  );
// A help that was closed a moment ago may still hold the focus: its button is no longer there to be pressed.
const acting = (element) =>
  !dialog?.contains(element) && element.closest?.("button, a[href], summary, label, select, textarea");

/* Choosing */

function options() {
  return form ? [...form.querySelectorAll(".options input")] : [];
}

function choose(index) {
  const input = options()[index];
  if (!input) return false;
  input.focus();
  // A click, as a person would: a radio is chosen, a checkbox changes.
  input.click();
  return true;
}

function chooseTruth(index) {
  return Boolean(form?.querySelector("[data-kind='true-false']")) && choose(index);
}

/* What the keys do; each says whether it did something. */

function submit() {
  const button = form?.querySelector("button[type=submit]:not([name])");
  if (!button) return false;
  form.requestSubmit(button);
  return true;
}

function next() {
  const onward = document.getElementById("next");
  if (!onward || form) return false;
  onward.click();
  return true;
}

function bookmark() {
  const button = page.querySelector("[data-bookmark]");
  button?.click();
  return Boolean(button);
}

function help() {
  if (!dialog || dialog.open) return false;
  dialog.showModal();
  return true;
}

function press(event) {
  const { key } = event;
  if (key === "?") return help();
  if (key === "Enter") return acting(event.target) ? false : submit() || next();
  if (/^[1-9]$/.test(key)) return choose(Number(key) - 1);
  if (event.shiftKey && /^[A-H]$/.test(key)) return choose(key.charCodeAt(0) - 65);
  if (event.shiftKey) return false;
  if (key === "n") return next();
  if (key === "b") return bookmark();
  if (key === "t") return chooseTruth(0);
  if (key === "f") return chooseTruth(1);
  return false;
}

document.addEventListener("keydown", (event) => {
  const [field] = event.composedPath(); // an editor keeps what has the focus in a shadow root
  if (event.defaultPrevented || event.isComposing || event.repeat || dialog?.open) return;
  if (event.key === "Enter" && event.ctrlKey && form?.contains(event.target)) {
    if (submit()) event.preventDefault();
    return;
  }
  if (event.key === "Escape" && form?.contains(event.target) && typing(field)) {
    field.blur(); // from here on the letters are keys again
    return;
  }
  if (event.ctrlKey || event.altKey || event.metaKey || typing(field)) return;
  if (press(event)) event.preventDefault();
});

page.querySelector("[data-keys]")?.addEventListener("click", help);

/* The button replaces itself: the focus stays with it, and the change is said. */

let hadFocus = false;
document.addEventListener("htmx:before:swap", () => {
  hadFocus = Boolean(document.activeElement?.closest?.("#bookmark"));
});
document.addEventListener("htmx:after:swap", () => {
  const button = page.querySelector("[data-bookmark]");
  if (!button) return;
  if (hadFocus) button.focus();
  announce(button.getAttribute("aria-pressed") === "true" ? "Bookmarked" : "The bookmark is gone");
});

/* After an answer the focus is at the verdict, so that a screen reader begins there; else at what is answered first. */

if (page.dataset.practice === "answered" && !location.hash) {
  page.querySelector(".graded [tabindex='-1']")?.focus({ preventScroll: true });
} else if (form && !document.querySelector("[aria-invalid='true']")) {
  form.querySelector(".question :is(input[type=text], textarea, select)")?.focus({ preventScroll: true });
}

page.dataset.ready = "";
