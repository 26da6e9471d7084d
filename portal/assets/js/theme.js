// Runs before the first paint: sets the theme, so that a dark page never flashes white.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const read = () => {
    try {
      return localStorage.getItem("pg-theme");
    } catch {
      return null; // storage is blocked: the system decides, and the choice lasts for this page only
    }
  };
  let choice = ["light", "dark"].includes(read()) ? read() : "system";

  const apply = () => {
    const theme = choice === "system" ? (system.matches ? "dark" : "light") : choice;
    root.dataset.bsTheme = theme;
    root.dataset.themeChoice = choice;
    document.dispatchEvent(new CustomEvent("pg:theme", { detail: { theme, choice } }));
  };

  root.classList.add("js");
  apply();
  system.addEventListener("change", apply);
  addEventListener("storage", (event) => {
    if (event.key !== "pg-theme") return;
    choice = ["light", "dark"].includes(event.newValue) ? event.newValue : "system";
    apply();
  });
  document.addEventListener("pg:choose-theme", (event) => {
    choice = event.detail;
    try {
      if (choice === "system") localStorage.removeItem("pg-theme");
      else localStorage.setItem("pg-theme", choice);
    } catch {
      // see read()
    }
    apply();
  });
})();
