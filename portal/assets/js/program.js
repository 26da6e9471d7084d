/**
 * Writing a program in a text area: Tab and Shift+Tab indent, Enter keeps the indentation. Escape leaves the editor (practice.js), so
 * that Tab moves on from there and nobody is caught in it. What is changed can be undone, because it is typed as the browser would.
 */
import { announce } from "./live.js";

const area = document.querySelector("[data-program]");

function type(text) {
  // The one way that keeps the browser's own list of what to undo.
  if (!document.execCommand("insertText", false, text)) {
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  }
}

function replaceLines(change) {
  const { value, selectionStart, selectionEnd } = area;
  const start = value.lastIndexOf("\n", selectionStart - 1) + 1;
  const last = selectionEnd > selectionStart && value[selectionEnd - 1] === "\n" ? selectionEnd - 1 : selectionEnd;
  const next = value.indexOf("\n", last);
  const end = next < 0 ? value.length : next;
  const before = value.slice(start, end);
  const after = before.split("\n").map(change).join("\n");
  if (after === before) return;
  const fromEnd = end - selectionEnd;
  area.setSelectionRange(start, end);
  if (after) type(after);
  else document.execCommand("delete");
  const whole = selectionEnd > selectionStart;
  const place = Math.max(start, start + after.length - fromEnd);
  area.setSelectionRange(whole ? start : place, place);
}

function indent() {
  const unit = area.dataset.indent;
  const { value, selectionStart, selectionEnd } = area;
  if (value.slice(selectionStart, selectionEnd).includes("\n")) {
    replaceLines((line) => (line ? unit + line : line));
    return;
  }
  const column = selectionStart - (value.lastIndexOf("\n", selectionStart - 1) + 1);
  type(unit === "\t" ? unit : " ".repeat(unit.length - (column % unit.length)));
}

function outdent() {
  const unit = area.dataset.indent;
  const blanks = unit === "\t" ? /^(\t| {1,4})/ : new RegExp(`^(\\t| {1,${unit.length}})`);
  replaceLines((line) => line.replace(blanks, ""));
}

function newLine() {
  const { value, selectionStart } = area;
  const line = value.slice(value.lastIndexOf("\n", selectionStart - 1) + 1, selectionStart);
  const deeper = /[:{([]\s*$/.test(line) ? area.dataset.indent : "";
  type(`\n${/^[ \t]*/.exec(line)[0]}${deeper}`);
}

area?.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (event.key === "Tab") (event.shiftKey ? outdent : indent)();
  else if (event.key === "Enter" && !event.shiftKey) newLine();
  else return;
  event.preventDefault();
});

/* What a run said is read out, and shown. */

document.addEventListener("htmx:after:swap", () => {
  const part = document.getElementById("program");
  const result = part?.querySelector("h2, [role=alert]");
  if (!result || part.dataset.said) return;
  part.dataset.said = "";
  announce(result.textContent.trim());
  part.scrollIntoView({ block: "nearest" });
});

if (area) area.dataset.ready = "";
else document.getElementById("running-title")?.focus({ preventScroll: true });
