// What the batch pages gain from scripts: the drop zone names its file, the upload shows how far it is, and a
// screen reader hears of every tenth of a job. Without it the same forms and links do the work.

const SIZES = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3], ["B", 1]];

function filesize(bytes) {
  const [unit, one] = SIZES.find(([, size]) => bytes >= size) ?? SIZES[3];
  return `${(bytes / one).toLocaleString("en-GB", { maximumFractionDigits: one === 1 ? 0 : 1 })} ${unit}`;
}

const part = (form, name) => form.querySelector(`[data-upload-${name}]`);
const formOf = (event) => event.target.closest?.("form[data-upload]");
let isSending = false;

// --- the drop zone ------------------------------------------------------------------------------

function show(form) {
  const file = form.querySelector("input[type=file]").files[0];
  const zone = form.querySelector(".dropzone");
  const most = Number(form.dataset.upload);
  const problem = !file || (file.size && file.size < most) ? "" :
    file.size ? `The selected file must be smaller than ${filesize(most)}. It has ${filesize(file.size)}.` : "The selected file is empty.";
  part(form, "name").textContent = file ? `${file.name}, ${filesize(file.size)}` : "Choose a file, or drop it here";
  zone.toggleAttribute("data-chosen", Boolean(file));
  zone.classList.toggle("is-wrong", Boolean(problem));
  part(form, "problem").textContent = problem;
  part(form, "problem").hidden = !problem;
  return !problem;
}

document.addEventListener("change", (event) => {
  const form = formOf(event);
  if (form && event.target.matches("input[type=file]")) show(form);
});

for (const [name, isOver] of [["dragenter", true], ["dragover", true], ["dragleave", false], ["drop", false]]) {
  document.addEventListener(name, (event) => event.target.closest?.(".dropzone")?.toggleAttribute("data-over", isOver));
}

// --- the upload -----------------------------------------------------------------------------------

function send(form, sending) {
  isSending = sending;
  part(form, "sending").hidden = !sending;
  form.querySelector(".form-actions").hidden = sending;
}

function say(form, loaded, total) {
  const percent = Math.floor((100 * loaded) / total);
  const bar = part(form, "sending").querySelector("progress");
  if (percent < bar.value) return; // the answer comes in, and counts anew
  bar.value = percent;
  part(form, "said").textContent = percent < 100
    ? `${filesize(loaded)} of ${filesize(total)}, ${percent} %` : "The file has arrived. It is being stored.";
  announce(form, percent - (percent % 10), `${percent} % uploaded`);
}

document.addEventListener("htmx:beforeRequest", (event) => {
  const form = event.target.matches("form[data-upload]") ? event.target : null;
  if (!form) return;
  if (!show(form)) { event.preventDefault(); return; }
  part(form, "sending").querySelector("progress").value = 0;
  part(form, "said").textContent = "";
  send(form, true);
});
document.addEventListener("htmx:xhr:progress", (event) => {
  const form = event.target.matches("form[data-upload]") ? event.target : null;
  if (form && isSending && event.detail.total) say(form, event.detail.loaded, event.detail.total);
});
document.addEventListener("htmx:beforeSwap", (event) => {
  // A refusal is a page like any other: it says what was wrong with the file.
  const isRefusal = event.detail.requestConfig?.elt.matches("form[data-upload]") && [409, 413, 422].includes(event.detail.xhr.status);
  if (isRefusal) Object.assign(event.detail, { shouldSwap: true, isError: false });
});
for (const [name, words] of [
  ["htmx:sendError", "The upload broke off: the server cannot be reached. Nothing was kept; try again."],
  ["htmx:sendAbort", "The upload was stopped. Nothing was kept."],
  ["htmx:responseError", "The server could not take the file. Nothing was kept; try again."],
]) {
  document.addEventListener(name, (event) => {
    const form = event.detail.elt?.matches?.("form[data-upload]") ? event.detail.elt : null;
    if (!form) return;
    send(form, false);
    part(form, "problem").textContent = words;
    part(form, "problem").hidden = false;
  });
}
document.addEventListener("htmx:afterRequest", () => { isSending = false; });
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-upload-stop]");
  if (button) window.htmx.trigger(button.closest("form"), "htmx:abort");
});
window.addEventListener("beforeunload", (event) => { if (isSending) event.preventDefault(); });
// Back from the job, the browser may show this page as it was when it was left.
window.addEventListener("pageshow", () => document.querySelectorAll("form[data-upload]").forEach((form) => {
  send(form, false);
  show(form);
}));

// --- what a screen reader hears ---------------------------------------------------------------------

const lastStep = new WeakMap();

function announce(root, step, words) {
  const line = root.querySelector("[data-announce]");
  if (!line || lastStep.get(line) === step) return;
  lastStep.set(line, step);
  line.textContent = words;
}

function hear() {
  const figures = document.querySelector("[data-say]");
  if (figures) announce(document, figures.dataset.step, figures.dataset.say);
}

document.addEventListener("htmx:afterSwap", hear);
hear();
