// The tab is drawn by the server and put into place piece by piece, so that focus stays and bars move on.
const root = element.querySelector('div');
const GOES_ON = '.comes, .waits, .goes, .busy';
const QUICK = 500, CALM = 3000;

function same(one, other) {
    return one.nodeType === other.nodeType && one.nodeName === other.nodeName &&
        (one.dataset?.row ?? '') === (other.dataset?.row ?? '');
}

function put(old, fresh) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
        if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
        return;
    }
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const [before, after] = [[...old.childNodes], [...fresh.childNodes]];
    after.forEach((part, place) => {
        if (!before[place]) old.append(part);
        else if (same(before[place], part)) put(before[place], part);
        else before[place].replaceWith(part);
    });
    before.slice(after.length).forEach((part) => part.remove());
}

function draw() {
    const before = root.firstChild?.dataset?.news;
    const fresh = document.createElement('div');
    fresh.innerHTML = props.value || '';
    put(root, fresh);
    asked = Date.now();
    if (before && before !== root.firstChild?.dataset.news) trigger('news');
}

function look() {
    asked = Date.now();
    trigger('look', { mark: root.firstChild?.dataset?.mark ?? '' });
}

let asked = 0;
watch('value', draw);
draw();
look();

element.addEventListener('click', (event) => {
    const button = event.target.closest('button[data-do]');
    if (!button || button.disabled) return;
    button.disabled = true;
    trigger('press', { do: button.dataset.do, name: button.dataset.name });
});

// While somebody looks at it: often when something goes on, now and then when not.
new IntersectionObserver(([seen]) => seen.isIntersecting && look()).observe(element);
setInterval(() => {
    const quiet = root.querySelector(GOES_ON) ? QUICK : CALM;
    if (element.offsetParent && !document.hidden && Date.now() - asked >= quiet) look();
}, QUICK / 2);
