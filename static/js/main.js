// All that pages do by script.

import "./keys.js";
import "./live.js";
import "./news.js";
import "./theme.js";
