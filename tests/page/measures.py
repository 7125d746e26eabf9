"""What a browser is asked about an open page, as JavaScript; it answers with sentences, with none if all is well."""

from __future__ import annotations

OUTSIDE = """(() => {
  const width = Math.min(innerWidth, screen.width);  // a phone zooms out where a page is too wide
  const wide = document.documentElement.scrollWidth > width ? ["the page scrolls sideways"] : [];
  return wide.concat([...document.querySelectorAll("body, body *")]
    .filter((each) => !each.closest(".skip, .hidden, pre, .scroll, svg") && each.getBoundingClientRect().width)
    .filter((each) => {
      const box = each.getBoundingClientRect();
      return box.right > width + 0.5 || box.left < -0.5;
    })
    .map((each) => `${each.tagName} ${each.textContent.trim().slice(0, 40)}`));
})()"""
"""What reaches beyond the screen; what scrolls within a box of its own does not."""

TOO_SMALL = """[...document.querySelectorAll("a, button, summary, input:not([type=hidden]), audio, select")]
  .filter((each) => !each.closest(".skip") && each.checkVisibility({ visibilityProperty: true }))
  .map((each) => [each, each.getBoundingClientRect()])
  .filter(([each, box]) => box.height < 43.5 || box.width < 43.5)
  .map(([each, box]) => `${each.tagName} ${each.textContent.trim().slice(0, 40)}: ` +
    `${box.width.toFixed(0)} x ${box.height.toFixed(0)} px`)"""
"""What a finger is to meet and is smaller than 44 px (WCAG 2.2 demands 24)."""

CUT = """[...document.querySelectorAll("p, h1, h2, dt, dd, li, td, th, button, a, summary, label, figcaption")]
  .filter((each) => !each.closest(".skip, .hidden, .frozen") && each.checkVisibility({ visibilityProperty: true }))
  .filter((each) => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0)
  .filter((each) => getComputedStyle(each).display !== "inline")
  .map((each) => `${each.tagName} ${each.textContent.trim().slice(0, 40)}`)"""
"""Whose words are wider than its box."""

FOCUSED = """(() => {
  const each = document.activeElement;
  if (!each || each === document.body) return null;
  const style = getComputedStyle(each), box = each.getBoundingClientRect();
  const x = Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1);
  const y = Math.min(Math.max(box.top + box.height / 2, 0), innerHeight - 1);
  const met = document.elementFromPoint(x, y);
  const words = each.getAttribute("aria-label") || each.innerText || each.id || "";
  return {
    name: `${each.tagName} ${words.trim().replaceAll(/\\s+/g, " ").slice(0, 60)}`,
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    visible: box.bottom > 0 && box.top < innerHeight && met !== null && (each.contains(met) || met.contains(each)),
  };
})()"""
"""What has the focus, and whether one sees that; null if nothing has it."""

LISTEN = """(() => {
  window.announced = [];
  const region = "[aria-live]:not([aria-live=off]), [role=status], [role=alert]";
  const isShown = (place) => place.checkVisibility({ visibilityProperty: true });
  const silent = (node) => node.closest("[aria-hidden=true]") || !isShown(node.closest(region));
  const say = (place) => window.announced.push(place.textContent.trim().replaceAll(/\\s+/g, " "));
  const observer = new MutationObserver((changes) => {
    const places = changes.map((each) => each.target.nodeType === 1 ? each.target : each.target.parentElement)
      .filter((each) => each && each.closest(region) && !silent(each)).map((each) => each.closest(region));
    new Set(places).forEach(say);
  });
  const hidden = new Set([...document.querySelectorAll(region)].filter((each) => !isShown(each)));
  setInterval(() => document.querySelectorAll(region).forEach((each) => {
    if (!isShown(each)) hidden.add(each);
    else if (hidden.delete(each)) say(each);
  }), 100);
  observer.observe(document.body, { subtree: true, childList: true, characterData: true });
})()"""
"""Take down from now on what a screen reader would read out by itself: what changes in a live region, or appears."""
