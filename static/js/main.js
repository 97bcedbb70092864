// All that pages do by script.

import "./keys.js";
import "./list.js";
import "./live.js";
import "./news.js";
import "./tell.js";
import "./tree.js";
