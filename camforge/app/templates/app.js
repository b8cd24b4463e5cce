"use strict";
const at = (id) => document.getElementById(id);
let photograph = null, answer = null, base = null;

function say(text, wrong = false) {
  at("message").textContent = text;
  at("message").className = wrong ? "wrong" : "";
}

async function ask(path, query, body) {
  const reply = await fetch(`${path}?${new URLSearchParams(query)}`, {
    method: body ? "POST" : "GET", body, headers: { "X-CamForge": CHOSEN.secret },
  });
  const content = await reply.json();
  if (!reply.ok) throw new Error(content.error);
  return content;
}

function options(list, names) {
  list.replaceChildren(...names.map((name) => Object.assign(document.createElement("option"), { value: name })));
}

async function explain() {
  const methods = [...document.querySelectorAll("#methods input:checked")].map((box) => box.value).join(",");
  if (!photograph) return say("Drop a photograph first.", true);
  const query = { model: at("model").value, methods, layers: at("layers").value, targets: at("targets").value, top: at("top").value };
  at("go").disabled = true;
  say("Looking …");
  try {
    const started = performance.now();
    answer = await ask("/maps", query, photograph);
    base = await pixels(answer);
    build();
    say(`${answer.maps.length} map${answer.maps.length > 1 ? "s" : ""} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
    const known = await ask("/model", { model: query.model });
    options(at("known-layers"), ["last", "stages", ...known.layers]);
    options(at("known-classes"), known.classes);
  } catch (error) {
    say(error.message, true);
  } finally {
    at("go").disabled = false;
  }
}

async function pixels({ photograph: address, width, height }) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, width, height).data;
}

function build() {
  for (const map of answer.maps) {
    const bytes = Uint8Array.from(atob(map.values), (letter) => letter.charCodeAt(0));
    map.shares = Float32Array.from(new Int16Array(bytes.buffer), (value) => value / 32767);
    map.canvas = Object.assign(document.createElement("canvas"), { width: answer.width, height: answer.height });
    map.canvas.setAttribute("role", "img");
    map.canvas.setAttribute("aria-label", `${map.label} by ${map.method}`);
    map.figure = document.createElement("figure");
    const caption = document.createElement("figcaption"), read = document.createElement("small");
    read.textContent = ` ${map.logit.toFixed(2)} · ${map.method} · ${map.layers.slice(-3).join(", ") || "no layer"}`;
    caption.append(map.label, read);
    map.figure.append(map.canvas, caption);
  }
  at("figures").replaceChildren(...answer.maps.map((map) => map.figure));
  at("one").replaceChildren(...answer.maps.map((map, i) =>
    Object.assign(document.createElement("option"), { value: i, textContent: `${map.label}: ${map.method}` })));
  at("code").textContent = answer.code;
  at("code-part").hidden = false;
  arrange();
  draw();
}

// As Python's overlay and signed_overlay draw; what is below the threshold stays as it is.
function draw() {
  const threshold = at("threshold").value / 100, opacity = at("opacity").value / 100;
  at("threshold-value").textContent = threshold.toFixed(2);
  at("opacity-value").textContent = opacity.toFixed(2);
  if (!answer) return;
  for (const { shares, signed, canvas } of answer.maps) {
    const shown = new ImageData(new Uint8ClampedArray(base), answer.width, answer.height), high = signed ? 1 : shares.reduce((a, b) => Math.max(a, b), 0) || 1;
    for (let i = 0; i < shares.length; i++) {
      const share = signed ? shares[i] : Math.max(0, shares[i]) / high, size = Math.abs(share);
      if (size < threshold || size === 0) continue;
      const cover = opacity * (signed ? CHOSEN.signedOpacity * size : CHOSEN.opacity * Math.min(1, 2 * size));
      const colour = signed ? (share > 0 ? CHOSEN.for : CHOSEN.against) : null, place = 3 * Math.round(255 * size);
      for (let c = 0; c < 3; c++) {
        const ink = colour ? colour[c] : CHOSEN.turbo[place + c];
        shown.data[4 * i + c] = Math.round(base[4 * i + c] + cover * (ink - base[4 * i + c]));
      }
    }
    canvas.getContext("2d").putImageData(shown, 0, 0);
  }
}

function arrange() {
  at("figures").className = at("beside").checked ? "beside" : "";
  at("one").disabled = at("beside").checked || !answer;
  (answer?.maps ?? []).forEach((map, i) => map.figure.classList.toggle("shown", i === Number(at("one").value || 0)));
}

function take(file) {
  if (!file) return;
  photograph = file;
  at("name").textContent = file.name;
  explain();
}

at("form").addEventListener("submit", (event) => { event.preventDefault(); explain(); });
at("file").addEventListener("change", () => take(at("file").files[0]));
for (const name of ["dragover", "dragleave", "drop"])
  document.addEventListener(name, (event) => { event.preventDefault(); at("drop").classList.toggle("over", name === "dragover"); });
document.addEventListener("drop", (event) => take(event.dataTransfer.files[0]));
at("threshold").addEventListener("input", draw);
at("opacity").addEventListener("input", draw);
at("beside").addEventListener("change", arrange);
at("one").addEventListener("change", arrange);
at("copy").addEventListener("click", () => navigator.clipboard.writeText(answer.code).then(() => say("Copied.")));
