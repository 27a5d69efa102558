// The sheet grows card by card: what has not changed stays as it is, so that nothing flickers.
const root = element.querySelector('div');

function draw() {
    const drawn = document.createElement('div');
    drawn.innerHTML = props.value || '';
    const before = new Map([...root.querySelectorAll('[data-annotator]')].map((part) => [part.drawnAs, part]));
    for (const part of drawn.querySelectorAll('[data-annotator]')) {
        part.drawnAs = part.outerHTML;
        const same = before.get(part.drawnAs);
        if (same) part.replaceWith(same);
    }
    root.replaceChildren(...drawn.childNodes);
}
watch('value', draw);
draw();

// A map in full, over the page: a click opens it, the arrows go on, Escape closes it.
const dialog = document.createElement('dialog');
dialog.className = 'full';
dialog.innerHTML =
    '<img alt=""><p><b></b><span></span><a download>Download</a><button type="button">Close</button></p>';
document.body.append(dialog);
const [image, name, told, link] = ['img', 'b', 'span', 'a'].map((part) => dialog.querySelector(part));
let open = '';

function show(tile) {
    const frame = tile.querySelector('a.frame');
    open = tile.dataset.annotator;
    image.src = link.href = frame.href;
    link.download = `${open}.png`;
    image.alt = name.textContent = tile.querySelector('b').textContent;
    told.textContent = [tile.querySelector('figcaption span').textContent, frame.title].filter(Boolean).join(' · ');
    if (!dialog.open) dialog.showModal();
}

element.addEventListener('click', (event) => {
    const tile = event.target.closest('a.frame') && event.target.closest('.tile');
    if (!tile || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(tile);
});

dialog.addEventListener('keydown', (event) => {
    const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const tiles = [...root.querySelectorAll('.tile.done')];
    const here = tiles.findIndex((tile) => tile.dataset.annotator === open);
    if (way && here >= 0) show(tiles[(here + way + tiles.length) % tiles.length]);
});

dialog.addEventListener('click', (event) => {
    if (!event.target.closest('a')) dialog.close();
});
