// Formulas are written in Unicode, readable as they are; here x_i, x_{k+1} and e^{−t} become subscripts and superscripts, and
// a ```formula block a table whose cells are set apart by two spaces or more. Code is left alone.
"use strict";
(() => {
    const SCRIPT = /([_^])(?:\{([^}]*)\}|(−?[\p{Ll}\p{Lu}0-9′]+))/gu;

    function scripts(node) {
        const text = node.data;
        const parts = document.createDocumentFragment();
        let end = 0;
        for (const found of text.matchAll(SCRIPT)) {
            const script = document.createElement(found[1] === "_" ? "sub" : "sup");
            script.append(found[2] ?? found[3]);
            parts.append(text.slice(end, found.index), script);
            end = found.index + found[0].length;
        }
        if (end > 0) {
            parts.append(text.slice(end));
            node.replaceWith(parts);
        }
    }

    for (const code of document.querySelectorAll("code.language-formula")) {
        const table = document.createElement("table");
        table.className = "formula";
        for (const line of code.textContent.trimEnd().split("\n")) {
            const row = table.insertRow();
            line.trimEnd().split(/ {2,}/).forEach((cell) => row.insertCell().append(cell));
        }
        (code.closest("pre") ?? code).replaceWith(table);
    }

    const inCode = (node) => node.parentElement.closest("code, pre, script, style");
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) {
        if (!inCode(walker.currentNode)) texts.push(walker.currentNode);
    }
    texts.forEach(scripts);
})();
