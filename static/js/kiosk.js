// All that a wall screen does by script.

import { live, refresh } from "./poll.js";
import "./scroll-anchor.js";
import "./swap.js";

// After its time, a release makes room for the next.

let shownSince = Date.now();

setInterval(() => {
  const turn = document.getElementById("turn")?.dataset;
  if (!turn || Date.now() - shownSince < Number(turn.seconds) * 1000) return;
  shownSince = Date.now();
  live()?.setAttribute("hx-get", turn.next ?? "");
  refresh();
}, 500);
