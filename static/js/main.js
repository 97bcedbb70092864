// All that pages do by script.

import "./live.js";
import "./news.js";
import "./timeline.js";
