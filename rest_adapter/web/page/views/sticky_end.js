/** Keeps the end of a growing list in sight, as long as its reader is there. */

import { useEffect, useRef, useState } from "../ui.js";

const NEAR_PX = 300;
// Going up by more than this is meant: the text no longer runs away under the reader's eyes.
const LEFT_PX = 40;

/**
 * Follow the end of a scrolling element while the reader is near it.
 * @param {{current: HTMLElement | null}} place whose only child holds what grows
 * @param {unknown} id of what is shown: another one is shown from its end
 * @param {number} nItems one more item is followed wherever the reader is
 * @returns {{isAway: boolean, jump: () => void}} whether the end is out of sight, and the way there
 */
export function useStickyEnd(place, id, nItems) {
  const [isAway, setAway] = useState(false);
  const state = useRef({ isFollowing: true, top: 0 });
  useEffect(() => {
    const element = place.current;
    const onScroll = () => {
      state.current = afterScroll(state.current, element);
      setAway(distanceToEnd(element) > NEAR_PX);
    };
    const onGrowth = () => {
      if (state.current.isFollowing) toEnd(element);
      setAway(distanceToEnd(element) > NEAR_PX);
    };
    const observer = new ResizeObserver(onGrowth);
    observer.observe(element);
    observer.observe(element.firstElementChild);
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", onScroll);
    };
  }, []);
  useEffect(() => {
    // A conversation that has just begun is read from its beginning.
    state.current.isFollowing = nItems > 0;
    if (nItems > 0) toEnd(place.current);
    else place.current.scrollTop = 0;
  }, [id, nItems]);
  const jump = () => {
    state.current.isFollowing = true;
    toEnd(place.current);
  };
  return { isAway, jump };
}

function afterScroll({ isFollowing, top }, element) {
  const distance = distanceToEnd(element);
  const hasGoneUp = element.scrollTop < top;
  if (hasGoneUp && distance > LEFT_PX) isFollowing = false;
  else if (!hasGoneUp && distance <= NEAR_PX) isFollowing = true;
  return { isFollowing, top: element.scrollTop };
}

function distanceToEnd({ scrollHeight, scrollTop, clientHeight }) {
  return scrollHeight - scrollTop - clientHeight;
}

function toEnd(element) {
  element.scrollTop = element.scrollHeight;
}
