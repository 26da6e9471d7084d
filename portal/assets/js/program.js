/**
 * The editor of a program: CodeMirror over a text area, which stays what is sent, and serves alone where no script runs.
 *
 * It stands in a shadow root, because there it adopts style sheets, which the page's policy allows. Tab indents; Escape leaves the
 * editor, so that Tab moves on from there and nobody is caught in it.
 */
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { go } from "@codemirror/lang-go";
import { python } from "@codemirror/lang-python";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { bracketMatching, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { colours, theme } from "./codemirror.js";
import { announce } from "./live.js";

const LANGUAGES = { go, python, sql: () => sql({ dialect: PostgreSQL }) };

const area = document.querySelector("[data-program]");

function submit() {
  area.form.requestSubmit(area.form.querySelector("button[type=submit]:not([name])"));
  return true;
}

function leave(view) {
  view.contentDOM.blur();
  return true;
}

function edit() {
  const label = document.querySelector(`label[for="${area.id}"]`);
  const place = document.createElement("div");
  place.className = "program-editor";
  area.before(place);
  area.hidden = true;
  const root = place.attachShadow({ mode: "open" });
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: area.value,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        bracketMatching(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        EditorState.tabSize.of(4),
        indentUnit.of(area.dataset.indent),
        LANGUAGES[area.dataset.language](),
        syntaxHighlighting(colours),
        theme,
        keymap.of([
          { key: "Mod-Enter", run: submit },
          { key: "Escape", run: leave },
          indentWithTab,
          ...historyKeymap,
          ...defaultKeymap,
        ]),
        EditorView.contentAttributes.of({
          tabindex: "0",
          "aria-label": `${label.textContent.trim()}. Escape leaves the editor.`,
          spellcheck: "false",
          autocapitalize: "off",
        }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) area.value = update.state.doc.toString();
        }),
      ],
    }),
  });
  label.addEventListener("click", () => view.focus());
  if (!area.hasAttribute("aria-invalid")) view.focus();
  area.dataset.ready = "";
}

/* What a run said is read out, and shown. */

document.addEventListener("htmx:after:swap", () => {
  const part = document.getElementById("program");
  const result = part?.querySelector("h2, [role=alert]");
  if (!result || part.dataset.said) return;
  part.dataset.said = "yes";
  announce(result.textContent.trim());
  part.scrollIntoView({ block: "nearest" });
});

if (area) edit();
else document.getElementById("running-title")?.focus({ preventScroll: true });
