// Tables sort by the column whose header is pressed. Without script the headers are plain text.
"use strict";
(function () {
  const NUMBER = /^[<≤(\[ ]*([+\-−]?[\d,]*\.?\d+(?:e[+\-]?\d+)?)/;

  function valueOf(row, column) {
    const text = row.cells[column].textContent.trim();
    if (text === "–" || text === "") return { missing: true };
    const match = NUMBER.exec(text);
    return { text: text, number: match ? Number(match[1].replace(/,/g, "").replace("−", "-")) : NaN };
  }

  function sort(table, column, descending) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => ({ row: row, value: valueOf(row, column) }));
    const present = rows.filter((entry) => !entry.value.missing);
    const numeric = present.every((entry) => !Number.isNaN(entry.value.number));
    const compare = numeric
      ? (a, b) => a.value.number - b.value.number
      : (a, b) => a.value.text.localeCompare(b.value.text, "en", { numeric: true });
    present.sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
    // what has no value stays below, in either direction
    present.concat(rows.filter((entry) => entry.value.missing)).forEach((entry) => body.append(entry.row));
  }

  document.querySelectorAll("table.sortable").forEach((table) => {
    const headers = Array.from(table.tHead.rows[0].cells);
    headers.forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        const descending = header.getAttribute("aria-sort") === "ascending";
        headers.forEach((other) => other.removeAttribute("aria-sort"));
        header.setAttribute("aria-sort", descending ? "descending" : "ascending");
        sort(table, column, descending);
      });
    });
  });
})();
