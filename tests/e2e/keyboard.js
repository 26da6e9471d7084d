/**
 * Runs in a page before its own scripts: notes what is listened to for clicks and where the focus comes by.
 * tests/e2e/keyboard.py presses the keys and reads what was noted.
 */
(() => {
  const CLICKS = new Set(["click", "dblclick", "mousedown", "pointerdown"]);
  const clicked = new Set();
  const add = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function listen(type, ...rest) {
    if (CLICKS.has(type) && this instanceof Element && this !== document.body && this !== document.documentElement) clicked.add(this);
    return add.call(this, type, ...rest);
  };

  const NATIVE = "a[href], area[href], button, input:not([type=hidden]), select, textarea, summary, [contenteditable=true]";
  const ACTING = `${NATIVE}, [role=button], [role=link], [role=tab], [role=checkbox], [role=switch], [role=menuitem], [tabindex]:not([tabindex='-1'])`;

  const isShown = (el) => {
    const box = el.getBoundingClientRect();
    return el.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) && box.width > 0 && box.height > 0;
  };
  const isOff = (el) => el.matches(":disabled, [inert], [inert] *");
  /** Of a set of radios and of a row of tabs the focus visits one; arrows lead to the others. */
  const groupOf = (el) =>
    el.matches("input[type=radio]") ? `radio ${el.form?.id ?? ""} ${el.name}` : el.closest("[role=tablist]");
  const name = (el) => {
    const text = (el.getAttribute("aria-label") || el.textContent || el.name || "").replace(/\s+/g, " ").trim().slice(0, 40);
    return `<${el.tagName.toLowerCase()}${el.id ? ` id=${el.id}` : ""}${el.className && typeof el.className === "string" ? ` class="${el.className}"` : ""}> ${text}`;
  };

  /** How an element looks by which a focus is told: its own outline and shadow, or those of what stands for it. */
  function look(el) {
    const drawn = (style) => [
      style.outlineStyle === "none" || style.outlineWidth === "0px" ? "" : `${style.outlineStyle} ${style.outlineWidth} ${style.outlineColor}`,
      style.boxShadow,
      style.stroke,
      style.strokeWidth,
    ];
    const around = [el, ...(el.labels ?? []), ...el.querySelectorAll("rect")];
    for (let up = el.parentElement, steps = 0; up && steps < 4; up = up.parentElement, steps += 1) around.push(up);
    if (el.getRootNode().host) around.push(el.getRootNode().host);
    return JSON.stringify([
      ...around.map((one) => drawn(getComputedStyle(one))),
      ...["::before", "::after"].map((part) => drawn(getComputedStyle(el, part))),
    ]);
  }

  const stops = [];
  let candidates = [];

  addEventListener(
    "focusin",
    (event) => {
      // What stands in a shadow, as an editor does, is told to the document by its host.
      const [el, host] = [event.composedPath()[0], event.target];
      if (el instanceof Element) stops.push({ el, host });
    },
    true,
  );
  // Just before the focus goes on: what a page does about it has been done by then.
  addEventListener(
    "keydown",
    () => {
      const stop = stops.at(-1);
      if (!stop || stop.look) return;
      const box = stop.el.getBoundingClientRect();
      stop.look = look(stop.el);
      stop.byKeyboard = stop.el.matches(":focus-visible");
      stop.inView = box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
    },
    true,
  );

  globalThis.keyboard = {
    /** Open what can be opened, so that it is walked through, too; how many stops there should be at most. */
    prepare() {
      const still = new CSSStyleSheet();
      still.replaceSync("*, *::before, *::after { transition: none !important; animation: none !important; scroll-behavior: auto !important; }");
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, still];
      for (const one of document.querySelectorAll("details:not(.menu)")) one.open = true;
      document.activeElement?.blur?.();
      getSelection()?.removeAllRanges();
      candidates = [...document.querySelectorAll(ACTING)].filter((el) => isShown(el) && !isOff(el));
      stops.length = 0;
      return new Set(candidates.map((el) => groupOf(el) || el)).size;
    },

    /** Whether the focus has gone round: it came to the link that skips to the content for the second time. */
    isRound() {
      return stops.filter(({ el }) => el.matches(".skip-link")).length > 1;
    },

    /** What was wrong, one line each; called when the focus has gone round, and maybe some way further. */
    faults() {
      const found = [];
      document.activeElement?.blur?.();
      const first = stops.findIndex(({ el }) => el.matches(".skip-link"));
      const again = stops.findIndex(({ el }, at) => at > first && el.matches(".skip-link"));
      const round = stops.slice(first, again);
      const reached = new Set(round.map(({ el }) => el));
      const groups = new Set([...reached].map(groupOf).filter(Boolean));
      for (const el of candidates) {
        if (!reached.has(el) && el.isConnected && isShown(el) && !groups.has(groupOf(el))) found.push(`Tab never comes to ${name(el)}`);
      }
      for (const el of clicked) {
        // A label only passes a click on to its control.
        if (!el.isConnected || !isShown(el) || el.matches("label")) continue;
        if (!el.closest(ACTING) && !el.querySelector(ACTING)) found.push(`can be clicked, but not by keyboard: ${name(el)}`);
      }
      for (const el of document.querySelectorAll("body *")) {
        if (getComputedStyle(el).cursor !== "pointer" || getComputedStyle(el.parentElement).cursor === "pointer" || !isShown(el)) continue;
        const stands = el.closest(ACTING) || el.querySelector(ACTING) || el.closest("label")?.control || isOff(el) || el.closest(":disabled");
        if (!stands) found.push(`looks as if it could be clicked, but not by keyboard: ${name(el)}`);
      }
      for (const el of document.querySelectorAll("[hx-get], [hx-post], [hx-put], [hx-patch], [hx-delete]")) {
        const byItself = /every|load|revealed|intersect|pg:/.test(el.getAttribute("hx-trigger") ?? "");
        if (!byItself && !el.matches(`form, ${NATIVE}`)) found.push(`asks the portal when it is clicked, but not by keyboard: ${name(el)}`);
      }
      for (const { el, look: now, byKeyboard, inView } of round) {
        if (!byKeyboard) found.push(`has the focus, but no :focus-visible: ${name(el)}`);
        if (!el.matches(".skip-link") && now === look(el)) found.push(`looks the same with the focus as without: ${name(el)}`);
        if (!inView) found.push(`has the focus outside of what is seen: ${name(el)}`);
      }
      for (const [before, after] of round.slice(1).map((stop, at) => [round[at], stop])) {
        const follows = before.host.compareDocumentPosition(after.host) & Node.DOCUMENT_POSITION_FOLLOWING;
        if (before.el === after.el) found.push(`keeps the focus for two presses: ${name(after.el)}`);
        else if (before.host !== after.host && !follows) found.push(`comes out of order after ${name(before.el)}: ${name(after.el)}`);
      }
      return found;
    },

    /** Where the focus is, for a sentence. */
    here: () => (document.activeElement ? name(document.activeElement) : "nowhere"),
  };
})();
