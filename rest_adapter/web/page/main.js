/** Starts the page: watches the server and mounts the views. */

import { html, render } from "./ui.js";
import { startWatching } from "./state/server.js";
import { App } from "./views/app.js";
import { watchAddress } from "./views/shell.js";

const root = document.getElementById("root");
watchAddress();
startWatching();
root.replaceChildren();
render(html`<${App} />`, root);
