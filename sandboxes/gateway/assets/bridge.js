// Between the portal and Jupyter, which are on different origins and frame one another.
// Understood, from the portal's origin only:  {type: "save", request}, {type: "theme", theme: "light" | "dark"}
// Told, to the portal's origin only:          {type: "loading"}, {type: "ready", path}, {type: "saved", request, ok, error},
//                                             {type: "kernel", status}, {type: "ended"}, {type: "unavailable"}
(() => {
  "use strict";

  const SOURCE = "proving-ground";
  const APP_MS = 60000; // how long Jupyter may take to start
  const SAVE_MS = 45000; // how long all documents may take to be saved
  const POLL_MS = 40;
  const THEMES = { light: "JupyterLab Light", dark: "JupyterLab Dark" };

  // A browser that blocks third-party cookies denies storage to a frame of another site altogether, and JupyterLab then
  // reloads for ever in search of a workspace. What it keeps there may as well end with the page.
  class MemoryStorage {
    #items = new Map();
    get length() { return this.#items.size; }
    key(index) { return [...this.#items.keys()][index] ?? null; }
    getItem(key) { return this.#items.get(String(key)) ?? null; }
    setItem(key, value) { this.#items.set(String(key), String(value)); }
    removeItem(key) { this.#items.delete(String(key)); }
    clear() { this.#items.clear(); }
  }
  for (const name of ["localStorage", "sessionStorage"]) {
    try {
      void window[name].length;
    } catch {
      Object.defineProperty(window, name, { value: new MemoryStorage(), configurable: true });
    }
  }

  const { portalOrigin, tells } = document.currentScript.dataset;
  if (window.parent === window) return; // in a tab of its own there is nobody to speak to

  const tell = (message) => window.parent.postMessage({ source: SOURCE, ...message }, portalOrigin);
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  if (tells) {
    tell({ type: tells });
    return;
  }

  const until = async (ms, question, complaint) => {
    const end = performance.now() + ms;
    for (;;) {
      const answer = question();
      if (answer) return answer;
      if (performance.now() > end) throw new Error(complaint);
      await sleep(POLL_MS);
    }
  };

  const started = (async () => {
    const app = await until(APP_MS, () => window.jupyterapp, "Jupyter did not start.");
    await app.restored;
    return app;
  })();
  started.catch(() => {});

  const documents = (app) => Array.from(app.shell.widgets("main")).filter((widget) => widget.context?.model);

  const saveOne = async (app, widget) => {
    await widget.context.ready;
    const { model } = widget.context;
    // The command returns at once while an autosave is under way, so it is the model that says whether all is on disk.
    while (model.dirty) {
      if (app.shell.currentWidget === widget) await app.commands.execute("docmanager:save");
      else await widget.context.save();
      if (model.dirty) await sleep(POLL_MS);
    }
  };

  const saveAll = async () => {
    const app = await started;
    const open = documents(app);
    if (open.length === 0) throw new Error("No notebook is open.");
    for (const widget of open) await saveOne(app, widget);
  };

  const late = async () => {
    await sleep(SAVE_MS);
    throw new Error("The notebook could not be saved in time. Look whether Jupyter asks you something.");
  };

  let saving = null; // several requests at once are answered by one save after the other
  const onSave = async (request) => {
    const turn = (saving ?? Promise.resolve()).catch(() => {}).then(() => Promise.race([saveAll(), late()]));
    saving = turn;
    try {
      await turn;
      tell({ type: "saved", request, ok: true, error: null });
    } catch (error) {
      tell({ type: "saved", request, ok: false, error: String(error?.message ?? error).slice(0, 500) });
    }
  };

  const onTheme = async (theme) => {
    const name = THEMES[theme];
    if (!name) return;
    document.documentElement.style.colorScheme = theme; // no white flash while Jupyter loads
    document.documentElement.style.background = theme === "dark" ? "#111" : "#fff";
    const app = await started;
    if (document.body.dataset.jpThemeName !== name) await app.commands.execute("apputils:change-theme", { theme: name });
  };

  window.addEventListener("message", (event) => {
    if (event.origin !== portalOrigin || event.source !== window.parent) return;
    const message = event.data;
    if (message === null || typeof message !== "object" || message.source !== SOURCE) return;
    if (message.type === "save") void onSave(message.request);
    if (message.type === "theme") onTheme(message.theme).catch(() => {});
  });

  const watchKernel = (session) => {
    let last = null;
    const report = () => {
      const status = session.session?.kernel?.status ?? "unknown";
      if (status !== last) tell({ type: "kernel", status: (last = status) });
    };
    session.statusChanged.connect(report);
    session.kernelChanged.connect(report);
    report();
  };

  const start = async () => {
    const app = await started;
    const widget = await until(APP_MS, () => documents(app)[0] ?? app.shell.currentWidget, "Jupyter opened nothing.");
    await widget.context?.ready;
    tell({ type: "ready", path: widget.context?.path ?? null });
    if (widget.context?.sessionContext && widget.content?.widgets) watchKernel(widget.context.sessionContext);
  };

  tell({ type: "loading" });
  start().catch(() => {});
})();
