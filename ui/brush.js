// A picture to paint on. What is painted is white in the mask, a PNG of the picture's shape; the rest is black.
// `brush(root, {hint, empty, changed})` lays it out; `show(picture, mask)` puts another picture and mask into it.
const [SMALLEST, LARGEST, REMEMBERED] = [512, 1024, 20];

function brush(root, { hint, empty, changed }) {
    root.className = 'brush';
    root.innerHTML = `
        <div class="paper"><img alt=""><canvas></canvas><i class="ring"></i><p></p></div>
        <div class="tools" role="toolbar" aria-label="Brush">
            <button type="button" data-tool="paint" aria-pressed="true">Paint</button>
            <button type="button" data-tool="erase" aria-pressed="false">Erase</button>
            <input type="range" min="2" max="40" value="12" aria-label="Size of the brush" title="Size of the brush">
            <span></span>
            <button type="button" data-do="undo">Undo</button>
            <button type="button" data-do="invert">Invert</button>
            <button type="button" data-do="clear">Clear</button>
            <button type="button" data-do="bring">From a file…</button>
            <input type="file" accept="image/*" hidden>
        </div>`;
    const [paper, image, canvas, ring] = ['.paper', 'img', 'canvas', '.ring'].map((part) => root.querySelector(part));
    const [size, file] = ['range', 'file'].map((kind) => root.querySelector(`input[type=${kind}]`));
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const ink = getComputedStyle(root).getPropertyValue('--primary-500') || 'blue';
    let [mask, before, erases, last] = [null, [], false, null];

    // Between the mask and the paint

    function sheet() {
        const plain = document.createElement('canvas');
        [plain.width, plain.height] = [canvas.width, canvas.height];
        return [plain, plain.getContext('2d')];
    }

    function read() {
        const paint = context.getImageData(0, 0, canvas.width, canvas.height).data;
        if (!paint.some((value, index) => index % 4 === 3 && value)) return null;
        const [white, over] = sheet();
        over.drawImage(canvas, 0, 0);
        over.globalCompositeOperation = 'source-in';
        over.fillStyle = 'white';
        over.fillRect(0, 0, white.width, white.height);
        over.globalCompositeOperation = 'destination-over';
        over.fillStyle = 'black';
        over.fillRect(0, 0, white.width, white.height);
        return white.toDataURL('image/png');
    }

    function keep(now) {
        before = [...before, mask].slice(-REMEMBERED);
        told(now);
        changed(mask);
    }

    function told(now) {
        mask = now;
        root.classList.toggle('painted', Boolean(mask));
    }

    // Another one's mask may have any shape: as large as covers the picture, and from its middle.
    async function draw(source) {
        context.clearRect(0, 0, canvas.width, canvas.height);
        if (!source) return;
        const picture = new Image();
        picture.src = source;
        await picture.decode();
        const scale = Math.max(canvas.width / picture.naturalWidth, canvas.height / picture.naturalHeight);
        const [width, height] = [picture.naturalWidth * scale, picture.naturalHeight * scale];
        context.clearRect(0, 0, canvas.width, canvas.height);
        context.drawImage(picture, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
        const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
        for (let place = 0; place < pixels.data.length; place += 4) {
            const [red, green, blue, alpha] = pixels.data.subarray(place, place + 4);
            pixels.data[place + 3] = ((0.299 * red + 0.587 * green + 0.114 * blue) * alpha) / 255;
        }
        context.putImageData(pixels, 0, 0);
        context.globalCompositeOperation = 'source-in';
        context.fillStyle = ink;
        context.fillRect(0, 0, canvas.width, canvas.height);
        context.globalCompositeOperation = 'source-over';
    }

    // The hand

    const across = () => (size.value / 100) * Math.min(canvas.width, canvas.height);

    function place(event) {
        const box = canvas.getBoundingClientRect();
        const scale = canvas.width / box.width;
        return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    }

    function stroke(to) {
        context.globalCompositeOperation = erases ? 'destination-out' : 'source-over';
        context.strokeStyle = ink;
        context.lineWidth = across();
        context.lineCap = context.lineJoin = 'round';
        context.beginPath();
        context.moveTo(...last);
        context.lineTo(...to);
        context.stroke();
        context.globalCompositeOperation = 'source-over';
        last = to;
    }

    function follow(event) {
        const [x, y] = place(event);
        const scale = canvas.getBoundingClientRect().width / canvas.width;
        ring.style.width = ring.style.height = `${across() * scale}px`;
        ring.style.translate = `calc(${x * scale}px - 50%) calc(${y * scale}px - 50%)`;
    }

    canvas.addEventListener('pointerdown', (event) => {
        if (event.button) return;
        event.preventDefault();
        canvas.setPointerCapture(event.pointerId);
        last = place(event);
        stroke(last);
    });
    canvas.addEventListener('pointermove', (event) => {
        follow(event);
        if (last) stroke(place(event));
    });
    for (const end of ['pointerup', 'pointercancel']) {
        canvas.addEventListener(end, () => {
            if (last) keep(read());
            last = null;
        });
    }

    // The tools

    async function put(source) {
        await draw(source);
        keep(read());
    }

    const deeds = {
        undo() {
            if (!before.length) return;
            told(before.pop());
            draw(mask);
            changed(mask);
        },
        invert() {
            const [other, over] = sheet();
            over.fillStyle = ink;
            over.fillRect(0, 0, other.width, other.height);
            over.globalCompositeOperation = 'destination-out';
            over.drawImage(canvas, 0, 0);
            context.clearRect(0, 0, canvas.width, canvas.height);
            context.drawImage(other, 0, 0);
            keep(read());
        },
        clear: () => put(null),
        bring: () => file.click(),
    };

    root.addEventListener('click', (event) => {
        const button = event.target.closest('button');
        if (button?.dataset.do) deeds[button.dataset.do]();
        if (!button?.dataset.tool) return;
        erases = button.dataset.tool === 'erase';
        for (const tool of root.querySelectorAll('[data-tool]')) tool.ariaPressed = String(tool === button);
    });
    file.addEventListener('change', async () => {
        const address = URL.createObjectURL(file.files[0]);
        file.value = '';
        await put(address).catch(() => (root.querySelector('p').textContent = 'This file is no picture.'));
        URL.revokeObjectURL(address);
    });
    image.addEventListener('load', () => {
        const long = Math.max(image.naturalWidth, image.naturalHeight);
        const scale = Math.min(LARGEST, Math.max(SMALLEST, long)) / long;
        canvas.width = Math.round(image.naturalWidth * scale);
        canvas.height = Math.round(image.naturalHeight * scale);
        draw(mask);
    });

    return {
        show(picture, shown) {
            root.hidden = !picture && !empty;
            root.classList.toggle('empty', !picture);
            root.querySelector('p').textContent = picture ? hint : empty;
            const fresh = picture !== (image.getAttribute('src') ?? '');
            if (fresh) before = [];
            if (fresh || shown !== mask) {
                told(shown);
                if (!fresh) draw(mask);
                else if (picture) image.setAttribute('src', picture);
                else image.removeAttribute('src');
            }
        },
    };
}
