import { announce } from "./live.js";

/* Copy buttons on code */

const template = document.getElementById("copy-template");
if (template && navigator.clipboard) {
  for (const block of document.querySelectorAll(".prose .highlight")) {
    const button = template.content.firstElementChild.cloneNode(true);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(block.querySelector("pre").innerText);
        announce("Copied");
        button.classList.add("is-done");
        setTimeout(() => button.classList.remove("is-done"), 1500);
      } catch {
        announce("The browser did not allow copying.");
      }
    });
    block.append(button);
  }
}

/* The table of contents follows the reader. */

const links = new Map(
  [...document.querySelectorAll(".lesson-aside .toc a")].map((link) => [decodeURIComponent(link.hash.slice(1)), link]),
);
const headings = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
function follow() {
  let current = null;
  for (const heading of headings) {
    if (heading.getBoundingClientRect().top > 120) break;
    current = heading.id;
  }
  for (const [id, link] of links) {
    if (id === current) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}
if (headings.length) {
  let queued = false;
  addEventListener(
    "scroll",
    () => {
      if (queued) return;
      queued = true;
      requestAnimationFrame(() => {
        queued = false;
        follow();
      });
    },
    { passive: true },
  );
  follow();
}

/* The reading position is remembered: every few seconds while it changes, and when the page is left. */

const article = document.querySelector("[data-position]");
if (article) {
  const token = document.querySelector("input[name=csrf_token]")?.value ?? "";
  let told = "";
  const tell = () => {
    const box = article.getBoundingClientRect();
    const percent = Math.round((100 * (innerHeight - box.top)) / Math.max(box.height, 1));
    let heading = "";
    for (const one of headings) {
      if (one.getBoundingClientRect().top > innerHeight * 0.6) break;
      heading = one.id;
    }
    const now = `${heading} ${Math.floor(percent / 5)}`;
    if (scrollY < 200 || now === told) return;
    told = now;
    const body = new URLSearchParams({ csrf_token: token, heading, percent: String(Math.min(100, Math.max(0, percent))) });
    navigator.sendBeacon(article.dataset.position, body);
  };
  setInterval(tell, 5000);
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && tell());
  addEventListener("pagehide", tell);
}

/* Diagrams: drawn again when the theme changes; the text they are made from stays at hand. */

const diagrams = [...document.querySelectorAll("pre.mermaid")].map((pre, index) => {
  const figure = document.createElement("div");
  figure.className = "diagram";
  return { index, pre, figure, text: pre.textContent };
});

async function draw() {
  const { default: mermaid } = await import("mermaid");
  const dark = document.documentElement.dataset.bsTheme === "dark";
  const style = getComputedStyle(document.body);
  mermaid.initialize({
    startOnLoad: false,
    securityLevel: "strict",
    theme: "base",
    fontFamily: style.fontFamily,
    themeVariables: {
      darkMode: dark,
      background: dark ? "#1a2024" : "#ffffff",
      primaryColor: dark ? "#1f3a3f" : "#e6f0f1",
      primaryTextColor: dark ? "#e3e7e6" : "#1d2529",
      primaryBorderColor: dark ? "#6cc9d2" : "#0d5f6b",
      edgeLabelBackground: dark ? "#1a2024" : "#ffffff",
      lineColor: dark ? "#a2adb3" : "#586269",
      secondaryColor: dark ? "#3a2c22" : "#fbeee5",
      tertiaryColor: dark ? "#232b30" : "#f7f6f2",
      noteBkgColor: dark ? "#3a2c22" : "#fbeee5",
      noteTextColor: dark ? "#e3e7e6" : "#1d2529",
      noteBorderColor: dark ? "#f2935c" : "#b8430f",
      fontSize: "15px",
    },
  });
  for (const { index, pre, figure, text } of diagrams) {
    try {
      const { svg } = await mermaid.render(`diagram-${index}`, text);
      const source = document.createElement("details");
      const summary = document.createElement("summary");
      summary.textContent = "The diagram as text";
      const code = document.createElement("pre");
      code.textContent = text;
      source.append(summary, code);
      source.open = figure.querySelector("details")?.open ?? false;
      figure.innerHTML = svg;
      figure.append(source);
      if (pre.isConnected) pre.replaceWith(figure);
    } catch {
      // A diagram that can't be drawn stays what it was: readable text.
    }
  }
}

if (diagrams.length) {
  let last = Promise.resolve();
  const redraw = () => {
    last = last.then(draw);
  };
  redraw();
  document.addEventListener("pg:theme", redraw);
}
