import time
from tests.end_to_end.bench import Bench, cold
from tests.end_to_end.books import Books
from tests.end_to_end.events import Written, group_offsets
from sluice.store import open_store

def test_it(bench: Bench, flights: Written, tmp_path) -> None:
    name = bench.pipeline("try-it", flights.topic)
    print(bench.file(name).read_text())
    for verb in ("check", "plan", "run", "run", "status"):
        t = time.time()
        done = bench.sluice(verb, name)
        print(verb, time.time() - t, done.code)
        print(done.out[:600], done.err)
    t=time.time(); d = cold(bench, "run", name, "--no-prefect", "-v"); print("cold", time.time()-t, d)
    assert bench.ids(name) == flights.good
    books = Books(open_store(bench.store), name, tmp_path / "scratch")
    books.audit(flights)
    books.audit_delivered()
    print(books.every_outcome(), books.positions, flights.ends, group_offsets(flights.servers, name, flights))
    assert 0
