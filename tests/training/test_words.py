"""The small tokenizer: a token for each known word."""

from training.fill50k import COLOURS
from training.words import text_encoder, tokenizer

WORDS = ["circle", "with", "background", *(word for name in COLOURS for word in name.split())]


def test_every_known_word_is_one_token_and_the_rest_is_bytes() -> None:
    made = tokenizer(WORDS)
    for word in WORDS:
        assert len(made(word, add_special_tokens=False).input_ids) == 1, word
    ids = made("pale green circle with old lace background", add_special_tokens=False).input_ids
    assert len(ids) == 7
    assert made.decode(ids) == "pale green circle with old lace background"
    assert len(made("zebra", add_special_tokens=False).input_ids) > 1
    assert len(set(made(" ".join(set(WORDS)), add_special_tokens=False).input_ids)) == len(set(WORDS))


def test_the_encoder_fits_its_tokenizer() -> None:
    made = tokenizer(["red", "blue"])
    encoder = text_encoder(made, width=16, layers=1)
    ids = made(["red"], return_tensors="pt", padding="max_length").input_ids
    assert encoder(ids).last_hidden_state.shape == (1, 77, 16)
