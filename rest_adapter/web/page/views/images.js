/** Images of messages: as they were sent, and while they can still be taken out. */

import { refusedPictures } from "../state/pictures.js";
import { html } from "../ui.js";
import { Icon } from "./icons.js";

/**
 * The images of a message, each with what the server says against it.
 * @param {{images: import("../state/pictures.js").Picture[]}} props
 * @returns {object} a virtual node
 */
export function MessageImages({ images }) {
  return html`
    <div class="message-images">
      ${images.map((image) => html`<${MessageImage} key=${image.id} image=${image} />`)}
    </div>
  `;
}

function MessageImage({ image }) {
  const refusal = refusedPictures.value.get(image.id);
  return html`
    <figure class=${refusal ? "refused" : ""}>
      <${Small} image=${image} />
      ${refusal && html`<figcaption><span role="alert">${refusal}</span></figcaption>`}
    </figure>
  `;
}

/**
 * Images that can be taken out, by a button on each.
 * @param {{images: import("../state/pictures.js").Picture[], onRemove: (image: object) => void}} props
 * @returns {object|null} a virtual node; null if there are none
 */
export function RemovableImages({ images, onRemove }) {
  if (!images.length) return null;
  const remove = (image) => (event) => {
    // The button goes away; the keyboard goes on from the field beside it.
    event.currentTarget.closest("form, .editor")?.querySelector("textarea")?.focus();
    onRemove(image);
  };
  return html`
    <ul class="thumbnails" aria-label="Images of this message">
      ${images.map(
        (image) => html`
          <li key=${image.id}>
            <${Small} image=${image} />
            <button type="button" aria-label=${`Remove ${image.name}`} title="Remove" onClick=${remove(image)}>
              <${Icon} name="close" />
            </button>
          </li>
        `,
      )}
    </ul>
  `;
}

/** What cannot be shown has a sign and its name instead. */
function Small({ image: { name, thumbnail } }) {
  if (thumbnail) return html`<img src=${thumbnail} alt=${name} title=${name} />`;
  return html`<span class="no-thumbnail" role="img" aria-label=${name} title=${name}><${Icon} name="image" /></span>`;
}
