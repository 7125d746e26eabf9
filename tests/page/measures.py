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
