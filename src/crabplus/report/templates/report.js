"use strict";
// Each card: keep the player inside its window, and let a line on its timelines, and on those beside it, follow it; a
// click there, or on a time in a table, seeks.
for (const card of document.querySelectorAll(".card")) {
  const player = card.querySelector("video, audio"), around = card.closest(".pair") || card;
  for (const media of card.querySelectorAll("video, audio")) {
    const start = Number(media.dataset.start), end = Number(media.dataset.end || Infinity);
    media.addEventListener("loadedmetadata", () => { if (start) media.currentTime = start; });
    media.addEventListener("timeupdate", () => { if (media.currentTime >= end && !media.paused) media.pause(); });
    media.addEventListener("play", () => { if (media.currentTime >= end) media.currentTime = start; });
  }
  if (!player) continue;
  for (const timeline of around.querySelectorAll(".timeline")) {
    const start = Number(timeline.dataset.start), length = Number(timeline.dataset.length);
    const line = timeline.querySelector(".playhead");
    const follow = () => {
      const share = Math.min(Math.max((player.currentTime - start) / length, 0), 1);
      line.setAttribute("x1", `${100 * share}%`);
      line.setAttribute("x2", `${100 * share}%`);
      timeline.classList.add("playing");
      if (!player.paused) requestAnimationFrame(follow);
    };
    player.addEventListener("play", follow);
    player.addEventListener("seeked", follow);
    timeline.addEventListener("click", (event) => {
      const box = timeline.getBoundingClientRect();
      player.currentTime = start + length * (event.clientX - box.left) / box.width;
    });
  }
  for (const button of card.querySelectorAll(".seek")) {
    button.addEventListener("click", () => { player.currentTime = Number(button.dataset.time); });
  }
}
