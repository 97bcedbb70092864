// A wall screen: live.js keeps what it shows current, and after its time the next release has its turn.

import { live, refresh } from "./live.js";

let since = Date.now();

setInterval(() => {
  const turn = document.getElementById("turn")?.dataset;
  if (!turn || Date.now() - since < Number(turn.seconds) * 1000) return;
  since = Date.now();
  live()?.setAttribute("hx-get", turn.next ?? "");
  refresh();
}, 500);
