/** How CodeMirror looks here: the page's own colours, in both themes. */
import { HighlightStyle } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

export const theme = EditorView.theme({
  "&": {
    height: "100%",
    color: "var(--pg-ink)",
    backgroundColor: "var(--pg-surface)",
    border: "1px solid var(--pg-line-strong)",
    borderRadius: "6px",
    fontSize: "0.875rem",
  },
  "&:focus-within": { outline: "3px solid var(--pg-link)", outlineOffset: "2px" },
  ".cm-scroller": { fontFamily: "var(--pg-mono)", lineHeight: "1.6", overflow: "auto" },
  ".cm-content": { caretColor: "var(--pg-ink)", padding: "0.6rem 0" },
  ".cm-cursor": { borderLeftColor: "var(--pg-ink)" },
  ".cm-gutters": { backgroundColor: "var(--pg-sunk)", color: "var(--pg-muted)", border: "none" },
  ".cm-activeLine": { backgroundColor: "color-mix(in oklab, var(--pg-link) 7%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--pg-ink)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    backgroundColor: "color-mix(in oklab, var(--pg-accent) 28%, transparent)",
  },
  ".cm-selectionMatch": { backgroundColor: "color-mix(in oklab, var(--pg-accent) 14%, transparent)" },
  ".cm-matchingBracket": { backgroundColor: "color-mix(in oklab, var(--pg-link) 20%, transparent)" },
  ".cm-panels": { backgroundColor: "var(--pg-raised)", color: "var(--pg-ink)", borderTop: "1px solid var(--pg-line)" },
  ".cm-panels button, .cm-panels input": {
    color: "var(--pg-ink)",
    background: "var(--pg-surface)",
    border: "1px solid var(--pg-line-strong)",
    borderRadius: "4px",
    fontSize: "0.875rem",
    minHeight: "1.75rem",
  },
  ".cm-panels input[type=checkbox]": { minHeight: "0", verticalAlign: "middle" },
  ".cm-panels label": { fontSize: "0.875rem" },
  ".cm-panels :focus-visible": { outline: "3px solid var(--pg-link)", outlineOffset: "1px" },
  ".cm-tooltip": {
    backgroundColor: "var(--pg-raised)",
    color: "var(--pg-ink)",
    border: "1px solid var(--pg-line)",
    borderRadius: "6px",
    maxWidth: "34rem",
    fontFamily: "var(--pg-sans)",
  },
  ".cm-diagnostic-error": { borderLeftColor: "var(--pg-failed)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--pg-practised)" },
});

export const colours = HighlightStyle.define([
  { tag: [tags.heading, tags.strong], fontWeight: "650" },
  { tag: tags.heading, color: "var(--pg-link)" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: [tags.propertyName, tags.keyword], color: "var(--pg-read)" },
  { tag: [tags.string, tags.monospace], color: "var(--pg-proven)" },
  { tag: [tags.number, tags.bool, tags.atom], color: "var(--pg-practised)" },
  { tag: [tags.link, tags.url], color: "var(--pg-link)" },
  { tag: [tags.comment, tags.quote, tags.meta, tags.processingInstruction], color: "var(--pg-muted)" },
]);
