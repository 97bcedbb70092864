// All that pages do by script.

import "./announce.js";
import "./keys.js";
import "./live.js";
import "./news.js";
import "./notify.js";
import "./palette.js";
import "./panel.js";
import "./stars.js";
import "./strips.js";
import "./theme.js";
import "./timeline.js";
import "./tree.js";
