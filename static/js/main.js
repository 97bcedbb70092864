// All that pages do by script.

import "./announce.js";
import "./notify.js";
import "./palette.js";
import "./panel.js";
import "./scroll-anchor.js";
import "./shortcuts.js";
import "./sse.js";
import "./stars.js";
import "./strips.js";
import "./swap.js";
import "./theme.js";
import "./timeline.js";
import "./tree.js";
