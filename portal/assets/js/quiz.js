import { announce } from "./live.js";

const form = document.querySelector("form[data-quiz]");
const questions = [...form.querySelectorAll("fieldset.question")];
const meter = form.querySelector("[data-quiz-progress]");
const count = form.querySelector("[data-quiz-count]");
const warning = document.getElementById("quiz-warning");
const key = `pg-quiz-${form.dataset.quiz}`;

const isAnswered = (question) =>
  [...question.querySelectorAll("input, select, textarea")].some((input) =>
    input.type === "radio" || input.type === "checkbox" ? input.checked : input.value.trim() !== "",
  );

/* What was chosen survives a reload; the server learns of it only when the quiz is handed in. */

function remember() {
  const given = {};
  for (const [name, value] of new FormData(form)) {
    if (name.startsWith("q-")) (given[name] ??= []).push(value);
  }
  try {
    sessionStorage.setItem(key, JSON.stringify(given));
  } catch {
    // storage is blocked: a reload starts empty
  }
}

function recall() {
  let given = {};
  try {
    given = JSON.parse(sessionStorage.getItem(key) ?? "{}");
  } catch {
    // nothing that can be read: start empty
  }
  for (const input of form.querySelectorAll("[name^='q-']")) {
    const values = given[input.name];
    if (!values) continue;
    if (input.type === "radio" || input.type === "checkbox") input.checked = values.includes(input.value);
    else input.value = values[0];
  }
}

function update() {
  const answered = questions.filter(isAnswered);
  meter.value = answered.length;
  count.textContent = `${answered.length} of ${questions.length} answered`;
  for (const question of answered) question.classList.remove("is-missing");
}

if (!form.dataset.returned) recall();
update();
form.addEventListener("input", () => {
  update();
  remember();
});

/* Handing in with gaps asks once. */

let warned = false;
form.addEventListener("submit", (event) => {
  const missing = questions.filter((question) => !isAnswered(question));
  if (!missing.length || warned) return;
  event.preventDefault();
  warned = true;
  for (const question of missing) question.classList.add("is-missing");
  const numbers = missing.map((question) => question.dataset.number);
  let which = `Questions ${numbers.slice(0, -1).join(", ")} and ${numbers.at(-1)} are`;
  if (numbers.length === 1) which = `Question ${numbers[0]} is`;
  if (numbers.length > 4) which = `${numbers.length} of ${questions.length} questions are`;
  const sentence = `${which} not answered. An empty answer scores nothing. Hand in again to finish anyway.`;
  warning.querySelector("[data-text]").textContent = sentence;
  warning.hidden = false;
  announce(sentence);
  const first = missing[0];
  first.scrollIntoView({ block: "center" });
  first.querySelector("input, select, textarea")?.focus({ preventScroll: true });
});
