"""Searches vectors by hnswlib (PyPI), one query at a time on one thread.

Reads a task from the file that the first argument names. Answers one JSON object a line: first how the graph was had, then, for each ef that
comes as a line, the time of every query and the rows that it found.
"""

import json
import os
import sys
import time

import hnswlib
import numpy

with open(sys.argv[1], encoding="utf-8") as file:
    task = json.load(file)
dims = task["dims"]
queries = numpy.fromfile(task["queries"], dtype=numpy.float32).reshape(-1, 1, dims)
index = hnswlib.Index(space="cosine", dim=dims)
notes = task["graph"] + ".json"
if os.path.exists(notes):
    index.load_index(task["graph"])
    with open(notes, encoding="utf-8") as file:
        built = {**json.load(file), "kept": True}
else:
    rows = numpy.fromfile(task["rows"], dtype=numpy.float32).reshape(-1, dims)
    index.init_index(max_elements=len(rows), M=task["m"], ef_construction=task["efConstruction"], random_seed=1)
    started = time.perf_counter()
    index.add_items(rows, num_threads=task["threads"])
    built = {"seconds": time.perf_counter() - started, "kept": False}
    index.save_index(task["graph"])
    with open(notes, "w", encoding="utf-8") as file:
        json.dump({"seconds": built["seconds"]}, file)
print(json.dumps(built), flush=True)
index.set_num_threads(1)
for line in sys.stdin:
    index.set_ef(int(line))
    times = []
    found = []
    for query in queries:
        started = time.perf_counter()
        labels, _ = index.knn_query(query, k=task["k"], num_threads=1)
        times.append((time.perf_counter() - started) * 1_000)
        found.append(labels[0].tolist())
    print(json.dumps({"times": times, "found": found}), flush=True)
