"use strict";
const $ = (id) => document.getElementById(id);

// Samples: one picture for a schedule, a T and a sampler.
const values = $("T").dataset.values.split(",");
function showCell() {
  const T = values[$("T").value];
  const found = data.samples[`${$("schedule").value}|${T}|${$("sampler").value}`];
  const name = `${$("schedule").value}, T = ${T}, ${$("sampler").value}`;
  $("grid").src = found.picture;
  $("grid").alt = `Samples of ${name}`;
  $("cell").textContent = `${name}: ${found.text}`;
  $("T").setAttribute("aria-valuetext", `T = ${T}`);
}
for (const id of ["schedule", "sampler", "T"]) $(id).addEventListener("input", showCell);
showCell();

// The reverse process: all schedules in step. A chain is one picture with one row of images per step shown.
const chains = [...document.querySelectorAll("canvas.chain")].map((canvas) => {
  const chain = data.chains[canvas.dataset.schedule];
  const picture = new Image();
  picture.src = chain.picture;
  canvas.width = 28 * chain.images;
  canvas.height = 28;
  return { canvas, picture, frames: chain.frames };
});
const last = Math.max(...chains.map((chain) => chain.frames)) - 1;
$("frame").max = last;
function showMoment() {
  const moment = Number($("frame").value);
  for (const { canvas, picture, frames } of chains) {
    const row = Math.min(moment, frames - 1);
    canvas.getContext("2d").drawImage(picture, 0, -28 * row);
  }
  $("moment").textContent = moment === 0 ? "noise" : moment === last ? "x_0" : `${Math.round((100 * moment) / last)} %`;
}
$("frame").addEventListener("input", showMoment);
let timer = 0;
function stop() {
  clearInterval(timer);
  timer = 0;
  $("play").textContent = "Play";
}
$("play").addEventListener("click", () => {
  if (timer) return stop();
  if (Number($("frame").value) === last) $("frame").value = 0;
  $("play").textContent = "Pause";
  timer = setInterval(() => {
    $("frame").value = Number($("frame").value) + 1;
    showMoment();
    if (Number($("frame").value) === last) stop();
  }, 120);
});
Promise.all(chains.map(({ picture }) => picture.decode())).then(() => {
  $("frame").value = last; // digits first; Play begins at the noise
  showMoment();
});
