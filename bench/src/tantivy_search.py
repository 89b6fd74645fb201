"""Searches texts by tantivy (PyPI): reads one JSON object from a file, prints one. Words are separated by single spaces already."""

import json
import sys
import time

import tantivy

with open(sys.argv[1], encoding="utf-8") as file:
    task = json.load(file)
builder = tantivy.SchemaBuilder()
builder.add_text_field("text", stored=False, tokenizer_name="whitespace", index_option="freq")
builder.add_integer_field("row", stored=True)
index = tantivy.Index(builder.build())
writer = index.writer(300_000_000, 1)
with open(task["texts"], encoding="utf-8") as texts:
    for row, line in enumerate(texts):
        writer.add_document(tantivy.Document(text=line.rstrip("\n"), row=row))
writer.commit()
writer.wait_merging_threads()
index.reload()
searcher = index.searcher()
queries = []
for words in task["queries"]:
    clauses = [
        (tantivy.Occur.Should, tantivy.Query.term_query(searcher_schema, "text", word, "freq"))
        for searcher_schema in [index.schema]
        for word in words
    ]
    queries.append(tantivy.Query.boolean_query(clauses))
results = [{"ms": float("inf"), "rows": []} for _ in queries]
for _ in range(task["rounds"]):
    for query, result in zip(queries, results):
        started = time.perf_counter()
        hits = searcher.search(query, task["limit"], count=False).hits
        result["ms"] = min(result["ms"], (time.perf_counter() - started) * 1_000)
        result["rows"] = [searcher.doc(address)["row"][0] for _, address in hits] if task["rows"] else []
json.dump(results, sys.stdout)
