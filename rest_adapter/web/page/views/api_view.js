/** How programs use this server: examples to copy, and what answers at which path. */

import { html, useRef } from "../ui.js";
import { EXAMPLES, ROUTES } from "./api_examples.js";
import { copyText } from "./copy.js";

/** @returns {object} the view, a virtual node */
export function ApiView() {
  const pair = EXAMPLES.slice(0, 2);
  const wide = EXAMPLES.slice(2);
  return html`
    <div class="page-view scrolling" tabindex="-1">
      <div class="api">
        <div>
          <h1>Use it from a program</h1>
          <p class="soft">One model, many clients, over REST, the OpenAI API and gRPC.</p>
        </div>
        <div class="pair">${pair.map((example) => html`<${Example} key=${example.title} ...${example} />`)}</div>
        ${wide.map((example) => html`<${Example} key=${example.title} ...${example} />`)}
        <${Routes} />
      </div>
    </div>
  `;
}

function Example({ title, remark, code }) {
  const text = useRef(null);
  return html`
    <section class="panel" aria-label=${title}>
      <div class="panel-head">
        <h2>${title} <span class="soft">${remark}</span></h2>
        <button
          type="button"
          class="button quiet small"
          aria-label=${`Copy the example for ${title}`}
          onClick=${(event) => copyText(text.current, event.currentTarget)}
        >
          Copy
        </button>
      </div>
      <pre tabindex="0" ref=${text}>${code(location.origin)}</pre>
    </section>
  `;
}

function Routes() {
  return html`
    <section class="panel" aria-label="Routes">
      <div class="panel-head"><h2>What answers here</h2><a href="/openapi.json">OpenAPI description</a></div>
      <table class="routes">
        <tbody>
          ${ROUTES.map(
            ({ method, paths, text }) => html`
              <tr key=${paths[0]}>
                <th scope="row">
                  <small>${method}</small>${paths.map((path) => html`<${Path} method=${method} path=${path} /> `)}
                </th>
                <td>${text}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </section>
  `;
}

function Path({ method, path }) {
  if (method !== "GET") return html`<code>${path}</code>`;
  return html`<a href=${path}><code>${path}</code></a>`;
}
