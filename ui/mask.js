// The mask of one picture. It stays with its picture on this page: wherever that is shown, so is the mask.
const masks = (window.armatureMasks ??= new Map());
const paper = brush(element.querySelector('div'), {
    hint: 'Paint over what is to be made new',
    empty: props.empty,
    changed(mask) {
        masks.set(props.value.of, mask);
        window.dispatchEvent(new Event('armature-mask'));
    },
});

function show() {
    const { picture = '', of = '', mask = null } = props.value ?? {};
    const painted = masks.get(of) ?? null;
    if (painted !== mask) props.value = { ...props.value, mask: painted };
    paper.show(picture, painted);
}
window.addEventListener('armature-mask', show);
watch('value', show);
show();
