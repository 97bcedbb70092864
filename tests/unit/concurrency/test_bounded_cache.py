from dashboard.concurrency.bounded_cache import BoundedCache


def test_the_newest_entries_are_kept():
    memory: BoundedCache[str, int] = BoundedCache(2)
    for number, key in enumerate("aba"):
        memory.keep(key, number)
    memory.keep("c", 3)
    assert dict(memory) == {"a": 2, "c": 3}
    assert len(memory) == 2
    assert "b" not in memory
    assert memory.get("b") is None


def test_what_is_weighed_is_kept_up_to_a_weight():
    memory: BoundedCache[str, str] = BoundedCache(10, weigh=lambda _key, value: len(value))
    memory.keep("a", "xxxx")
    memory.keep("b", "xxxxx")
    memory.keep("a", "xxxxx")
    assert memory.weight == 10
    memory.keep("c", "x")
    assert dict(memory) == {"a": "xxxxx", "c": "x"}, "the one kept longest ago went"
    memory.keep("a", "x" * 11)
    assert (dict(memory), memory.weight) == ({"c": "x"}, 1), "and one that is too heavy takes no other's place"
    memory.forget("c")
    memory.forget("c")
    assert (len(memory), memory.weight) == (0, 0)
