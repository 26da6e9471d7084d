/**
 * The editor of a question's file: CodeMirror over a textarea, which stays what is sent.
 *
 * CodeMirror stands in a shadow root: there it adopts style sheets, which the page's policy allows; in the page itself it would
 * write a style element. The server decides what is wrong; this only shows it beside the lines.
 */
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { markdown } from "@codemirror/lang-markdown";
import { yamlFrontmatter } from "@codemirror/lang-yaml";
import { bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { colours, theme } from "./codemirror.js";
import { announce } from "./live.js";

const CHECK_AFTER = 600;

const form = document.querySelector("form[data-editor]");
const textarea = form.querySelector("textarea[name=text]");
const place = form.querySelector("[data-editor-place]");
const checker = document.getElementById("checker");

/* What was changed, and is not saved. */

let saved = textarea.value;
let sending = false;
addEventListener("beforeunload", (event) => {
  if (!sending && textarea.value !== saved) event.preventDefault();
});
form.addEventListener("submit", () => {
  sending = true;
});
addEventListener("pageshow", () => {
  sending = false;
});
// A text that the server gave back unsaved is not saved yet.
if (form.dataset.editor === "unsaved") saved = null;

/* What is typed outlives a crash, a lost connection and a signing out, in this window. */

const KEY = `pg-editor-${form.dataset.question}`;
const base = form.querySelector("[name=base]");

function keep() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ base: base.value, text: textarea.value }));
  } catch {
    // storage is blocked or full: what is typed lasts for this page
  }
}

function forget() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // see keep
  }
}

function kept() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    return typeof found?.text === "string" && typeof found?.base === "string" ? found : null;
  } catch {
    return null;
  }
}

/* Checking: a little after the last key. */

const AGAIN_AFTER = 5_000;

const checking = document.getElementById("checking");
let timer = 0;

function check() {
  clearTimeout(timer);
  checker.dispatchEvent(new CustomEvent("pg:check"));
}

function checkSoon() {
  clearTimeout(timer);
  timer = setTimeout(check, CHECK_AFTER);
}

// A check that did not come through is tried again until one does; what is shown meanwhile is of an earlier text.
for (const failure of ["htmx:error", "htmx:response:error"]) {
  document.addEventListener(failure, (event) => {
    if (event.detail?.ctx?.sourceElement !== checker) return;
    checking.classList.add("is-late");
    checking.textContent = "This is of an earlier text: it could not be checked. Trying again …";
    clearTimeout(timer);
    timer = setTimeout(check, AGAIN_AFTER);
  });
}
document.addEventListener("htmx:after:swap", () => {
  checking.classList.remove("is-late");
  checking.textContent = "Checking …";
});

/* The editor */

const keys = [
  {
    key: "Mod-s",
    preventDefault: true,
    run: () => {
      form.requestSubmit(form.querySelector("[data-save]"));
      return true;
    },
  },
  ...lintKeymap,
  ...searchKeymap,
  ...historyKeymap,
  ...defaultKeymap,
];

// The bar with the buttons lies over the end of a tall editor: a line that one moves to must stay above it.
const bar = form.querySelector(".editor-bar");
const margins = () => ({ bottom: getComputedStyle(bar).position === "sticky" ? bar.offsetHeight + 8 : 0 });

place.hidden = false;
textarea.hidden = true;
const root = place.attachShadow({ mode: "open" });
const view = new EditorView({
  root,
  parent: root,
  state: EditorState.create({
    doc: textarea.value,
    extensions: [
      lineNumbers(),
      lintGutter(),
      history(),
      drawSelection(),
      bracketMatching(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      highlightSelectionMatches(),
      search({ top: true }),
      EditorView.lineWrapping,
      EditorView.scrollMargins.of(margins),
      EditorView.theme({ ".cm-content": { paddingBottom: "5rem" } }),
      EditorState.tabSize.of(2),
      yamlFrontmatter({ content: markdown() }),
      syntaxHighlighting(colours),
      theme,
      keymap.of(keys),
      EditorView.contentAttributes.of({ tabindex: "0", "aria-label": "Text of the file", spellcheck: "true", lang: "en" }),
      EditorView.updateListener.of((update) => {
        if (!update.docChanged) return;
        textarea.value = update.state.doc.toString();
        keep();
        checkSoon();
      }),
    ],
  }),
});
form.querySelector("label[for=editor-text]").addEventListener("click", () => view.focus());

/* What the server said, beside the lines. */

function mark({ tell = true } = {}) {
  const doc = view.state.doc;
  const found = [...document.querySelectorAll("#checked [data-remark]")].map((item) => {
    const line = doc.line(Math.min(doc.lines, Math.max(1, Number(item.dataset.line) || 1)));
    const indent = line.text.length - line.text.trimStart().length;
    return {
      from: line.length > indent ? line.from + indent : line.from,
      to: line.to,
      severity: item.dataset.stops === "yes" ? "error" : "warning",
      message: item.querySelector("[data-message]").textContent,
    };
  });
  view.dispatch(setDiagnostics(view.state, found));
  if (tell) announce(document.querySelector("#checked .remarks-sum")?.textContent.trim() ?? "");
}

let said = "";
document.addEventListener("htmx:after:settle", () => {
  const sum = document.querySelector("#checked .remarks-sum")?.textContent.trim() ?? "";
  mark({ tell: sum !== said });
  said = sum;
});
said = document.querySelector("#checked .remarks-sum")?.textContent.trim() ?? "";
mark({ tell: false });

/* From a remark or a comment to its line. */

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-goto]");
  if (!link) return;
  event.preventDefault();
  const line = view.state.doc.line(Math.min(view.state.doc.lines, Math.max(1, Number(link.dataset.goto))));
  view.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
  view.focus();
});

for (const field of document.querySelectorAll("[data-look]")) {
  field.addEventListener("change", check);
  // Enter in a field of the preview is no wish to save.
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    check();
  });
}

/* What an earlier visit in this window left unsaved. With the text it was made from, so that nobody else's is overwritten. */

const left = kept();
const recovered = document.querySelector("[data-recovered]");
if (left && left.text.trimEnd() !== textarea.value.trimEnd() && form.dataset.editor !== "unsaved") {
  recovered.hidden = false;
  recovered.querySelector("[data-recover]").addEventListener("click", () => {
    base.value = left.base;
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: left.text } });
    recovered.hidden = true;
    view.focus();
  });
  recovered.querySelector("[data-forget]").addEventListener("click", () => {
    forget();
    recovered.hidden = true;
    view.focus();
  });
} else if (form.dataset.editor !== "unsaved") {
  forget();
}

form.dataset.ready = "true";
