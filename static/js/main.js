// All that pages do by script.

import "./announce.js";
import "./live.js";
import "./news.js";
import "./tree.js";
