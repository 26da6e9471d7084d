/** What more than one page needs: announcements for screen readers, toasts, times that move. */

/** Say something to people who don't see the page. */
export function announce(text) {
  const region = document.getElementById("announcer");
  if (!region) return;
  region.textContent = "";
  requestAnimationFrame(() => {
    region.textContent = text;
  });
}

/** Show a message in the corner until it is closed; the same message is shown once. */
export function toast(text) {
  const list = document.getElementById("toasts");
  const template = document.getElementById("toast-template");
  if (!list || !template || [...list.children].some((shown) => shown.dataset.text === text)) return;
  const shown = template.content.firstElementChild.cloneNode(true);
  shown.dataset.text = text;
  shown.querySelector("[data-text]").textContent = text;
  shown.querySelector("button").addEventListener("click", () => shown.remove());
  list.append(shown);
  while (list.children.length > 3) list.firstElementChild.remove();
}

/** Take a message away that holds no more. */
export function dismiss(text) {
  for (const shown of document.querySelectorAll("#toasts > *")) if (shown.dataset.text === text) shown.remove();
}

/** `4:05`, `1:02:09`. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (value) => String(value).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** `5 minutes ago`; null for what is more than a week away, where a date says more. */
export function ago(date, now = Date.now()) {
  const seconds = (date.getTime() - now) / 1000;
  const size = Math.abs(seconds);
  if (size < 45) return "just now";
  if (size < 45 * 60) return relative.format(Math.round(seconds / 60), "minute");
  if (size < 22 * 3600) return relative.format(Math.round(seconds / 3600), "hour");
  if (size < 7 * 86400) return relative.format(Math.round(seconds / 86400), "day");
  return null;
}

/** Rewrite `<time data-ago>` in words; what the portal wrote, in the zone of the reader's account, stays in its title. */
export function showTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-ago]")) {
    const date = new Date(element.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    element.title ||= element.textContent.trim();
    const text = ago(date) ?? element.title;
    if (element.textContent !== text) element.textContent = text;
  }
}
