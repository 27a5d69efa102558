// The stack of the Compose tab: a card for each control. What the server says is which controls were sent; what
// becomes of them here (their order, their settings, where they act) is told by the value, as it stands.
const root = element.querySelector('div');
root.className = 'stack';
root.innerHTML = '<p class="empty">Nothing here yet. “Send to Compose” on any tab brings its map here, or add one below.</p><ol></ol><p class="odd"></p>';
const [list, odd] = [root.querySelector('ol'), root.querySelector('.odd')];
const cards = new Map(); // every one that was ever here; those that are still in the list are the stack
let top; // the id of the first one
const number = (value) => String(Math.round(value * 100) / 100);

function setting(param, value) {
    const label = document.createElement('label');
    label.title = param.help;
    label.innerHTML = '<span></span><output></output>';
    label.querySelector('span').textContent = param.label;
    const field = document.createElement(param.choices.length ? 'select' : 'input');
    if (param.choices.length) {
        field.append(...param.choices.map((choice, index) => new Option(param.labels[index], choice)));
    } else {
        const { minimum: min, maximum: max, step } = param;
        Object.assign(field, { type: 'range', min, max, step });
    }
    field.name = param.name;
    field.value = value;
    const tell = () => {
        if (param.choices.length) return;
        label.querySelector('output').textContent = number(field.value);
        field.style.setProperty('--part', (field.value - param.minimum) / (param.maximum - param.minimum));
    };
    field.addEventListener('input', () => (tell(), save()));
    tell();
    label.append(field);
    return label;
}

function card(sent, control = {}) {
    const item = document.createElement('li');
    item.dataset.id = sent.id;
    item.innerHTML = `
        <div class="head">
            <span class="thumb"><img alt=""><i></i></span>
            <span class="name"><b></b><small></small></span>
            <span class="deeds">
                <button type="button" data-do="mute" aria-pressed="false">Mute</button>
                <button type="button" data-do="up" aria-label="Move up" title="Move up">↑</button>
                <button type="button" data-do="down" aria-label="Move down" title="Move down">↓</button>
                <button type="button" data-do="remove" aria-label="Remove" title="Remove">✕</button>
            </span>
        </div>
        <div class="settings"></div>
        <details><summary></summary><div></div></details>`;
    const [image, veil, title, size] = ['img', 'i', 'b', 'small'].map((part) => item.querySelector(part));
    const [settings, details, summary] = ['.settings', 'details', 'summary'].map((part) => item.querySelector(part));
    image.src = sent.map;
    title.textContent = sent.title;
    size.textContent = sent.size.join('×');
    settings.append(...PARAMS.map((param) => setting(param, (control.values ?? sent.values)[param.name])));
    const state = { sent, item, muted: control.muted ?? false, region: control.region ?? null };

    state.show = () => {
        item.classList.toggle('muted', state.muted);
        item.querySelector('[data-do=mute]').ariaPressed = String(state.muted);
        summary.textContent = state.region ? 'Acts where you painted' : 'Acts everywhere';
        veil.style.maskImage = state.region ? `url(${state.region})` : '';
        veil.hidden = !state.region;
    };
    let paper = null;
    details.addEventListener('toggle', () => {
        paper ??= brush(details.querySelector('div'), {
            hint: 'Paint over the part where it is to act',
            changed(mask) {
                state.region = mask;
                state.show();
                save();
            },
        });
        paper.show(sent.map, state.region);
    });
    state.show();
    return state;
}

const stack = () => [...list.children].map((item) => cards.get(item.dataset.id));

function save() {
    const before = top;
    const controls = stack().map(({ sent, item, muted, region }) => {
        const fields = [...item.querySelectorAll('.settings [name]')];
        const values = fields.map(({ name, value, type }) => [name, type === 'range' ? Number(value) : value]);
        return { id: sent.id, muted, region, values: Object.fromEntries(values) };
    });
    props.value = { sent: [...cards.values()].map((state) => state.sent), controls };
    const heard = stack().filter((state) => !state.muted);
    const sizes = new Set(heard.map((state) => state.sent.size.join('×')));
    odd.textContent = sizes.size > 1 ? `These maps have different sizes: ${[...sizes].join(', ')}. ${ODD}` : '';
    root.classList.toggle('full', controls.length > 0);
    top = controls[0]?.id;
    if (top !== before) trigger('select');
}
function take() {
    const { sent = [], controls = [] } = props.value ?? {};
    const fresh = sent.filter(({ id }) => !cards.has(id));
    const order = controls.map(({ id }) => id);
    fresh.sort((one, other) => order.indexOf(one.id) - order.indexOf(other.id));
    for (const one of fresh) {
        const state = card(one, controls.find(({ id }) => id === one.id));
        cards.set(one.id, state);
        list.append(state.item);
    }
    save();
}

const deeds = {
    mute(item) {
        const state = cards.get(item.dataset.id);
        state.muted = !state.muted;
        state.show();
    },
    up: (item) => item.previousElementSibling?.before(item),
    down: (item) => item.nextElementSibling?.after(item),
    remove: (item) => item.remove(),
};
list.addEventListener('click', (event) => {
    const button = event.target.closest('.deeds button');
    if (!button) return;
    deeds[button.dataset.do](button.closest('li'));
    if (button.isConnected) button.focus();
    save();
});
watch('value', take);
take();
